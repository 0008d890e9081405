/* SPDX-License-Identifier: Apache-2.0 */
/* What the folder's own files need of problems.c besides config.h. */
#ifndef CONFIG_PROBLEMS_H
#define CONFIG_PROBLEMS_H

#include "config/config.h"

/* The place of a column (in characters) of a source line, with an excerpt of bounded size in the arena. */
struct config_place problems_place(struct arena *arena, struct slice line, unsigned line_number, unsigned column);
/* By line and column within each file. */
void problems_sort(struct config_problems *problems);

#endif
