/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One finding of the leak detector, how it is said, and the part of it that looks at what the agent passes on. For
 * leaks.c, leak.c and passed.c.
 */
#ifndef LEAK_H
#define LEAK_H

#include "leaks.h"

enum { LEAK_PORT = 443 };

struct leak {
    struct identity_connection connection;
    struct identity_claim claim;
    int64_t since_ns; /* wall clock, when it was first seen */
    bool is_said;     /* no: nobody was found who holds it; it may have been closed just now */
};

/* Of the log: "PROGRAM (pid, uid) VERB ADDRESS port 443REST"; and the event's error_detail. */
struct leak_words {
    const char *verb, *rest, *detail;
};

void leak_write_members(const struct leak *leak, struct buffer *out);
/* In the log, and as an event like those of exchanges, so that whoever reads events meets it; it has no charge: nobody
 * knows it. */
void leak_say(const struct leak *leak, struct journal *journal, enum environment environment,
              const struct leak_words *words);

/* ---- passed.c ---- */
struct passed;
struct passed *passed_new(const struct leaks_options *options);
void passed_free(struct passed *passed);
/* See leaks_note_passed. */
void passed_note(struct passed *passed, const struct identity_peer *peer, const struct sockaddr_in6 *original,
                 const char *server_name);
/* Says what was noted since. On one thread. */
void passed_say(struct passed *passed);

#endif
