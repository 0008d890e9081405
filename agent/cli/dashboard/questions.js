// SPDX-License-Identifier: Apache-2.0
// The six questions: each with its answer in a sentence, and this period beside the one before it.
import { changeText, countText, moneyText, parseMoney, when } from "./format.js";
import { count, h, money, nothing, table } from "./page.js";

const ASKED_OF = { iterations: "dev", "low-cost-routes": "dev", "cache-repeats": "dev", volume: "prod", "provider-mix": "prod", "cache-behaviour": "prod" };
const words = name => name.replaceAll("_", " ");

const isMoney = value => typeof value === "string" && /^-?\d+(\.\d{1,9})?$/.test(value);
const exact = value => (isMoney(value) ? parseMoney(value) : Number.isInteger(value) ? BigInt(value) : null);

function figure(value, of, member) {
  if (isMoney(value)) return money(value, of, member);
  return Number.isInteger(value) ? count(value, of, member) : String(value ?? "–");
}

function pairCells(pair, name, of) {
  const [now, before] = [pair.now[name], pair.before[name]], [a, b] = [exact(now) ?? 0n, exact(before) ?? 0n];
  const moved = exact(now) === null ? "" : changeText(a, b);
  return [figure(now, { ...of, when: of.key ? "now" : "total" }, name), figure(before, { ...of, when: of.key ? "before" : "total_before" }, name), h("span", { class: "change" }, moved)];
}

function questionTable(answer) {
  const keys = answer.columns.filter(name => answer.rows.some(row => name in row.key));
  const figures = answer.columns.filter(name => !keys.includes(name));
  const columns = [...keys.map(name => [words(name)]), ...figures.flatMap(name => [[words(name), true], ["before", true, "before"], ["change", true, "before"]])];
  const rows = answer.rows.map(row => [...keys.map((name, i) => (row.rest ? (i ? "" : "all others") : row.key[name] || "(none)")), ...figures.flatMap(name => pairCells(row, name, { key: row.key }))]);
  const all = { now: answer.total, before: answer.total_before };
  if (rows.length > 1) rows.push([...keys.map((name, i) => (i ? "" : h("b", null, "all"))), ...figures.flatMap(name => pairCells(all, name, { key: null }))]);
  return table(answer.question, columns, rows);
}

function questionCard(answer, path) {
  const span = part => `${when(answer[part].since, "day")} – ${when(Date.parse(answer[part].until) - 1, "day")}`;
  return h("article", { class: "question", "data-source": path },
    h("h4", null, answer.question), h("p", { class: "answer" }, answer.answer),
    answer.rows.length ? questionTable(answer) : nothing("Nothing to compare yet."),
    h("p", { class: "quiet" }, `${span("period")}, before: ${span("before")}`));
}

export const questions = {
  id: "questions", title: "Questions",
  paths: scope => Object.keys(ASKED_OF).map(name => `v1/questions/${name}?${new URLSearchParams({ period: scope.period, timezone: scope.zone })}`),
  render(scope, environment, answers, paths) {
    const cards = answers.map((answer, i) => ({ own: ASKED_OF[answer.name] === environment, card: questionCard(answer, paths[i]) }));
    const [own, others] = [cards.filter(one => one.own), cards.filter(one => !one.own)];
    return [own.map(one => one.card), others.length > 0 && h("details", null,
      h("summary", { "data-key": "more" }, `${others.length} more questions`), others.map(one => one.card))];
  },
};
