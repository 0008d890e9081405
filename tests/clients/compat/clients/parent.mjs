// SPDX-License-Identifier: Apache-2.0
// parent.mjs [NAME=value…] -- COMMAND…: a child of child_process with nothing but these in its environment.
import { spawnSync } from "node:child_process";

const words = process.argv.slice(2);
const at = words.indexOf("--");
const env = Object.fromEntries(words.slice(0, at).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
process.exit(spawnSync(words[at + 1], words.slice(at + 2), { stdio: "inherit", env }).status);
