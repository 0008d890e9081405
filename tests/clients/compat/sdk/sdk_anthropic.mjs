// SPDX-License-Identifier: Apache-2.0
// The `@anthropic-ai/sdk` package: Messages, with its own accumulator and tool runner. See README.md.
import { ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, CALENDAR, PNG, WEATHER, calendar, count, distinct, load, names, need, raises,
  said, serve, shapes, Skip, weather } from "./sdk.mjs";

const Anthropic = (await load("@anthropic-ai/sdk")).default;
const { betaZodTool } = await load("@anthropic-ai/sdk/helpers/beta/zod").catch(() => ({}));
const { zodOutputFormat } = await load("@anthropic-ai/sdk/helpers/zod").catch(() => ({}));
const { z } = await load("zod");
const { Calendar, Weather } = shapes(z);

const TOOL = { name: "get_weather", description: "The weather of a city", input_schema: WEATHER };
const client = () => new Anthropic({ timeout: 60000 });
const user = (content) => ({ role: "user", content });
const ask = (model, messages, more = {}) => client().messages.create({ model, messages, max_tokens: 300, ...more });
const stream_of = (model, messages, more = {}) => client().messages.stream({ model, messages, max_tokens: 300, ...more });
const words = (message) => message.content.filter((block) => block.type === "text").map((block) => block.text).join("");

function whole(message, reason = "end_turn") {
  need(message.type === "message" && message.role === "assistant" && message.id.startsWith("msg_") && message.model, message);
  need(message.stop_reason === reason, message);
  count(message.usage.input_tokens, message.usage.output_tokens);
  return message;
}

function calls_of(message, number) {
  const calls = whole(message, "tool_use").content.filter((block) => block.type === "tool_use");
  need(calls.length === number, message.content);
  for (const call of calls) {
    need(call.id && call.name === "get_weather", call);
    weather(call.input);
  }
  if (number === 2) distinct(calls.map((call) => call.id));
  return calls;
}

const results = (calls) => user(calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: "{\"degrees\":3}" })));

async function round(model, question, number, is_stream) {
  const say = (messages) => (is_stream ? stream_of(model, messages, { tools: [TOOL] }).finalMessage() : ask(model, messages, { tools: [TOOL] }));
  const first = await say([user(question)]);
  const calls = calls_of(first, number);
  const text = words(whole(await say([user(question), { role: "assistant", content: first.content }, results(calls)])));
  need(text, "no answer to the result");
  return text;
}

await serve("@anthropic-ai/sdk", {
  async text(model) {
    return said(words(whole(await ask(model, [user(ASK)], { system: "Be terse." }))));
  },
  async stream(model) {
    const stream = stream_of(model, [user(ASK)]);
    let pieces = "";
    stream.on("text", (piece) => { pieces += piece; });
    const message = whole(await stream.finalMessage());
    need(pieces === words(message), "pieces and whole differ", pieces);
    return said(pieces);
  },
  async stream_events(model) {
    const kinds = [];
    for await (const event of await ask(model, [user(ASK)], { stream: true })) kinds.push(event.type);
    need(kinds[0] === "message_start" && kinds.at(-2) === "message_delta" && kinds.at(-1) === "message_stop", kinds);
    return kinds.length + " events";
  },
  tools: (model) => round(model, ASK_TOOL, 1, false),
  tools_stream: (model) => round(model, ASK_TOOL, 1, true),
  parallel: (model) => round(model, ASK_TWO_TOOLS, 2, false),
  parallel_stream: (model) => round(model, ASK_TWO_TOOLS, 2, true),
  async tool_runner(model) {
    if (!betaZodTool) throw new Skip("this version has no betaZodTool");
    const seen = [];
    const tool = betaZodTool({ name: "get_weather", description: "The weather", inputSchema: Weather, run: (input) => { seen.push(input); return "3 degrees"; } });
    const last = await client().beta.messages.toolRunner({ model, max_tokens: 300, messages: [user(ASK_TOOL)], tools: [tool] });
    need(seen.length === 1, seen);
    weather(seen[0]);
    return words(last);
  },
  async image(model) {
    const content = [{ type: "image", source: { type: "base64", media_type: "image/png", data: PNG } }, { type: "text", text: ASK_IMAGE }];
    const text = words(whole(await ask(model, [user(content)])));
    need(text.includes(ASK_IMAGE), text);
    return text;
  },
  async json_schema(model) {
    return calendar(words(whole(await ask(model, [user(ASK_JSON)], { output_config: { format: { type: "json_schema", schema: CALENDAR } } }))));
  },
  async parse(model) {
    if (!zodOutputFormat) throw new Skip("this version has no zodOutputFormat");
    const message = await client().messages.parse({ model, max_tokens: 300, messages: [user(ASK_JSON)], output_config: { format: zodOutputFormat(Calendar) } });
    return calendar(message.parsed_output);
  },
  async cannot_prefill(model, target) {
    const call = () => ask(model, [user(ASK), { role: "assistant", content: "Well," }]);
    if (target === "openai") {
      const error = await raises(Anthropic.UnprocessableEntityError, call);
      need(error.status === 422 && error.error.error.type === "invalid_request_error", error.error);
      return names(error, "messages[1]", "the beginning of an answer cannot be given");
    }
    return said(words(whole(await call())));
  },
  async wrong_request(model) {
    return names(await raises(Anthropic.APIError, () => ask(model, [])), "messages");
  },
  async refused_wallet(model) {
    const error = await raises(Anthropic.APIError, () => ask(model, [user(ASK)]));
    need(error.status === 402 && error.error.error.type === "billing_error", error.error);
    return names(error, "empty", "dev", "tollgate why");
  },
  async refused_rule(model) {
    return names(await raises(Anthropic.PermissionDeniedError, () => stream_of(model, [user(ASK)]).finalMessage()), "no-matrix", "Ask somebody.");
  },
  async refused_model(model) {
    return names(await raises(Anthropic.PermissionDeniedError, () => ask(model, [user(ASK)])), "denied_models");
  },
  async refused_rate(model) {
    return names(await raises(Anthropic.RateLimitError, () => ask(model, [user(ASK)])), "requests_per_day");
  },
  async busy(model) {
    return names(await raises(Anthropic.InternalServerError, () => ask(model, [user(ASK + " [[fault=503]]")])));
  },
});
