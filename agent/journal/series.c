/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series: combinations of names, numbered. All of them are in memory, so they have a bound: programs choose models,
 * directories and projects as they like. What comes past a bound is counted under coarser names; sums stay exact.
 */
#include "journal/internal.h"

#include "base/grow.h"

#include <assert.h>

#define BIT(name) (1u << DIMENSION_##name)

static const char other[] = "(other)";

/* From the finest to the coarsest: what is replaced by "(other)", and how many series there may be before: of one group
 * new in one slot, and in all; of lines that cost nothing, a tenth and a third. A group's flood coarsens its own. */
static const struct {
    unsigned replaced;
    uint32_t slot_max, count_max;
} grains[] = {
    {0, 2000, 60000},
    {BIT(directory) | BIT(uid), 3000, 70000},
    {BIT(directory) | BIT(uid) | BIT(project) | BIT(executable) | BIT(requested), 4000, 80000},
    {~(BIT(group) | BIT(wallet) | BIT(provider)), 5000, 90000},
    {~0u, UINT32_MAX, UINT32_MAX},
};
enum { FREE_SLOT_SHARE = 10, FREE_COUNT_SHARE = 3 };

static struct series *find(const struct journal *journal, struct slice names)
{
    struct series *series;
    HASH_FIND(hh, journal->by_names, names.data, names.length, series);
    return series;
}

static struct series *add(struct journal *journal, uint32_t number, struct slice names)
{
    struct series *series = malloc(sizeof *series + names.length);
    check(series != NULL);
    *series = (struct series){.number = number, .names_bytes = names.length};
    memcpy(series->names, names.data, names.length);
    HASH_ADD_KEYPTR(hh, journal->by_names, series->names, series->names_bytes, series);
    pthread_rwlock_wrlock(&journal->series_lock);
    journal->series =
        grow_array(journal->series, &journal->series_capacity, journal->series_count, sizeof *journal->series);
    journal->series[journal->series_count++] = series;
    pthread_rwlock_unlock(&journal->series_lock);
    return series;
}

static struct slice coarsen(struct slice names, unsigned replaced, char joined[NAMES_BYTES_MAX])
{
    const char *split[DIMENSION_COUNT];
    names_split(names, split);
    for (size_t i = 0; i < DIMENSION_COUNT; i++)
        if (replaced & 1u << i && split[i][0])
            split[i] = other;
    return (struct slice){joined, names_join(split, joined)};
}

/* The group is the first name. */
static struct newcomers *newcomers_of(struct journal *journal, const char *group, uint32_t slot)
{
    struct newcomers *newcomers;
    HASH_FIND_STR(journal->newcomers, group, newcomers);
    if (!newcomers) {
        size_t bytes = strlen(group) + 1;
        newcomers = calloc(1, sizeof *newcomers + bytes);
        check(newcomers != NULL);
        memcpy(newcomers->group, group, bytes);
        HASH_ADD_STR(journal->newcomers, group, newcomers);
    }
    if (newcomers->slot != slot) {
        newcomers->slot = slot;
        newcomers->free = newcomers->others = 0;
    }
    return newcomers;
}

uint32_t series_find(struct journal *journal, struct slice names, uint32_t slot, bool is_free)
{
    static_assert(DIMENSION_group == 0, "names begin with the group");
    struct newcomers *newcomers = newcomers_of(journal, names.data, slot);
    uint32_t *begun = is_free ? &newcomers->free : &newcomers->others;
    for (size_t i = 0;; i++) {
        char joined[NAMES_BYTES_MAX];
        struct slice coarse = grains[i].replaced ? coarsen(names, grains[i].replaced, joined) : names;
        const struct series *series = find(journal, coarse);
        if (series)
            return series->number;
        if (*begun >= grains[i].slot_max / (is_free ? FREE_SLOT_SHARE : 1) ||
            journal->series_count >= grains[i].count_max / (is_free ? FREE_COUNT_SHARE : 1))
            if (grains[i].slot_max != UINT32_MAX)
                continue;
        ++*begun;
        return add(journal, journal->series_count, coarse)->number;
    }
}

/* ---- on disk: number → names, rows only ever added ---- */

enum { KEY_BYTES = 4 };

enum error series_put(struct journal *journal, struct store_transaction *transaction)
{
    enum error error = ERROR_OK;
    for (uint32_t i = journal->series_put; i < journal->series_count && !error; i++) {
        char key[KEY_BYTES];
        number_write(i, key, sizeof key);
        error = store_put(journal->names, transaction, (struct slice){key, sizeof key},
                          (struct slice){journal->series[i]->names, journal->series[i]->names_bytes});
    }
    return error;
}

/* Rows come in the order of their numbers, without a gap; each has as many texts as there are dimensions. */
static bool load_row(void *context, struct slice key, struct slice names)
{
    struct journal *journal = context;
    char wanted[KEY_BYTES];
    number_write(journal->series_count, wanted, sizeof wanted);
    size_t texts = 0;
    for (size_t i = 0; i < names.length; i++)
        texts += names.data[i] == '\0';
    if (key.length != KEY_BYTES || memcmp(key.data, wanted, KEY_BYTES) != 0 || texts != DIMENSION_COUNT ||
        names.length > NAMES_BYTES_MAX || names.data[names.length - 1] || find(journal, names))
        return false;
    add(journal, journal->series_count, names);
    journal->series_put = journal->series_count;
    return true;
}

static bool count_row(void *context, struct slice key, struct slice value)
{
    (void)key, (void)value;
    ++*(uint32_t *)context;
    return true;
}

enum error series_load(struct journal *journal)
{
    const struct slice none = {NULL, 0};
    uint32_t count = 0;
    enum error error = store_scan(journal->names, NULL, none, none, false, load_row, journal);
    error = error ? error : store_scan(journal->names, NULL, none, none, false, count_row, &count);
    return error ? error : count == journal->series_count ? ERROR_OK : ERROR_STORE_CORRUPT;
}

void series_free(struct journal *journal)
{
    struct newcomers *newcomers, *next;
    HASH_ITER(hh, journal->newcomers, newcomers, next)
    {
        HASH_DEL(journal->newcomers, newcomers); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        free(newcomers);
    }
    HASH_CLEAR(hh, journal->by_names);
    for (uint32_t i = 0; i < journal->series_count; i++)
        free(journal->series[i]);
    free(journal->series);
    journal->series = NULL;
    journal->series_count = journal->series_capacity = journal->series_put = 0;
}

/* ---- the public side ---- */

uint32_t journal_count_series(struct journal *journal)
{
    pthread_rwlock_rdlock(&journal->series_lock);
    uint32_t count = journal->series_count;
    pthread_rwlock_unlock(&journal->series_lock);
    return count;
}

void journal_find_series(struct journal *journal, uint32_t series, const char *ret_names[DIMENSION_COUNT])
{
    pthread_rwlock_rdlock(&journal->series_lock);
    check(series < journal->series_count);
    const struct series *found = journal->series[series];
    pthread_rwlock_unlock(&journal->series_lock);
    names_split((struct slice){found->names, found->names_bytes}, ret_names);
}
