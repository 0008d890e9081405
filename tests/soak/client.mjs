// SPDX-License-Identifier: Apache-2.0
// Node's fetch as a client of the soak; client.py says what these do.
import { createInterface } from "node:readline";

const hosts = { openai: "https://api.openai.com/v1/chat/completions", anthropic: "https://api.anthropic.com/v1/messages" };
const models = { openai: "gpt-5.4-nano", anthropic: "claude-haiku-4-5" };
const ends = { openai: "data: [DONE]\n\n", anthropic: '"message_stop"}\n\n' };
const keys = {
  openai: { authorization: `Bearer ${process.env.OPENAI_API_KEY}` },
  anthropic: { "x-api-key": process.env.ANTHROPIC_API_KEY, "anthropic-version": "2023-06-01" },
};

async function run(tag, dialect, stream, abort, tokens, text) {
  const body = { model: models[dialect], max_tokens: tokens, messages: [{ role: "user", content: text }], ...(stream && { stream }) };
  const seen = { id: "-", status: 0 };
  const left = new AbortController();
  const late = setTimeout(() => left.abort(), 60000);
  try {
    const answer = await fetch(hosts[dialect], {
      method: "POST", signal: left.signal, body: JSON.stringify(body),
      headers: { "content-type": "application/json", "x-standin-tag": tag, ...keys[dialect] },
    });
    seen.id = answer.headers.get("tollgate-request-id") ?? "-";
    seen.status = answer.status;
    if (abort) {
      await answer.body.getReader().read();
      left.abort();
      return { ...seen, outcome: "aborted" };
    }
    const whole = await answer.text();
    if (stream && answer.status === 200 && !whole.endsWith(ends[dialect])) return { ...seen, outcome: "broken" };
    return { ...seen, outcome: answer.status === 200 ? "whole" : "error" };
  } catch {
    return { ...seen, outcome: "broken" };
  } finally {
    clearTimeout(late);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [tag, dialect, stream, abort, tokens, text] = line.split("\t");
  const { id, status, outcome } = await run(tag, dialect, stream === "1", abort === "1", Number(tokens), text);
  process.stdout.write([tag, id, status, outcome].join("\t") + "\n");
}
