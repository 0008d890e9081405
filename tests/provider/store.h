/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider keeps between calls: responses, batches, uploaded files, each under its id. A job is one that is
 * not done at once: it is done after so many polls, so that tests decide when. Shared by all loops, hence the lock; the
 * oldest goes when there are too many. Called by jobs.c, batches.c and message_batches.c.
 */
#ifndef TESTS_PROVIDER_STORE_H
#define TESTS_PROVIDER_STORE_H

#include "tests/provider/exchange.h"

#include <pthread.h>

#define STORE_ITEMS_MAX 512
#define STORE_BYTES_MAX (256u << 20)

enum stored_kind { STORED_NOTHING, STORED_RESPONSE, STORED_FILE, STORED_BATCH, STORED_MESSAGE_BATCH };
enum stored_state { STORED_RUNNING, STORED_DONE, STORED_CANCELLED };

/* The looks of a stored thing, rendered when it is made. */
enum stored_look {
    LOOK_RUNNING,
    LOOK_DONE,
    LOOK_CANCELLING,
    LOOK_CANCELLED,
    LOOK_RESULTS,
    LOOK_CANCELLED_RESULTS,
    LOOK_COUNT
};

struct stored {
    char id[64];
    enum stored_kind kind;
    enum stored_state state;
    uint32_t polls; /* to be answered with LOOK_RUNNING before it is done */
    bool is_job;    /* its work is billed when it is done, in a row of its own */
    struct finished_job work;
    uint64_t tokens; /* a response: what a next one with its id reads again */
    struct buffer looks[LOOK_COUNT];
};

struct store {
    pthread_mutex_t lock; /* guards everything below */
    struct stored *items; /* STORE_ITEMS_MAX, a ring */
    size_t next;
    size_t bytes;
};

void store_init(struct store *store);
void store_done(struct store *store);
/* Takes over *stored with its looks. */
void store_add(struct store *store, struct stored *stored);
/* Appends a look to out. False: there is no such thing, or it has no such look. */
bool store_read(struct store *store, enum stored_kind kind, const char *id, enum stored_look look, struct buffer *out);
/* Tokens of a response; false: unknown. */
bool store_find_tokens(struct store *store, const char *id, uint64_t *ret_tokens);
/* Asks after a thing: appends how it looks now. A job that becomes done by this fills *ret_work (else untouched). */
bool store_poll(struct store *store, enum stored_kind kind, const char *id, struct buffer *out,
                struct finished_job *ret_work);
/* Ends a running job; appends how it looks now: CANCELLING if there is such a look. */
bool store_cancel(struct store *store, enum stored_kind kind, const char *id, struct buffer *out);
/* Appends the results of what is done or cancelled. False: there are none (yet). */
bool store_read_results(struct store *store, enum stored_kind kind, const char *id, struct buffer *out);

#endif
