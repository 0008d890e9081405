// SPDX-License-Identifier: Apache-2.0
// LangChain for JavaScript with @langchain/openai or @langchain/anthropic: sdk_langchain.mjs openai|anthropic. See README.md.
import { ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, PNG, calendar, count, distinct, load, names, need, raises, said, serve, shapes,
  weather } from "./sdk.mjs";

const provider = process.argv[2];
const Chat = provider === "openai" ? (await load("@langchain/openai")).ChatOpenAI : (await load("@langchain/anthropic")).ChatAnthropic;
const { HumanMessage, SystemMessage } = await load("@langchain/core/messages");
const { tool } = await load("@langchain/core/tools");
const { z } = await load("zod");
const { Calendar, Weather } = shapes(z);

const Loose = Calendar.extend({ priority: z.string() });
const calendar_but_enum = (value) => (need(typeof value.priority === "string", value), calendar({ ...value, priority: "low" }));
const get_weather = tool((input) => (weather(input), "3 degrees"), { name: "get_weather", description: "The weather of a city", schema: Weather });
const chat = (model, more = {}) => new Chat({ model, ...more });
const words = (message) => (typeof message.content === "string" ? message.content : message.content.map((block) => block.text ?? "").join(""));

function whole(message) {
  count(message.usage_metadata.output_tokens);
  return message;
}

async function joined(stream) {
  let total;
  for await (const chunk of await stream) total = total ? total.concat(chunk) : chunk;
  return total;
}

async function round(model, question, number, is_stream) {
  const llm = chat(model).bindTools([get_weather]);
  const say = (turns) => (is_stream ? joined(llm.stream(turns)) : llm.invoke(turns));
  const first = await say([new HumanMessage(question)]);
  need(first.tool_calls.length === number, first);
  for (const call of first.tool_calls) weather(call.args);
  if (number === 2) distinct(first.tool_calls.map((call) => call.id));
  const results = await Promise.all(first.tool_calls.map((call) => get_weather.invoke(call)));
  const text = words(whole(await say([new HumanMessage(question), first, ...results])));
  need(text, "no answer to the results");
  return text;
}

await serve("@langchain/" + provider, {
  text: async (model) => said(words(whole(await chat(model).invoke([new SystemMessage("Be terse."), new HumanMessage(ASK)])))),
  stream: async (model) => said(words(await joined(chat(model).stream(ASK)))),
  tools: (model) => round(model, ASK_TOOL, 1, false),
  tools_stream: (model) => round(model, ASK_TOOL, 1, true),
  parallel: (model) => round(model, ASK_TWO_TOOLS, 2, false),
  parallel_stream: (model) => round(model, ASK_TWO_TOOLS, 2, true),
  async image(model) {
    const content = [{ type: "text", text: ASK_IMAGE }, { type: "image_url", image_url: { url: "data:image/png;base64," + PNG } }];
    const text = words(whole(await chat(model).invoke([new HumanMessage({ content })])));
    need(text.includes(ASK_IMAGE), text);
    return text;
  },
  // @anthropic-ai/sdk turns an enum of such a schema into words of its description, which the stand-in cannot read
  structured_schema: async (model) => calendar_but_enum(await chat(model).withStructuredOutput(Loose, { method: "jsonSchema", name: "calendar" }).invoke(ASK_JSON)),
  structured_tool: async (model) => calendar(await chat(model).withStructuredOutput(Calendar, { method: "functionCalling", name: "calendar" }).invoke(ASK_JSON)),
  refused_wallet: async (model) => names(await raises(Error, () => chat(model).invoke(ASK)), "empty", "dev", "tollgate why"),
  refused_rule: async (model) => names(await raises(Error, () => joined(chat(model).stream(ASK))), "no-matrix", "Ask somebody."),
  refused_model: async (model) => names(await raises(Error, () => chat(model).invoke(ASK)), "denied_models"),
  refused_rate: async (model) => names(await raises(Error, () => chat(model).invoke(ASK)), "requests_per_day"),
});
