/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that keeps the set of providers' addresses: it asks for those of the governed names every
 * capture.refresh_seconds, and has the map rewritten when the set, or what else it says, has changed. Opened by
 * agent.c.
 */
#ifndef REFRESH_H
#define REFRESH_H

#include "redirects.h"
#include "resolver.h"

struct refresh;

struct refresh_options {
    struct resolver *resolver; /* NULL: the policy's addresses only */
    struct redirects *redirects;
    struct settings *(*retain_settings)(void *context);
    bool (*is_stale)(void *context);      /* something else than addresses is to be said by the map */
    enum error (*publish)(void *context); /* writes the map */
    void *context;
};

/* The map has been written once. */
struct refresh *refresh_open(const struct refresh_options *options);
/* Other settings are in force. Any thread. */
void refresh_wake(struct refresh *refresh);
void refresh_close(struct refresh *refresh); /* at once, whatever it waits for; NULL is fine */

#endif
