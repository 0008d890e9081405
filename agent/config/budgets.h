/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets within the folder: completed by budgets.c, counted by budgets_count.c, written by budgets_file.c. */
#ifndef CONFIG_BUDGETS_H
#define CONFIG_BUDGETS_H

#include "config/loader.h"

/* The rows that were just parsed into settings->budgets from the root's list: zones, checks, origin. */
void budgets_complete(struct loader *loader, const struct node *root, enum budget_origin origin);
/* unknown_name: how bad a scope is that names no wallet, group or provider. */
void budgets_complete_one(struct loader *loader, struct budget *budget, const struct node *node,
                          enum budget_origin origin, enum severity unknown_name);
/* ret_rows: room for all of both. Returns how many it filled. */
size_t budgets_merge(const struct budget *rows, size_t count, const struct budget *newer, size_t newer_count,
                     struct budget *ret_rows);
/* Dev's defaults when no file has budgets; hard ones first; counts. */
void budgets_finish(struct loader *loader);
/* Reports when there are more than BUDGETS_MAX, or more than BUDGETS_OF_A_CALL_MAX that could count one call. */
void budgets_check_count(const struct settings *settings, const struct budget *budgets, size_t count,
                         struct config_problems *problems);

#endif
