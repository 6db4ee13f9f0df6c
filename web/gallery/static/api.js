// Asks the interface. Its errors are sentences for people, so they are shown as they are.

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}`, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "Darkroom does not answer: does it still run?");
  }
  if (answer.status === 401) {
    location.assign(`/login?${new URLSearchParams({ next: location.pathname + location.search })}`);
  }
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(answer.status, content.detail ?? `Darkroom answers with ${answer.status}.`);
  return content;
}

export function send(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" } };
  return ask(path, body === undefined ? options : { ...options, body: JSON.stringify(body) });
}

export const thumbnail = (id) => `/api/v1/points/${id}/thumbnail`;
export const preview = (id) => `/api/v1/points/${id}/preview`;

// An element with its properties and children; text is never markup.
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

let hiding;
export function notice(sentence) {
  const line = document.getElementById("notice");
  line.textContent = sentence;
  line.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (line.hidden = true), 8000);
}

export const number = (count) => count.toLocaleString("en");
export const counted = (count, what) => `${number(count)} ${what}${count === 1 ? "" : "s"}`;

export function bytes(count) {
  let value = count;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000) return `${unit === "B" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

// The path of a file's address, as a person reads it.
export function shown(uri) {
  try {
    return decodeURIComponent(uri.replace(/^file:\/\//, ""));
  } catch {
    return uri;
  }
}

export function month(text) {
  if (!text) return "Without a date";
  const [year, part] = text.split("-").map(Number);
  return new Date(Date.UTC(year, part - 1, 1)).toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
}
