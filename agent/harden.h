/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent's process gives up once it knows its settings, before it opens a service, starts a thread or reads a
 * byte of a stranger: new privileges, writing outside of its directories, executing any file (Landlock), mapping
 * anything to be executed, and the system calls that it has no use for (seccomp). Threads and processes that come later
 * inherit it; nothing gives it back. Called by agent.c and, for the helpers, helper.c. harden_paths.c: Landlock;
 * harden_libraries.c: what is loaded before; harden_calls.c and .def: system calls.
 */
#ifndef HARDEN_H
#define HARDEN_H

#include "base/buffer.h"
#include "config/config.h"

#include <stdbool.h>

struct harden;

struct harden_options {
    const char *state, *runtime;     /* directories */
    const char *log_file;            /* NULL: standard error */
    const struct settings *settings; /* where else it writes; whether it is wanted at all (agent.hardening) */
};

/* On a process of one thread. What the kernel lacks is left out and said by harden_write; it is no failure. Free it
 * with harden_free when the agent ends. */
struct harden *harden_process(const struct harden_options *options);
void harden_free(struct harden *harden);

/* Whether the agent may make and change files at the absolute path; true where nothing restricts it. Any thread. */
bool harden_may_write(const struct harden *harden, const char *path);
/* A JSON object: {"wanted", "no_new_privileges", "landlock" (ABI, 0: none), "seccomp", "no_executable_memory",
 * "keys_locked", "writable": [directories], "missing": [what is not in force, and why]}. Any thread. */
void harden_write(const struct harden *harden, struct buffer *out);
/* What is not in force, and why, in words: "" when all is. */
const char *harden_missing(const struct harden *harden);

/* For a helper: no new privileges, no writing but below `writable`, no executing, and the agent's own system calls, so
 * no library that comes later. What the kernel lacks is left out. */
void harden_helper(const char *writable);
/* The same for one that writes nowhere, and loads others' modules: of system calls only those that no process of ours
 * may make are taken from it. */
void harden_loader(void);
/* As harden_helper, for one that looks into other processes, which Landlock would forbid: it may write where its user
 * may. */
void harden_looker(void);

#endif
