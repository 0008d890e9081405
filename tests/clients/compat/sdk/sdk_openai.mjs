// SPDX-License-Identifier: Apache-2.0
// The `openai` package: Chat Completions and Responses, with its own accumulators, runner and parsers. See README.md.
import { ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, CALENDAR, PNG, WEATHER, calendar, count, distinct, load, names, need, raises,
  said, serve, shapes, weather } from "./sdk.mjs";

const OpenAI = (await load("openai")).default;
const { zodResponseFormat, zodTextFormat } = await load("openai/helpers/zod");
const { z } = await load("zod");
const { Calendar } = shapes(z);

const TOOL = { type: "function", function: { name: "get_weather", description: "The weather of a city", parameters: WEATHER, strict: true } };
const RESPONSES_TOOL = { type: "function", name: "get_weather", description: "The weather of a city", parameters: WEATHER, strict: true };
const FORMAT = { type: "json_schema", json_schema: { name: "calendar", schema: CALENDAR, strict: true } };
const client = () => new OpenAI({ timeout: 60000 });
const user = (content) => ({ role: "user", content });
const chat = (model, messages, more = {}) => client().chat.completions.create({ model, messages, ...more });
const respond = (model, input, more = {}) => client().responses.create({ model, input, ...more });

async function collect(stream) {
  const items = [];
  for await (const item of stream) items.push(item);
  return items;
}

function whole(answer, reason = "stop") {
  need(answer.object === "chat.completion" && answer.id.startsWith("chatcmpl-") && answer.model, answer);
  need(answer.choices.length === 1 && answer.choices[0].finish_reason === reason, answer.choices);
  count(answer.usage.prompt_tokens, answer.usage.completion_tokens);
  need(answer.usage.total_tokens === answer.usage.prompt_tokens + answer.usage.completion_tokens, answer.usage);
  return answer.choices[0].message;
}

const joined = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

function calls_of(message, number) {
  need(message.tool_calls?.length === number, message);
  for (const call of message.tool_calls) {
    need(call.type === "function" && call.id && call.function.name === "get_weather", call);
    weather(call.function.arguments);
  }
  if (number === 2) distinct(message.tool_calls.map((call) => call.id));
  return message.tool_calls;
}

const second_turn = (question, message) => [user(question), message,
  ...message.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: JSON.stringify({ degrees: 3 }) }))];

async function answer_calls(model, question, message, is_stream) {
  const messages = second_turn(question, message);
  const text = is_stream ? joined(await collect(await chat(model, messages, { tools: [TOOL], stream: true })))
    : whole(await chat(model, messages, { tools: [TOOL] })).content;
  need(text, "no answer to the result");
  return text;
}

function done(answer) {
  need(answer.object === "response" && answer.status === "completed" && answer.id.startsWith("resp_"), answer);
  count(answer.usage.input_tokens, answer.usage.output_tokens);
  return answer;
}

function functions(answer, number) {
  const calls = answer.output.filter((item) => item.type === "function_call");
  need(calls.length === number, answer.output);
  for (const call of calls) {
    need(call.name === "get_weather" && call.call_id, call);
    weather(call.arguments);
  }
  if (number === 2) distinct(calls.map((call) => call.call_id));
  return calls;
}

const outputs = (calls) => calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: "{\"degrees\":3}" }));

