// SPDX-License-Identifier: Apache-2.0
import { answer, ASK, ASK_TOOL, load, WEATHER } from "./compat.mjs";
const { generateText, streamText, jsonSchema, tool } = await load("ai");
const { openai } = await load("@ai-sdk/openai");
const model = openai.chat("gpt-5.4-mini-mini");

await answer(async (mode) => {
    if (mode === "json") return (await generateText({ model, prompt: ASK })).text;
    if (mode === "stream") {
        let text = "";
        for await (const piece of streamText({ model, prompt: ASK }).textStream) text += piece;
        return text;
    }
    const tools = { get_weather: tool({ description: "The weather", inputSchema: jsonSchema(WEATHER) }) };
    return (await generateText({ model, prompt: ASK_TOOL, tools })).toolCalls[0].toolName;
});
