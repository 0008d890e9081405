/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of one environment: opens the services, runs the loops until it is told to stop, closes in reverse order.
 */
#ifndef AGENT_H
#define AGENT_H

#include "base/log.h"
#include "config/config.h"

struct agent_options {
    int environment; /* enum environment, or -1: from the policy file */
    const char *policy_file, *providers_file, *prices_file;
    const char *state, *runtime; /* directories, absolute */
    const char *log_file;        /* NULL: standard error */
    enum log_level log_level;
    int ready_fd; /* gets "ready\n" once serving; -1: none */
};

/* Returns the exit code (sysexits): 0 after a clean stop, 65 bad policy, 70 internal, 74 I/O, 75 another agent owns the
 * environment. */
int agent_run(const struct agent_options *options);

#endif
