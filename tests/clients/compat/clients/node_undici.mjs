// SPDX-License-Identifier: Apache-2.0
import { isIpv6, load, post } from "./compat.mjs";
const { Agent, request } = (await load("undici")).default;

const dispatcher = new Agent({ connect: isIpv6 ? { family: 6 } : {} });
await post(async (url, headers, body) => {
    const answer = await request(url, { method: "POST", headers, body, dispatcher });
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
    return answer.body.text();
});
