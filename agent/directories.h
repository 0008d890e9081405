/* SPDX-License-Identifier: Apache-2.0 */
/* The directories that a policy names for the agent to write to: is something in the way? Asked before an agent starts
 * (tool_ready.c), when it has, at each reload, and by `tollgate check`. */
#ifndef DIRECTORIES_H
#define DIRECTORIES_H

#include "config/config.h"
#include "harden.h"

/* Adds a finding at the setting's position for each that this process could not write to; for an agent that runs also
 * for those that it has given up (harden; else NULL). An error, but a warning where `in_force` (or NULL) names the same
 * directory. Makes nothing. */
void directories_check(const struct settings *settings, const struct settings *in_force, const struct harden *harden,
                       struct config_problems *problems);

#endif
