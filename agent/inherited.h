/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that this process had from its first moment, by the protocol of sd_listen_fds(3): from a service manager, or
 * from the agent before us (`tollgate restart`), which names them. Before there are threads.
 */
#ifndef INHERITED_H
#define INHERITED_H

#include <stdbool.h>

enum inherited {
    INHERITED_TLS,
    INHERITED_BASE_URL,
    INHERITED_ADMIN,
    INHERITED_REPORT,
    INHERITED_REDIRECT,
    INHERITED_COUNT
};

/* As TOLLGATE_HANDED_… of shim/contract.h. */
const char *inherited_name(enum inherited which);
/* The caller's from now on; -1: none. *ret_is_handed (may be NULL): nobody else has it. */
int inherited_take(enum inherited which, bool *ret_is_handed);
/* A service manager opened the TLS port, and keeps it open after us. */
bool inherited_is_managers(void);
/* Closes what the agent before has handed over and nobody has taken. */
void inherited_close_rest(void);
/* Who started us: "systemd", "tollgate" (its start, detached), or "foreground" with no manager that we know. */
const char *inherited_manager(bool is_detached);

#endif
