// The large view: a picture, what is known of it, and those before, after and like it.

import { ask, bytes, element, notice, preview, shown, thumbnail } from "./api.js";

const find = (name) => document.getElementById(`viewer-${name}`);
const SWIPE = 50;

function factsOf(picture) {
  const { facts } = picture;
  // The time of day where it was taken, whatever the zone.
  const day = picture.taken_at && new Date(`${picture.taken_at.slice(0, 19)}Z`);
  const path = shown(picture.uri);
  const taken = day && day.toLocaleString("en", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" });
  const light = [
    facts.exposure && (facts.exposure < 0.3 ? `1/${Math.round(1 / facts.exposure)} s` : `${facts.exposure} s`),
    facts.aperture && `f/${facts.aperture}`,
    facts.iso && `ISO ${facts.iso}`,
    facts.focal_length && `${facts.focal_length} mm`,
  ].filter(Boolean);
  const place = facts.gps && `${Number(facts.gps.lat).toFixed(5)}, ${Number(facts.gps.lon).toFixed(5)}`;
  return {
    Name: picture.name,
    Taken: taken,
    Size: picture.width && `${picture.width} × ${picture.height}`,
    File: [facts.format, facts.bytes && bytes(facts.bytes)].filter(Boolean).join(", "),
    Camera: facts.camera,
    Lens: facts.lens,
    Light: light.join(", "),
    Place: place,
    Title: facts.title,
    Description: facts.description,
    Folder: path.slice(0, path.lastIndexOf("/")) || "/",
  };
}

export class Viewer {
  // `grid` knows the pictures before and after; `moved(id)` is told what is shown, null for nothing.
  constructor(grid, moved) {
    this.grid = grid;
    this.moved = moved;
    this.dialog = document.getElementById("viewer");
    this.index = -1;
    find("close").addEventListener("click", () => this.close());
    find("previous").addEventListener("click", () => this.step(-1));
    find("next").addEventListener("click", () => this.step(1));
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.close();
    });
    this.dialog.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) this.step(step);
    });
    let begun = null;
    const figure = this.dialog.querySelector("figure");
    figure.addEventListener("pointerdown", (event) => (begun = event.clientX));
    figure.addEventListener("pointerup", (event) => {
      const way = begun === null ? 0 : event.clientX - begun;
      begun = null;
      if (Math.abs(way) > SWIPE) this.step(way < 0 ? 1 : -1);
    });
    const picture = find("picture");
    picture.draggable = false;
    picture.addEventListener("error", () => this.explain());
  }

  async showAt(index) {
    const item = await this.grid.item(index);
    if (!item) return;
    this.index = index;
    this.show(item.id, item.text);
  }

  async showId(id) {
    this.index = await this.grid.find(id);
    this.show(id, "");
  }

  async show(id, text) {
    this.id = id;
    const picture = find("picture");
    find("trouble").hidden = true;
    picture.hidden = false;
    picture.alt = text;
    picture.src = preview(id);
    find("caption").textContent = text;
    find("facts").replaceChildren();
    find("keywords").replaceChildren();
    find("like").replaceChildren();
    find("similar").href = `/?${new URLSearchParams({ like: id })}`;
    find("original").href = `/api/v1/points/${id}/original?download=true`;
    find("previous").disabled = this.index <= 0;
    find("next").disabled = this.index < 0 || this.index >= this.grid.total - 1;
    if (!this.dialog.open) this.dialog.showModal();
    this.moved(id);
    try {
      const found = await ask(`points/${id}`);
      if (this.id !== id) return;
      this.tell(found);
      const like = await ask(`points/${id}/similar?limit=8`);
      if (this.id === id) this.tellLike(like.results);
    } catch (error) {
      if (this.id === id) notice(error.message);
    }
    // The one that will be wanted next.
    if (this.index >= 0 && this.index < this.grid.total - 1) {
      const next = await this.grid.item(this.index + 1).catch(() => null);
      if (next && this.id === id) new Image().src = preview(next.id);
    }
  }

  tell(picture) {
    find("picture").alt = picture.caption ?? picture.name;
    find("caption").textContent = picture.caption ?? picture.name;
    for (const [name, value] of Object.entries(factsOf(picture))) {
      if (value) find("facts").append(element("dt", { textContent: name }), element("dd", { textContent: value }));
    }
    for (const word of picture.facts.keywords ?? []) {
      const way = new URLSearchParams({ where: `keywords="${word}"` });
      find("keywords").append(element("li", {}, element("a", { className: "chip", href: `/?${way}`, textContent: word })));
    }
  }

  tellLike(pictures) {
    for (const like of pictures) {
      const text = like.caption ?? like.name;
      const image = element("img", { src: thumbnail(like.id), alt: text, title: text, decoding: "async" });
      const way = element("a", { href: `/?${new URLSearchParams({ view: like.id })}` }, image);
      way.addEventListener("click", (event) => {
        event.preventDefault();
        this.showId(like.id);
      });
      find("like").append(way);
    }
  }

  // Why a picture cannot be shown is in the answer that the browser has thrown away.
  async explain() {
    const { id } = this;
    if (!this.dialog.open) return;
    const answer = await fetch(preview(id)).catch(() => null);
    const content = answer && !answer.ok ? await answer.json().catch(() => ({})) : {};
    if (this.id !== id) return;
    find("picture").hidden = true;
    find("trouble").hidden = false;
    find("trouble").textContent = content.detail ?? "This picture cannot be shown.";
  }

  step(way) {
    const target = this.index + way;
    if (this.index >= 0 && target >= 0 && target < this.grid.total) this.showAt(target);
  }

  close() {
    if (!this.dialog.open) return;
    this.dialog.close();
    find("picture").removeAttribute("src");
    this.id = null;
    this.moved(null);
    if (this.index >= 0) this.grid.focus(this.index);
  }
}
