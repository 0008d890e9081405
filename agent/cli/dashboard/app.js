// SPDX-License-Identifier: Apache-2.0
// The page: what is shown (kept in the address's fragment), and bringing every section up to date.
import { ask } from "./data.js";
import { when, zone } from "./format.js";
import { liveSection, watchLive } from "./live.js";
import { budgets, overview, spend, wallets } from "./money.js";
import { h, nothing, panel, replace, say } from "./page.js";
import { questions } from "./questions.js";
import { cache, leaks, refusals, routes } from "./traffic.js";

const REFRESH_MS = 15000, REST_TIMES = 20 /* of what a round took: agents have other work */, DAY_MS = 86400000;
const sections = [overview, spend, wallets, budgets, cache, routes, refusals, questions, leaks];
const after = { questions: "live" }; // the live list stands before the leaks
const periods = { today: "Today", "7d": "7 days", "30d": "30 days", "this-month": "This month", "last-month": "Last month", custom: "Custom" };
const choices = { by: ["model", "provider", "group", "executable", "project", "wallet"], measure: ["cost", "calls", "tokens"] };
const scope = { period: "7d", choice: "7d", step: "day", zone, by: "model", measure: "cost", table: false, show: "both", from: "", to: "" };
let environments = [], states = {}, watched = "", round = 0, timer = null;

// ---- the fragment ----

const isDay = text => /^\d{4}-\d{2}-\d{2}$/.test(text ?? "") && !Number.isNaN(Date.parse(text));
function readFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const [name, allowed] of Object.entries(choices)) if (allowed.includes(given.get(name))) scope[name] = given.get(name);
  if (given.get("period") in periods) scope.choice = given.get("period");
  if (["dev", "prod", "both"].includes(given.get("show"))) scope.show = given.get("show");
  [scope.from, scope.to] = ["from", "to"].map(name => (isDay(given.get(name)) ? given.get(name) : ""));
  scope.table = given.get("table") === "1";
}
function writeFragment() {
  const kept = { period: scope.choice, show: scope.show, by: scope.by, measure: scope.measure };
  if (scope.table) kept.table = "1";
  if (scope.choice === "custom") Object.assign(kept, { from: scope.from, to: scope.to });
  history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
}

// The last day that is asked for is shown, the agent's periods exclude it.
function settlePeriod() {
  if (scope.choice !== "custom") {
    scope.period = scope.choice;
    scope.step = scope.choice === "today" ? "hour" : "day";
    return true;
  }
  if (!isDay(scope.from) || !isDay(scope.to) || scope.from > scope.to) return false;
  const days = Math.round((Date.parse(scope.to) - Date.parse(scope.from)) / DAY_MS) + 1;
  scope.period = `${scope.from}..${new Date(Date.parse(scope.to) + DAY_MS).toISOString().slice(0, 10)}`;
  scope.step = days <= 2 ? "hour" : days <= 92 ? "day" : days <= 400 ? "week" : "month";
  return true;
}

// ---- choices ----

function choice(id, options, current, take) {
  const box = document.getElementById(id);
  for (const [value, title] of Object.entries(options)) {
    const input = h("input", { type: "radio", name: id, value, id: `${id}-${value}`, checked: value === current, onchange: () => take(value) });
    box.append(input, h("label", { for: input.id }, title));
  }
}

function change(changes) {
  Object.assign(scope, changes);
  const isComplete = settlePeriod();
  document.getElementById("custom").hidden = scope.choice !== "custom";
  document.getElementById("as-table")?.setAttribute("aria-pressed", String(scope.table));
  writeFragment();
  if (isComplete) refresh(true);
}

function applyCustom() {
  const [from, to] = ["from", "to"].map(id => document.getElementById(id).value);
  const problem = document.getElementById("custom-problem");
  problem.textContent = isDay(from) && isDay(to) && from <= to ? "" : "Both days are needed, the first one first.";
  if (!problem.textContent) change({ from, to });
}

// ---- sections ----

const visible = () => environments.filter(name => scope.show === "both" || scope.show === name);
const ready = () => visible().filter(name => states[name]?.state === "ok");

const notices = {
  absent: name => `No agent of ${name} is running.`,
  closed: name => `You may not read ${name}: its policy names its readers (access.readers).`,
  other: name => `What runs there is not the agent of ${name}.`,
};
function notice(name, state) {
  return h("div", { class: "card notice" }, h("p", null, (notices[state.state] ?? (() => state.message))(name)), state.hint && h("p", { class: "code quiet" }, state.hint));
}

// Who may read, and whose agent it is.
async function look(name) {
  const hello = await ask(name, "v1/hello");
  if (hello.state !== "ok") return hello;
  if (hello.data.environment !== name) return { state: "other", hint: "tollgate doctor" };
  const wallet = await ask(name, "v1/wallets");
  return wallet.state === "ok" ? { ...hello } : wallet;
}

