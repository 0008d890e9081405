/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager that started the agent, if one did (sd_notify(3), sd_watchdog_enabled(3)). Called by agent.c. */
#ifndef MANAGER_H
#define MANAGER_H

#include "loops.h"

/* "READY=1", "STOPPING=1". Without a manager nothing happens; never waits. From any thread. */
void manager_tell(const char *state);

/* Says again and again that the agent is alive, as long as every loop answers. NULL: no manager asks for that. */
struct manager_watch *manager_watch_start(struct loops *loops);
void manager_watch_stop(struct manager_watch *watch); /* before the loops are joined; NULL is fine */

#endif
