// The pictures: by time, or as a search finds them. The address says what is shown, so every view is a link.

import { ask, counted, element, month, notice, shown } from "./api.js";
import { Grid } from "./grid.js";
import { Viewer } from "./viewer.js";

const PAGE = 200;
// Least similarities to choose from: pictures are less like words than they are like each other.
const LEAST = ["0.15", "0.2", "0.25", "0.3", "0.5", "0.7", "0.9"];
const find = (id) => document.getElementById(id);

// A picture that was dropped or chosen; it is sent again for more results, and is in no address.
let sent = null;
let shownNow = 0;
let more = null;

const grid = new Grid(find("grid"), (index) => viewer.showAt(index), () => more?.());
const viewer = new Viewer(grid, (id) => {
  const here = new URLSearchParams(location.search);
  if (id) here.set("view", id);
  else here.delete("view");
  const address = here.size ? `?${here}` : "/";
  // Going through pictures is one step back in the browser, not a hundred.
  if (id && !history.state?.viewing) history.pushState({ viewing: true }, "", address);
  else history.replaceState(id ? { viewing: true } : null, "", address);
});

function asked() {
  const here = new URLSearchParams(location.search);
  return {
    words: here.get("q") ?? "",
    like: here.get("like"),
    by: here.get("by") ?? "both",
    least: here.get("min_score") ?? "",
    where: here.getAll("where"),
    view: here.get("view"),
  };
}

function go(change) {
  const { words, like, by, least, where } = { ...asked(), ...change };
  const there = new URLSearchParams();
  if (words) there.set("q", words);
  if (like) there.set("like", like);
  if (by !== "both") there.set("by", by);
  if (least) there.set("min_score", least);
  for (const condition of where) there.append("where", condition);
  history.pushState(null, "", there.size ? `?${there}` : "/");
  show();
}

async function show() {
  const { words, like, by, least, where, view } = asked();
  const turn = (shownNow += 1);
  more = null;
  find("words").value = words;
  drawChips(where, like);
  drawChoices({ words, by, least });
  grid.show({ ratios: [], sections: [], items: async () => [] });
  find("count").textContent = words || like || sent ? "Searching …" : "Reading the collection …";
  find("jump-label").hidden = true;
  try {
    if (words || like || sent) await showResults(turn, { words, like, by, least, where });
    else await showTimeline(turn, where);
  } catch (error) {
    if (turn === shownNow) find("count").textContent = error.message;
  }
  if (view && turn === shownNow) viewer.showId(view);
}

async function showTimeline(turn, where) {
  const conditions = where.map((condition) => ["where", condition]);
  const timeline = await ask(`timeline?${new URLSearchParams(conditions)}`);
  if (turn !== shownNow) return;
  const packed = Uint8Array.from(atob(timeline.ratios), (letter) => letter.charCodeAt(0));
  const sections = timeline.months.map((each) => ({ ...each, title: `${month(each.month)}` }));
  grid.show({
    ratios: new Uint16Array(packed.buffer),
    sections,
    items: async (offset, limit) =>
      (await ask(`timeline/items?${new URLSearchParams([...conditions, ["offset", offset], ["limit", limit]])}`)).items,
  });
  find("count").textContent = timeline.total ? counted(timeline.total, "picture") : "There is no picture here.";
  find("jump-label").hidden = sections.length < 2;
  find("jump").replaceChildren(
    ...sections.map((each) => element("option", { value: each.start, textContent: each.title })),
  );
}

async function showResults(turn, question) {
  const found = [];
  const ratios = [];
  let next = 0;
  let waiting = false;

  async function load() {
    if (next === null || waiting) return;
    waiting = true;
    try {
      const page = await search({ ...question, offset: next });
      if (turn !== shownNow) return;
      next = page.next;
      for (const hit of page.results) {
        found.push({ id: hit.id, text: hit.caption ?? hit.name });
        const ratio = hit.width && hit.height ? hit.width / hit.height : 1.5;
        ratios.push(Math.round(1000 * Math.min(Math.max(ratio, 0.1), 10)));
      }
      grid.show({
        ratios,
        sections: [{ start: 0, count: ratios.length }],
        items: async (offset, limit) => found.slice(offset, offset + limit),
      });
      const all = next === null ? "" : " so far";
      find("count").textContent = found.length ? `${counted(found.length, "picture")}${all}, best first` : "Nothing was found.";
    } finally {
      waiting = false;
    }
  }

  await load();
  if (turn === shownNow) more = () => load().catch((error) => notice(error.message));
}

