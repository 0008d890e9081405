/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent passes on to an address of a provider, since its first flight named no governed server: a program that
 * hides the name, or speaks no TLS, spends money past us, or something else lives at that address, too. Noted by the
 * loops, said by the leak detector's thread, once for each program and address.
 */
#include "leak.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTES_MAX = 128, SAID_MAX = 512, SERVER_NAME_MAX = 256, WORDS_MAX = 400 };

/* More than fit between two looks are left out: those that go on will be noted again. */
struct note {
    struct leak leak;
    char server_name[SERVER_NAME_MAX];
};

/* The oldest makes room, and may be said again. */
struct said {
    uid_t uid;
    uint8_t remote[16];
    char executable[TOLLGATE_PATH_MAX];
};

struct passed {
    struct leaks_options options;
    pthread_mutex_t lock; /* leaf; guards the notes */
    struct note notes[NOTES_MAX];
    size_t note_count;
    struct note taken[NOTES_MAX]; /* this and the rest: passed_say's */
    struct identity_lookup lookups[NOTES_MAX];
    struct said said[SAID_MAX];
    size_t said_count, said_next;
};

struct passed *passed_new(const struct leaks_options *options)
{
    struct passed *passed = calloc(1, sizeof *passed);
    check(passed != NULL);
    passed->options = *options;
    pthread_mutex_init(&passed->lock, NULL);
    return passed;
}

void passed_free(struct passed *passed)
{
    pthread_mutex_destroy(&passed->lock);
    free(passed);
}

void passed_note(struct passed *passed, const struct identity_peer *peer, const struct sockaddr_in6 *original,
                 const char *server_name)
{
    struct config_address address;
    memcpy(address.bytes, &original->sin6_addr, sizeof address.bytes);
    if (!redirects_has(passed->options.redirects, &address))
        return;
    pthread_mutex_lock(&passed->lock);
    if (passed->note_count < NOTES_MAX) {
        struct note *note = &passed->notes[passed->note_count++];
        *note = (struct note){.leak = {.connection.peer = *peer, .since_ns = clock_wall_ns()}};
        memcpy(note->leak.connection.remote, address.bytes, sizeof address.bytes);
        snprintf(note->server_name, sizeof note->server_name, "%s", server_name);
    }
    pthread_mutex_unlock(&passed->lock);
}

static size_t take_notes(struct passed *passed)
{
    pthread_mutex_lock(&passed->lock);
    size_t count = passed->note_count;
    memcpy(passed->taken, passed->notes, count * sizeof *passed->notes);
    passed->note_count = 0;
    pthread_mutex_unlock(&passed->lock);
    return count;
}

/* What the program, or its supervisor, said of it; else whoever holds the socket still. */
static void identify(struct passed *passed, size_t count)
{
    struct identity_lookup *lookups = passed->lookups;
    size_t unknown[NOTES_MAX], unknown_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct leak *leak = &passed->taken[i].leak;
        if (identity_take_claim(passed->options.identity, &leak->connection.peer, &leak->claim))
            continue;
        lookups[unknown_count].peer = leak->connection.peer;
        unknown[unknown_count++] = i;
    }
    identity_find_processes(lookups, unknown_count);
    for (size_t i = 0; i < unknown_count; i++)
        passed->taken[unknown[i]].leak.claim = lookups[i].claim;
}

/* True: it was said before. Remembers it. */
static bool is_old(struct passed *passed, const struct leak *leak)
{
    for (size_t i = 0; i < passed->said_count; i++) {
        const struct said *said = &passed->said[i];
        if (said->uid == leak->connection.peer.uid &&
            memcmp(said->remote, leak->connection.remote, sizeof said->remote) == 0 &&
            strcmp(said->executable, leak->claim.executable) == 0)
            return true;
    }
    struct said *fresh = &passed->said[passed->said_next];
    passed->said_next = (passed->said_next + 1) % SAID_MAX;
    passed->said_count += passed->said_count < SAID_MAX;
    fresh->uid = leak->connection.peer.uid;
    memcpy(fresh->remote, leak->connection.remote, sizeof fresh->remote);
    memcpy(fresh->executable, leak->claim.executable, sizeof fresh->executable);
    return false;
}

static void say(struct passed *passed, const struct note *note, enum environment environment)
{
    char rest[WORDS_MAX], detail[WORDS_MAX];
    const char *name = note->server_name;
    snprintf(rest, sizeof rest, name[0] ? ", and named %s, which is not governed" : ", and named no server%s", name);
    snprintf(detail, sizeof detail,
             name[0] ? "the agent passed the program on to an address of a provider: it named %s, which is not governed"
                     : "the agent passed the program on to an address of a provider: it named no server%s",
             name);
    leak_say(&note->leak, passed->options.journal, environment, &(struct leak_words){"was passed on to", rest, detail});
}

void passed_say(struct passed *passed)
{
    size_t count = take_notes(passed);
    if (count == 0)
        return;
    identify(passed, count);
    struct settings *settings = passed->options.retain_settings(passed->options.context);
    for (size_t i = 0; i < count; i++)
        if (!is_old(passed, &passed->taken[i].leak))
            say(passed, &passed->taken[i], settings->environment);
    config_release(settings);
}
