/* SPDX-License-Identifier: Apache-2.0 */
/* Where conversations are: the last 4096 of them, the least recently used one goes first. Not locked here. */
#ifndef ROUTING_MEMORY_H
#define ROUTING_MEMORY_H

#include <stddef.h>
#include <stdint.h>

enum { MEMORY_MAX = 4096, ROUTING_ID_BYTES = 64 }; /* a target's id has at most 63 bytes (settings_table.def) */

struct memory_row;
struct memory {
    struct memory_row *rows; /* oldest first */
    size_t count;
};

void memory_done(struct memory *memory);
void memory_put(struct memory *memory, uint64_t conversation, const char *target);
/* Counts as a use. NULL: not known. The text is valid until the next call. */
const char *memory_find(struct memory *memory, uint64_t conversation);

#endif
