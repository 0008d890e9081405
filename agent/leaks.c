/* SPDX-License-Identifier: Apache-2.0 */
/* See leaks.h. What is open now is a small table, replaced by every look; a connection is told by its cookie. What the
 * agent passes on by itself is passed.c's part, on the same thread. */
#include "leaks.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/pulse.h"
#include "flow/flow.h"
#include "leak.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { LEAKS_MAX = 256, AGENTS_MAX = 65536, FRESH_MAX = 512, PAUSE_MS = 1000 };

/* One look's findings. */
struct table {
    struct leak rows[LEAKS_MAX];
    size_t count;
    uint64_t agents[AGENTS_MAX]; /* cookies of agents' own connections, ascending */
    size_t agent_count;
};

struct leaks {
    struct leaks_options options;
    struct pulse *pulse;
    struct passed *passed;
    uint32_t waited_s;          /* of its thread: since it looked last */
    pthread_mutex_t look_lock;  /* one look at a time; the leaf locks of settings, journal and log are taken under it */
    struct table *now, *before; /* guarded by look_lock */
};

struct look {
    struct leaks *leaks;
    const struct settings *settings;
    struct leak fresh[FRESH_MAX]; /* whose process is not known yet; what is more waits for the next look */
    struct identity_lookup lookups[FRESH_MAX];
    size_t fresh_count;
};

static struct leak *find_leak(struct table *table, uint64_t cookie)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].connection.peer.cookie == cookie)
            return &table->rows[i];
    return NULL;
}

static int compare_cookies(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void add_agent(struct table *table, uint64_t cookie)
{
    if (table->agent_count < AGENTS_MAX)
        table->agents[table->agent_count++] = cookie;
}

static void add_leak(struct table *table, const struct leak *leak)
{
    if (table->count < LEAKS_MAX)
        table->rows[table->count++] = *leak;
}

/* Whose spending is this agent's business: those who may use it. */
static void visit(void *context, const struct identity_connection *connection)
{
    struct look *look = context;
    struct leaks *leaks = look->leaks;
    const uint64_t cookie = connection->peer.cookie;
    struct config_address remote;
    memcpy(remote.bytes, connection->remote, sizeof remote.bytes);
    if (!redirects_has(leaks->options.redirects, &remote) || !flow_is_admitted(look->settings, connection->peer.uid))
        return;
    const struct leak *known = find_leak(leaks->before, cookie);
    if (bsearch(&cookie, leaks->before->agents, leaks->before->agent_count, sizeof cookie, compare_cookies))
        add_agent(leaks->now, cookie);
    else if (known && known->is_said)
        add_leak(leaks->now, known);
    else if (look->fresh_count < FRESH_MAX)
        look->fresh[look->fresh_count++] =
            known ? *known : (struct leak){.connection = *connection, .since_ns = clock_wall_ns()};
}

static void judge(struct look *look, struct leak *leak)
{
    struct table *now = look->leaks->now;
    bool is_second_look = find_leak(look->leaks->before, leak->connection.peer.cookie) != NULL;
    if (identity_is_agent(&leak->claim)) {
        add_agent(now, leak->connection.peer.cookie);
        return;
    }
    leak->is_said = leak->claim.pid != 0 || is_second_look;
    if (leak->is_said && now->count < LEAKS_MAX)
        leak_say(leak, look->leaks->options.journal, look->settings->environment,
                 &(struct leak_words){"is connected to", ": start it with tollgate run",
                                      "the program reached an address of a provider past the agent"});
    add_leak(now, leak);
}

static void identify_fresh(struct look *look)
{
    for (size_t i = 0; i < look->fresh_count; i++)
        look->lookups[i].peer = look->fresh[i].connection.peer;
    identity_find_processes(look->lookups, look->fresh_count);
    for (size_t i = 0; i < look->fresh_count; i++) {
        look->fresh[i].claim = look->lookups[i].claim;
        judge(look, &look->fresh[i]);
    }
}

static void begin_table(struct leaks *leaks)
{
    struct table *before = leaks->now;
    leaks->now = leaks->before;
    leaks->before = before;
    leaks->now->count = leaks->now->agent_count = 0;
}

/* Assumes look_lock. */
static void look_around(struct leaks *leaks)
{
    struct look *look = calloc(1, sizeof *look);
    struct settings *settings = leaks->options.retain_settings(leaks->options.context);
    check(look != NULL);
    look->leaks = leaks;
    look->settings = settings;
    begin_table(leaks);
    if (identity_list_connections(LEAK_PORT, visit, look))
        log_event(EVENT_LEAKS_UNKNOWN, NULL, "the kernel does not list the connections of this machine");
    identify_fresh(look);
    qsort(leaks->now->agents, leaks->now->agent_count, sizeof *leaks->now->agents, compare_cookies);
    config_release(settings);
    free(look);
}

/* 0: not now. */
static uint32_t find_pause_s(const struct leaks *leaks)
{
    struct settings *settings = leaks->options.retain_settings(leaks->options.context);
    const uint32_t pause_s = settings->capture.leak_check_seconds;
    config_release(settings);
    return pause_s;
}

/* Every second it asks whether it is time: a reload may have changed the interval. */
static void beat(void *context)
{
    struct leaks *leaks = context;
    uint32_t pause_s = find_pause_s(leaks);
    if (!pause_s)
        return;
    passed_say(leaks->passed);
    if (leaks->waited_s++ < pause_s)
        return;
    leaks->waited_s = 1;
    pthread_mutex_lock(&leaks->look_lock);
    look_around(leaks);
    pthread_mutex_unlock(&leaks->look_lock);
}

struct leaks *leaks_open(const struct leaks_options *options)
{
    struct leaks *leaks = calloc(1, sizeof *leaks);
    check(leaks != NULL);
    leaks->options = *options;
    leaks->now = calloc(1, sizeof *leaks->now);
    leaks->before = calloc(1, sizeof *leaks->before);
    check(leaks->now != NULL && leaks->before != NULL);
    pthread_mutex_init(&leaks->look_lock, NULL);
    leaks->passed = passed_new(options);
    leaks->pulse = pulse_start(beat, leaks, PAUSE_MS);
    return leaks;
}

void leaks_close(struct leaks *leaks)
{
    if (!leaks)
        return;
    pulse_stop(leaks->pulse);
    passed_free(leaks->passed);
    pthread_mutex_destroy(&leaks->look_lock);
    free(leaks->now);
    free(leaks->before);
    free(leaks);
}

void leaks_note_passed(struct leaks *leaks, const struct identity_peer *peer, const struct sockaddr_in6 *original,
                       const char *server_name)
{
    passed_note(leaks->passed, peer, original, server_name);
}

void leaks_write(struct leaks *leaks, struct buffer *out)
{
    pthread_mutex_lock(&leaks->look_lock);
    look_around(leaks);
    json_write_raw(out, "[");
    for (size_t i = 0; i < leaks->now->count; i++) {
        const struct leak *leak = &leaks->now->rows[i];
        char time_text[CLOCK_TEXT_MAX];
        if (!leak->is_said)
            continue;
        json_write_raw(out, out->data[out->end - 1] == '[' ? "{" : ",{");
        leak_write_members(leak, out);
        json_write_member_string(out, "since", clock_format(leak->since_ns, time_text));
        json_write_raw(out, "}");
    }
    json_write_raw(out, "]");
    pthread_mutex_unlock(&leaks->look_lock);
}
