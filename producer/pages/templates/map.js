// Draws the points, moves with the mouse or a finger, and shows what lies under it.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const places = new Uint16Array(bytes(data.places).buffer), clusters = bytes(data.clusters);
const count = clusters.length, canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
const card = document.getElementById("card"), dark = matchMedia("(prefers-color-scheme: dark)");
const colour = cluster => `hsl(${(cluster * 137.508) % 360} 65% ${dark.matches ? 62 : 45}%)`;
const pictured = Object.keys(data.thumbnails).map(Number);
const SPAN = 65535, SMALL = 64, LARGE = 192, GAP = 10;
let view = null, stretch = 1, drawn = [], hovered = -1, images = new Map(), waiting = false;

function fit() {
  canvas.width = innerWidth * (devicePixelRatio || 1); canvas.height = innerHeight * (devicePixelRatio || 1);
  if (!view) {
    const high = Math.min(innerHeight - 110, innerWidth * 1.3), wide = Math.min(innerWidth * 0.92, high * 1.7);
    stretch = wide / high;
    view = { scale: high / SPAN, x: (innerWidth - wide) / 2, y: (innerHeight + 50 - high) / 2 };
  }
  redraw();
}
const across = n => places[2 * n] * view.scale * stretch + view.x, down = n => places[2 * n + 1] * view.scale + view.y;
const zoomed = () => view.scale * SPAN / Math.min(innerWidth, innerHeight);
// Pictures grow with the zoom, more slowly than the distances between them.
const edge = () => Math.max(SMALL, Math.min(LARGE, SMALL * Math.sqrt(zoomed())));
const redraw = () => { if (!waiting) { waiting = true; requestAnimationFrame(draw); } };

function picture(n) {
  if (!(n in data.thumbnails)) return null;
  if (!images.has(n)) {
    const image = new Image();
    image.onload = redraw;
    image.src = "data:image/jpeg;base64," + data.thumbnails[n];
    images.set(n, image);
  }
  const image = images.get(n);
  return image.complete && image.naturalWidth ? image : null;
}

function draw() {
  waiting = false;
  const ratio = devicePixelRatio || 1, style = getComputedStyle(document.body);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const size = Math.max(1.6, Math.min(7, 130 / Math.sqrt(count) * Math.sqrt(zoomed())));
  const seen = points(Math.max(1, Math.round(size * ratio)), ratio);
  drawn = spread();
  for (const n of drawn) show(n, edge());
  label(style);
  canvas.setAttribute("aria-label", `Map of ${count} pictures, ${seen} of them in view`);
  if (hovered >= 0) {
    pen.strokeStyle = style.color; pen.lineWidth = 2;
    pen.beginPath(); pen.arc(across(hovered), down(hovered), size + 3, 0, 7); pen.stroke();
  }
}

// Pixel by pixel: a hundred thousand calls of the canvas would take a third of a second.
function points(edge, ratio) {
  const width = canvas.width, height = canvas.height;
  const layer = pen.createImageData(width, height), pixels = new Uint32Array(layer.data.buffer);
  let seen = 0;
  for (let n = 0; n < count; n++) {
    const left = Math.round(across(n) * ratio - edge / 2), top = Math.round(down(n) * ratio - edge / 2);
    if (left <= -edge || top <= -edge || left >= width || top >= height) continue;
    seen++;
    const right = Math.min(width, left + edge), bottom = Math.min(height, top + edge);
    const from = Math.max(0, left), colour = packed[clusters[n]];
    for (let y = Math.max(0, top); y < bottom; y++) pixels.fill(colour, y * width + from, y * width + right);
  }
  pen.putImageData(layer, 0, 0);
  return seen;
}

// Pictures that do not cover each other, the same ones wherever the map is moved to: the first of each square of a grid
// that lies on the map and gets finer in steps. A square is smaller than a picture, so it never has two of them.
function spread() {
  const reach = edge(), apart = reach + GAP;
  const step = 2 ** Math.floor(Math.log2(apart / view.scale)), squares = new Map(), chosen = [];
  for (const n of pictured) {
    if (Math.abs(across(n) - innerWidth / 2) > innerWidth / 2 + reach) continue;
    if (Math.abs(down(n) - innerHeight / 2) > innerHeight / 2 + reach) continue;
    const x = places[2 * n] * stretch, y = places[2 * n + 1], column = Math.floor(x / step), row = Math.floor(y / step);
    let free = true;
    for (let c = column - 2; free && c <= column + 2; c++) for (let r = row - 2; free && r <= row + 2; r++) {
      const other = squares.get(c + "," + r);
      free = !other || Math.abs(other[0] - x) * view.scale > apart || Math.abs(other[1] - y) * view.scale > apart;
    }
    if (free) { squares.set(column + "," + row, [x, y]); chosen.push(n); }
  }
  return chosen;
}

