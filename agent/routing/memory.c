/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See memory.h. Called by routing.c under its lock. uthash keeps the order of insertion: what is used is taken out and
 * put back in at the end.
 */
#include "routing/memory.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

struct memory_row {
    uint64_t conversation;
    char target[ROUTING_ID_BYTES];
    UT_hash_handle hh;
};

static struct memory_row *touch(struct memory *memory, uint64_t conversation)
{
    struct memory_row *row;
    HASH_FIND(hh, memory->rows, &conversation, sizeof conversation, row);
    if (row) {
        HASH_DELETE(hh, memory->rows, row);
        HASH_ADD(hh, memory->rows, conversation, sizeof row->conversation, row);
    }
    return row;
}

/* The least recently used row when there is no room, else a new one; not in the table. */
static struct memory_row *make_row(struct memory *memory)
{
    struct memory_row *row = memory->rows;
    if (memory->count == MEMORY_MAX) {
        HASH_DELETE(hh, memory->rows, row);
        return row;
    }
    row = calloc(1, sizeof *row);
    check(row != NULL);
    memory->count++;
    return row;
}

void memory_put(struct memory *memory, uint64_t conversation, const char *target)
{
    if (strlen(target) >= ROUTING_ID_BYTES)
        return;
    struct memory_row *row = touch(memory, conversation);
    if (!row) {
        row = make_row(memory);
        row->conversation = conversation;
        HASH_ADD(hh, memory->rows, conversation, sizeof row->conversation, row);
    }
    memcpy(row->target, target, strlen(target) + 1);
}

const char *memory_find(struct memory *memory, uint64_t conversation)
{
    const struct memory_row *row = touch(memory, conversation);
    return row ? row->target : NULL;
}

void memory_done(struct memory *memory)
{
    struct memory_row *row, *next;
    HASH_ITER(hh, memory->rows, row, next)
    {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        HASH_DELETE(hh, memory->rows, row);
        free(row);
    }
    memory->count = 0;
}
