/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer in one piece of memory, counted by its references: entries, exchanges that replay it and the disk's queue
 * share it. Called by all of cache/ and, to release it, by flow/.
 */
#include "cache/keep.h"

#include "base/check.h"

#include <stdatomic.h>
#include <stdlib.h>

struct block {
    atomic_int references;
    size_t bytes;
    char *body;
    struct cache_frame *frames;
    struct cache_answer answer;
};

static struct block *block_of(const struct cache_answer *answer)
{
    return (struct block *)((uintptr_t)answer - offsetof(struct block, answer));
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 1;
}

static size_t count_bytes(const struct cache_answer *from)
{
    size_t bytes = sizeof(struct block) + from->field_count * sizeof *from->fields +
                   from->frame_count * sizeof *from->frames + from->body.length;
    for (size_t i = 0; i < from->field_count; i++)
        bytes += from->fields[i].name.length + from->fields[i].value.length;
    return bytes + text_bytes(from->made.model) + text_bytes(from->made.target) + text_bytes(from->made.id);
}

static char *copy_bytes(char **at, const char *bytes, size_t length)
{
    char *copy = *at;
    if (length && bytes)
        memcpy(copy, bytes, length);
    *at += length;
    return copy;
}

static const char *copy_text(char **at, const char *text)
{
    return copy_bytes(at, text ? text : "", text_bytes(text));
}

/* Structs first, so that they are aligned. */
struct cache_answer *answer_new(const struct cache_answer *from)
{
    size_t bytes = count_bytes(from);
    struct block *block = malloc(bytes);
    check(block != NULL);
    atomic_init(&block->references, 1);
    block->bytes = bytes;
    struct cache_answer *answer = &block->answer;
    *answer = *from;
    struct http_field *fields = (struct http_field *)(void *)(block + 1);
    block->frames = (struct cache_frame *)(void *)(fields + from->field_count);
    char *at = (char *)(block->frames + from->frame_count);
    for (size_t i = 0; i < from->field_count; i++) {
        struct http_field field = from->fields[i];
        field.name.data = copy_bytes(&at, field.name.data, field.name.length);
        field.value.data = copy_bytes(&at, field.value.data, field.value.length);
        fields[i] = field;
    }
    if (from->frames && from->frame_count)
        memcpy(block->frames, from->frames, from->frame_count * sizeof *from->frames);
    answer->fields = fields;
    answer->frames = block->frames;
    answer->made.model = copy_text(&at, from->made.model);
    answer->made.target = copy_text(&at, from->made.target);
    answer->made.id = copy_text(&at, from->made.id);
    block->body = copy_bytes(&at, from->body.data, from->body.length);
    answer->body.data = block->body;
    return answer;
}

char *answer_body(struct cache_answer *answer)
{
    return block_of(answer)->body;
}

struct cache_frame *answer_frames(struct cache_answer *answer)
{
    return block_of(answer)->frames;
}

size_t answer_bytes(const struct cache_answer *answer)
{
    return block_of(answer)->bytes;
}

struct cache_answer *cache_answer_retain(struct cache_answer *answer)
{
    atomic_fetch_add_explicit(&block_of(answer)->references, 1, memory_order_relaxed);
    return answer;
}

void cache_answer_release(struct cache_answer *answer)
{
    if (answer && atomic_fetch_sub_explicit(&block_of(answer)->references, 1, memory_order_acq_rel) == 1)
        free(block_of(answer));
}
