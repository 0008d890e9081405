// SPDX-License-Identifier: Apache-2.0
// The `@google/genai` package at a Gemini target; other targets are refused. See README.md.
import { ASK, ASK_IMAGE, ASK_JSON, ASK_TOOL, ASK_TWO_TOOLS, CALENDAR, PNG, WEATHER, calendar, count, load, names, need, raises, said, serve,
  weather } from "./sdk.mjs";

const { ApiError, GoogleGenAI } = await load("@google/genai");
const client = () => new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });
const TOOLS = { tools: [{ functionDeclarations: [{ name: "get_weather", description: "The weather of a city", parametersJsonSchema: WEATHER }] }] };
const ask = (model, contents, config) => client().models.generateContent({ model, contents, config });

async function stream_of(model, contents, config) {
  const chunks = [];
  for await (const chunk of await client().models.generateContentStream({ model, contents, config })) chunks.push(chunk);
  return chunks;
}

function whole(answer) {
  need(answer.candidates.length === 1 && answer.candidates[0].finishReason === "STOP", answer.candidates);
  count(answer.usageMetadata.promptTokenCount, answer.usageMetadata.candidatesTokenCount);
  return answer;
}

async function round(model, question, number, is_stream) {
  const say = async (contents) => (is_stream ? (await stream_of(model, contents, TOOLS)).flatMap((chunk) => chunk.candidates[0].content?.parts ?? [])
    : whole(await ask(model, contents, TOOLS)).candidates[0].content.parts);
  const first = await say(question);
  const calls = first.flatMap((part) => part.functionCall ?? []);
  need(calls.length === number, first);
  for (const call of calls) weather(call.args);
  const results = calls.map((call) => ({ functionResponse: { name: call.name, id: call.id, response: { degrees: 3 } } }));
  const second = await say([{ role: "user", parts: [{ text: question }] }, { role: "model", parts: first }, { role: "user", parts: results }]);
  const text = second.map((part) => part.text ?? "").join("");
  need(text, "no answer to the results");
  return text;
}

const played = {
  async text(model) {
    return said(whole(await ask(model, ASK, { systemInstruction: "Be terse.", maxOutputTokens: 100 })).text);
  },
  async stream(model) {
    const chunks = await stream_of(model, ASK);
    need(chunks.length > 5, "it was no stream", chunks.length);
    whole(chunks.at(-1));
    return said(chunks.map((chunk) => chunk.text ?? "").join(""));
  },
  async chat(model) {
    const conversation = client().chats.create({ model });
    need((await conversation.sendMessage({ message: "first" })).text, "no first answer");
    return said((await conversation.sendMessage({ message: ASK })).text);
  },
  tools: (model) => round(model, ASK_TOOL, 1, false),
  tools_stream: (model) => round(model, ASK_TOOL, 1, true),
  parallel: (model) => round(model, ASK_TWO_TOOLS, 2, false),
  parallel_stream: (model) => round(model, ASK_TWO_TOOLS, 2, true),
  async image(model) {
    const { text } = whole(await ask(model, [{ inlineData: { data: PNG, mimeType: "image/png" } }, { text: ASK_IMAGE }]));
    need(text.includes(ASK_IMAGE), text);
    return text;
  },
  async json_schema(model) {
    return calendar(whole(await ask(model, ASK_JSON, { responseMimeType: "application/json", responseJsonSchema: CALENDAR })).text);
  },
};

const features = {};
for (const [feature, play] of Object.entries(played)) {
  features[feature] = async (model, target) => {
    if (target !== "openai") return play(model);
    const error = await raises(ApiError, () => play(model));
    need(error.status === 422, error.status);
    return names(error, "cannot be translated");
  };
}

const refused = (call, status, ...parts) => raises(ApiError, call).then((error) => {
  need(error.status === status, error.status, error.message);
  return names(error, ...parts);
});

await serve("@google/genai", {
  ...features,
  refused_wallet: (model) => refused(() => ask(model, ASK), 429, "empty", "dev", "tollgate why"),
  refused_rule: (model) => refused(() => stream_of(model, ASK), 403, "no-matrix", "Ask somebody."),
  refused_model: (model) => refused(() => ask(model, ASK), 403, "denied_models"),
  refused_rate: (model) => refused(() => ask(model, ASK), 429, "requests_per_day"),
  busy: (model) => refused(() => ask(model, ASK + " [[fault=503]]"), 503),
});
