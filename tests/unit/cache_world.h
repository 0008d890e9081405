/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the cache's store and flights share: a directory, a scripted clock, a loop of its own, asks that
 * are led to their end.
 */
#ifndef TESTS_UNIT_CACHE_WORLD_H
#define TESTS_UNIT_CACHE_WORLD_H

#include "base/clock.h"
#include "cache/cache.h"
#include "tests/unit/suite.h"

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

static char root[64], directory[96];
static atomic_llong scripted_ns;    /* the cache's clock */
static atomic_llong wall_offset_ns; /* the wall clock's jumps */
static atomic_int notes;
static char last_note[CACHE_NOTE_TEXT_MAX];

static inline int64_t scripted_now(void)
{
    return atomic_load(&scripted_ns);
}

/* The whole of base/clock.c, so that the linker takes ours. */
int64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}
int64_t clock_wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec + atomic_load(&wall_offset_ns);
}
char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)wall_ns);
    return text;
}

static inline void noted(void *context, const char *text)
{
    (void)context;
    snprintf(last_note, sizeof last_note, "%s", text);
    atomic_fetch_add(&notes, 1);
}

static inline void make_directory(void)
{
    strcpy(root, "/tmp/tollgate-cache-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/cache", root);
    atomic_store(&scripted_ns, 1000000000000);
    atomic_store(&wall_offset_ns, 0);
    atomic_store(&notes, 0);
}

static inline void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

static inline struct cache_options some_options(void)
{
    return (struct cache_options){
        .directory = directory, .entries_max = 1000, .noted = noted, .now_ns = scripted_now, .boot_id = "boot-1"};
}

/* ---- asks ---- */

struct caller {
    struct cache_ask ask;
    unsigned resumed;
};

static inline void count_resume(struct cache_ask *ask)
{
    ((struct caller *)(void *)ask)->resumed++;
}

static inline struct cache_key key_number(unsigned number)
{
    struct cache_key key;
    digest_sha256((struct slice){(const char *)&number, sizeof number}, key.bytes);
    return key;
}

static inline void init_caller(struct caller *caller, unsigned number, struct mailbox *mailbox)
{
    memset(caller, 0, sizeof *caller);
    caller->ask = (struct cache_ask){.key = key_number(number),
                                     .wishes = {.max_age_s = -1},
                                     .ttl_s = 3600,
                                     .group = "group",
                                     .model = "model",
                                     .mailbox = mailbox,
                                     .resume = count_resume};
}

/* Runs what is posted, until something was or the time is up. */
static inline bool wait_for_mail(struct mailbox *mailbox)
{
    struct pollfd readable = {mailbox->event_fd, POLLIN, 0};
    if (poll(&readable, 1, 20000) != 1)
        return false;
    return mailbox_run(mailbox) > 0;
}

/* The reply, with the disk's answer waited for. */
static inline enum cache_reply ask_and_wait(struct cache *cache, struct caller *caller)
{
    enum cache_reply reply = cache_ask(cache, &caller->ask);
    while (reply == CACHE_WAIT && wait_for_mail(caller->ask.mailbox))
        reply = caller->ask.reply;
    return reply;
}

static const struct http_field some_fields[] = {
    {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/json")},
    {SLICE_LITERAL("set-cookie"), SLICE_LITERAL("secret=1")},
    {SLICE_LITERAL("x-request-id"), SLICE_LITERAL("req_1")},
    {SLICE_LITERAL("x-ratelimit-remaining-requests"), SLICE_LITERAL("9")},
};
static const struct cache_outcome good_outcome = {.status = 200, .is_complete = true};

static inline struct cache_made some_made(void)
{
    struct cache_made made = {.charge = {123456}, .model = "gpt-x-2026", .target = "openai-x", .id = "01J"};
    made.usage.input = 10;
    made.usage.output = 20;
    return made;
}

static inline void send_head(struct cache *cache, struct cache_ask *ask, bool is_stream)
{
    const struct cache_head head = {200, is_stream, some_fields, sizeof some_fields / sizeof *some_fields};
    cache_lead_head(cache, ask, &head);
}

static inline const char *lead_to_the_end(struct cache *cache, struct cache_ask *ask, bool is_stream, struct slice body)
{
    const struct cache_made made = some_made();
    send_head(cache, ask, is_stream);
    cache_lead_bytes(cache, ask, body);
    return cache_lead_finish(cache, ask, &good_outcome, &made);
}

/* Bytes of which about half can be compressed away; different for every number. */
static inline void fill_body(unsigned number, char *body, size_t length)
{
    uint64_t state = number * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < length; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body[i] = (char)('a' + (state >> 33) % 16);
    }
    snprintf(body, length, "%u:", number);
}

/* Stores an answer under the number; false when it was not. */
static inline bool store_number(struct cache *cache, struct mailbox *mailbox, unsigned number, size_t length)
{
    struct caller caller;
    char *body = malloc(length + 16);
    fill_body(number, body, length);
    init_caller(&caller, number, mailbox);
    bool is_stored = ask_and_wait(cache, &caller) == CACHE_LEAD &&
                     !lead_to_the_end(cache, &caller.ask, false, (struct slice){body, length});
    cache_leave(cache, &caller.ask);
    free(body);
    return is_stored;
}

enum found { FOUND_RIGHT, FOUND_NOTHING, FOUND_WRONG };
static inline enum found find_number(struct cache *cache, struct mailbox *mailbox, unsigned number, size_t length)
{
    struct caller caller;
    char *body = malloc(length + 16);
    fill_body(number, body, length);
    init_caller(&caller, number, mailbox);
    enum cache_reply reply = ask_and_wait(cache, &caller);
    enum found found = reply == CACHE_LEAD ? FOUND_NOTHING : FOUND_WRONG;
    if (reply == CACHE_HIT && slice_is_equal(caller.ask.answer->body, (struct slice){body, length}) &&
        slice_is(http_find_field(caller.ask.answer->fields, caller.ask.answer->field_count, "content-type"),
                 "application/json") &&
        caller.ask.answer->made.charge.nano == 123456)
        found = FOUND_RIGHT;
    cache_leave(cache, &caller.ask);
    free(body);
    return found;
}

#endif
