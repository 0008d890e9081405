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

/* Forks the helper: call it first of all. NULL when that fails. */
struct resolver *resolver_open(void);
/* Ends the helper, whatever it is doing. NULL is fine. */
void resolver_close(struct resolver *resolver);
/* Waits for the answer, or until stop_fd is readable: then, as when the helper is gone, SYSTEM. One thread. NOT_FOUND:
 * the name has no address, or nobody could say. */
enum error resolver_find(struct resolver *resolver, const char *name, int stop_fd,
                         struct resolver_answer *ret_answer) MUST_USE;

#endif
