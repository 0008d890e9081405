/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buckets of each budget, in order: their names, the window that a hold may count against, and the walk over it.
 * No money here; the ledger thread (reserve.c) and the published copy (facts.c) each keep lists of their own.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>

bool budget_name_is_valid(const char *name)
{
    return book_name_is_valid(name, WALLET_BUDGET_NAME_MAX);
}

char *bucket_format(const char *budget, uint32_t start, char text[WALLET_NAME_MAX])
{
    snprintf(text, WALLET_NAME_MAX, "%.*s.%u", WALLET_BUDGET_NAME_MAX - 1, budget, start);
    return text;
}

bool bucket_parse(const char *text, char ret_budget[WALLET_BUDGET_NAME_MAX], uint32_t *ret_start)
{
    const char *dot = strrchr(text, '.');
    size_t length = dot ? (size_t)(dot - text) : 0;
    uint64_t start = 0;
    if (length == 0 || length >= WALLET_BUDGET_NAME_MAX || !dot[1])
        return false;
    for (const char *digit = dot + 1; *digit; digit++) {
        if (*digit < '0' || *digit > '9' || start > UINT32_MAX)
            return false;
        start = start * 10 + (uint64_t)(*digit - '0');
    }
    if (start > UINT32_MAX)
        return false;
    memcpy(ret_budget, text, length);
    ret_budget[length] = '\0';
    *ret_start = (uint32_t)start;
    return true;
}

struct bucket_list *buckets_find(struct bucket_list *lists, const char *budget)
{
    struct bucket_list *list;
    HASH_FIND_STR(lists, budget, list);
    return list;
}

void buckets_add(struct bucket_list **lists, const char *budget, uint32_t start, uint32_t account)
{
    struct bucket_list *list = buckets_find(*lists, budget);
    if (!list) {
        list = calloc(1, sizeof *list);
        check(list != NULL);
        snprintf(list->name, sizeof list->name, "%s", budget);
        HASH_ADD_STR(*lists, name, list);
    }
    list->buckets = grow_array(list->buckets, &list->capacity, list->count, sizeof *list->buckets);
    uint32_t at = list->count++;
    for (; at > 0 && list->buckets[at - 1].start > start; at--)
        list->buckets[at] = list->buckets[at - 1];
    list->buckets[at] = (struct bucket){start, account};
}

void buckets_correct(const struct bucket_list *list, uint32_t *first, uint32_t *last)
{
    uint32_t newest = list && list->count ? list->buckets[list->count - 1].start : 0;
    if (newest <= *last)
        return;
    *first += newest - *last; /* first ≤ last, so the sum fits */
    *last = newest;
}

const struct bucket *buckets_next(const struct bucket_list *list, uint32_t first, uint32_t last, uint32_t *index)
{
    while (list && *index > 0 && list->buckets[*index - 1].start > last)
        --*index;
    if (!list || *index == 0 || list->buckets[*index - 1].start < first)
        return NULL;
    return &list->buckets[--*index];
}

void buckets_free(struct bucket_list **lists)
{
    struct bucket_list *list, *next;
    HASH_ITER(hh, *lists, list, next)
    {
        HASH_DEL(*lists, list); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        free(list->buckets);
        free(list);
    }
}
