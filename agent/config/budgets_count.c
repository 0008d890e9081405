/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many budgets can count one call: a hold names at most eight. Patterns are words or prefixes, so those that fit
 * one value lie within each other, and the value that most of them fit is one of the patterns themselves: trying each
 * for each part of a call finds the worst call exactly, as far as names go.
 */
#include "config/budgets.h"

#include <stdio.h>

enum part { PART_WALLET, PART_GROUP, PART_PROVIDER, PART_MODEL, PART_PROJECT, PARTS };

struct search {
    const char *patterns[BUDGETS_MAX][PARTS];
    uint64_t covers[BUDGETS_MAX][PARTS]; /* which budgets fit what budget i asks for in that part */
    uint64_t same[BUDGETS_MAX][PARTS];   /* which ask for the same */
    uint64_t asking[PARTS];              /* which ask for anything in that part */
    size_t count;
    uint64_t found; /* the largest set of too many so far; 0: none */
};

/* Everything that `narrow` fits, `wide` fits too. */
static bool is_covered(const char *narrow, const char *wide)
{
    if (!wide)
        return true;
    size_t length = strlen(wide);
    return length && wide[length - 1] == '*' ? strncmp(narrow, wide, length - 1) == 0 : strcmp(narrow, wide) == 0;
}

/* A group has one wallet: a budget of the group never meets those of another wallet. */
static const char *wallet_of_group(const struct settings *settings, const char *group)
{
    for (size_t i = 0; group && i < settings->group_count; i++)
        if (settings->groups[i].name && strcmp(settings->groups[i].name, group) == 0)
            return settings->groups[i].wallet;
    return NULL;
}

static void fill(struct search *search, const struct settings *settings, const struct budget *budgets)
{
    for (size_t i = 0; i < search->count; i++) {
        const struct budget_scope *scope = &budgets[i].scope;
        const char *const patterns[PARTS] = {scope->wallet ? scope->wallet : wallet_of_group(settings, scope->group),
                                             scope->group, scope->provider, scope->model, scope->project};
        memcpy(search->patterns[i], patterns, sizeof patterns);
    }
    for (size_t part = 0; part < PARTS; part++)
        for (size_t i = 0; i < search->count; i++) {
            const char *pattern = search->patterns[i][part];
            search->asking[part] |= (uint64_t)(pattern != NULL) << i;
            for (size_t j = 0; pattern && j < search->count; j++) {
                const char *other = search->patterns[j][part];
                search->covers[i][part] |= (uint64_t)is_covered(pattern, other) << j;
                search->same[i][part] |= (uint64_t)(other && strcmp(pattern, other) == 0) << j;
            }
        }
}

/* As deep as there are parts. Sets that are small enough, or no larger than the best, are not followed: with 64 budgets
 * spread over all parts, the worst of 3,000 shapes tried, some 30,000 steps remain. */
static void try_part(struct search *search, uint64_t set, size_t part)
{
    if (__builtin_popcountll(set) <= BUDGETS_OF_A_CALL_MAX ||
        __builtin_popcountll(set) <= __builtin_popcountll(search->found))
        return;
    if (part == PARTS) {
        search->found = set;
        return;
    }
    uint64_t asking = set & search->asking[part];
    if (!asking)
        try_part(search, set, part + 1);
    while (asking) {
        size_t i = (size_t)__builtin_ctzll(asking);
        asking &= ~search->same[i][part]; /* the same pattern again leads to the same sets */
        try_part(search, set & search->covers[i][part], part + 1);
    }
}

static void report_at(const struct settings *settings, const struct budget *budget, struct config_problems *problems,
                      const char *message, const char *hint)
{
    const char *file =
        budget->origin == BUDGET_OF_OPERATOR && settings->budgets_file ? settings->budgets_file : settings->file;
    config_add_problem(problems, false, file, &budget->place, message, hint);
}

static void report_found(const struct search *search, const struct settings *settings, const struct budget *budgets,
                         struct config_problems *problems)
{
    char message[BUDGETS_MAX * (BUDGET_ID_MAX + 2) + 64];
    int length = snprintf(message, sizeof message, "more than %d budgets can count one call:", BUDGETS_OF_A_CALL_MAX);
    const struct budget *last = &budgets[63 - __builtin_clzll(search->found)];
    for (size_t i = 0; i < search->count; i++) {
        if (!(search->found >> i & 1))
            continue;
        length += snprintf(message + length, sizeof message - (size_t)length, " %s%s",
                           budgets[i].id ? budgets[i].id : "?", &budgets[i] == last ? "" : ",");
    }
    report_at(settings, last, problems, message, "narrow their scopes, or remove some");
}

void budgets_check_count(const struct settings *settings, const struct budget *budgets, size_t count,
                         struct config_problems *problems)
{
    if (count > BUDGETS_MAX) {
        char message[80];
        snprintf(message, sizeof message, "there are %zu budgets, at most %d are possible", count, BUDGETS_MAX);
        report_at(settings, &budgets[count - 1], problems, message, NULL);
        return;
    }
    struct search search = {.count = count};
    fill(&search, settings, budgets);
    try_part(&search, count == 64 ? UINT64_MAX : ((uint64_t)1 << count) - 1, 0);
    if (search.found)
        report_found(&search, settings, budgets, problems);
}
