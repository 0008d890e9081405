/* SPDX-License-Identifier: Apache-2.0 */
/* What notify.c and notify_helper.c say to each other; included by nobody else. */
#ifndef NOTIFY_HELPER_H
#define NOTIFY_HELPER_H

#include "helper.h"
#include "notify.h"

/* One message of fixed size: nothing of it is longer than the sender could make it. */
struct notify_order {
    uint32_t timeout_ms, argument_count, variable_count, body_bytes;
    char words[NOTIFY_WORDS_BYTES_MAX]; /* arguments, then variables, each NUL-terminated */
    char body[NOTIFY_BODY_BYTES_MAX];
};

struct notify_outcome {
    int32_t error; /* errno when it could not be executed */
    int32_t signal, status;
    int32_t is_timeout;
};

/* The helper's life: orders one by one until the other end closes. */
void notify_helper_run(const void *context);

#endif
