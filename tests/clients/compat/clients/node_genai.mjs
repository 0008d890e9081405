// SPDX-License-Identifier: Apache-2.0
import { answer, ASK, ASK_TOOL, load, WEATHER } from "./compat.mjs";
const { GoogleGenAI } = await load("@google/genai");
const client = new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY });

await answer(async (mode) => {
    const ask = { model: "gemini-2.5-flash", contents: mode === "tools" ? ASK_TOOL : ASK };
    if (mode === "json") return (await client.models.generateContent(ask)).text;
    if (mode === "stream") {
        let text = "";
        for await (const chunk of await client.models.generateContentStream(ask)) text += chunk.text ?? "";
        return text;
    }
    const tools = [{ functionDeclarations: [{ name: "get_weather", parametersJsonSchema: WEATHER }] }];
    return (await client.models.generateContent({ ...ask, config: { tools } })).functionCalls[0].name;
});
