/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that is started while one agent follows another: it has to wait for the next one, be refused where none
 * comes, and must not take the one for the other. Whoever holds the sockets tells: an agent that ends answers until the
 * next one does, unless none comes.
 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>

#define AWAIT_ANSWER_MS    1000
#define AWAIT_SILENCE_MS   20000 /* of an agent that holds the socket: it recovers a large ledger, or is stopped */
#define AWAIT_BEYOND_MS    30000 /* the drain's end, then the next one's start */
#define AWAIT_SUCCESSOR_MS 3000  /* production's service manager starts it at once, or not */
#define AWAIT_WORD_MS      1000
#define AWAIT_PAUSE_MS     100

struct await {
    const struct cli *cli;
    long long begun_ms, deadline_ms;
    bool was_draining, is_said;
};

static bool await_is_gone(int error)
{
    return error == -ENOENT || error == -ECONNREFUSED;
}

/* It was there, and too slow; or it went while we asked. */
static bool await_may_come(int error)
{
    return error == -ETIMEDOUT || error == -EAGAIN || error == -ECONNRESET || error == -EPROTO || error == -EPIPE;
}

static void await_say(struct await *await, const json_t *draining)
{
    if (await->is_said || launch_now_ms() - await->begun_ms < AWAIT_WORD_MS)
        return;
    await->is_said = true;
    if (draining)
        text_complain("the agent of %s is being restarted (%s connections left): waits for the next one",
                      await->cli->place.environment, api_text(draining, "connections", "some"));
    else
        text_complain("the agent of %s does not answer yet: waits for it", await->cli->place.environment);
}

/* False: it goes on, or the next one has its sockets already, where connections wait for it. */
static bool await_is_ending(struct await *await, const struct answer *hello)
{
    const json_t *draining = json_object_get(hello->json, "draining");
    if (!draining || json_is_true(json_object_get(draining, "has_successor")))
        return false;
    if (!await->was_draining)
        await->deadline_ms =
            launch_now_ms() + api_integer(hello->json, "drain_timeout_ms", AWAIT_BEYOND_MS) + AWAIT_BEYOND_MS;
    await->was_draining = true;
    await_say(await, draining);
    return true;
}

bool agent_await(const struct cli *cli)
{
    struct await await = {cli, launch_now_ms(), launch_now_ms() + AWAIT_SILENCE_MS, false, false};
    long long gone_ms = 0;
    for (; launch_now_ms() < await.deadline_ms; poll(NULL, 0, AWAIT_PAUSE_MS)) {
        struct answer hello = {0};
        int error = api_probe(cli, "/v1/hello", AWAIT_ANSWER_MS, &hello);
        bool is_ending = error == 0 && await_is_ending(&await, &hello);
        json_decref(hello.json);
        if (error == 0 && !is_ending)
            return true;
        if (await_is_gone(error)) {
            gone_ms = gone_ms ? gone_ms : launch_now_ms();
            if (!await.was_draining || !cli->place.is_prod || launch_now_ms() - gone_ms > AWAIT_SUCCESSOR_MS)
                return false;
        } else if (await_may_come(error)) {
            await_say(&await, NULL);
        } else if (error) {
            return true; /* whoever asks it is told why not */
        }
    }
    return true;
}
