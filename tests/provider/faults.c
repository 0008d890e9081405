/* SPDX-License-Identifier: Apache-2.0 */
/* The table of faults; see faults.h. A name that is not here is looked up among the problems, so that every status
 * of problems.c is a fault too.
 */
#include "tests/provider/faults.h"

#include <stddef.h>
#include <string.h>

static const struct named_fault {
    const char *name;
    struct fault fault;
} faults[] = {
    {"cut_fin", {.ending = FAULT_END_FIN}},
    {"cut_rst", {.ending = FAULT_END_RST}},
    {"short_body", {.ending = FAULT_END_FIN, .notify = true}},
    {"half_close", {.ending = FAULT_END_HALF, .notify = true}},
    {"stall", {.ending = FAULT_END_STALL}},
    {"drop", {.ending = FAULT_END_FIN, .before_answer = true, .notify = true}},
    {"drop_rst", {.ending = FAULT_END_RST, .before_answer = true}},
    {"hang", {.ending = FAULT_END_STALL, .before_answer = true}},
    {"close_after", {.ending = FAULT_END_AFTER, .notify = true}},
    {"bad_json", {.broken_json = true}},
    {"bad_utf8", {.broken_utf8 = true}},
    {"encoded", {.encoded = true}},
    {"no_content", {.no_content = true}},
    {"error_event", {.error_event = true}},
    {"no_usage", {.usage = FAULT_USAGE_NONE}},
    {"zero_usage", {.usage = FAULT_USAGE_ZERO}},
};

static const struct fault *fault_find(const char *name)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (strcmp(faults[i].name, name) == 0)
            return &faults[i].fault;
    return NULL;
}

void fault_overlay(const struct fault *over, struct fault *under)
{
    if (over->problem)
        under->problem = over->problem;
    if (over->ending)
        under->ending = over->ending;
    if (over->usage)
        under->usage = over->usage;
    under->notify |= over->notify;
    under->before_answer |= over->before_answer;
    under->broken_json |= over->broken_json;
    under->broken_utf8 |= over->broken_utf8;
    under->encoded |= over->encoded;
    under->no_content |= over->no_content;
    under->error_event |= over->error_event;
}

bool fault_merge(const char *name, struct fault *into)
{
    const struct problem *problem = problem_find(name);
    const struct fault *fault = fault_find(name);
    if (problem)
        into->problem = problem;
    if (fault)
        fault_overlay(fault, into);
    return problem || fault;
}
