// What the collection holds; each bar is a link to its pictures.

import { ask, counted, element, number, shown } from "./api.js";

const CHARTS = [
  ["Years", "years", (value) => `taken=${value}`],
  ["Folders", "folders", (value) => `root=${value}`],
  ["Cameras", "cameras", (value) => `camera="${value}"`],
  ["Lenses", "lenses", (value) => `lens="${value}"`],
  ["Formats", "formats", (value) => `format=${value}`],
  ["Words of the captions", "words", (value) => `caption:${value}`],
];

function chart(title, values, condition) {
  const most = Math.max(...Object.values(values));
  const bars = Object.entries(values).map(([value, count]) => {
    const bar = element("span", { className: "value" });
    bar.style.width = `${(100 * count) / most}%`;
    const way = element(
      "a",
      { href: `/?${new URLSearchParams({ where: condition(value) })}` },
      element("span", { textContent: shown(value) }),
      element("span", { textContent: number(count) }),
      bar,
    );
    return element("li", {}, way);
  });
  return element("section", { className: "panel" }, element("h2", { textContent: title }), element("ol", { className: "bars" }, ...bars));
}

async function show() {
  const summary = document.getElementById("summary");
  try {
    const stats = await ask("stats");
    const undated = stats.undated ? `, ${number(stats.undated)} without a date` : "";
    summary.textContent = `${counted(stats.points, "picture")} in ${stats.collection}, by ${stats.clip_model}${undated}`;
    const drawn = CHARTS.filter(([, name]) => Object.keys(stats[name]).length);
    document
      .getElementById("charts")
      .replaceChildren(...drawn.map(([title, name, condition]) => chart(title, stats[name], condition)));
  } catch (error) {
    summary.textContent = error.message;
  }
}

show();
