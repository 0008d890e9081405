/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line per check for the shim's test clients: "ok NAME" or "not ok NAME: why". The scenario 20-shim-unit.sh reads
 * these lines. Included by tests/clients/shim_*.c only; it keeps the count of failures for main's exit status.
 */
#ifndef TOLLGATE_SHIM_CHECK_H
#define TOLLGATE_SHIM_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int failures;

__attribute__((format(printf, 3, 4))) static void report(bool passed, const char *name, const char *format, ...)
{
    va_list list;
    printf(passed ? "ok %s\n" : "not ok %s: ", name);
    if (!passed) {
        failures++;
        va_start(list, format);
        vprintf(format, list);
        va_end(list);
        printf("\n");
    }
    fflush(stdout);
}

#endif
