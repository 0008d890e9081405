// SPDX-License-Identifier: Apache-2.0
// Vercel's `ai` package with one of its providers: sdk_ai.mjs openai|anthropic. @ai-sdk/openai speaks Responses unless it is
// asked for `.chat`; both are played. See README.md.
import { ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, PNG, calendar, count, load, names, need, raises, said, serve, shapes,
  weather } from "./sdk.mjs";

const provider = process.argv[2];
const { APICallError, Output, RetryError, generateObject, generateText, stepCountIs, streamObject, streamText, tool } = await load("ai");
const { createOpenAI, createAnthropic } = await load("@ai-sdk/" + provider);
const { z } = await load("zod");
const { Calendar, Weather } = shapes(z);
globalThis.AI_SDK_LOG_WARNINGS = false;

// The model in each of the ways in which it can be asked.
const ways = provider === "openai"
  ? { chat: (model) => createOpenAI({}).chat(model), responses: (model) => createOpenAI({})(model) }
  : { messages: (model) => createAnthropic({})(model) };
const first_way = Object.values(ways)[0];

function usage({ inputTokens, outputTokens }) {
  count(inputTokens, outputTokens);
}

function weather_tool(seen) {
  return { get_weather: tool({ description: "The weather of a city", inputSchema: Weather, execute: async (input) => { seen.push(input); return { degrees: 3 }; } }) };
}

function ran(seen, steps, number) {
  need(seen.length === number && steps.length === 2, "calls and steps", seen, steps.length);
  seen.forEach(weather);
  need(steps[0].finishReason === "tool-calls" && steps[1].finishReason === "stop", steps.map((step) => step.finishReason));
  need(new Set(steps[0].toolCalls.map((call) => call.toolCallId)).size === number, steps[0].toolCalls);
  usage(steps[0].usage);
  usage(steps[1].usage);
}

// The SDK's own loop: it calls the function, sends the result and reads the second answer.
async function run_tools(model, prompt, number) {
  const seen = [];
  const { text, steps } = await generateText({ model, prompt, tools: weather_tool(seen), stopWhen: stepCountIs(3) });
  ran(seen, steps, number);
  need(text, "no answer to the result");
  return text;
}

async function stream_tools(model, prompt, number) {
  const seen = [], problems = [];
  const result = streamText({ model, prompt, tools: weather_tool(seen), stopWhen: stepCountIs(3), onError: ({ error }) => problems.push(error) });
  let text = "";
  for await (const piece of result.textStream) text += piece;
  if (problems.length) throw problems[0];
  ran(seen, await result.steps, number);
  need(text, "no answer to the result");
  return text;
}

async function converse(model, providerOptions) {
  const opening = { role: "user", content: "first" };
  const first = await generateText({ model, messages: [opening], providerOptions });
  return generateText({ model, messages: [opening, ...first.response.messages, { role: "user", content: ASK }], providerOptions });
}

const played = {
  async text(model) {
    const { text, finishReason, usage: used } = await generateText({ model, system: "Be terse.", prompt: ASK, temperature: 0.2, maxOutputTokens: 100 });
    need(finishReason === "stop", finishReason);
    usage(used);
    return said(text);
  },
  async length(model) {
    const { text, finishReason } = await generateText({ model, prompt: ASK, maxOutputTokens: 16 });
    need(finishReason === "length" && text, finishReason, text);
    return text;
  },
  async stream(model) {
    const result = streamText({ model, prompt: ASK });
    const pieces = [];
    for await (const piece of result.textStream) pieces.push(piece);
    need(pieces.length > 5 && (await result.finishReason) === "stop", pieces.length, await result.finishReason);
    usage(await result.usage);
    return said(pieces.join(""));
  },
  // The second turn sends what the SDK made of the first answer. `store: false` makes it send texts instead of references
  // to what OpenAI keeps: see cannot_reference.
  async conversation(model) {
    const { text } = await converse(model, { openai: { store: false } });
    return said(text);
  },
  tools: (model) => run_tools(model, ASK_TOOL, 1),
  tools_stream: (model) => stream_tools(model, ASK_TOOL, 1),
  parallel: (model) => run_tools(model, ASK_TWO_TOOLS, 2),
  parallel_stream: (model) => stream_tools(model, ASK_TWO_TOOLS, 2),
  async image(model) {
    const content = [{ type: "text", text: ASK_IMAGE }, { type: "image", image: Buffer.from(PNG, "base64"), mediaType: "image/png" }];
    const { text } = await generateText({ model, messages: [{ role: "user", content }] });
    need(text.includes(ASK_IMAGE), text);
    return text;
  },
  async object(model) {
    const { object, usage: used } = await generateObject({ model, schema: Calendar, prompt: ASK_JSON });
    usage(used);
    return calendar(object);
  },
  async object_stream(model) {
    const result = streamObject({ model, schema: Calendar, prompt: ASK_JSON });
    for await (const part of result.partialObjectStream) need(typeof part === "object", part);
    return calendar(await result.object);
  },
  async output(model) {
    const { output } = await generateText({ model, output: Output.object({ schema: Calendar }), prompt: ASK_JSON });
    return calendar(output);
  },
};

const features = {};
for (const [way, make] of Object.entries(ways))
  for (const [feature, play] of Object.entries(played)) features[`${way}_${feature}`] = (model, target) => play(make(model), target);

// APICallError, whether it was tried once or again.
function call_error(error) {
  return RetryError.isInstance(error) ? error.lastError : error;
}

const is_reasoning = (model) => /^(gpt-5|o\d)/.test(model);

async function refused(model, prompt = ASK) {
  const error = call_error(await raises(Error, () => generateText({ model: first_way(model), prompt })));
  need(APICallError.isInstance(error), "another class", error?.constructor?.name);
  return error;
}

Object.assign(features, {
  async cannot(model, target) {
    const elsewhere = provider === "openai" ? "anthropic" : "openai";
    const call = () => (provider === "openai"
      ? generateText({ model: first_way(model), prompt: ASK, providerOptions: { openai: { logprobs: true } } })
      : generateText({ model: first_way(model), messages: [{ role: "user", content: ASK }, { role: "assistant", content: "Well," }] }));
    // of models that it takes for reasoning ones it leaves logprobs out by itself
    if (target !== elsewhere || (provider === "openai" && is_reasoning(model))) return said((await call()).text);
    const error = await raises(APICallError, call);
    need(error.statusCode === 422 && !error.isRetryable, error.statusCode);
    return names(error, "cannot be translated");
  },
  // Of models that it does not take for reasoning ones, this SDK refers to earlier texts by id: they are at OpenAI.
  async cannot_reference(model, target) {
    const call = () => converse(ways.responses(model), {});
    if (target !== "anthropic" || is_reasoning(model)) return said((await call()).text);
    const error = await raises(APICallError, call);
    need(error.statusCode === 422 && !error.isRetryable, error.statusCode);
    return names(error, "item_reference");
  },
  async refused_wallet(model) {
    return names(await refused(model), "empty", "dev", "tollgate why");
  },
  async refused_rule(model) {
    return names(await refused(model), "no-matrix", "Ask somebody.");
  },
  async refused_model(model) {
    return names(await refused(model), "denied_models");
  },
  async refused_rate(model) {
    return names(await refused(model), "requests_per_day");
  },
  async busy(model) {
    const error = await refused(model, ASK + " [[fault=503]]");
    need(error.statusCode === 503 || error.statusCode === 529, error.statusCode);
    return names(error);
  },
});

if (provider !== "openai") delete features.cannot_reference;
await serve("ai", features);
