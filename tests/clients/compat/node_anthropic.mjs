// SPDX-License-Identifier: Apache-2.0
import { createRequire } from "node:module";
const Anthropic = createRequire(process.env.COMPAT_NODE + "/x.js")("@anthropic-ai/sdk").default;
const ask = { model: "claude-haiku", max_tokens: 100, messages: [{ role: "user", content: "hello from the sdk package" }] };
let text = "";
if (process.argv[2] === "stream") text = await new Anthropic().messages.stream(ask).finalText();
else text = (await new Anthropic().messages.create(ask)).content[0].text;
console.log("ANSWER", text.replaceAll("\n", " "));