function show(n, edge) {
  const image = picture(n);
  if (!image) return;
  const scale = edge / Math.max(image.naturalWidth, image.naturalHeight);
  const w = image.naturalWidth * scale, h = image.naturalHeight * scale, x = across(n) - w / 2, y = down(n) - h / 2;
  pen.drawImage(image, x, y, w, h);
  pen.strokeStyle = colours[clusters[n]]; pen.lineWidth = 1.5; pen.strokeRect(x, y, w, h);
}

function label(style) {
  pen.textAlign = "center"; pen.textBaseline = "middle"; pen.lineJoin = "round";
  pen.font = "600 13px system-ui, sans-serif";
  const taken = [];
  for (const { text, x: px, y: py, cluster } of data.labels) {
    const x = px * view.scale * stretch + view.x, y = py * view.scale + view.y;
    const half = pen.measureText(text).width / 2 + 4;
    const box = [x - half, y - 10, x + half, y + 10];
    if (!text || taken.some(b => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
    taken.push(box);
    // A label may lie on a picture, so it has a ground of its own.
    pen.globalAlpha = 0.8; pen.fillStyle = style.backgroundColor; pen.fillRect(box[0], box[1], 2 * half, 20); pen.globalAlpha = 1;
    pen.fillStyle = colours[cluster]; pen.fillText(text, x, y);
  }
}

function under(x, y) {
  const half = edge() / 2;
  const on = drawn.findLast(n => Math.abs(across(n) - x) < half && Math.abs(down(n) - y) < half);
  if (on !== undefined) return on;
  let best = -1, least = 18 * 18;
  for (let n = 0; n < count; n++) {
    const dx = across(n) - x, dy = down(n) - y, far = dx * dx + dy * dy;
    if (far < least) { least = far; best = n; }
  }
  return best;
}

function hover(x, y) {
  const n = under(x, y);
  if (n !== hovered) {
    hovered = n;
    card.style.display = n < 0 ? "none" : "block";
    canvas.style.cursor = n < 0 ? "grab" : "pointer";
    if (n >= 0) {
      const [image, caption, name] = card.children;
      image.style.display = "block";
      image.onload = () => place(pointer);
      image.onerror = () => { image.style.display = "none"; place(pointer); };
      image.src = n in data.thumbnails ? "data:image/jpeg;base64," + data.thumbnails[n] : data.uris[n];
      caption.textContent = data.captions[n]; name.textContent = data.names[n];
    }
    redraw();
  }
  place(pointer = [x, y]);
}

// Beside the pointer and inside of the window, however much is in the card; its picture may come later.
let pointer = [0, 0];
function place([x, y]) {
  const wide = card.offsetWidth, high = card.offsetHeight;
  const left = x + 16 + wide > innerWidth ? x - 16 - wide : x + 16;
  card.style.left = Math.max(4, Math.min(left, innerWidth - wide - 4)) + "px";
  card.style.top = Math.max(4, Math.min(y + 16, innerHeight - high - 4)) + "px";
}

function zoom(x, y, factor) {
  const scale = Math.max(1e-4, Math.min(2, view.scale * factor)), by = scale / view.scale;
  view = { scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by };
  redraw();
}

let fingers = new Map(), moved = false;
canvas.addEventListener("pointerdown", event => {
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
  moved = false; canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", event => {
  const before = fingers.get(event.pointerId);
  if (!before) return hover(event.clientX, event.clientY);
  const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
  const dx = event.clientX - before[0], dy = event.clientY - before[1];
  if (Math.abs(dx) + Math.abs(dy) > 2) moved = true;
  if (other) {
    const gap = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
    zoom(other[0], other[1], gap([event.clientX, event.clientY], other) / gap(before, other));
  } else { view.x += dx; view.y += dy; redraw(); }
  fingers.set(event.pointerId, [event.clientX, event.clientY]);
});
canvas.addEventListener("pointerup", event => {
  fingers.delete(event.pointerId);
  if (moved) return;
  const n = under(event.clientX, event.clientY);
  // A finger has nothing that hovers, so its first touch shows and its second one opens.
  if (n >= 0 && (event.pointerType === "mouse" || n === hovered) && /^(file|https?):/.test(data.uris[n])) {
    open(data.uris[n], "_blank", "noopener");
  }
  hover(event.clientX, event.clientY);
});
canvas.addEventListener("pointercancel", event => fingers.delete(event.pointerId));
canvas.addEventListener("pointerleave", () => { hovered = -1; card.style.display = "none"; redraw(); });
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(event.clientX, event.clientY, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
}, { passive: false });
let colours = [];
const packed = new Uint32Array(256);
function paint() {
  colours = Array.from({ length: 256 }, (_, cluster) => colour(cluster));
  colours.forEach((text, cluster) => {
    // The canvas says every colour as #rrggbb; in memory the red byte comes first.
    pen.fillStyle = text;
    const bytes = [1, 3, 5].map(at => parseInt(pen.fillStyle.slice(at, at + 2), 16));
    packed[cluster] = new Uint32Array(Uint8Array.of(...bytes, 255).buffer)[0];
  });
  redraw();
}
addEventListener("resize", fit);
dark.addEventListener("change", paint);
// At once, and not only with the next frame, which a browser may hold back.
fit(); paint(); draw();