function place(section, name) {
  const box = document.getElementById(section.id).querySelector(".environments");
  const known = box.querySelector(`[data-environment="${name}"]`);
  if (known) return known;
  const made = h("div", { "data-environment": name, class: "environment" });
  if (name === environments[0]) box.prepend(made);
  else box.append(made);
  return made;
}

async function fill(section, name, asked) {
  const box = place(section, name), paths = section.paths(scope);
  const answers = await Promise.all(paths.map(path => asked(name, path)));
  const key = JSON.stringify([paths, scope.by, scope.measure, scope.table, answers.map(answer => answer.text ?? answer.message)]);
  if (box.keyed === key) return;
  box.keyed = key;
  const bad = answers.find(answer => answer.state !== "ok");
  const isOpen = Boolean(box.querySelector("details[open]"));
  const content = bad ? nothing(bad.state === "unknown" ? "This agent does not report that." : `${bad.message}${bad.hint ? `; ${bad.hint}` : ""}`)
    : section.render(scope, name, answers.map(answer => answer.data), paths);
  replace(box, h("h3", { class: `environment-name ${name}` }, name), section.id === "budgets" ? content : panel(null, content));
  if (isOpen) box.querySelector("details")?.setAttribute("open", "");
}

function arrange() {
  document.body.dataset.columns = String(Math.max(1, ready().length));
  for (const section of sections)
    for (const box of [...document.getElementById(section.id).querySelectorAll("[data-environment]")])
      if (!(section === overview ? visible() : ready()).includes(box.dataset.environment)) box.remove();
}

async function refresh(aloud) {
  const mine = ++round, asking = new Map(), began = performance.now();
  clearTimeout(timer);
  document.body.setAttribute("aria-busy", "true");
  const found = await Promise.all(visible().map(look));
  if (mine !== round) return;
  visible().forEach((name, i) => { states[name] = found[i]; });
  arrange();
  const asked = (name, path) => {
    const key = `${name} ${path}`;
    if (!asking.has(key)) asking.set(key, ask(name, path));
    return asking.get(key);
  };
  for (const name of visible().filter(one => !ready().includes(one))) {
    const box = place(overview, name);
    box.keyed = "";
    replace(box, h("h3", { class: `environment-name ${name}` }, name), notice(name, states[name]));
  }
  if (watched !== ready().join()) watchLive(ready());
  watched = ready().join();
  await Promise.all(sections.flatMap(section => ready().map(name => fill(section, name, asked))));
  if (mine !== round) return;
  document.body.removeAttribute("aria-busy");
  document.body.dataset.round = String(round);
  document.getElementById("updated").textContent = `as of ${when(Date.now(), "time")}`;
  if (aloud) say(`Figures are up to date, ${periods[scope.choice].toLowerCase()}.`);
  timer = setTimeout(() => { if (!document.hidden) refresh(false); }, Math.max(REFRESH_MS, REST_TIMES * (performance.now() - began)));
}

// ---- beginning ----

function build() {
  const main = document.getElementById("main"), links = [];
  for (const section of sections) {
    main.append(h("section", { id: section.id, "aria-labelledby": `${section.id}-title` },
      h("div", { class: "head" }, h("h2", { id: `${section.id}-title` }, section.title), section.controls && h("div", { class: "controls" }, section.controls(scope, change))),
      h("div", { class: "environments" })));
    links.push(h("a", { href: `#${section.id}` }, section.title));
    if (after[section.id] === "live") {
      main.append(liveSection());
      links.push(h("a", { href: "#live" }, "Live"));
    }
  }
  const nav = document.getElementById("sections");
  nav.append(...links);
  nav.addEventListener("click", event => {
    const target = event.target.closest("a") && document.getElementById(event.target.closest("a").hash.slice(1));
    if (!target) return;
    event.preventDefault(); // the fragment says what is shown, not where
    target.scrollIntoView();
    target.setAttribute("tabindex", "-1");
    target.focus({ preventScroll: true });
  });
}

async function begin() {
  const known = await (await fetch("api/environments", { cache: "no-store" })).json();
  environments = known.environments;
  document.getElementById("about").textContent = `tollgate ${known.version}, times in ${zone}. Read from this machine's agents; nothing is kept here.`;
  readFragment();
  if (environments.length < 2) scope.show = environments[0];
  document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); document.getElementById("main").focus(); });
  choice("environments", environments.length < 2 ? { [environments[0]]: environments[0] } : { both: "Both", dev: "dev", prod: "prod" }, scope.show, value => change({ show: value }));
  choice("periods", periods, scope.choice, value => change({ choice: value }));
  document.getElementById("from").value = scope.from;
  document.getElementById("to").value = scope.to;
  document.getElementById("apply").addEventListener("click", applyCustom);
  document.getElementById("refresh").addEventListener("click", () => refresh(true));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return refresh(false);
    watchLive([]); // its connections are for tabs that somebody sees
    watched = "";
  });
  build();
  change({});
}
begin();
