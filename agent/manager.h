/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager that started the agent, if one did (sd_notify(3), sd_watchdog_enabled(3)). Called by agent.c. */
#ifndef MANAGER_H
#define MANAGER_H

#include "loops.h"

#include <stdbool.h>

/* "READY=1", "STOPPING=1". Without a manager nothing happens; waits for a place in its queue, 5 s
 * at most. From any thread. */
void manager_tell(const char *state);

/* The manager keeps sockets from one agent to the next, also when one is killed (FDSTORE of sd_notify(3)); it gives
 * them back as inherited.h says, and closes them when the service is stopped. */
bool manager_keeps(void);
/* Gives it a copy under that name, instead of what it had there; -1: it has none there any more. */
void manager_keep(const char *name, int fd);

/* Says again and again that the agent is alive, as long as every loop answers. NULL: no manager asks for that. */
struct manager_watch *manager_watch_start(struct loops *loops);
void manager_watch_stop(struct manager_watch *watch); /* before the loops are joined; NULL is fine */

#endif
