/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error type. A function that can fail returns enum error (ERROR_OK is 0) and leaves its outputs untouched
 * on failure. Only flow/, main and cli turn an error into a log line or an answer.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

enum error {
#define ERROR_ROW(name, code, fault, status, retryable, text, hint) ERROR_##name,
#include "base/errors.def"
#undef ERROR_ROW
    ERROR_COUNT
};

enum fault { FAULT_NONE, FAULT_CLIENT, FAULT_POLICY, FAULT_WALLET, FAULT_UPSTREAM, FAULT_US };

struct error_row {
    const char *name; /* WALLET_EXHAUSTED */
    const char *code; /* wallet_exhausted: what clients, events and logs carry */
    enum fault fault;
    int status; /* HTTP status when it reaches a client, 0 when it never does */
    bool retryable;
    const char *text;
    const char *hint; /* "" when there is none */
};

/* The row of an error. Never NULL; panics on a number outside the table. */
const struct error_row *error_row(enum error error);

#define MUST_USE __attribute__((warn_unused_result))

#endif
