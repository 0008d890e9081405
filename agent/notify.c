/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See notify.h: the agent's side. One message asks, one answers, over a pair of sockets that keeps their bounds; the
 * helper sees the agent's end as the end of the pair. The helper's side is notify_helper.c.
 */
#include "notify.h"

#include "notify_helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct notify {
    struct helper helper;
};

struct notify *notify_open(void)
{
    struct notify *notify = calloc(1, sizeof *notify);
    if (notify && helper_open(&notify->helper, "tollgate-alerts", notify_helper_run, NULL))
        return notify;
    free(notify);
    return NULL;
}

bool notify_is_alive(struct notify *notify)
{
    return notify && helper_is_alive(&notify->helper);
}

void notify_cancel(struct notify *notify)
{
    if (notify)
        shutdown(notify->helper.fd, SHUT_RDWR);
}

void notify_close(struct notify *notify)
{
    if (!notify)
        return;
    helper_end(&notify->helper);
    free(notify);
}

/* The words, one after the other, each with its NUL. Returns how many, -1 when there are too many. */
static int pack_words(struct notify_order *order, size_t *used, const char *const *words)
{
    int count = 0;
    for (; words[count]; count++) {
        size_t bytes = strlen(words[count]) + 1;
        if (count == NOTIFY_WORDS_MAX || bytes > sizeof order->words - *used)
            return -1;
        memcpy(order->words + *used, words[count], bytes);
        *used += bytes;
    }
    return count;
}

static struct notify_order *pack_order(const char *const *command, const char *const *variables, struct slice body,
                                       uint32_t timeout_ms)
{
    struct notify_order *order = calloc(1, sizeof *order);
    size_t used = 0;
    if (!order)
        return NULL;
    int arguments = pack_words(order, &used, command), further = pack_words(order, &used, variables);
    if (arguments < 1 || further < 0 || body.length > sizeof order->body) {
        free(order);
        return NULL;
    }
    order->argument_count = (uint32_t)arguments;
    order->variable_count = (uint32_t)further;
    order->timeout_ms = timeout_ms;
    order->body_bytes = (uint32_t)body.length;
    if (body.length)
        memcpy(order->body, body.data, body.length);
    return order;
}

static void describe(const struct notify_outcome *outcome, const char *program, char *why, size_t why_bytes)
{
    if (outcome->error)
        snprintf(why, why_bytes, "%s: %s", program, strerror(outcome->error));
    else if (outcome->is_timeout)
        snprintf(why, why_bytes, "%s did not end in time and was killed", program);
    else if (outcome->signal)
        snprintf(why, why_bytes, "%s was ended by signal %d", program, outcome->signal);
    else
        snprintf(why, why_bytes, "%s exited with %d", program, outcome->status);
}

enum error notify_run(struct notify *notify, const char *const *command, const char *const *variables,
                      struct slice body, uint32_t timeout_ms, char *why, size_t why_bytes)
{
    struct notify_outcome outcome;
    struct notify_order *order = pack_order(command, variables, body, timeout_ms);
    if (!order) {
        snprintf(why, why_bytes, "the command or the alert is too large");
        return ERROR_REQUEST_INVALID;
    }
    bool is_answered = notify &&
                       send(notify->helper.fd, order, sizeof *order, MSG_NOSIGNAL) == (ssize_t)sizeof *order &&
                       recv(notify->helper.fd, &outcome, sizeof outcome, 0) == (ssize_t)sizeof outcome;
    free(order);
    if (!is_answered) {
        snprintf(why, why_bytes, "the helper that runs commands is gone");
        return ERROR_SYSTEM;
    }
    if (outcome.error || outcome.is_timeout || outcome.signal || outcome.status) {
        describe(&outcome, command[0], why, why_bytes);
        return ERROR_SYSTEM;
    }
    return ERROR_OK;
}
