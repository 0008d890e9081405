// SPDX-License-Identifier: Apache-2.0
// What the JavaScript clients share, on Node, Bun and Deno; see compat.py, which says the same in Python.
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import process from "node:process";

export const ASK = "hello from JavaScript";
export const ASK_TOOL = "use the tool to find the weather";
export const WEATHER = { type: "object", properties: { city: { type: "string" } } };
export const isIpv6 = "COMPAT_IPV6" in process.env;

// A package of the cache directory, as its users import it.
export async function load(name) {
    const resolver = createRequire(process.env.COMPAT_NODE + "/x.js");
    try {
        return await import(pathToFileURL(resolver.resolve(name)).href);
    } catch {
        const folder = `${process.env.COMPAT_NODE}/node_modules/${name}`;
        return import(pathToFileURL(`${folder}/${JSON.parse(readFileSync(folder + "/package.json")).module}`).href);
    }
}

async function play(ask) {
    const modes = process.argv.slice(2).filter((word) => /^(json|stream|tools)$/.test(word));
    for (let number = 0; number < modes.length; number++) {
        if (number > 0) await readFile(process.env.COMPAT_PAUSE);
        console.log(await ask(modes[number]));
    }
    process.exit(0);
}

// Raw clients: ask(url, headers, body) answers the text of the answer.
export function post(ask) {
    const headers = { authorization: `Bearer ${process.env.OPENAI_API_KEY}`, "content-type": "application/json" };
    return play((mode) => ask(process.env.COMPAT_URL, headers, readFileSync(`${process.env.COMPAT_BODIES}/${mode}.json`, "utf8")));
}

// SDKs: ask(mode) answers the text, or the name of the tool that was called.
export function answer(ask) {
    return play(async (mode) => "ANSWER " + (await ask(mode)).replaceAll("\n", " "));
}
