// SPDX-License-Identifier: Apache-2.0
// What the JavaScript programs of this folder share; see sdk.py, which says the same in Python, and README.md.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const PACKAGES = process.env.COMPAT_NODE + "/node_modules/";
const resolver = createRequire(process.env.COMPAT_NODE + "/x.js");

// A package of the cache directory, in the form that its ES modules users get.
export function load(name) {
  try {
    return import(pathToFileURL(resolver.resolve(name)).href);
  } catch {
    const main = JSON.parse(readFileSync(`${PACKAGES}${name}/package.json`)).module;
    return import(pathToFileURL(`${PACKAGES}${name}/${main}`).href);
  }
}

const matrix = JSON.parse(readFileSync(new URL("shared.json", import.meta.url)));
export const { PNG, WEATHER, CALENDAR, ASK, ASK_TOOL, ASK_TWO_TOOLS, ASK_JSON, ASK_IMAGE } = matrix;

export class Skip extends Error {}

export function need(condition, ...facts) {
  assert.ok(condition, facts.map((fact) => (typeof fact === "string" ? fact : JSON.stringify(fact))).join(" "));
}

export function count(...numbers) {
  for (const number of numbers) need(Number.isInteger(number) && number > 0, "no count of tokens", number ?? "nothing");
}

export function said(text) {
  need(typeof text === "string" && text.includes(ASK), "not the stand-in's echo", text ?? "nothing");
  return text;
}

export function weather(given) {
  const value = typeof given === "string" ? JSON.parse(given) : given;
  assert.deepEqual(Object.keys(value).sort(), ["city", "days", "unit"]);
  need(typeof value.city === "string" && value.city, "city", value);
  need(Number.isInteger(value.days), "days", value);
  need(["celsius", "fahrenheit"].includes(value.unit), "unit", value);
  return value;
}

export function calendar(given) {
  const value = typeof given === "string" ? JSON.parse(given) : given;
  assert.deepEqual(Object.keys(value).sort(), [...CALENDAR.required].sort());
  need(typeof value.title === "string" && typeof value.confirmed === "boolean", "title, confirmed", value);
  need(["low", "high"].includes(value.priority), "priority", value);
  need(Array.isArray(value.guests) && value.guests.every((guest) => typeof guest === "string"), "guests", value);
  need(typeof value.place.street === "string" && Number.isInteger(value.place.number), "place", value);
  return JSON.stringify(value);
}

// The shape of CALENDAR and of WEATHER for those who ask in zod.
export function shapes(z) {
  return {
    Calendar: z.object({
      title: z.string(),
      place: z.object({ street: z.string(), number: z.int() }),
      guests: z.array(z.string()),
      priority: z.enum(["low", "high"]),
      confirmed: z.boolean(),
    }),
    Weather: z.object({ city: z.string(), days: z.int(), unit: z.enum(["celsius", "fahrenheit"]) }),
  };
}

export function distinct(ids) {
  need(ids.length === 2 && new Set(ids).size === 2 && ids.every(Boolean), "ids of two calls", ids);
}

export async function raises(kind, call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    need(error instanceof kind, "another class", error?.constructor?.name + ": " + error);
    return error;
  }
  throw new Error("it was not refused: " + String(JSON.stringify(answer)).slice(0, 200));
}

export function names(error, ...parts) {
  const text = String(error.message);
  for (const part of parts) need(text.includes(part), "the exception does not say", part, text.slice(0, 400));
  need(!text.includes("kt_cg_") && !text.includes("sk-"), "a key stands in it", text.slice(0, 400));
  return `REFUSED ${error.constructor.name} ${text.slice(0, 120)}`;
}

function place(error) {
  return (error?.stack ?? "").split("\n").filter((line) => line.includes("/sdk_")).slice(0, 2).map((line) => line.replace(/.*\//, "").replace(")", "")).join(" ");
}

// One line in: KEY TARGET MODEL FEATURE. One line out: ANSWER …, REFUSED …, SKIP … or FAIL ….
export async function serve(name, features) {
  const { version } = JSON.parse(readFileSync(`${PACKAGES}${name}/package.json`));
  const write = (line) => process.stdout.write(line.replace(/\s+/g, " ").slice(0, 1500) + "\n");
  write(["READY", name, version, ...Object.keys(features)].join(" "));
  for await (const line of createInterface({ input: process.stdin })) {
    const [key, target, model, feature] = line.split(" ");
    for (const variable of ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"]) process.env[variable] = key;
    try {
      const text = await features[feature](model, target);
      write(text.startsWith("REFUSED ") ? text : "ANSWER " + text);
    } catch (error) {
      if (error instanceof Skip) write("SKIP " + error.message);
      else write(`FAIL ${error?.constructor?.name}: ${error?.message ?? error} (${place(error)})`);
    }
  }
}
