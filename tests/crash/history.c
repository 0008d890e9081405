/* SPDX-License-Identifier: Apache-2.0 */
/* The shared record behind history.h. */
#include "tests/crash/history.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct history *history;
static uint64_t random_state;

void history_open(uint64_t seed)
{
    history = mmap(NULL, sizeof *history, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(history != MAP_FAILED);
    random_set(seed);
}

void history_clear(void)
{
    unsigned count = atomic_load(&history->count);
    atomic_fetch_add(&history->asked_before, count);
    memset(history->entries, 0, count * sizeof history->entries[0]);
    atomic_store(&history->count, 0);
    history->bucket = 1000;
}

struct history_entry *history_add(enum history_kind kind, int64_t amount)
{
    unsigned index = atomic_load(&history->count);
    check(index < HISTORY_ENTRIES_MAX);
    struct history_entry *entry = &history->entries[index];
    entry->id = id_new();
    entry->kind = kind;
    entry->amount = entry->amount_min = amount;
    atomic_store(&entry->made, ASKED);
    atomic_store(&history->count, index + 1);
    return entry;
}

uint64_t history_asked(void)
{
    return atomic_load(&history->asked_before) + atomic_load(&history->count);
}

void history_name_budget(unsigned budget, char name[WALLET_BUDGET_NAME_MAX])
{
    snprintf(name, WALLET_BUDGET_NAME_MAX, "budget-%u", budget);
}

/* The first is soft, the others hard. */
struct money history_limit_of(unsigned budget)
{
    return budget == 0 ? MONEY_MAX : (struct money){400 * (int64_t)budget};
}

void history_name_job(const struct history_entry *entry, char key[WALLET_JOB_KEY_MAX])
{
    snprintf(key, WALLET_JOB_KEY_MAX, "resp_%u", (unsigned)(entry - history->entries));
}

uint64_t random_next(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* Mixed (splitmix64), since neighbouring seeds would begin alike. */
void random_set(uint64_t seed)
{
    seed += UINT64_C(0x9e3779b97f4a7c15);
    seed = (seed ^ seed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    seed = (seed ^ seed >> 27) * UINT64_C(0x94d049bb133111eb);
    random_state = (seed ^ seed >> 31) | 1;
}

void violate(const struct history_entry *entry, const char *what)
{
    char text[ID_TEXT_MAX] = "-";
    if (entry)
        id_format(entry->id, text);
    fprintf(stderr, "violation: %s (%s)\n", what, text);
    atomic_fetch_add(&history->violations, 1);
}
