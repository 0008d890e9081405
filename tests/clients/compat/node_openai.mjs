// SPDX-License-Identifier: Apache-2.0
import { createRequire } from "node:module";
const OpenAI = createRequire(process.env.COMPAT_NODE + "/x.js")("openai").default;
const stream = process.argv[2] === "stream";
const answer = await new OpenAI().chat.completions.create({
    model: "gpt-5.4-mini-mini", stream, messages: [{ role: "user", content: "hello from the openai package" }] });
let text = "";
if (stream) for await (const chunk of answer) text += chunk.choices[0].delta.content ?? "";
else text = answer.choices[0].message.content;
console.log("ANSWER", text.replaceAll("\n", " "));
