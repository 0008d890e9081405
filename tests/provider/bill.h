/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's own bill: one JSON row per request that reached it, in an append-only file and in memory, with running
 * totals. It is what the agent's ledger is checked against, so it never looks at what the agent says.
 */
#ifndef TESTS_PROVIDER_BILL_H
#define TESTS_PROVIDER_BILL_H

#include "tests/provider/exchange.h"

#include <pthread.h>

#define BILL_STATUSES_MAX   32
#define BILL_MODELS_MAX     128
#define BILL_KEPT_BYTES_MAX (64u << 20) /* about 90,000 rows; older ones are in the file only */

struct bill_totals {
    uint64_t rows;
    uint64_t completed;
    uint64_t answer_bytes;
    struct usage usage;
    struct bill_status {
        int status;
        uint64_t rows;
    } statuses[BILL_STATUSES_MAX];
    struct bill_model {
        char model[96];
        uint64_t rows;
        struct usage usage;
    } models[BILL_MODELS_MAX];
};

struct bill {
    pthread_mutex_t lock; /* guards everything below */
    int fd;               /* -1: no file */
    struct buffer unwritten;
    struct buffer kept; /* rows, one a line */
    struct bill_totals totals;
};

/* How an exchange ended, as the row says it. */
enum bill_end { BILL_COMPLETED, BILL_CLIENT, BILL_FAULT, BILL_SHUTDOWN };

/* path NULL: no file. False with errno set. */
bool bill_open(struct bill *bill, const char *path);
void bill_close(struct bill *bill);
void bill_add(struct bill *bill, const struct exchange *exchange, enum bill_end end, const char *answer_digest);
/* Writes what was added since the last flush; the loops call it before they sleep. */
void bill_flush(struct bill *bill);
/* Forgets rows in memory and totals; the file stays. */
void bill_reset(struct bill *bill);
/* JSON array of the kept rows; tag non-NULL: only those. */
void bill_format_rows(struct bill *bill, const char *tag, struct buffer *out);
void bill_format_summary(struct bill *bill, struct buffer *out);

#endif
