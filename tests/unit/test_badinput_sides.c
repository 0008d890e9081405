/* SPDX-License-Identifier: Apache-2.0 */
/* The bad-input tables of what the shim, the launcher and the agent say to each other: badinput.h. */
#include "identity/internal.h"
#include "shim/launch/launch.h"
#include "tests/fuzz/shim_side.h"
#include "tests/unit/badinput.h"

static const char *judge_hello(struct slice input)
{
    struct tollgate_hello hello;
    return claims_parse_hello(input.data, input.length, &hello) ? "accept" : "refuse";
}

static const char *judge_redirect(struct slice input)
{
    struct tollgate_redirect redirect;
    return claims_parse_redirect(input.data, input.length, &redirect) ? "accept" : "refuse";
}

/* Both readers: the launcher's and the shim's. */
static const char *judge_map(struct slice input)
{
    const char *path = write_input(input);
    struct text_block *mark = text_mark();
    struct launch_map map = {.names = {0}};
    bool is_read = map_read(path, &map) == NULL, is_open = shim_side_open_map(path);
    text_release(mark);
    return is_read != is_open ? "one of two" : is_read ? "accept" : "refuse";
}

TEST(every_case_has_its_verdict)
{
    static const struct kind kinds[] = {
        {"hello", judge_hello, 500}, {"redirect", judge_redirect, 500}, {"map", judge_map, 600}};
    judge_all("datagram map", kinds, sizeof kinds / sizeof *kinds);
}
