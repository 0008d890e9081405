/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leak detector: a thread that looks every few seconds (capture.leak_check_seconds) for connections to addresses of
 * providers that do not belong to an agent: somebody who may use this agent spends money past it. Each is said once, in
 * the log and as an event of the kind "ungoverned". It finds what lives when it looks; it stops nobody. Opened by
 * agent.c.
 */
#ifndef LEAKS_H
#define LEAKS_H

#include "base/buffer.h"
#include "config/config.h"
#include "journal/journal.h"
#include "redirects.h"

struct leaks;

struct leaks_options {
    struct journal *journal;
    struct settings *(*retain_settings)(void *context);
    void *context;
    struct redirects *redirects; /* the addresses of providers */
};

struct leaks *leaks_open(const struct leaks_options *options);
/* NULL is fine. Before journal_close. */
void leaks_close(struct leaks *leaks);
/* Looks now, and appends a JSON array of what is open: [{pid, uid, executable, directory, address, since}]. Any thread.
 */
void leaks_write(struct leaks *leaks, struct buffer *out);

#endif
