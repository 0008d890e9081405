/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks this machine's resolver for the addresses of a name, in a helper process: getaddrinfo may hang for half a minute
 * without a network, loads whatever nsswitch.conf names, and cannot be interrupted; a process can. Opened by agent.c,
 * asked by refresh.c.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include "base/error.h"
#include "config/config.h"

struct resolver;

enum { RESOLVER_ADDRESSES_MAX = 32 };

struct resolver_answer {
    uint32_t count;
    struct config_address addresses[RESOLVER_ADDRESSES_MAX];
};

/* Forks the helper: while there is one thread, and before the process gives up what it can. It gives up the same, or
 * nothing (agent.hardening). NULL when that fails. */
struct resolver *resolver_open(bool is_hardened);
/* False once the helper has ended for good: whoever asks then gets SYSTEM. The opener's thread. NULL: never was. */
bool resolver_is_alive(struct resolver *resolver);
/* Ends the helper, whatever it is doing. NULL is fine. */
void resolver_close(struct resolver *resolver);
/* Waits for the answer, or until stop_fd is readable: then, as when the helper is gone, SYSTEM. One thread. NOT_FOUND:
 * the name has no address, or nobody could say (also when who was asked has died, and is made anew). */
enum error resolver_find(struct resolver *resolver, const char *name, int stop_fd,
                         struct resolver_answer *ret_answer) MUST_USE;

#endif
