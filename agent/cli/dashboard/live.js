// SPDX-License-Identifier: Apache-2.0
// Calls as they happen, of all environments shown, with a filter; and every decision of one call.
import { ask, follow } from "./data.js";
import { countText, programName, timeSpanText, when } from "./format.js";
import { badge, h, money, nothing, replace, table } from "./page.js";

const KEPT_MAX = 400, SHOWN_MAX = 100, DRAW_MS = 250, AGAIN_MS = 3000, FLYING_MS = 4000;
const state = { events: new Map(), text: "", kind: "all", isPaused: false, stop: null, timer: null, flying: [] };

function kindOf(event) {
  if (event.kind === "ungoverned") return ["past the agent", "bad"];
  if (event.error === "recovered") return ["recovered", "warn"];
  if (event.outcome === "refused") return ["refused", "warn"];
  if (event.outcome === "failed") return ["failed", "bad"];
  return (event.cache_status ?? "").startsWith("hit") ? ["cached", "info"] : ["answered", "good"];
}
const kinds = { all: "All", answered: "Answered", cached: "From the cache", refused: "Refused", failed: "Failed", recovered: "Recovered", "past the agent": "Past the agent" };

function isWanted(event) {
  if (state.kind !== "all" && kindOf(event)[0] !== state.kind) return false;
  const text = ["id", "executable", "directory", "project", "group", "wallet", "model", "served_model", "target", "provider", "error", "host", "environment"]
    .map(name => event[name] ?? "").join(" ").toLowerCase();
  return state.text.toLowerCase().split(/\s+/).every(word => text.includes(word));
}

const inOf = tokens => ["input", "cache_read", "cache_write", "cache_write_1h", "input_audio", "input_image"].reduce((sum, name) => sum + (tokens?.[name] ?? 0), 0);
const outOf = tokens => ["output", "output_audio", "output_image"].reduce((sum, name) => sum + (tokens?.[name] ?? 0), 0);

function eventRow(event) {
  const [word, kind] = kindOf(event), served = event.served_model ?? event.model;
  const model = event.model ?? event.path ?? event.host ?? "–";
  return [
    h("button", { type: "button", class: "link", "data-key": `why-${event.id}`, "aria-label": `Why, call at ${when(event.time, "time")}`,
      onclick: () => openDetail(event.environment, event.id, event) }, when(event.time, "time")),
    badge(event.environment, event.environment),
    [badge(word, kind), event.error && h("span", { class: "quiet block code" }, event.error)],
    [h("span", { title: event.executable ?? "" }, programName(event.executable ?? "–")), event.project && h("span", { class: "quiet block" }, event.project)],
    event.group ?? "–",
    [h("span", { class: "name" }, model), served && served !== model && h("span", { class: "quiet block" }, `→ ${served}`)],
    event.tokens ? `${countText(inOf(event.tokens))} / ${countText(outOf(event.tokens))}` : "–",
    event.charge === undefined ? "–" : h("span", { "data-environment": event.environment, "data-source": "v1/events?limit=1000" }, money(event.charge, { id: event.id }, "charge")),
  ];
}

