// SPDX-License-Identifier: Apache-2.0
import { post } from "./compat.mjs";

await post(async (url, headers, body) => {
    const answer = await fetch(url, { method: "POST", headers, body });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer.text();
});
