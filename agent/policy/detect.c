/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of detectors, and the reading of digits in groups, which phone and card numbers share. Called by inspect.c
 * and redact.c. What is found is never kept or printed.
 */
#include "policy/internal.h"

#include "base/check.h"

#include <string.h>

const struct detector policy_detectors[DETECT_COUNT] = {
    {DETECT_EMAIL, "email", "[email]", detect_email},
    {DETECT_PHONE, "phone", "[phone]", detect_phone},
    {DETECT_CARD, "card", "[card]", detect_card},
    {DETECT_IBAN, "iban", "[iban]", detect_iban},
    {DETECT_API_KEY, "api_key", "[api_key]", detect_api_key},
    {DETECT_PRIVATE_KEY, "private_key", "[private_key]", detect_private_key},
};

unsigned policy_detect(struct slice text, unsigned wanted)
{
    unsigned found = 0;
    struct span span;
    for (size_t i = 0; i < DETECT_COUNT; i++)
        if ((wanted & policy_detectors[i].bit) && policy_detectors[i].find(text, &span))
            found |= policy_detectors[i].bit;
    return found;
}

const char *policy_detect_name(unsigned one)
{
    for (size_t i = 0; i < DETECT_COUNT; i++)
        if (policy_detectors[i].bit == one)
            return policy_detectors[i].name;
    check(!"one DETECT_ bit");
    return NULL;
}

/* What programs and word processors put between digits: no-break and thin spaces, hyphens, dashes. */
static size_t separator_at(struct slice text, size_t at, const char *allowed, char *ret_kind)
{
    static const struct {
        const char *bytes;
        char kind;
    } rows[] = {{"\xc2\xa0", ' '},     {"\xe2\x80\xaf", ' '}, {"\xe2\x80\x89", ' '}, {"\xe2\x80\x90", '-'},
                {"\xe2\x80\x91", '-'}, {"\xe2\x80\x92", '-'}, {"\xe2\x80\x93", '-'}};
    char c = detect_byte(text, at);
    if (c && strchr(allowed, c)) {
        *ret_kind = c;
        return 1;
    }
    for (size_t i = 0; (unsigned char)c >= 0xc2 && i < sizeof rows / sizeof *rows; i++)
        if (slice_has_prefix(slice_from(text, at), rows[i].bytes)) {
            *ret_kind = rows[i].kind;
            return strlen(rows[i].bytes);
        }
    return 0;
}

/* Up to four of them (") - "); the place of the digit behind, or 0 when none follows. */
static size_t skip_separators(struct slice text, size_t at, const char *allowed, char *ret_kind)
{
    enum { SEPARATORS_MAX = 4 };
    for (unsigned i = 0; i < SEPARATORS_MAX; i++) {
        char kind = '\0';
        size_t length = separator_at(text, at, allowed, &kind);
        if (!length)
            return 0;
        if (i == 0 || *ret_kind == ' ' || *ret_kind == ')')
            *ret_kind = kind; /* the telling one of several */
        at += length;
        if (detect_is_digit(detect_byte(text, at)))
            return at;
    }
    return 0;
}

void detect_read_groups(struct slice text, size_t at, const char *allowed, struct digit_groups *ret_groups)
{
    struct digit_groups groups = {0};
    unsigned total = 0;
    while (groups.count < GROUPS_MAX) {
        unsigned length = 0;
        while (detect_is_digit(detect_byte(text, at + length)) && total + length < GROUP_DIGITS_MAX) {
            groups.digits[total + length] = text.data[at + length];
            length++;
        }
        if (detect_is_digit(detect_byte(text, at + length)) || !length)
            break;
        total += length;
        groups.lengths[groups.count] = length;
        groups.totals[groups.count] = total;
        groups.ends[groups.count] = at + length;
        groups.count++;
        char kind = '\0';
        size_t next = skip_separators(text, at + length, allowed, &kind);
        if (!next)
            break;
        groups.separators[groups.count - 1] = kind;
        at = next;
    }
    *ret_groups = groups;
}
