// The jobs as they go on, why files failed, and the form that begins one.

import { ask, counted, element, notice, number, send, shown } from "./api.js";

const find = (id) => document.getElementById(id);
const mayIngest = "mayIngest" in document.body.dataset;
const cards = new Map();
// When each job had how many files, to tell how fast it is.
const seen = new Map();

function rate(job) {
  const now = performance.now() / 1000;
  const finished = job.stored + job.failed;
  const samples = seen.get(job.job) ?? [];
  samples.push([now, finished]);
  while (samples.length > 2 && now - samples[0][0] > 10) samples.shift();
  seen.set(job.job, samples);
  const seconds = now - samples[0][0];
  return seconds > 0 ? (finished - samples[0][1]) / seconds : 0;
}

function sentence(job) {
  const parts = [`${number(job.stored)} stored`];
  if (job.reused) parts.push(`${number(job.reused)} of them reused`);
  if (job.skipped) parts.push(`${number(job.skipped)} unchanged`);
  parts.push(`${number(job.failed)} failed`);
  const total = job.total === null ? "" : ` of ${counted(job.total, "file")}`;
  const speed = job.state === "running" ? rate(job) : 0;
  return `${parts.join(", ")}${total}${speed ? `, ${speed.toFixed(speed < 10 ? 1 : 0)}/s` : ""}`;
}

function card(job) {
  const parts = {
    state: element("span", { className: "state" }),
    bar: element("progress", { ariaLabel: "Progress" }),
    line: element("p", { className: "counts" }),
    failures: element("details", { hidden: true }, element("summary"), element("ul")),
    cancel: element("button", { textContent: "Stop", hidden: true }),
    retry: element("button", { textContent: "Try failed files again", hidden: true }),
  };
  const when = new Date(job.started * 1000).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
  const head = element("h2", {}, shown(job.root), " ", parts.state);
  const tools = element("p", { className: "row" }, parts.cancel, parts.retry);
  const made = element("li", { className: "panel job", id: job.job }, head, parts.bar, parts.line);
  made.append(element("p", { className: "dim", textContent: `${when} · ${job.job}` }), parts.failures, tools);
  parts.failures.addEventListener("toggle", () => {
    if (parts.failures.open) listFailures(job.job, parts.failures.lastElementChild);
  });
  parts.cancel.addEventListener("click", () => run(parts.cancel, () => send(`jobs/${job.job}/cancel`)));
  parts.retry.addEventListener("click", () => run(parts.retry, () => send(`jobs/${job.job}/retry`)));
  return { made, parts };
}

async function run(button, action) {
  button.disabled = true;
  try {
    await action();
  } catch (error) {
    notice(error.message);
  } finally {
    button.disabled = false;
  }
}

async function listFailures(job, list) {
  try {
    const { errors } = await ask(`jobs/${job}/errors`);
    list.replaceChildren(
      ...errors.map((each) =>
        element("li", {}, element("strong", { textContent: shown(each.uri) }), ` ${each.stage}: ${each.reason}`),
      ),
    );
  } catch (error) {
    notice(error.message);
  }
}

function update(job) {
  if (!cards.has(job.job)) cards.set(job.job, card(job));
  const { made, parts } = cards.get(job.job);
  const isRunning = job.state === "running";
  const finished = job.stored + job.failed + job.skipped;
  parts.state.textContent = job.state;
  parts.state.dataset.state = job.state;
  if (job.total === null && isRunning) parts.bar.removeAttribute("value");
  else {
    parts.bar.max = Math.max(job.total ?? finished, 1);
    parts.bar.value = job.total === 0 ? 1 : finished;
  }
  parts.line.textContent = sentence(job);
  parts.failures.hidden = !job.failed;
  parts.failures.firstElementChild.textContent = counted(job.failed, "failed file");
  parts.cancel.hidden = !(isRunning && mayIngest);
  parts.retry.hidden = !(job.failed && !isRunning && mayIngest);
  return made;
}

function show(jobs) {
  const list = find("jobs");
  const drawn = jobs.map(update);
  // Moved only where the order has changed: a button that is pressed must stay where it is.
  if (drawn.some((made, place) => list.children[place] !== made)) list.replaceChildren(...drawn);
  find("none").hidden = jobs.length > 0;
  find("none").textContent = "There are no jobs yet.";
}

function follow() {
  const events = new EventSource("/api/v1/jobs/events");
  events.addEventListener("jobs", (event) => show(JSON.parse(event.data).jobs));
}

find("ingest")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const trouble = find("ingest-trouble");
  trouble.hidden = true;
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    await send("ingest_directory", { directory: find("directory").value.trim() });
    find("directory").value = "";
  } catch (error) {
    trouble.textContent = error.message;
    trouble.hidden = false;
  } finally {
    button.disabled = false;
  }
});

follow();
