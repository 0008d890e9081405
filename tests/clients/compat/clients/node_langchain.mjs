// SPDX-License-Identifier: Apache-2.0
import { answer, ASK, ASK_TOOL, load, WEATHER } from "./compat.mjs";
const { ChatOpenAI } = await load("@langchain/openai");
const model = new ChatOpenAI({ model: "gpt-5.4-mini-mini" });
const tool = { type: "function", function: { name: "get_weather", description: "The weather", parameters: WEATHER } };

await answer(async (mode) => {
    if (mode === "json") return (await model.invoke(ASK)).content;
    if (mode === "tools") return (await model.bindTools([tool]).invoke(ASK_TOOL)).tool_calls[0].name;
    let text = "";
    for await (const chunk of await model.stream(ASK)) text += chunk.content;
    return text;
});
