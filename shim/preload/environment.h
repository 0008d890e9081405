/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of an environment that the shim knows, shared by environment.c (who remembers our values) and plan.c (who
 * compares them with what a program has). Internal to those two; everybody else includes shim.h.
 */
#ifndef TOLLGATE_SHIM_ENVIRONMENT_H
#define TOLLGATE_SHIM_ENVIRONMENT_H

#include "shim/preload/shim.h"

enum row {
    ROW_PRELOAD,
    ROW_ASAN,
    ROW_NO_PROXY,
    ROW_NO_PROXY_LOWER,
    ROW_PROXY_FIRST, /* any of these present: a proxy would hide governed names */
    ROW_PROXY_LAST = ROW_PROXY_FIRST + 5,
    ROW_RUNTIME,
    ROW_ENVIRONMENT,
    ROW_GROUP,
    ROW_PROJECT,
    ROW_SHIM,
    ROW_LAUNCHER,
    ROW_CA_FILE,
    ROW_CA_BUNDLE,
    ROW_FIRST_CA,
#define CA_ROW(name, adds) +1
    ROW_COUNT = ROW_FIRST_CA TOLLGATE_CA_VARIABLES(CA_ROW)
#undef CA_ROW
};
_Static_assert((int)ROW_COUNT <= ENVIRONMENT_ROWS, "plans hold every row");

/* "NAME=" of each row. */
extern const char *const row_names[ROW_COUNT];

/* "NAME=value" as a governed process should have it; NULL: nothing remembered. Constant after the constructor. */
extern const char *environment_remembered[ROW_COUNT];

/* The row that an environment entry belongs to, or -1. */
int row_find(const char *entry);
/* The value inside an entry of that row. */
const char *row_value(int row, const char *entry);

/* Our library among the elements of an LD_PRELOAD value, under any path, or NULL. */
const char *preload_find(const char *list, size_t *ret_length);

#endif