function draw() {
  state.timer = null;
  const all = [...state.events.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  const wanted = all.filter(isWanted), shown = wanted.slice(0, SHOWN_MAX);
  const columns = [["Time"], ["Env"], ["Outcome"], ["Program"], ["Group", false, "wide"], ["Model"], ["Tokens in / out", true, "wide"], ["Cost", true]];
  replace(document.getElementById("live-list"), shown.length ? table("Latest calls", columns, shown.map(eventRow), { class: "live" })
    : nothing(all.length ? "No call matches the filter." : "No call yet. They appear here as they happen."));
  document.getElementById("live-count").textContent = `${countText(shown.length)} of ${countText(all.length)} calls`;
  document.getElementById("live-flying").textContent = state.flying.length ? `${countText(state.flying.length)} in flight` : "";
}
function drawSoon() {
  if (!state.timer && !state.isPaused) state.timer = setTimeout(draw, DRAW_MS);
}

function take(environment, event) {
  state.events.set(event.id, { ...event, environment: event.environment ?? environment });
  if (state.events.size > KEPT_MAX) state.events.delete([...state.events.keys()].reduce((a, b) => (a < b ? a : b)));
  drawSoon();
}

// Where the agent streams to nobody more (too many tabs), the list alone is asked for again and again.
async function watch(environment, signal) {
  while (!signal.aborted) {
    try {
      const stream = follow(environment, signal, event => take(environment, event));
      const latest = await ask(environment, "v1/events?limit=100");
      if (latest.state === "ok" && !signal.aborted) latest.data.events.forEach(event => take(environment, event));
      await stream;
    } catch (problem) {
      if (signal.aborted) return;
    }
    await new Promise(resolve => setTimeout(resolve, AGAIN_MS));
  }
}

async function watchFlying(environments, signal) {
  while (!signal.aborted) {
    const answers = await Promise.all(environments.map(environment => ask(environment, "v1/live")));
    state.flying = answers.flatMap(answer => (answer.state === "ok" ? answer.data.live : []));
    drawSoon();
    if (answers.every(answer => answer.state === "unknown")) return;
    await new Promise(resolve => setTimeout(resolve, FLYING_MS));
  }
}

export function liveSection() {
  const pause = h("button", { type: "button", id: "pause", "aria-pressed": "false", onclick: () => {
    state.isPaused = !state.isPaused;
    pause.setAttribute("aria-pressed", String(state.isPaused));
    if (!state.isPaused) draw();
  } }, "Pause");
  return h("section", { id: "live", "aria-labelledby": "live-title" },
    h("div", { class: "head" }, h("h2", { id: "live-title" }, "Live"),
      h("div", { class: "controls" },
        h("label", null, "Filter ", h("input", { type: "search", id: "filter", placeholder: "model, program, project …", autocomplete: "off",
          oninput: event => { state.text = event.target.value; draw(); } })),
        h("label", null, "Outcome ", h("select", { id: "outcome", onchange: event => { state.kind = event.target.value; draw(); } },
          Object.entries(kinds).map(([name, title]) => h("option", { value: name }, title)))), pause)),
    h("div", { class: "card" }, h("p", { class: "quiet split" }, h("span", { id: "live-count" }), h("span", { id: "live-flying" })), h("div", { id: "live-list" })));
}

// Begins anew for these environments; none: only stops.
export function watchLive(environments) {
  state.stop?.abort();
  state.events.clear();
  state.flying = [];
  draw();
  if (environments.length === 0) return;
  state.stop = new AbortController();
  for (const environment of environments) watch(environment, state.stop.signal);
  watchFlying(environments, state.stop.signal);
}

// ---- why ----

const fact = (name, value) => value !== undefined && value !== null && value !== false && value !== "" && h("div", null, h("dt", null, name), h("dd", null, value));

function attemptCard(attempt, index) {
  return h("article", { class: "attempt" },
    h("h4", null, `${index + 1}. ${attempt.target ?? attempt.provider ?? ""}`, " ", attempt.error ? badge("failed", "bad") : badge(String(attempt.status ?? "–"), attempt.status < 400 ? "good" : "bad")),
    h("dl", { class: "facts" },
      fact("Model", attempt.model), fact("Provider", attempt.provider), fact("Held", attempt.hold && money(attempt.hold)), fact("Charged", attempt.charge && money(attempt.charge)),
      fact("Charged by", [attempt.basis, attempt.usage_source && ` (${attempt.usage_source})`]), fact("First byte", attempt.first_byte_us > 0 && timeSpanText(attempt.first_byte_us)),
      fact("Whole", attempt.total_us > 0 && timeSpanText(attempt.total_us)), fact("Translated to", attempt.translated_to), fact("Left out by rule", attempt.dropped)),
    attempt.error && h("p", { class: "problem" }, attempt.error));
}

const stepItem = step => h("li", { class: /^(fail)/i.test(step.outcome ?? "") ? "failed" : "" },
  h("span", { class: "step" }, step.step ?? "–"), h("span", { class: "outcome" }, step.outcome ?? ""), h("span", { class: "quiet number" }, timeSpanText(step.us)),
  h("span", { class: "text" }, step.text ?? ""));

function leftOut(route) {
  const entries = Object.entries(route?.left_out ?? {});
  return entries.length > 0 && [h("h4", null, "Targets left out"), h("ul", null, entries.map(([target, why]) => h("li", null, h("strong", null, target), `: ${why}`)))];
}

function detailOf(event) {
  const tokens = Object.entries(event.tokens ?? {}).filter(([, n]) => n > 0).map(([name, n]) => `${name.replaceAll("_", " ")} ${countText(n)}`).join(", ");
  return [
    h("dl", { class: "facts about" },
      fact("Time", when(event.time, "moment")), fact("Program", event.executable), fact("Process", event.pid && `${event.pid}, user ${event.uid}`), fact("Directory", event.directory),
      fact("Project", event.project), fact("Group", event.group && `${event.group}${event.group_source ? `, by ${event.group_source}` : ""}`), fact("Wallet", event.wallet),
      fact("Call", [event.method, `${event.host ?? ""}${event.path ?? ""}`].filter(Boolean).join(" ")), fact("Requested", event.model), fact("Served", [event.served_model, event.target && ` by ${event.target}`]),
      fact("Rule", event.rule), fact("Cache", event.cache_status), fact("Tokens", tokens), fact("Iteration", event.iteration > 0 && countText(event.iteration)),
      fact("Charge", event.charge !== undefined && money(event.charge)), fact("Held", event.hold && money(event.hold)), fact("Saved", event.avoided_cost && money(event.avoided_cost)),
      fact("Written off", event.written_off && money(event.written_off)), fact("Took", event.duration_us && timeSpanText(event.duration_us)), fact("Status", event.status)),
    event.error && h("p", { class: "problem" }, h("strong", { class: "code" }, event.error), event.error_detail ? ` ${event.error_detail}` : ""),
    (event.steps ?? []).length > 0 && [h("h3", null, "Steps"), h("ol", { class: "steps" }, event.steps.map(stepItem))],
    leftOut(event.route),
    (event.attempts ?? []).length > 0 && [h("h3", null, "Attempts"), event.attempts.map(attemptCard)],
  ];
}

async function openDetail(environment, id, known) {
  const dialog = document.getElementById("detail"), body = h("div", { class: "body" }, detailOf(known));
  replace(dialog,
    h("header", null, h("h2", { id: "detail-title" }, "Why: ", h("span", { class: "code" }, id)), badge(environment, environment), badge(...kindOf(known)),
      h("button", { type: "button", class: "close", onclick: () => dialog.close() }, "Close")),
    body);
  dialog.showModal();
  const answer = await ask(environment, `v1/events/${encodeURIComponent(id)}`);
  if (answer.state === "ok") replace(body, detailOf(answer.data));
}
