// Two maps: what pictures show, and where they were taken. The address says which one.

import { ask, counted, element, notice, thumbnail } from "./api.js";
import { Plane, idAt, unpacked } from "./plane.js";
import { outline } from "./world.js";

const find = (id) => document.getElementById(id);
// A degree is 111 km from north to south.
const DEGREE_KM = 111;
const SPAN = 65535;
let plane;

async function showMeaning() {
  const found = await ask("map");
  const ids = unpacked(found.ids);
  const places = new Uint16Array(unpacked(found.places).buffer);
  const clusters = unpacked(found.clusters);
  const points = {
    count: found.total,
    x: (n) => places[2 * n] * 1.4,
    y: (n) => places[2 * n + 1],
    group: (n) => clusters[n],
    id: (n) => idAt(ids, n),
  };
  const named = found.labels.filter((label) => label.text);
  plane = new Plane(find("plane"), points, {
    bounds: { left: 0, top: 0, width: SPAN * 1.4, height: SPAN },
    over: (pen, where) => drawLabels(pen, where, named),
    chosen: (n) => tell(n < 0 ? null : points.id(n)),
  });
  find("summary").textContent = `${counted(found.total, "picture")}; those that look alike lie close together.`;
  find("clusters").replaceChildren(
    ...named.map((label) => {
      const button = element("button", { className: "chip", textContent: label.text });
      button.addEventListener("click", () => {
        const reach = SPAN / 5;
        plane.show({ left: label.x * 1.4 - reach / 2, top: label.y - reach / 2, width: reach, height: reach });
      });
      return element("li", {}, button);
    }),
  );
}

function drawLabels(pen, where, labels) {
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.font = "600 13px system-ui, sans-serif";
  const taken = [];
  for (const { text, x: px, y: py, cluster } of labels) {
    const [x, y] = [where.across(px * 1.4), where.down(py)];
    const half = pen.measureText(text).width / 2 + 5;
    const box = [x - half, y - 11, x + half, y + 11];
    if (taken.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
    taken.push(box);
    // A label may lie on a picture, so it has a ground of its own.
    pen.fillStyle = where.isDark ? "#141312d9" : "#ffffffd9";
    pen.fillRect(box[0], box[1], 2 * half, 22);
    pen.fillStyle = where.colours[cluster % where.colours.length];
    pen.fillText(text, x, y);
  }
}

async function showPlaces() {
  const conditions = new URLSearchParams(location.search).getAll("where").map((condition) => ["where", condition]);
  const [found, land] = await Promise.all([ask(`places?${new URLSearchParams(conditions)}`), outline()]);
  const ids = unpacked(found.ids);
  const degrees = new Float32Array(unpacked(found.places).buffer);
  const points = {
    count: found.total,
    x: (n) => degrees[2 * n + 1],
    y: (n) => -degrees[2 * n],
    group: () => 0,
    id: (n) => idAt(ids, n),
  };
  plane = new Plane(find("plane"), points, {
    bounds: around(points),
    paint: (pen, where) => drawLand(pen, where, land),
    chosen: (n) => tell(n < 0 ? null : points.id(n), n < 0 ? null : [-points.y(n), points.x(n)]),
  });
  find("summary").textContent = found.total
    ? `${counted(found.total, "picture")} with a place.`
    : "No picture says where it was taken.";
  const world = element("button", { className: "chip", textContent: "The whole world" });
  world.addEventListener("click", () => plane.show({ left: -180, top: -84, width: 360, height: 144 }));
  find("clusters").replaceChildren(element("li", {}, world));
}

// The part of the world that holds all points, and something around it.
function around(points) {
  if (!points.count) return { left: -180, top: -84, width: 360, height: 144 };
  let [left, right, top, bottom] = [180, -180, 90, -90];
  for (let n = 0; n < points.count; n += 1) {
    [left, right] = [Math.min(left, points.x(n)), Math.max(right, points.x(n))];
    [top, bottom] = [Math.min(top, points.y(n)), Math.max(bottom, points.y(n))];
  }
  const room = Math.max(3, (right - left) / 8, (bottom - top) / 8);
  return { left: left - room, top: top - room, width: right - left + 2 * room, height: bottom - top + 2 * room };
}

function drawLand(pen, where, land) {
  pen.fillStyle = where.isDark ? "#2b2926" : "#e9e4da";
  pen.strokeStyle = where.isDark ? "#5c5850" : "#b9b2a4";
  pen.lineWidth = 1;
  pen.beginPath();
  for (const ring of land) {
    ring.forEach(([lon, lat], n) => pen[n ? "lineTo" : "moveTo"](where.across(lon), where.down(-lat)));
    pen.closePath();
  }
  pen.fill();
  pen.stroke();
}

// The picture that was chosen, and where to go from it.
async function tell(id, place = null) {
  const card = find("card");
  card.hidden = id === null;
  if (id === null) return;
  card.replaceChildren();
  try {
    const picture = await ask(`points/${id}`);
    const text = picture.caption ?? picture.name;
    const address = `/?${new URLSearchParams({ view: id })}`;
    const ways = [element("a", { href: address, textContent: "Show it" })];
    if (place) {
      // What lies within a finger's breadth on the screen.
      const km = Math.max(0.2, (40 / plane.view.scale) * DEGREE_KM).toPrecision(2);
      const near = `near:${place[0].toFixed(5)},${place[1].toFixed(5)},${Number(km)}`;
      ways.push(element("a", { href: `/?${new URLSearchParams({ where: near })}`, textContent: "Pictures near here" }));
    } else {
      ways.push(element("a", { href: `/?${new URLSearchParams({ like: id })}`, textContent: "Similar pictures" }));
    }
    card.replaceChildren(
      element("a", { href: address }, element("img", { src: thumbnail(id), alt: text })),
      element("div", {}, element("p", { textContent: text }), element("p", { className: "row" }, ...ways)),
    );
  } catch (error) {
    card.hidden = true;
    notice(error.message);
  }
}

const isPlaces = new URLSearchParams(location.search).get("of") === "places";
find(isPlaces ? "of-places" : "of-meaning").setAttribute("aria-current", "page");
find("in").addEventListener("click", () => plane?.zoomBy(1.6));
find("out").addEventListener("click", () => plane?.zoomBy(1 / 1.6));
(isPlaces ? showPlaces() : showMeaning()).catch((error) => (find("summary").textContent = error.message));
