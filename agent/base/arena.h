/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A region of memory freed at once: one per exchange, one per settings snapshot. Allocation never returns NULL:
 * running out of memory aborts the process, which the ledger survives by design (ledger.md); what a client can ask
 * for is bounded by limits long before. Not thread-safe.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

#include <stdarg.h>

struct arena;

struct arena *arena_new(size_t first_block_bytes);
void arena_free(struct arena *arena); /* NULL is fine */

/* Zeroed memory, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t bytes) __attribute__((malloc, alloc_size(2)));
#define arena_new_struct(arena, type)       ((type *)arena_alloc((arena), sizeof(type)))
#define arena_new_array(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))

/* Copies, NUL-terminated (the terminator is not part of the slice). */
char *arena_strdup(struct arena *arena, const char *text);
struct slice arena_copy(struct arena *arena, struct slice bytes);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Bytes handed out so far. */
size_t arena_bytes(const struct arena *arena);

#endif
