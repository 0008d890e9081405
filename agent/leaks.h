/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leak detector: a thread that looks every few seconds (capture.leak_check_seconds) for connections to addresses of
 * providers that do not belong to an agent: somebody who may use this agent spends money past it. Each is said once, in
 * the log and as an event of the kind "ungoverned". It finds what lives when it looks; it stops nobody. What the agent
 * itself passes on to such an address, since it named no governed server, is said once for each program and address.
 * Opened by agent.c.
 */
#ifndef LEAKS_H
#define LEAKS_H

#include "base/buffer.h"
#include "config/config.h"
#include "identity/identity.h"
#include "journal/journal.h"
#include "redirects.h"

struct leaks;

struct leaks_options {
    struct journal *journal;
    struct settings *(*retain_settings)(void *context);
    void *context;
    struct redirects *redirects; /* the addresses of providers */
    struct identity *identity;
};

struct leaks *leaks_open(const struct leaks_options *options);
/* NULL is fine. Before journal_close. */
void leaks_close(struct leaks *leaks);
/* A connection of that peer was passed on to `original`; server_name: what its first flight named, "" nothing. Any
 * thread; waits for nothing. */
void leaks_note_passed(struct leaks *leaks, const struct identity_peer *peer, const struct sockaddr_in6 *original,
                       const char *server_name);
/* Looks now, and appends a JSON array of what is open: [{pid, uid, executable, directory, address, since}]. Any thread.
 */
void leaks_write(struct leaks *leaks, struct buffer *out);

#endif
