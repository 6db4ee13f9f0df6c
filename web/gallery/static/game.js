// A small game: which of four pictures did this caption describe?

import { ask, counted, element, thumbnail } from "./api.js";

const CHOICES = 4;
const TRIES = 40;
const find = (id) => document.getElementById(id);
let total = 0;
let asked = 0;
let right = 0;

// Four pictures whose captions differ; fewer where the collection has not so many.
async function drawn() {
  const found = [];
  for (let turn = 0; turn < TRIES && found.length < CHOICES; turn += 1) {
    const offset = Math.floor(Math.random() * total);
    const [item] = (await ask(`timeline/items?${new URLSearchParams({ offset, limit: 1 })}`)).items;
    if (item?.caption && found.every((other) => other.caption !== item.caption)) found.push(item);
  }
  return found;
}

async function next() {
  find("next").hidden = true;
  find("verdict").textContent = "";
  const pictures = await drawn();
  if (pictures.length < CHOICES) {
    find("question").textContent = "The game needs four pictures with different captions.";
    find("choices").replaceChildren();
    return;
  }
  const answer = pictures[Math.floor(Math.random() * CHOICES)];
  find("question").textContent = `“${answer.caption}”`;
  find("choices").replaceChildren(
    ...pictures.map((picture, n) => {
      const image = element("img", { src: thumbnail(picture.id), alt: `Picture ${n + 1}` });
      const button = element("button", {}, image);
      button.addEventListener("click", () => judge(picture, answer, pictures));
      button.dataset.id = picture.id;
      return element("li", {}, button);
    }),
  );
}

function judge(picture, answer, pictures) {
  asked += 1;
  const isRight = picture === answer;
  if (isRight) right += 1;
  find("verdict").textContent = isRight ? "Right." : `No, that one is “${picture.caption}”.`;
  find("score").textContent = `${right} of ${counted(asked, "question")}`;
  for (const button of find("choices").querySelectorAll("button")) {
    button.disabled = true;
    const shown = pictures.find((each) => each.id === button.dataset.id);
    if (shown === answer) button.classList.add("right");
    button.firstElementChild.alt = shown.caption;
  }
  find("next").hidden = false;
  find("next").focus();
}

async function begin() {
  total = (await ask("timeline")).total;
  await next();
}

find("next").addEventListener("click", () => next().catch((error) => (find("question").textContent = error.message)));
begin().catch((error) => (find("question").textContent = error.message));
