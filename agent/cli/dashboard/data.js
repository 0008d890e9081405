// SPDX-License-Identifier: Apache-2.0
// What the agents say: documents, and the stream of calls as they happen. Paths are relative: the page's first path
// segment is part of the session.

// What the agent answered: that one is away or closed is no failure of this page's own server.
const agentStatus = answer => Number(answer.headers.get("tollgate-agent-status") ?? answer.status);

// {state: "ok", data, text} or {state: "absent" | "closed" | "unknown" | "failed", message, hint}
export async function ask(environment, path) {
  try {
    const answer = await fetch(`api/${environment}/${path}`, { credentials: "same-origin", cache: "no-store" });
    const text = await answer.text();
    const data = JSON.parse(text), status = agentStatus(answer);
    if (status < 300) return { state: "ok", data, text };
    const states = { 403: "closed", 404: "unknown" };
    return {
      state: data.error?.code === "agent_absent" ? "absent" : states[status] ?? "failed",
      message: data.error?.message ?? `the agent answered ${status}`,
      hint: data.error?.hint ?? "",
    };
  } catch (problem) {
    return { state: "failed", message: "tollgate dashboard does not answer", hint: "it may have ended: start it again" };
  }
}

export function reportPath(scope, options) {
  const query = new URLSearchParams({ period: scope.period, timezone: scope.zone, ...options });
  return `v1/report?${query}`;
}

// Hands each event to `take` until `signal` aborts; true: the agent ended the stream.
export async function follow(environment, signal, take) {
  const answer = await fetch(`api/${environment}/v1/events?follow=1`, { credentials: "same-origin", cache: "no-store", signal });
  if (!answer.ok || agentStatus(answer) >= 300) return false;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return true;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) take(JSON.parse(line));
  }
}

// ---- the steps of a period, those without rows included ----

const floors = {
  hour: date => new Date(date.getTime() - (date.getTime() % 3600000)),
  day: date => new Date(date.getFullYear(), date.getMonth(), date.getDate()),
  week: date => new Date(date.getFullYear(), date.getMonth(), date.getDate() - ((date.getDay() + 6) % 7)),
  month: date => new Date(date.getFullYear(), date.getMonth(), 1),
};
const nexts = {
  hour: date => new Date(date.getTime() + 3600000),
  day: date => new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1),
  week: date => new Date(date.getFullYear(), date.getMonth(), date.getDate() + 7),
  month: date => new Date(date.getFullYear(), date.getMonth() + 1, 1),
};
export function stepsOf(report, step) {
  const STEPS_MAX = 1000, until = Date.parse(report.until);
  const starts = new Set(report.rows.map(row => Date.parse(row.start)));
  let at = floors[step]?.(new Date(report.since));
  for (let n = 0; at && at.getTime() < until && n < STEPS_MAX; n++, at = nexts[step](at)) starts.add(at.getTime());
  return [...starts].sort((a, b) => a - b);
}
