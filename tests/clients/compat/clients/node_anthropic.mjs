// SPDX-License-Identifier: Apache-2.0
import { answer, ASK, ASK_TOOL, load, WEATHER } from "./compat.mjs";
const client = new (await load("@anthropic-ai/sdk")).Anthropic();

await answer(async (mode) => {
    const ask = { model: "claude-haiku", max_tokens: 100, messages: [{ role: "user", content: mode === "tools" ? ASK_TOOL : ASK }] };
    if (mode === "stream") return client.messages.stream(ask).finalText();
    if (mode === "json") return (await client.messages.create(ask)).content[0].text;
    const got = await client.messages.create({ ...ask, tools: [{ name: "get_weather", input_schema: WEATHER }] });
    return got.content.find((block) => block.type === "tool_use").name;
});