await serve("openai", {
  async text(model) {
    return said(whole(await chat(model, [{ role: "system", content: "Be terse." }, user(ASK)], { temperature: 0.2, max_tokens: 100 })).content);
  },
  async stream(model) {
    const chunks = await collect(await chat(model, [user(ASK)], { stream: true }));
    need(chunks.length > 5 && chunks.every((chunk) => chunk.choices.length === 1 && !chunk.usage), "chunks", chunks.at(-1));
    need(chunks[0].choices[0].delta.role === "assistant" && chunks.at(-1).choices[0].finish_reason === "stop", chunks.at(-1));
    return said(joined(chunks));
  },
  async stream_usage(model) {
    const chunks = await collect(await chat(model, [user(ASK)], { stream: true, stream_options: { include_usage: true } }));
    need(chunks.at(-1).choices.length === 0, chunks.at(-1));
    count(chunks.at(-1).usage.prompt_tokens, chunks.at(-1).usage.completion_tokens);
    return said(joined(chunks));
  },
  async stream_helper(model) {
    const stream = client().chat.completions.stream({ model, messages: [user(ASK)], stream_options: { include_usage: true } });
    let pieces = "";
    stream.on("content", (piece) => { pieces += piece; });
    const answer = await stream.finalChatCompletion();
    need(pieces === answer.choices[0].message.content, "pieces and whole differ", pieces);
    return said(whole(answer).content);
  },
  async tools(model) {
    const message = whole(await chat(model, [user(ASK_TOOL)], { tools: [TOOL] }), "tool_calls");
    calls_of(message, 1);
    return answer_calls(model, ASK_TOOL, message, false);
  },
  async tools_stream(model) {
    const stream = client().chat.completions.stream({ model, messages: [user(ASK_TOOL)], tools: [TOOL] });
    const seen = [];
    stream.on("tool_calls.function.arguments.done", (event) => seen.push(event));
    const message = await stream.finalMessage();
    calls_of(message, 1);
    need(seen.length === 1 && seen[0].name === "get_weather", seen);
    return answer_calls(model, ASK_TOOL, message, true);
  },
  async tools_runner(model) {
    const seen = [];
    const run = (given) => { seen.push(given); return "3 degrees"; };
    const runner = client().chat.completions.runTools({ model, messages: [user(ASK_TOOL)],
      tools: [{ type: "function", function: { name: "get_weather", description: "The weather", parameters: WEATHER, parse: JSON.parse, function: run } }] });
    const text = await runner.finalContent();
    need(seen.length === 1 && text, seen, text);
    weather(seen[0]);
    return text;
  },
  async parallel(model) {
    const message = whole(await chat(model, [user(ASK_TWO_TOOLS)], { tools: [TOOL] }), "tool_calls");
    calls_of(message, 2);
    return answer_calls(model, ASK_TWO_TOOLS, message, false);
  },
  async parallel_stream(model) {
    const message = await client().chat.completions.stream({ model, messages: [user(ASK_TWO_TOOLS)], tools: [TOOL] }).finalMessage();
    calls_of(message, 2);
    return answer_calls(model, ASK_TWO_TOOLS, message, true);
  },
  async image(model) {
    const content = [{ type: "text", text: ASK_IMAGE }, { type: "image_url", image_url: { url: "data:image/png;base64," + PNG, detail: "low" } }];
    const { content: text } = whole(await chat(model, [user(content)]));
    need(text.includes(ASK_IMAGE), text);
    return text;
  },
  async json_object(model) {
    const { content } = whole(await chat(model, [user(ASK_JSON)], { response_format: { type: "json_object" } }));
    need(JSON.parse(content) instanceof Object, content);
    return content;
  },
  async json_schema(model) {
    return calendar(whole(await chat(model, [user(ASK_JSON)], { response_format: FORMAT })).content);
  },
  async parse(model) {
    const answer = await client().chat.completions.parse({ model, messages: [user(ASK_JSON)], response_format: zodResponseFormat(Calendar, "calendar") });
    return calendar(answer.choices[0].message.parsed);
  },
  async parse_stream(model) {
    const stream = client().chat.completions.stream({ model, messages: [user(ASK_JSON)], response_format: zodResponseFormat(Calendar, "calendar") });
    return calendar((await stream.finalChatCompletion()).choices[0].message.parsed);
  },
  async responses_text(model) {
    return said(done(await respond(model, ASK, { instructions: "Be terse.", max_output_tokens: 100 })).output_text);
  },
  async responses_stream(model) {
    const events = await collect(await respond(model, [user(ASK)], { stream: true }));
    need(events[0].type === "response.created" && events.at(-1).type === "response.completed", events.map((event) => event.type));
    said(events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta).join(""));
    return said(done(await client().responses.stream({ model, input: ASK }).finalResponse()).output_text);
  },
  async responses_tools(model) {
    const first = done(await respond(model, [user(ASK_TOOL)], { tools: [RESPONSES_TOOL] }));
    const second = done(await respond(model, [user(ASK_TOOL), ...first.output, ...outputs(functions(first, 1))], { tools: [RESPONSES_TOOL] }));
    need(second.output_text, second);
    return second.output_text;
  },
  async responses_parallel_stream(model) {
    const first = done(await client().responses.stream({ model, input: [user(ASK_TWO_TOOLS)], tools: [RESPONSES_TOOL] }).finalResponse());
    const items = first.output.map(({ parsed_arguments, ...item }) => item);
    const stream = client().responses.stream({ model, input: [user(ASK_TWO_TOOLS), ...items, ...outputs(functions(first, 2))], tools: [RESPONSES_TOOL] });
    const text = (await stream.finalResponse()).output_text;
    need(text, "no answer to the result");
    return text;
  },
  async responses_image(model) {
    const content = [{ type: "input_text", text: ASK_IMAGE }, { type: "input_image", image_url: "data:image/png;base64," + PNG, detail: "auto" }];
    const text = done(await respond(model, [user(content)])).output_text;
    need(text.includes(ASK_IMAGE), text);
    return text;
  },
  async responses_parse(model) {
    const answer = await client().responses.parse({ model, input: ASK_JSON, text: { format: zodTextFormat(Calendar, "calendar") } });
    return calendar(answer.output_parsed);
  },
  async cannot_two_answers(model, target) {
    const call = () => chat(model, [user(ASK)], { n: 2 });
    if (target === "anthropic") {
      const error = await raises(OpenAI.UnprocessableEntityError, call);
      need(error.status === 422 && error.type === "invalid_request_error", error.error);
      return names(error, "n cannot be translated to Anthropic Messages");
    }
    return said((await call()).choices[1].message.content);
  },
  async wrong_request(model) {
    return names(await raises(OpenAI.APIError, () => chat(model, [])), "messages");
  },
  async refused_wallet(model) {
    const error = await raises(OpenAI.RateLimitError, () => chat(model, [user(ASK)]));
    need(error.code === "project_spend_limit_exceeded" && error.type === "insufficient_quota", error.error);
    return names(error, "empty", "dev", "tollgate why");
  },
  async refused_rule(model) {
    return names(await raises(OpenAI.PermissionDeniedError, async () => collect(await chat(model, [user(ASK)], { stream: true }))), "no-matrix", "Ask somebody.");
  },
  async refused_model(model) {
    return names(await raises(OpenAI.PermissionDeniedError, () => chat(model, [user(ASK)])), "denied_models");
  },
  async refused_rate(model) {
    return names(await raises(OpenAI.RateLimitError, () => chat(model, [user(ASK)])), "requests_per_day");
  },
  async busy(model) {
    return names(await raises(OpenAI.InternalServerError, () => chat(model, [user(ASK + " [[fault=503]]")])));
  },
});
