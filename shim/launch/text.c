/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings that live as long as the program. The client is a short-lived process that ends in exec or exit, so nothing
 * is freed one by one; a loop without an end (events --follow) marks and releases. Used by all of launch/ and cli/.
 */
#include "shim/launch/launch.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct text_block {
    struct text_block *previous;
    max_align_t bytes[];
};

static struct text_block *text_newest;

void *text_allocate(size_t bytes)
{
    struct text_block *block = calloc(1, sizeof *block + bytes);
    if (!block) {
        fputs("tollgate: out of memory\n", stderr);
        exit(EX_OSERR);
    }
    block->previous = text_newest;
    text_newest = block;
    return block->bytes;
}

struct text_block *text_mark(void)
{
    return text_newest;
}

void text_release(struct text_block *mark)
{
    while (text_newest != mark) {
        struct text_block *block = text_newest;
        text_newest = block->previous;
        free(block);
    }
}

char *text_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    size_t bytes = length < 0 ? 1 : (size_t)length + 1;
    char *text = text_allocate(bytes);
    vsnprintf(text, bytes, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), wanted = strlen(suffix);
    return length >= wanted && strcmp(text + length - wanted, suffix) == 0;
}

void text_append(struct text_list *list, const char *item)
{
    if (list->count + 1 >= list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        const char **items = text_allocate(capacity * sizeof *items);
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    list->items[list->count] = NULL;
}

char *text_join(const struct text_list *list, const char *separator)
{
    size_t bytes = 1;
    for (size_t i = 0; i < list->count; i++)
        bytes += strlen(list->items[i]) + strlen(separator);
    char *joined = text_allocate(bytes);
    char *at = joined;
    for (size_t i = 0; i < list->count; i++)
        at = stpcpy(i > 0 ? stpcpy(at, separator) : at, list->items[i]);
    return joined;
}

void text_complain(const char *format, ...)
{
    /* One write: lines of parallel runs must not mingle. */
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "tollgate: %s\n", line);
}