function search({ words, like, by, least, where, offset }) {
  const limits = { limit: PAGE, offset };
  // Words alone have no likeness, and pictures like a stored one are asked for without a least.
  if (words) limits.by = by;
  if (least && (words || sent) && !(words && by === "words")) limits.min_score = least;
  if (sent) {
    const body = new FormData();
    body.append("picture", sent);
    for (const condition of where) body.append("where", condition);
    for (const [name, value] of Object.entries(limits)) body.append(name, value);
    return ask("search/picture", { method: "POST", body });
  }
  const query = new URLSearchParams(where.map((condition) => ["where", condition]));
  if (words) query.set("text", words);
  else query.set("point", like);
  for (const [name, value] of Object.entries(limits)) query.set(name, value);
  return ask(`search?${query}`);
}

function drawChips(where, like) {
  const chip = (text, remove) => {
    const button = element("button", { className: "chip", textContent: `${text} ×`, ariaLabel: `Without ${text}` });
    button.addEventListener("click", remove);
    return element("li", {}, button);
  };
  const chips = where.map((condition) =>
    chip(condition, () => go({ where: where.filter((each) => each !== condition) })),
  );
  if (like) chips.unshift(chip("like a picture", () => go({ like: null })));
  if (sent) chips.unshift(chip(`like ${sent.name}`, () => searchBy(null)));
  find("chips").replaceChildren(...chips);
}

// How a search ranks and what it leaves out; a question without words has nothing to rank by but likeness.
function drawChoices({ words, by, least }) {
  find("by-label").hidden = !words;
  find("by").value = by;
  find("least-label").hidden = !(words || sent) || (Boolean(words) && by === "words");
  const given = new Set(least && least !== "auto" ? [...LEAST, least] : LEAST);
  const numbers = [...given].sort((one, other) => one - other);
  const options = numbers.map((each) => element("option", { value: each, textContent: `At least ${each}` }));
  find("least").replaceChildren(...[...find("least").options].slice(0, 2), ...options);
  find("least").value = least;
}

async function drawFacets() {
  const { where } = asked();
  const conditions = where.map((condition) => ["where", condition]);
  const groups = await Promise.all(
    ["camera", "lens", "format", "keywords", "root"].map(async (field) => {
      const query = new URLSearchParams([["field", field], ["limit", 12], ...conditions]);
      return [field, (await ask(`facets?${query}`)).values];
    }),
  );
  const titles = { camera: "Cameras", lens: "Lenses", format: "Formats", keywords: "Keywords", root: "Folders" };
  const drawn = groups
    .filter(([, values]) => Object.keys(values).length)
    .map(([field, values]) => {
      const list = Object.entries(values).map(([value, count]) => {
        const button = element("button", { className: "chip" }, shown(value), element("small", { textContent: count }));
        const condition = field === "root" ? `root=${value}` : `${field}="${value}"`;
        button.addEventListener("click", () => go({ where: [...new Set([...asked().where, condition])] }));
        return element("li", {}, button);
      });
      return element("div", {}, element("h2", { textContent: titles[field] }), element("ul", { className: "chips" }, ...list));
    });
  const own = element("input", { placeholder: "width>=4000", spellcheck: false, id: "condition" });
  const form = element("form", {}, element("label", { textContent: "A condition", htmlFor: "condition" }), own);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (own.value.trim()) go({ where: [...asked().where, own.value.trim()] });
  });
  find("facets").replaceChildren(...drawn, form);
}

function searchBy(file) {
  sent = file;
  go({ words: "", like: null });
}

find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  sent = null;
  go({ words: find("words").value.trim(), like: null });
});
find("by").addEventListener("change", (event) => go({ by: event.target.value }));
find("least").addEventListener("change", (event) => go({ least: event.target.value }));
find("upload").addEventListener("change", (event) => {
  if (event.target.files[0]) searchBy(event.target.files[0]);
  event.target.value = "";
});
find("filter").addEventListener("click", () => {
  const panel = find("facets");
  panel.hidden = !panel.hidden;
  find("filter").ariaExpanded = String(!panel.hidden);
  if (!panel.hidden) drawFacets().catch((error) => notice(error.message));
});
find("jump").addEventListener("change", (event) => grid.scrollTo(Number(event.target.value)));
addEventListener("popstate", () => {
  if (asked().view) viewer.showId(asked().view);
  else if (viewer.dialog.open) viewer.close();
  else show();
});
addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    find("words").focus();
  }
});
addEventListener("dragover", (event) => {
  if (![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  find("drop").hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) find("drop").hidden = true;
});
addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").hidden = true;
  if (event.dataTransfer.files[0]) searchBy(event.dataTransfer.files[0]);
});

show();
