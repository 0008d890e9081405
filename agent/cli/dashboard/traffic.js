// SPDX-License-Identifier: Apache-2.0
// Sections about where calls went: the cache, the mix of routes, refusals, and what went past the agent.
import { stackedBars } from "./chart.js";
import { reportPath, stepsOf } from "./data.js";
import { bytesText, countText, moneyText, parseMoney, programName, share, shareText, timeSpanText, when } from "./format.js";
import { badge, count, h, meter, money, nothing, panel, table, tile } from "./page.js";

// ---- cache ----

function hitsOverTime(scope, report) {
  const steps = stepsOf(report, scope.step), places = new Map(steps.map((start, i) => [start, i]));
  const series = [{ name: "hits", kind: "s2", member: "hits" }, { name: "misses", kind: "rest", member: "misses" }];
  for (const one of series) {
    one.values = steps.map(() => 0n);
    for (const row of report.rows) one.values[places.get(Date.parse(row.start))] += BigInt(row[one.member]);
  }
  const isHour = scope.step === "hour";
  return stackedBars({ key: "cache-chart", label: "Look-ups in the cache, hits and misses", steps, series, value: countText, axis: countText,
    tick: start => when(start, isHour ? "hour" : scope.step === "month" ? "month" : "day"), title: start => when(start, isHour ? "moment" : "full") });
}

export const cache = {
  id: "cache", title: "Cache",
  paths: scope => [reportPath(scope, { step: scope.step }), "v1/cache"],
  render(scope, environment, [report, state], [path, statePath]) {
    const { total } = report, asked = BigInt(total.hits) + BigInt(total.misses);
    return [
      h("dl", { class: "tiles small", "data-source": path },
        tile("Hit rate", shareText(total.hits, asked), [count(asked, "total", "hits+misses"), " look-ups"]),
        tile("Avoided cost", money(total.avoided, "total", "avoided"), ["beside ", money(total.cost, "total", "cost"), " spent"])),
      asked > 0n && h("div", { "data-source": path }, hitsOverTime(scope, report), h("ul", { class: "legend" },
        [["s2", "hits"], ["rest", "misses"]].map(([kind, name]) => h("li", null, h("i", { class: `swatch ${kind}` }), h("span", { class: "name" }, name), count(total[name], "total", name))))),
      h("p", { class: "quiet", "data-source": statePath }, state.enabled ? "" : "The cache is switched off. ", "It keeps now ",
        count(state.entries, "document", "entries"), ` answers, ${bytesText(state.bytes)}, each for ${countText(state.ttl_seconds)} s.`),
    ];
  },
};

// ---- routes ----

function routeRow(row, whole) {
  if (row.rest) return ["all others", "", count(row.calls), h("span", null, shareText(row.calls, whole)), money(row.cost)];
  const of = { requested: row.requested, model: row.model, target: row.target };
  const isOther = row.requested !== row.model;
  return [
    h("span", { class: "name" }, row.requested || "(none)"),
    [h("span", { class: isOther ? "moved" : "" }, isOther ? "→ " : "= ", row.model || "(none)"), h("span", { class: "quiet block" }, row.target || "the provider called")],
    count(row.calls, of, "calls"),
    [shareText(row.calls, whole), meter(share(row.calls, whole) ?? 0)],
    money(row.cost, of, "cost"),
  ];
}

const stateOf = target => {
  if (!target.has_secret) return badge("no key", "bad");
  if (target.model_missing) return badge("unknown model", "bad");
  if (target.breaker !== "closed") return badge(target.rests_for_s ? `${target.breaker}, ${target.rests_for_s} s` : target.breaker, "bad");
  return badge("ok", "good");
};

const targetTable = list => table("Targets now", [["Target"], ["State"], ["Flying", true], ["Served", true], ["Failed", true], ["First byte", true]],
  list.map(target => [[target.id, h("span", { class: "quiet block" }, `${target.model} at ${target.provider}`)], stateOf(target),
    count(target.in_flight), count(target.served), count(target.failed), target.first_byte_us ? timeSpanText(target.first_byte_us) : "–"]));

export const routes = {
  id: "routes", title: "Route mix",
  paths: scope => [reportPath(scope, { by: "requested,model,target", limit: "25" }), "v1/targets"],
  render(scope, environment, [report, targets], [path]) {
    const rows = report.rows.filter(row => row.calls > 0);
    return [
      h("div", { "data-source": path },
        h("p", { class: "quiet" }, count(report.total.rerouted, "total", "rerouted"), " calls went to another model than they named, ",
          count(report.total.cheaper, "total", "cheaper"), " to a cheaper one as money was short, ",
          count(report.total.retried, "total", "retried"), " tries failed and were followed by another."),
        rows.length ? table("Models as requested and as served", [["Requested"], ["Served"], ["Calls", true], ["Share", true], ["Cost", true]],
          rows.map(row => routeRow(row, report.total.calls))) : nothing("No call in this period.")),
      targets.targets.length > 0 && [h("h4", null, "Targets now"), targetTable(targets.targets)],
    ];
  },
};

// ---- refusals ----

export const refusals = {
  id: "refusals", title: "Refusals and failures",
  paths: scope => [reportPath(scope, { by: "reason", limit: "40" })],
  render(scope, environment, [report], [path]) {
    const rows = report.rows.filter(row => row.reason && row.calls > 0), whole = report.total.calls;
    if (rows.length === 0) return nothing("Every call got its answer.");
    const most = Math.max(...rows.map(row => row.calls));
    return h("div", { "data-source": path },
      h("p", { class: "quiet" }, count(report.total.refused, "total", "refused"), " refused by policy or for want of money, ",
        count(report.total.failed, "total", "failed"), ` failed otherwise, of ${countText(whole)}.`),
      h("ul", { class: "rows" }, rows.map(row => h("li", null,
        h("div", { class: "split" }, h("strong", { class: "code" }, row.reason),
          h("span", null, count(row.calls, { reason: row.reason }, "calls"), " calls", h("span", { class: "quiet" }, ` (${shareText(row.calls, whole)})`))),
        meter((row.calls / most) * 100, row.refused > 0 ? "warn" : "bad"),
        h("span", { class: "quiet" }, row.refused > 0 ? "refused before it left" : "failed")))));
  },
};

// ---- past the agent ----

export const leaks = {
  id: "leaks", title: "Past the agent",
  paths: scope => ["v1/leaks", reportPath(scope, {})],
  render(scope, environment, [document, report], [, path]) {
    const list = document.leaks ?? [];
    return [
      h("p", { class: "quiet", "data-source": path }, count(report.total.ungoverned, "total", "ungoverned"), " connections to providers went past the agent in this period, ",
        count(report.total.restored, "total", "restored"), " calls are known from the ledger alone."),
      list.length === 0 ? nothing("Nothing goes past the agent now.")
        : table("Connections past the agent now", [["Program"], ["Process", true], ["To"], ["Since"]],
          list.map(leak => [[programName(leak.executable || "(unknown)"), h("span", { class: "quiet block" }, leak.directory ?? "")],
            leak.pid ? String(leak.pid) : "–", leak.host ?? "", when(leak.since ?? leak.time, "moment")])),
    ];
  },
};
