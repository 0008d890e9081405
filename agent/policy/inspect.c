/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks into the texts of one request's body, as late as a rule asks for it: the texts are read once, and no detector
 * goes over them twice. Called by decide.c.
 */
#include "policy/internal.h"

#include <string.h>

static struct policy_texts *texts_of(struct inspection *inspection)
{
    if (!inspection->texts.rows)
        policy_read_texts(inspection->body, inspection->is_json, inspection->arena, &inspection->texts);
    inspection->has_looked = true;
    return &inspection->texts;
}

unsigned inspect_detect(struct inspection *inspection, unsigned wanted)
{
    const struct policy_texts *texts = texts_of(inspection);
    unsigned missing = wanted & ~inspection->detected_done;
    for (size_t i = 0; i < texts->count && missing; i++) {
        unsigned found = policy_detect(texts->rows[i].decoded, missing);
        inspection->detected |= found;
        missing &= ~found;
    }
    inspection->detected_done |= wanted;
    return inspection->detected & wanted;
}

bool inspect_find_keyword(struct inspection *inspection, const struct policy_rule *rule)
{
    struct policy_texts *texts = texts_of(inspection);
    for (size_t k = 0; k < rule->keyword_count; k++) {
        struct slice keyword = policy_fold(slice_of(rule->keywords[k]), inspection->arena);
        for (size_t i = 0; i < texts->count && keyword.length; i++) {
            if (texts->rows[i].is_word)
                continue;
            struct slice text = policy_text_fold(&texts->rows[i], inspection->arena);
            if (memmem(text.data, text.length, keyword.data, keyword.length)) {
                inspection->has_keyword = true;
                return true;
            }
        }
    }
    return false;
}

enum pattern_match inspect_match_patterns(struct inspection *inspection, const struct policy_rule *rule, bool all)
{
    const struct policy_texts *texts = texts_of(inspection);
    enum pattern_match result = MATCH_NONE;
    for (size_t p = 0; p < rule->pattern_count; p++) {
        for (size_t i = 0; i < texts->count; i++) {
            size_t from, to;
            if (texts->rows[i].is_word)
                continue;
            const struct slice text = texts->rows[i].decoded;
            enum pattern_match match = pattern_find(rule->patterns[p], text, &inspection->budget, &from, &to);
            inspection->has_pattern |= match != MATCH_NONE;
            if (match == MATCH_FAILED || (match == MATCH_FOUND && !all))
                return match;
            result = match == MATCH_FOUND ? match : result;
        }
    }
    return result;
}

bool inspect_is_redactable(struct inspection *inspection)
{
    return texts_of(inspection)->is_json;
}

const char *inspect_describe(const struct inspection *inspection)
{
    const char *list = "";
    if (!inspection->has_looked)
        return NULL;
    for (size_t i = 0; i < DETECT_COUNT + 2; i++) {
        bool is_found = i < DETECT_COUNT    ? (inspection->detected & policy_detectors[i].bit) != 0
                        : i == DETECT_COUNT ? inspection->has_keyword
                                            : inspection->has_pattern;
        const char *name = i < DETECT_COUNT ? policy_detectors[i].name : i == DETECT_COUNT ? "keyword" : "pattern";
        if (is_found)
            list = arena_printf(inspection->arena, "%s%s%s", list, *list ? ", " : "", name);
    }
    return list;
}
