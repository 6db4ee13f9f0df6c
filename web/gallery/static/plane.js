// A plane of points to move and zoom, by mouse, finger or keys; the map of meaning and the map of places are such ones.

import { thumbnail } from "./api.js";

const TOUCH = 18;
const STEP = 60;
const SMALL = 56;
const GAP = 8;
const SHOWN = 150;

// The id of a point from its 16 bytes.
export function idAt(bytes, n) {
  const hex = Array.from(bytes.subarray(16 * n, 16 * n + 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export const unpacked = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

export class Plane {
  // `points` has `count`, `x(n)`, `y(n)` in units of the plane, `group(n)` for its colour and `id(n)`; `bounds` is what
  // is seen at first, {left, top, width, height}; `paint(pen, plane)` draws what lies below; `chosen(n)` is told of one.
  constructor(canvas, points, { bounds, paint = () => {}, over = () => {}, chosen }) {
    Object.assign(this, { canvas, points, bounds, paint, over, chosen });
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
    this.images = new Map();
    this.fingers = new Map();
    this.selected = -1;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.colour(dark.matches));
    this.colour(dark.matches);
    new ResizeObserver(() => this.fit()).observe(canvas);
    this.listen();
  }

  colour(isDark) {
    this.isDark = isDark;
    this.colours = Array.from({ length: 64 }, (_, n) => `hsl(${(n * 137.508) % 360} 65% ${isDark ? 62 : 42}%)`);
    this.packed = this.colours.map((text) => {
      // The canvas says every colour as #rrggbb; in memory the red byte comes first.
      this.pen.fillStyle = text;
      const bytes = [1, 3, 5].map((at) => parseInt(this.pen.fillStyle.slice(at, at + 2), 16));
      return new Uint32Array(Uint8Array.of(...bytes, 255).buffer)[0];
    });
    this.redraw();
  }

  fit() {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    if (!wide || !high) return;
    this.ratio = devicePixelRatio || 1;
    this.canvas.width = wide * this.ratio;
    this.canvas.height = high * this.ratio;
    if (!this.view) this.show(this.bounds);
    this.redraw();
  }

  // See a part of the plane, with a little room around it.
  show({ left, top, width, height }) {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const scale = 0.92 * Math.min(wide / width, high / height);
    this.least ??= scale / 4;
    this.view = { scale, x: wide / 2 - (left + width / 2) * scale, y: high / 2 - (top + height / 2) * scale };
    this.redraw();
  }

  across(x) {
    return x * this.view.scale + this.view.x;
  }

  down(y) {
    return y * this.view.scale + this.view.y;
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      if (this.view) this.draw();
    });
  }

  draw() {
    const { pen, ratio } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.paint(pen, this);
    this.drawPoints();
    for (const n of (this.drawn = this.spread())) this.drawPicture(n);
    this.over(pen, this);
    if (this.selected >= 0) {
      pen.strokeStyle = this.isDark ? "#fff" : "#000";
      pen.lineWidth = 2.5;
      pen.beginPath();
      pen.arc(this.across(this.points.x(this.selected)), this.down(this.points.y(this.selected)), 9, 0, 7);
      pen.stroke();
    }
  }

  // Pixel by pixel: a hundred thousand calls of the canvas would take a third of a second.
  drawPoints() {
    const { width, height } = this.canvas;
    const layer = this.pen.getImageData(0, 0, width, height);
    const pixels = new Uint32Array(layer.data.buffer);
    const edge = Math.max(2, Math.round(this.ratio * Math.min(7, Math.max(2.5, 130 / Math.sqrt(this.points.count)))));
    for (let n = 0; n < this.points.count; n += 1) {
      const left = Math.round(this.across(this.points.x(n)) * this.ratio - edge / 2);
      const top = Math.round(this.down(this.points.y(n)) * this.ratio - edge / 2);
      if (left <= -edge || top <= -edge || left >= width || top >= height) continue;
      const right = Math.min(width, left + edge);
      const from = Math.max(0, left);
      const colour = this.packed[this.points.group(n) % this.packed.length];
      for (let y = Math.max(0, top); y < Math.min(height, top + edge); y += 1) {
        pixels.fill(colour, y * width + from, y * width + right);
      }
    }
    this.pen.putImageData(layer, 0, 0);
  }

  // Points whose pictures do not cover each other: the first of each square of a grid that lies on the plane.
  spread() {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const step = 2 ** Math.ceil(Math.log2((SMALL + GAP) / this.view.scale));
    const squares = new Set();
    const found = [];
    for (let n = 0; n < this.points.count && found.length < SHOWN; n += 1) {
      const x = this.points.x(n);
      const y = this.points.y(n);
      const column = Math.floor(x / step);
      const row = Math.floor(y / step);
      // Only in the middle of its square, so that the pictures of two squares do not meet.
      const isInside = Math.abs(x / step - column - 0.5) < 0.2 && Math.abs(y / step - row - 0.5) < 0.2;
      const left = this.across(x);
      const top = this.down(y);
      if (!isInside || left < 0 || top < 0 || left > wide || top > high || squares.has(`${column},${row}`)) continue;
      squares.add(`${column},${row}`);
      found.push(n);
    }
    return found;
  }

  drawPicture(n) {
    let image = this.images.get(n);
    if (!image) {
      image = new Image();
      image.onload = () => this.redraw();
      image.src = thumbnail(this.points.id(n));
      this.images.set(n, image);
      if (this.images.size > 4 * SHOWN) this.images.delete(this.images.keys().next().value);
    }
    if (!image.complete || !image.naturalWidth) return;
    const scale = SMALL / Math.max(image.naturalWidth, image.naturalHeight);
    const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale];
    const [x, y] = [this.across(this.points.x(n)) - w / 2, this.down(this.points.y(n)) - h / 2];
    this.pen.drawImage(image, x, y, w, h);
    this.pen.strokeStyle = this.colours[this.points.group(n) % this.colours.length];
    this.pen.lineWidth = 1.5;
    this.pen.strokeRect(x, y, w, h);
  }

  // The point at a place of the screen, -1 for none within reach.
  under(x, y, reach = TOUCH) {
    const half = SMALL / 2;
    const { points } = this;
    const on = (this.drawn ?? []).findLast(
      (n) => Math.abs(this.across(points.x(n)) - x) < half && Math.abs(this.down(points.y(n)) - y) < half,
    );
    if (on !== undefined) return on;
    let best = -1;
    let least = reach * reach;
    for (let n = 0; n < points.count; n += 1) {
      const far = (this.across(points.x(n)) - x) ** 2 + (this.down(points.y(n)) - y) ** 2;
      if (far < least) [least, best] = [far, n];
    }
    return best;
  }

  choose(n) {
    this.selected = n;
    this.chosen(n);
    this.redraw();
  }

  zoom(x, y, factor) {
    const scale = Math.max(this.least, Math.min(4000 * this.least, this.view.scale * factor));
    const by = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by };
    this.redraw();
  }

  zoomBy(factor) {
    this.zoom(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2, factor);
  }

  move(dx, dy) {
    this.view.x += dx;
    this.view.y += dy;
    this.redraw();
  }

  listen() {
    const { canvas, fingers } = this;
    let moved = false;
    const at = (event) => [event.offsetX, event.offsetY];
    canvas.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, at(event));
      moved = fingers.size > 1;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const now = at(event);
      const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
      const gap = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]) || 1;
      if (gap(now, before) > 2) moved = true;
      if (other) this.zoom(...other, gap(now, other) / gap(before, other));
      else if (moved) this.move(now[0] - before[0], now[1] - before[1]);
      if (moved) fingers.set(event.pointerId, now);
    });
    canvas.addEventListener("pointerup", (event) => {
      fingers.delete(event.pointerId);
      if (!moved) this.choose(this.under(...at(event)));
    });
    canvas.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        this.zoom(...at(event), Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
      },
      { passive: false },
    );
    canvas.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
      if (moves[event.key]) this.move(...moves[event.key]);
      else if (event.key === "+" || event.key === "=") this.zoomBy(1.5);
      else if (event.key === "-") this.zoomBy(1 / 1.5);
      else if (event.key === "Enter") this.choose(this.under(canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity));
      else return;
      event.preventDefault();
    });
  }
}
