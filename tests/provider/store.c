/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of stored things; see store.h. Few are alive at once, so they are found by looking at all.
 */
#include "tests/provider/store.h"

#include <stdlib.h>
#include <string.h>

void store_init(struct store *store)
{
    pthread_mutex_init(&store->lock, NULL);
    store->items = calloc(STORE_ITEMS_MAX, sizeof *store->items);
    if (!store->items)
        abort();
}

static void stored_clear(struct store *store, struct stored *stored)
{
    for (size_t i = 0; i < LOOK_COUNT; i++) {
        store->bytes -= stored->looks[i].length;
        buffer_free(&stored->looks[i]);
    }
    *stored = (struct stored){0};
}

void store_done(struct store *store)
{
    for (size_t i = 0; i < STORE_ITEMS_MAX; i++)
        stored_clear(store, &store->items[i]);
    free(store->items);
    pthread_mutex_destroy(&store->lock);
}

void store_add(struct store *store, struct stored *stored)
{
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < LOOK_COUNT; i++)
        store->bytes += stored->looks[i].length;
    stored_clear(store, &store->items[store->next]);
    /* From the slot after this one on, the ring is in order of age. */
    for (size_t i = 1; i < STORE_ITEMS_MAX && store->bytes > STORE_BYTES_MAX; i++)
        stored_clear(store, &store->items[(store->next + i) % STORE_ITEMS_MAX]);
    store->items[store->next] = *stored;
    store->next = (store->next + 1) % STORE_ITEMS_MAX;
    pthread_mutex_unlock(&store->lock);
    *stored = (struct stored){0};
}

static struct stored *stored_find(struct store *store, enum stored_kind kind, const char *id)
{
    for (size_t i = 0; i < STORE_ITEMS_MAX; i++)
        if (store->items[i].kind == kind && strcmp(store->items[i].id, id) == 0)
            return &store->items[i];
    return NULL;
}

static void look_add(const struct stored *stored, enum stored_look look, struct buffer *out)
{
    buffer_append(out, stored->looks[look].data, stored->looks[look].length);
}

bool store_read(struct store *store, enum stored_kind kind, const char *id, enum stored_look look, struct buffer *out)
{
    pthread_mutex_lock(&store->lock);
    const struct stored *stored = stored_find(store, kind, id);
    bool has_look = stored && stored->looks[look].data;
    if (has_look)
        look_add(stored, look, out);
    pthread_mutex_unlock(&store->lock);
    return has_look;
}

bool store_find_tokens(struct store *store, const char *id, uint64_t *ret_tokens)
{
    pthread_mutex_lock(&store->lock);
    const struct stored *stored = stored_find(store, STORED_RESPONSE, id);
    if (stored)
        *ret_tokens = stored->tokens;
    pthread_mutex_unlock(&store->lock);
    return stored;
}

bool store_poll(struct store *store, enum stored_kind kind, const char *id, struct buffer *out,
                struct finished_job *ret_work)
{
    static const enum stored_look looks[] = {
        [STORED_RUNNING] = LOOK_RUNNING, [STORED_DONE] = LOOK_DONE, [STORED_CANCELLED] = LOOK_CANCELLED};
    pthread_mutex_lock(&store->lock);
    struct stored *stored = stored_find(store, kind, id);
    if (stored && stored->state == STORED_RUNNING && stored->polls == 0) {
        stored->state = STORED_DONE;
        if (stored->is_job)
            *ret_work = stored->work;
    } else if (stored && stored->state == STORED_RUNNING) {
        stored->polls--;
    }
    if (stored)
        look_add(stored, looks[stored->state], out);
    pthread_mutex_unlock(&store->lock);
    return stored;
}

bool store_cancel(struct store *store, enum stored_kind kind, const char *id, struct buffer *out)
{
    pthread_mutex_lock(&store->lock);
    struct stored *stored = stored_find(store, kind, id);
    enum stored_look look = stored && stored->looks[LOOK_CANCELLING].data ? LOOK_CANCELLING : LOOK_CANCELLED;
    if (stored && stored->state == STORED_RUNNING)
        stored->state = STORED_CANCELLED;
    if (stored)
        look_add(stored, stored->state == STORED_DONE ? LOOK_DONE : look, out);
    pthread_mutex_unlock(&store->lock);
    return stored;
}

bool store_read_results(struct store *store, enum stored_kind kind, const char *id, struct buffer *out)
{
    pthread_mutex_lock(&store->lock);
    const struct stored *stored = stored_find(store, kind, id);
    bool has_ended = stored && stored->state != STORED_RUNNING;
    if (has_ended)
        look_add(stored, stored->state == STORED_DONE ? LOOK_RESULTS : LOOK_CANCELLED_RESULTS, out);
    pthread_mutex_unlock(&store->lock);
    return has_ended;
}
