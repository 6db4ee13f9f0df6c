// A justified grid of any number of pictures: only the rows near the screen are in the document.

import { element, thumbnail } from "./api.js";

const GAP = 4;
const HEADING = 48;
const BLOCK = 200;
const KEPT_BLOCKS = 40;

// Rows of pictures that fill the width: {y, height, start, end} each, headings with `title` and no pictures.
export function layOut(ratios, sections, width, wanted) {
  const rows = [];
  let y = 0;
  for (const section of sections) {
    if (section.title) {
      rows.push({ y, height: HEADING, start: section.start, end: section.start, title: section.title });
      y += HEADING;
    }
    const last = section.start + section.count;
    let start = section.start;
    let sum = 0;
    for (let index = start; index < last; index += 1) {
      sum += ratios[index] / 1000;
      const room = width - GAP * (index - start);
      const isLast = index === last - 1;
      if (sum * wanted < room && !isLast) continue;
      const height = Math.min(room / sum, isLast ? wanted : Infinity);
      rows.push({ y, height, start, end: index + 1 });
      y += height + GAP;
      start = index + 1;
      sum = 0;
    }
  }
  return { rows, height: y };
}

export class Grid {
  // `open(index)` is called for a picture that is chosen; `near` when the end comes near.
  constructor(place, open, near = () => {}) {
    this.place = place;
    this.open = open;
    this.near = near;
    this.rows = [];
    this.drawn = new Map();
    this.blocks = new Map();
    this.source = null;
    addEventListener("scroll", () => this.drawSoon(), { passive: true });
    new ResizeObserver(() => this.layOut()).observe(place);
    place.addEventListener("click", (event) => this.choose(event));
    place.addEventListener("keydown", (event) => this.move(event));
  }

  // A source has `ratios`, `sections`, and `items(offset, limit)`, which promises {id, text} each.
  show(source) {
    this.source = source;
    this.blocks.clear();
    this.layOut(true);
  }

  layOut(anew = false) {
    const width = this.place.clientWidth;
    if (!this.source || (!anew && width === this.width)) return;
    this.width = width;
    const wanted = width < 600 ? 112 : 190;
    const { rows, height } = layOut(this.source.ratios, this.source.sections, width, wanted);
    this.rows = rows;
    this.place.style.height = `${height}px`;
    for (const row of this.drawn.values()) row.remove();
    this.drawn.clear();
    this.draw();
  }

  drawSoon() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.draw();
    });
  }

  rowAt(y) {
    let low = 0;
    let high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].y + this.rows[middle].height < y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  draw() {
    const top = -this.place.getBoundingClientRect().top;
    const screen = innerHeight;
    const first = this.rowAt(top - screen);
    let last = first;
    while (last < this.rows.length && this.rows[last].y < top + 2 * screen) last += 1;
    for (const [number, row] of this.drawn) {
      if (number < first || number >= last) {
        row.remove();
        this.drawn.delete(number);
      }
    }
    for (let number = first; number < last; number += 1) {
      if (!this.drawn.has(number)) this.drawRow(number);
    }
    if (last >= this.rows.length) this.near();
  }

  drawRow(number) {
    const row = this.rows[number];
    const line = row.title
      ? element("h2", { className: "month", textContent: row.title })
      : element("div", { className: "line" });
    line.style.transform = `translateY(${row.y}px)`;
    for (let index = row.start; index < row.end; index += 1) {
      const tile = element("a", { className: "tile", href: "#" }, element("img", { alt: "", decoding: "async" }));
      tile.dataset.index = index;
      tile.style.width = `${(this.source.ratios[index] / 1000) * row.height}px`;
      tile.style.height = `${row.height}px`;
      line.append(tile);
      this.fill(tile, index);
    }
    this.drawn.set(number, line);
    // In the order of the pictures, so that the Tab key walks through them.
    const after = [...this.drawn.keys()].filter((other) => other > number).sort((a, b) => a - b)[0];
    this.place.insertBefore(line, after === undefined ? null : this.drawn.get(after));
  }

  async fill(tile, index) {
    const item = await this.item(index).catch(() => null);
    if (!item || !tile.isConnected) return;
    const picture = tile.firstElementChild;
    picture.addEventListener("load", () => tile.classList.add("there"), { once: true });
    picture.addEventListener("error", () => tile.classList.add("missing"), { once: true });
    picture.alt = item.text;
    picture.src = thumbnail(item.id);
    tile.title = item.text;
    tile.href = this.address(item.id);
  }

  address(id) {
    const here = new URLSearchParams(location.search);
    here.set("view", id);
    return `?${here}`;
  }

  get total() {
    return this.source ? this.source.ratios.length : 0;
  }

  // The picture at a place; blocks that were not needed for long are forgotten.
  async item(index) {
    const block = Math.floor(index / BLOCK);
    let items = this.blocks.get(block);
    if (items) this.blocks.delete(block);
    else items = this.source.items(block * BLOCK, BLOCK);
    this.blocks.set(block, items);
    if (this.blocks.size > KEPT_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
    try {
      return (await items)[index - block * BLOCK];
    } catch (error) {
      this.blocks.delete(block);
      throw error;
    }
  }

  // Where a picture is among those that were asked for, -1 for none.
  async find(id) {
    for (const [block, items] of this.blocks) {
      const place = (await items.catch(() => [])).findIndex((item) => item.id === id);
      if (place >= 0) return block * BLOCK + place;
    }
    return -1;
  }

  scrollTo(index) {
    const row = this.rows.find((each) => each.end > index || (each.title && each.start >= index));
    if (row) scrollTo({ top: row.y + this.place.getBoundingClientRect().top + scrollY - 120 });
    this.draw();
  }

  tile(index) {
    return this.place.querySelector(`[data-index="${index}"]`);
  }

  focus(index) {
    if (!this.tile(index)) this.scrollTo(index);
    const tile = this.tile(index);
    if (!tile) return;
    tile.focus({ preventScroll: true });
    tile.scrollIntoView({ block: "nearest" });
  }

  choose(event) {
    const tile = event.target.closest(".tile");
    if (!tile || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    this.open(Number(tile.dataset.index));
  }

  move(event) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    const index = Number(tile.dataset.index);
    const target = { ArrowLeft: index - 1, ArrowRight: index + 1 }[event.key] ?? this.beside(index, event.key);
    if (target === undefined || target < 0 || target >= this.total) return;
    event.preventDefault();
    this.focus(target);
  }

  // The picture above or below one.
  beside(index, key) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (!step) return undefined;
    let number = this.rows.findIndex((row) => row.start <= index && index < row.end);
    const place = (index - this.rows[number].start + 0.5) / (this.rows[number].end - this.rows[number].start);
    number += step;
    if (this.rows[number]?.title) number += step;
    const row = this.rows[number];
    return row && row.start + Math.floor(place * (row.end - row.start));
  }
}
