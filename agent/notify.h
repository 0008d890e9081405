/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper process that runs the operator's alert command. It is forked before the agent reads a secret, starts a
 * thread or locks itself down, so that nothing of the agent is in reach of the command: not its keys, not its files,
 * not its environment. Opened by agent.c, asked by alerts.c.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "base/error.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct notify;

enum { NOTIFY_BODY_BYTES_MAX = 16 << 10, NOTIFY_WORDS_BYTES_MAX = 16 << 10, NOTIFY_WORDS_MAX = 64 };

/* Forks the helper: call it first of all. NULL when that fails: notify_run then answers ERROR_SYSTEM. */
struct notify *notify_open(void);
/* False once it has ended: no command can be run until the agent starts again. The opener's thread. NULL: never was. */
bool notify_is_alive(struct notify *notify);
/* Ends the helper and a command that is running. NULL is fine; nobody may be in notify_run. */
void notify_close(struct notify *notify);
/* Wakes whoever is in notify_run: it fails soon. The helper cannot be used after that. */
void notify_cancel(struct notify *notify);

/* Runs `command` (argv, NULL-terminated; found in the PATH of the agent) with `body` on its standard input, its output
 * discarded, and an environment of PATH, HOME, LANG and the like + `variables` ("NAME=value", NULL-terminated). Waits
 * for it, at most timeout_ms: then it is killed with its process group. One thread. ERROR_OK: it exited with 0.
 * SYSTEM: it did not, and `why` (NUL-terminated) says what happened; REQUEST_INVALID: too large. */
enum error notify_run(struct notify *notify, const char *const *command, const char *const *variables,
                      struct slice body, uint32_t timeout_ms, char *why, size_t why_bytes) MUST_USE;

#endif
