/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind error.h. */
#include "base/error.h"

#include "base/check.h"

static const struct error_row error_rows[ERROR_COUNT] = {
#define ERROR_ROW(name, code, fault, status, retryable, text, hint)                                                    \
    [ERROR_##name] = {#name, code, FAULT_##fault, status, retryable, text, hint},
#include "base/errors.def"
#undef ERROR_ROW
};

const struct error_row *error_row(enum error error)
{
    check((unsigned)error < ERROR_COUNT);
    return &error_rows[error];
}
