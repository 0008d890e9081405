// SPDX-License-Identifier: Apache-2.0
// Sections about money: what was spent, over time by whom and on what, wallets, budgets and alerts.
import { stackedBars } from "./chart.js";
import { ask as askAgent, reportPath, stepsOf } from "./data.js";
import { countText, moneyShort, moneyText, parseMoney, programName, share, shareText, when } from "./format.js";
import { badge, count, h, meter, money, nothing, panel, replace, say, table, tile } from "./page.js";

export const INPUT = "input+cache_read+cache_write+cache_write_1h+input_audio+input_image";
export const OUTPUT = "output+output_audio+output_image";
export const sumOf = (row, members) => members.split("+").reduce((sum, name) => sum + BigInt(row[name] ?? 0), 0n);

// ---- overview ----

// Reads the whole ledger: only when somebody asks.
function ledgerCheck(scope, environment) {
  const path = reportPath(scope, { ledger: "1" });
  const box = h("span", { "data-source": path }), ask = h("button", { type: "button", class: "link", "data-key": `ledger-${environment}`, onclick: check }, "Check with the ledger");
  async function check() {
    const answer = await askAgent(environment, path);
    if (answer.state !== "ok") return replace(box, badge("no answer", "bad"), ` ${answer.message}`);
    const { ledger, total: then } = answer.data, wanted = parseMoney(then.cost) - parseMoney(then.written_off);
    const isEqual = parseMoney(ledger.spent) === wanted;
    replace(box, badge(isEqual ? "equal" : "differs", isEqual ? "good" : "bad"), " the ledger says ", money(ledger.spent, "ledger", "spent"));
    say(`The ledger says ${moneyText(parseMoney(ledger.spent))}, ${isEqual ? "equal to" : "different from"} the report.`);
  }
  box.append(ask);
  return box;
}

export const overview = {
  id: "overview", title: "Overview",
  paths: scope => [reportPath(scope, {})],
  render(scope, environment, [report], [path]) {
    const total = report.total, asked = BigInt(total.hits) + BigInt(total.misses);
    const unpaid = parseMoney(total.written_off) !== 0n;
    return h("dl", { class: "tiles", "data-source": path },
      tile("Spent", money(total.cost, "total", "cost"),
        [unpaid && ["of it written off ", money(total.written_off, "total", "written_off"), "; "], ledgerCheck(scope, environment)]),
      tile("Calls", count(total.calls, "total", "calls"), [count(total.streams, "total", "streams"), " streamed"]),
      tile("Tokens in", count(sumOf(total, INPUT), "total", INPUT), [count(total.cache_read, "total", "cache_read"), " from provider caches"]),
      tile("Tokens out", count(sumOf(total, OUTPUT), "total", OUTPUT), [count(total.clamped, "total", "clamped"), " answers shortened"]),
      tile("Saved by the cache", money(total.avoided, "total", "avoided"),
        asked ? [shareText(total.hits, asked), " of ", countText(asked), " look-ups hit"] : "nothing was looked up"),
      tile("Refused", count(total.refused, "total", "refused"), [count(total.failed, "total", "failed"), " failed otherwise"]));
  },
};

// ---- spend over time ----

const dimensions = { model: "Model", provider: "Provider", group: "Group", executable: "Program", project: "Project", wallet: "Wallet" };
const measures = {
  cost: { title: "Cost", of: row => parseMoney(row.cost), member: "cost", value: moneyText, axis: moneyShort, figure: money },
  calls: { title: "Calls", of: row => BigInt(row.calls), member: "calls", value: countText, axis: countText, figure: count },
  tokens: { title: "Tokens", of: row => sumOf(row, `${INPUT}+${OUTPUT}`), member: `${INPUT}+${OUTPUT}`, value: countText, axis: countText, figure: count },
};
const SERIES_MAX = 7;

// A name keeps its colour, in both environments and whatever the period.
const kinds = new Map();
function kindOf(by, name, taken) {
  const key = `${by} ${name}`, known = kinds.get(key);
  if (known && !taken.has(known)) return known;
  const used = [...kinds.entries()].filter(([other]) => other.startsWith(`${by} `)).map(([, kind]) => kind);
  const all = Array.from({ length: SERIES_MAX }, (_, i) => `s${i}`).filter(kind => !taken.has(kind));
  const kind = all.find(one => !used.includes(one)) ?? all[0];
  kinds.set(key, kind);
  return kind;
}

