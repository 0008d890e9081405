/* SPDX-License-Identifier: Apache-2.0 */
/* A chain of blocks, bump-allocated; a request larger than a block gets a block of its own. */
#include "base/arena.h"

#include "base/check.h"
#include "base/format.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALIGNMENT = alignof(max_align_t) };

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *head;
    size_t block_bytes, total_bytes;
};

static struct block *block_new(size_t size, struct block *next)
{
    struct block *block = malloc(sizeof *block + size);
    check(block != NULL);
    block->next = next;
    block->size = size;
    block->used = 0;
    return block;
}

struct arena *arena_new(size_t first_block_bytes)
{
    size_t size = first_block_bytes < 256 ? 256 : first_block_bytes;
    struct block *block = block_new(size + sizeof(struct arena), NULL);
    struct arena *arena = (struct arena *)(void *)block->bytes;
    block->used = (sizeof *arena + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    *arena = (struct arena){.head = block, .block_bytes = size};
    return arena;
}

void arena_free(struct arena *arena)
{
    struct block *block = arena ? arena->head : NULL; /* the arena itself lives in the last block of the chain */
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

static size_t align(size_t bytes)
{
    check(bytes < SIZE_MAX / 2);
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* Not cleared. */
static void *take(struct arena *arena, size_t size)
{
    if (arena->head->size - arena->head->used < size)
        arena->head = block_new(size > arena->block_bytes ? size : arena->block_bytes, arena->head);
    void *memory = arena->head->bytes + arena->head->used;
    arena->head->used += size;
    arena->total_bytes += size;
    return memory;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    size_t size = align(bytes);
    return memset(take(arena, size), 0, size);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    char *copy = take(arena, align(bytes.length + 1));
    if (bytes.length)
        memcpy(copy, bytes.data, bytes.length);
    copy[bytes.length] = '\0';
    return (struct slice){copy, bytes.length};
}

char *arena_strdup(struct arena *arena, const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(take(arena, align(size)), text, size);
}

/* Into what is left of the block, which most texts fit in: they are formatted once. */
char *arena_vprintf(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    struct block *block = arena->head;
    char *text = block->bytes + block->used;
    size_t room = (block->size - block->used) & ~(size_t)(ALIGNMENT - 1);
    int length = format_simple(text, room, format, arguments);
    if (length < 0)
        length = vsnprintf(room ? text : NULL, room, format, arguments);
    check(length >= 0);
    if ((size_t)length < room) {
        text = take(arena, align((size_t)length + 1));
    } else {
        text = arena_alloc(arena, (size_t)length + 1);
        vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->total_bytes;
}
