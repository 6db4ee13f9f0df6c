// Pictures that are there more than once, side by side; which to keep is a rule, and then a click each.

import { ask, bytes, counted, element, notice, shown, thumbnail } from "./api.js";

const PAGE = 50;
const form = document.getElementById("asked");
const place = (id) => document.getElementById(id);
let groups = [];
let next = 0;
let turn = 0;

const pixels = (picture) => (picture.width ?? 0) * (picture.height ?? 0);
const age = (picture) => picture.taken_at ?? "9999";

// The place in a group of the picture that a rule keeps.
function kept(group) {
  const rule = form.keep.value;
  const folder = form.folder.value.trim().replace(/\/$/, "");
  const isWanted = (picture) => rule === "folder" && folder && shown(picture.uri).startsWith(`${folder}/`);
  const order = (a, b) =>
    Number(isWanted(b)) - Number(isWanted(a)) ||
    (rule === "oldest" ? age(a).localeCompare(age(b)) || (a.facts.mtime ?? 0) - (b.facts.mtime ?? 0) : 0) ||
    pixels(b) - pixels(a) ||
    (b.facts.bytes ?? 0) - (a.facts.bytes ?? 0) ||
    shown(a.uri).localeCompare(shown(b.uri));
  return group.pictures.indexOf([...group.pictures].sort(order)[0]);
}

function draw(group, number) {
  const title = element("h2", { textContent: `${number + 1}. ${counted(group.pictures.length, "picture")}` });
  const tiles = group.pictures.map((picture, index) => {
    const text = picture.caption ?? picture.name;
    const box = element("input", { type: "checkbox", checked: index === group.kept });
    box.addEventListener("change", () => {
      if (box.checked) group.dropped.delete(picture);
      else group.dropped.add(picture);
      tell();
    });
    const size = picture.width ? `${picture.width} × ${picture.height}` : "";
    const facts = [size, picture.facts.bytes && bytes(picture.facts.bytes)].filter(Boolean).join(" · ");
    const image = element("img", { src: thumbnail(picture.id), alt: text, loading: "lazy", decoding: "async" });
    return element(
      "li",
      {},
      element("a", { href: `/?${new URLSearchParams({ view: picture.id })}` }, image),
      element("label", {}, box, " Keep"),
      element("p", { className: "dim", textContent: facts }),
      element("p", { className: "path", textContent: shown(picture.uri) }),
    );
  });
  return element("section", { className: "panel" }, title, element("ul", { className: "copies" }, ...tiles));
}

function choose() {
  for (const group of groups) {
    group.kept = kept(group);
    group.dropped = new Set(group.pictures.filter((_, index) => index !== group.kept));
  }
  place("groups").replaceChildren(...groups.map(draw));
  tell();
}

function dropped() {
  return groups.flatMap((group) => [...group.dropped]);
}

function tell() {
  const files = dropped();
  place("result").hidden = !groups.length;
  place("list").value = files.map((picture) => shown(picture.uri)).join("\n");
}

async function load(anew) {
  const mine = (turn += 1);
  if (anew) {
    groups = [];
    next = 0;
    place("groups").replaceChildren();
    place("result").hidden = true;
    place("summary").textContent = "Looking for duplicates …";
  }
  place("more").hidden = true;
  const query = new URLSearchParams({ limit: PAGE, offset: next });
  if (form.near.value) query.set("near", form.near.value);
  try {
    const found = await ask(`duplicates?${query}`);
    if (mine !== turn) return;
    groups.push(...found.groups);
    next = found.next;
    place("more").hidden = next === null;
    place("summary").textContent = found.total
      ? `${counted(found.total, "group")} among ${counted(found.points, "picture")}`
      : `No two pictures among ${counted(found.points, "picture")}`;
    choose();
  } catch (error) {
    if (mine === turn) place("summary").textContent = error.message;
  }
}

// A name in single quotes, as a shell reads it.
const quoted = (name) => `'${name.replaceAll("'", "'\\''")}'`;

form.near.addEventListener("change", () => load(true));
form.keep.addEventListener("change", () => {
  place("folder-label").hidden = form.keep.value !== "folder";
  choose();
});
form.folder.addEventListener("input", choose);
form.addEventListener("submit", (event) => event.preventDefault());
place("more").addEventListener("click", () => load(false));
place("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(place("list").value);
    notice("The list is copied.");
  } catch {
    place("list").select();
    notice("The browser did not allow to copy: the list is selected, copy it by hand.");
  }
});
place("script").addEventListener("click", () => {
  const local = dropped().filter((picture) => picture.uri.startsWith("file://"));
  const lines = local.map((picture) => `rm -- ${quoted(shown(picture.uri))}`);
  const text = ["#!/bin/sh", "# Look at every line before you run this: it deletes files.", "set -e", ...lines, ""].join("\n");
  const address = URL.createObjectURL(new Blob([text], { type: "text/x-shellscript" }));
  element("a", { href: address, download: "remove-duplicates.sh" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
});

load(true);
