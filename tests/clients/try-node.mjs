// SPDX-License-Identifier: Apache-2.0
// A program that calls both providers with fetch. It knows nothing of Tollgate.
const env = process.env;

async function askOpenAI() {
    const answer = await fetch("https://api.openai.com/v1/chat/completions", {
        method: "POST",
        headers: { authorization: `Bearer ${env.OPENAI_API_KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ model: env.openai_model, messages: [{ role: "user", content: "Name one animal." }] }),
    });
    console.log("fetch, api.openai.com:", (await answer.json()).choices[0].message.content);
}

async function streamAnthropic() {
    const answer = await fetch("https://api.anthropic.com/v1/messages", {
        method: "POST",
        headers: { "x-api-key": env.ANTHROPIC_API_KEY, "anthropic-version": "2023-06-01", "content-type": "application/json" },
        body: JSON.stringify({ model: env.anthropic_model, max_tokens: 100, stream: true, messages: [{ role: "user", content: "Count to three." }] }),
    });
    process.stdout.write("fetch, api.anthropic.com, streaming: ");
    let rest = "";
    for await (const chunk of answer.body) {
        rest += Buffer.from(chunk).toString();
        const lines = rest.split("\n");
        rest = lines.pop();
        for (const line of lines)
            if (line.startsWith("data: ")) process.stdout.write(JSON.parse(line.slice(6)).delta?.text ?? "");
    }
    console.log();
}

if (env.has_openai) await askOpenAI();
if (env.has_anthropic) await streamAnthropic();
