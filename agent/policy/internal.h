/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of policy/ share: detectors, the texts of a body, and looking into them. Included here only. */
#ifndef POLICY_INTERNAL_H
#define POLICY_INTERNAL_H

#include "base/pattern.h"
#include "policy/policy.h"

/* ---- detectors: hand-written, linear in the text whatever it is ---- */
struct span {
    size_t from, to;
};
/* The first match. */
typedef bool detect_find(struct slice text, struct span *ret_span);
detect_find detect_email, detect_phone, detect_card, detect_iban, detect_api_key, detect_private_key;

struct detector {
    unsigned bit;
    const char *name, *placeholder;
    detect_find *find;
};
extern const struct detector policy_detectors[DETECT_COUNT];
/* The first match from `at` on, the end of the one before: what follows is a text of its own, as it is once that one is
 * replaced. */
static inline bool detect_next(const struct detector *detector, struct slice text, size_t at, struct span *ret_span)
{
    bool is_found = detector->find(slice_from(text, at), ret_span);
    if (is_found)
        *ret_span = (struct span){at + ret_span->from, at + ret_span->to};
    return is_found;
}

static inline char detect_byte(struct slice text, size_t at) /* NUL past the end */
{
    return at < text.length ? text.data[at] : '\0';
}
static inline bool detect_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool detect_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool detect_is_alnum(char c)
{
    return detect_is_digit(c) || detect_is_letter(c);
}
static inline size_t detect_skip_digits(struct slice text, size_t at)
{
    while (detect_is_digit(detect_byte(text, at)))
        at++;
    return at;
}

/* Digits in groups: "4111 1111 …", "(030) 123 45-67". */
enum { GROUPS_MAX = 8, GROUP_DIGITS_MAX = 19 };
struct digit_groups {
    size_t count;                  /* as many as have GROUP_DIGITS_MAX digits in all; 0: the first is longer */
    unsigned lengths[GROUPS_MAX];  /* digits of each */
    unsigned totals[GROUPS_MAX];   /* of it and all before */
    size_t ends[GROUPS_MAX];       /* behind its last digit */
    char separators[GROUPS_MAX];   /* the first byte of what stands behind it when another group follows, else NUL */
    char digits[GROUP_DIGITS_MAX]; /* of all */
};
/* `at` is a digit. `allowed`: ASCII separators; spaces and dashes of Unicode count as ' ' and '-'. */
void detect_read_groups(struct slice text, size_t at, const char *allowed, struct digit_groups *ret_groups);

/* ---- the texts of a body ---- */
/* The ways to read a string (decode.c). */
enum policy_view {
    VIEW_PLAIN,   /* decoded */
    VIEW_DECODED, /* escapes in it decoded again, characters like those of ASCII as those */
    VIEW_JOINED,  /* … and nothing for characters without width */
    VIEW_COUNT
};
struct policy_text {
    struct slice raw;      /* in the body, without its quotes */
    struct slice decoded;  /* the same bytes as raw when it has no escapes; of this view */
    struct slice folded;   /* in lower case, byte for byte as long; NULL until asked for */
    enum policy_view view; /* a string has a row for each that differs, the plain one first */
    bool is_word;          /* an identifier: detectors look at it, keywords and patterns do not */
};
struct policy_texts {
    struct policy_text *rows;
    size_t count;
    bool is_json; /* else one text, the whole body */
};
void policy_read_texts(struct slice body, bool is_json, struct arena *arena, struct policy_texts *ret_texts);
struct slice policy_text_fold(struct policy_text *text, struct arena *arena);
/* Lower case for ASCII, Latin, Greek and Cyrillic letters whose two cases are equally long in UTF-8. */
struct slice policy_fold(struct slice text, struct arena *arena);
/* One character of a string as JSON writes it: how many raw bytes it takes, and its UTF-8 (1 to 4 bytes). */
size_t policy_decode_one(struct slice raw, size_t at, char ret_utf8[4], size_t *ret_bytes);
struct slice policy_decode(struct slice raw, struct arena *arena);
/* The same of a view: bytes of the decoded text, and what they read as (0 to 4 bytes, never more than they are). */
size_t policy_view_one(struct slice text, size_t at, enum policy_view view, char ret_utf8[4], size_t *ret_bytes);
struct slice policy_view_text(struct slice text, enum policy_view view,
                              struct arena *arena); /* `text`: no difference */

/* ---- what is found in a string, to be replaced there (finding.c) ---- */
enum { LABEL_KEYWORD = DETECT_COUNT, LABEL_PATTERN, LABEL_COUNT };
#define PLACEHOLDER_OTHER "[redacted]"
struct finding {
    struct span span;
    unsigned label;
    bool is_scalar; /* a number or word of JSON in the string: the placeholder needs quotes */
};
struct findings {
    struct arena *arena;
    struct finding *rows;
    size_t count, capacity;
};
/* Widened to whole characters and placeholders; what is within a placeholder is left out. */
void findings_add(struct findings *findings, struct slice text, struct span span, unsigned label);
/* By place; those that overlap are one. */
void findings_merge(struct findings *findings);
/* Merged ones: from places of the view to those of the decoded text. */
void findings_place(struct findings *findings, struct slice decoded, enum policy_view view);
/* Placed ones, when the decoded text is JSON: what of them is in its strings, and the numbers and words they touch. */
void findings_clip(struct findings *findings, struct slice json);
/* The raw string with them replaced. */
struct slice findings_splice(const struct findings *findings, struct slice raw, size_t counts[LABEL_COUNT]);

/* ---- looking into them, each detector at most once ---- */
struct inspection {
    struct slice body;
    bool is_json;
    struct arena *arena;
    struct pattern_budget budget;
    struct policy_texts texts; /* rows NULL: not read yet */
    bool has_looked, has_keyword, has_pattern;
    unsigned detected_done, detected;
};
unsigned inspect_detect(struct inspection *inspection, unsigned wanted);
bool inspect_find_keyword(struct inspection *inspection, const struct policy_rule *rule);
/* FAILED before FOUND when `all` texts are looked at; else the first of either. */
enum pattern_match inspect_match_patterns(struct inspection *inspection, const struct policy_rule *rule, bool all);
/* Can what is found be replaced: the body is JSON, indeed. */
bool inspect_is_redactable(struct inspection *inspection);
/* "email, card, keyword"; "" nothing; NULL: nothing was looked for. */
const char *inspect_describe(const struct inspection *inspection);

#endif