// The dearest names have a series each, all others one together.
function seriesOf(report, by, measure, steps) {
  const sums = new Map();
  for (const row of report.rows) {
    const name = row.rest ? null : row[by] ?? "";
    sums.set(name, (sums.get(name) ?? 0n) + measure.of(row));
  }
  const named = [...sums.keys()].filter(name => name !== null).sort((a, b) => (sums.get(b) > sums.get(a) ? 1 : sums.get(b) < sums.get(a) ? -1 : a < b ? -1 : 1));
  const top = named.slice(0, SERIES_MAX), places = new Map(steps.map((start, i) => [start, i]));
  const taken = new Set();
  const series = top.map(name => {
    const kind = kindOf(by, name, taken), title = by === "executable" ? programName(name) : name;
    taken.add(kind);
    return { id: name, kind, name: title || "(none)", full: name, of: { [by]: name } };
  });
  const others = named.length > top.length || sums.has(null);
  if (others) series.push({ id: null, kind: "rest", name: "all others", full: "all others", of: { [by]: { not: top } } });
  for (const one of series) {
    one.values = steps.map(() => 0n);
    one.starts = new Map();
  }
  const byName = new Map(series.map(one => [one.id, one]));
  for (const row of report.rows) {
    const one = (!row.rest && byName.get(row[by] ?? "")) || byName.get(null);
    one.values[places.get(Date.parse(row.start))] += measure.of(row);
    one.starts.set(Date.parse(row.start), row.start);
  }
  for (const one of series) one.total = one.values.reduce((sum, value) => sum + value, 0n);
  return series;
}

function seriesTable(scope, series, steps, measure, step) {
  const columns = [["Time"], ...series.map(one => [one.name, true])];
  const rows = steps.map((start, i) => [when(start, step === "hour" ? "moment" : step === "month" ? "month" : "full"),
    ...series.map(one => measure.figure(one.values[i], one.starts.has(start) ? { ...one.of, start: one.starts.get(start) } : null, measure.member))]);
  return table(`${measure.title} by ${dimensions[scope.by].toLowerCase()} over time`, columns, rows);
}

export const spend = {
  id: "spend", title: "Spend over time",
  controls: (scope, change) => [
    h("label", null, "By ", h("select", { id: "by", onchange: event => change({ by: event.target.value }) },
      Object.entries(dimensions).map(([name, title]) => h("option", { value: name, selected: name === scope.by }, title)))),
    h("label", null, "Show ", h("select", { id: "measure", onchange: event => change({ measure: event.target.value }) },
      Object.entries(measures).map(([name, one]) => h("option", { value: name, selected: name === scope.measure }, one.title)))),
    h("button", { type: "button", id: "as-table", "aria-pressed": String(scope.table), onclick: () => change({ table: !scope.table }) }, "As a table"),
  ],
  paths: scope => [reportPath(scope, { by: scope.by, step: scope.step, limit: "100" })],
  render(scope, environment, [report], [path]) {
    if (report.rows.length === 0) return nothing("No call in this period.");
    const measure = measures[scope.measure], steps = stepsOf(report, scope.step), series = seriesOf(report, scope.by, measure, steps);
    const whole = series.reduce((sum, one) => sum + one.total, 0n);
    const legend = h("ul", { class: "legend" }, series.map(one => h("li", { title: one.full },
      h("i", { class: `swatch ${one.kind}` }), h("span", { class: "name" }, one.name),
      measure.figure(one.total, one.of, measure.member), h("span", { class: "quiet" }, shareText(one.total, whole)))));
    const label = `${measure.title} of ${environment} by ${dimensions[scope.by].toLowerCase()}`;
    return h("div", { "data-source": path },
      scope.table ? seriesTable(scope, series, steps, measure, scope.step) : stackedBars({
        key: "spend-chart", label, steps, series, value: measure.value, axis: measure.axis,
        tick: start => when(start, scope.step === "hour" ? "hour" : scope.step === "month" ? "month" : "day"),
        title: start => when(start, scope.step === "hour" ? "moment" : scope.step === "month" ? "month" : "full") }),
      legend);
  },
};

