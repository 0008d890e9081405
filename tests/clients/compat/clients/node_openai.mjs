// SPDX-License-Identifier: Apache-2.0
import { answer, ASK, ASK_TOOL, load, WEATHER } from "./compat.mjs";
const client = new (await load("openai")).OpenAI();
const tools = [{ type: "function", function: { name: "get_weather", parameters: WEATHER } }];

await answer(async (mode) => {
    const got = await client.chat.completions.create({
        model: "gpt-5.4-mini-mini", messages: [{ role: "user", content: mode === "tools" ? ASK_TOOL : ASK }],
        ...(mode === "tools" ? { tools } : { stream: mode === "stream" }) });
    let text = "";
    if (mode === "stream") for await (const chunk of got) text += chunk.choices[0].delta.content ?? "";
    else text = mode === "tools" ? got.choices[0].message.tool_calls[0].function.name : got.choices[0].message.content;
    return text;
});
