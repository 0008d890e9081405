// SPDX-License-Identifier: Apache-2.0
const stream = process.argv[2] === "stream";
const answer = await fetch("https://api.openai.com/v1/chat/completions", {
    method: "POST",
    headers: { authorization: `Bearer ${process.env.OPENAI_API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model: "gpt-5.4-mini-mini", stream, messages: [{ role: "user", content: "hello from fetch" }] }),
});
if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
let text = "";
if (stream) {
    for (const line of (await answer.text()).split("\n"))
        if (line.startsWith("data: {")) text += JSON.parse(line.slice(6)).choices[0].delta.content ?? "";
} else text = (await answer.json()).choices[0].message.content;
console.log("ANSWER", text.replaceAll("\n", " "));