// ---- wallets ----

function daysText(days) {
  if (days === null || days === undefined) return "no use lately";
  if (days > 730) return "over two years";
  return days < 1 ? "less than a day" : `${days < 10 ? Number(days).toFixed(1) : Math.floor(days)} days`;
}

function walletCard(wallet) {
  const figure = member => money(wallet[member] ?? "0", { wallet: wallet.wallet }, member);
  const [available, spent, held] = ["available", "spent", "held"].map(member => parseMoney(wallet[member]));
  const left = share(available < 0n ? 0n : available, available + spent + held || 1n) ?? 0;
  const days = wallet.days_left ?? null, isLow = left < 10 || (days !== null && days < 3);
  const facts = [["Lasts", daysText(days)], ["Spent", figure("spent")], ["Held", figure("held")], ["Put in", figure("funded")],
    ["A day (7 d)", wallet.burn_7d === undefined ? "–" : figure("burn_7d")], ["Last 24 h", wallet.burn_24h === undefined ? "–" : figure("burn_24h")],
    ["This month", wallet.projection_month === undefined ? "–" : ["about ", figure("projection_month")]]];
  return h("article", { class: "wallet" },
    h("header", null, h("h4", null, wallet.wallet), isLow && badge(available <= 0n ? "empty" : "low", "bad")),
    h("p", { class: "big" }, figure("available"), h("span", { class: "quiet" }, " left")),
    meter(left, isLow ? "bad" : "good"),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value)))));
}

export const wallets = {
  id: "wallets", title: "Wallets",
  paths: () => ["v1/wallets"],
  render: (scope, environment, [document], [path]) => document.wallets.length === 0 ? nothing("No wallet has been used yet.")
    : h("div", { class: "wallets", "data-source": path }, document.wallets.map(walletCard)),
};

// ---- budgets and alerts ----

const scopeText = scope => Object.entries(scope).map(([name, value]) => `${name} ${value}`).join(", ") || "everything";

function budgetRow(budget) {
  const figure = member => money(budget[member], { id: budget.id }, member);
  const percent = share(parseMoney(budget.used), parseMoney(budget.limit) || 1n) ?? 0;
  const kind = percent >= 100 ? "bad" : percent >= 80 ? "warn" : "good";
  return h("li", null,
    h("div", { class: "split" }, h("strong", null, budget.id), badge(budget.hard ? "hard" : "soft", budget.hard ? "strong" : ""),
      h("span", { class: "quiet" }, `${budget.window}, ${scopeText(budget.scope)}`)),
    meter(percent, kind),
    h("div", { class: "split" }, h("span", null, figure("used"), " of ", figure("limit"), ` (${percent.toFixed(1)} %)`),
      h("span", { class: "quiet" }, budget.forecast && ["on course for ", figure("forecast"), "; "], `renews ${when(budget.renews, "moment")}`)));
}

const alertRow = alert => h("li", null,
  h("div", { class: "split" }, badge(alert.kind ?? "alert", "warn"), h("span", { class: "quiet" }, when(alert.time, "moment"))),
  h("p", { class: "told" }, alert.text ?? ""), alert.hint && h("p", { class: "quiet" }, alert.hint));

const ALERTS_SHOWN = 3;
function alertList(alerts) {
  const list = [...alerts].sort((a, b) => Date.parse(b.time) - Date.parse(a.time)), more = list.slice(ALERTS_SHOWN);
  return [h("ul", { class: "rows" }, list.slice(0, ALERTS_SHOWN).map(alertRow)),
    more.length > 0 && h("details", null, h("summary", { "data-key": "more" }, `${more.length} earlier`), h("ul", { class: "rows" }, more.map(alertRow)))];
}

export const budgets = {
  id: "budgets", title: "Budgets and alerts",
  paths: () => ["v1/budgets", "v1/alerts"],
  render: (scope, environment, [list, alerts], [path, alertPath]) => [
    h("div", { "data-source": path }, panel("Budgets", list.budgets.length ? h("ul", { class: "rows" }, list.budgets.map(budgetRow)) : nothing("No budget is set: tollgate budget set"))),
    h("div", { "data-source": alertPath }, panel("Alerts", alerts.alerts.length ? alertList(alerts.alerts) : nothing("Nothing to worry about."))),
  ],
};
