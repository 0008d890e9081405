// SPDX-License-Identifier: Apache-2.0
import { request } from "node:https";
import { isIpv6, post } from "./compat.mjs";

await post((url, headers, body) => new Promise((resolve, reject) => {
    const call = request(url, { method: "POST", headers, ...(isIpv6 ? { family: 6 } : {}) }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (piece) => (text += piece)).on("end", () => resolve(text)).on("error", reject);
    });
    call.on("error", reject).end(body);
}));
