/* SPDX-License-Identifier: Apache-2.0 */
/*
 * E-mail addresses and phone numbers. Called through the table in detect.c. E-mail: what is written in practice (RFC
 * 5321 without quoted local parts and address literals). Phones: international ones by E.164 (8 to 15 digits), national
 * ones only in the few shapes that dates, prices, ISBNs, versions and addresses of machines do not have.
 */
#include "policy/internal.h"

#include <string.h>

/* À to ɏ: names and internationalised domains of Latin scripts. Other scripts end a word: their texts have no spaces.
 */
static bool is_latin_lead(char c)
{
    return (unsigned char)c >= 0xc3 && (unsigned char)c <= 0xc9;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static bool is_local(char c)
{
    return detect_is_alnum(c) || (c && strchr("._%+-'", c));
}

static size_t find_local(struct slice text, size_t at)
{
    size_t from = at;
    for (;;) {
        if (from > 0 && is_local(text.data[from - 1]))
            from--;
        else if (from >= 2 && is_continuation(text.data[from - 1]) && is_latin_lead(text.data[from - 2]))
            from -= 2;
        else
            break;
    }
    while (from < at && strchr(".'-", text.data[from]))
        from++;
    return from;
}

/* "logo@2x.png": no top-level domain is called so. */
static bool is_file_suffix(struct slice label)
{
    static const char *const suffixes[] = {"png", "jpg", "jpeg", "gif", "webp", "svg",  "avif", "bmp", "pdf", "heic",
                                           "css", "js",  "jsx",  "tsx", "mjs",  "json", "html", "htm", "txt", "xml"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (slice_is_like(label, suffixes[i]))
            return true;
    return false;
}

/* Where a label ends that can be a top-level domain: two letters at least, then the end or a dash; 0: it cannot. */
static size_t top_level_end(struct slice text, size_t from, size_t to)
{
    struct slice label = {text.data + from, to - from};
    if (label.length > 4 && strncasecmp(label.data, "xn--", 4) == 0)
        return to;
    size_t at = from;
    while (at < to && !detect_is_digit(text.data[at]) && text.data[at] != '-')
        at++;
    label.length = at - from;
    bool is_end = at == to || text.data[at] == '-';
    return is_end && label.length >= 2 && !is_file_suffix(label) ? at : 0;
}

/* 0: no domain. The longest that ends in a top-level domain. */
static size_t find_domain_end(struct slice text, size_t from)
{
    size_t best = 0, at = from;
    for (unsigned labels = 0;; labels++) {
        size_t label = at;
        for (;;) {
            char c = detect_byte(text, at);
            if (detect_is_alnum(c) || c == '-')
                at++;
            else if (is_latin_lead(c) && is_continuation(detect_byte(text, at + 1)))
                at += 2;
            else
                break;
        }
        size_t end = labels && at > label ? top_level_end(text, label, at) : 0;
        best = end ? end : best;
        if (at == label || detect_byte(text, at) != '.')
            return best;
        at++;
    }
}

/* Neither side of an @ has one: every byte is looked at for two of them at most. */
bool detect_email(struct slice text, struct span *ret_span)
{
    for (size_t next = 0; next < text.length; next++) {
        const char *sign = memchr(text.data + next, '@', text.length - next);
        if (!sign)
            return false;
        next = (size_t)(sign - text.data);
        size_t from = find_local(text, next), to = find_domain_end(text, next + 1);
        bool is_repository = next - from == 3 && memcmp(text.data + from, "git", 3) == 0; /* git@host:path */
        if (from < next && to && !is_repository) {
            *ret_span = (struct span){from, to};
            return true;
        }
    }
    return false;
}

/* ---- phones ---- */

#define PHONE_SEPARATORS " -./()"

static bool is_end_of_number(struct slice text, size_t at)
{
    char c = detect_byte(text, at);
    if (detect_is_alnum(c) || c == '_' || c == '%')
        return false;
    return !(c && strchr("-./:,", c) && detect_is_digit(detect_byte(text, at + 1)));
}

/* May a number end with this group: nothing but a space before what follows. */
static bool can_end(struct slice text, const struct digit_groups *groups, size_t last)
{
    char separator = groups->separators[last];
    return separator ? separator == ' ' : is_end_of_number(text, groups->ends[last]);
}

static unsigned two_digits(const char *digits)
{
    return (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
}

/* 2024-01-31, 192.168.0.100, 1.234.567.890 */
static bool is_other_number(const struct digit_groups *groups)
{
    const unsigned *lengths = groups->lengths;
    const char *digits = groups->digits;
    if (groups->count >= 3 && lengths[0] == 4 && lengths[1] == 2 && lengths[2] >= 2 &&
        (two_digits(digits) == 19 || two_digits(digits) == 20) && two_digits(digits + 4) <= 12)
        return true;
    bool is_dotted = groups->count > 1, has_threes = true, is_short = true;
    for (size_t i = 0; i < groups->count; i++) {
        is_dotted &= i + 1 == groups->count || groups->separators[i] == '.';
        has_threes &= i == 0 || lengths[i] == 3;
        is_short &= lengths[i] <= 3;
    }
    return is_dotted && (has_threes || (groups->count == 4 && is_short));
}

/* The most groups that have 8 to 15 digits after `skipped` ones. */
static size_t find_international_end(struct slice text, const struct digit_groups *groups, unsigned skipped)
{
    for (size_t i = groups->count; i-- > 0;) {
        unsigned digits = groups->totals[i] - skipped;
        if (groups->totals[i] < skipped + 8 || digits > 15)
            continue;
        if (i + 1 < groups->count || can_end(text, groups, i))
            return groups->ends[i];
    }
    return 0;
}

/* Shapes of national numbers, by the lengths of their groups. */
static const struct {
    unsigned char lengths[6];
    char first;         /* digit: '0' the trunk prefix, '1' North America's, 'A' an area code: 2 to 9 */
    bool is_one_symbol; /* between all of them */
} shapes[] = {
    {{3, 3, 4}, 'A', false},      /* North America */
    {{1, 3, 3, 4}, '1', false},   /* … with its 1 */
    {{2, 2, 2, 2, 2}, '0', true}, /* France */
    {{2, 8}, '0', false},         /* the Netherlands */
    {{2, 4, 4}, '0', false},      /* Australia, Japan */
};

static bool has_shape(const struct digit_groups *groups, size_t shape, size_t *ret_last)
{
    char first = shapes[shape].first;
    size_t i = 0;
    for (; shapes[shape].lengths[i]; i++) {
        if (i >= groups->count || groups->lengths[i] != shapes[shape].lengths[i])
            return false;
        if (shapes[shape].is_one_symbol && i && shapes[shape].lengths[i + 1] &&
            groups->separators[i] != groups->separators[0])
            return false;
    }
    const char *area = groups->digits + (first == '1');
    bool is_north_american = area[0] >= '2' && area[3] >= '2'; /* neither begins with 0 or 1 */
    *ret_last = i - 1;
    return first == '0' ? groups->digits[0] == '0' : is_north_american && (first == 'A' || groups->digits[0] == '1');
}

/* "030 1234567", "0171/123 45 67", "(01234) 567890": 10 to 12 digits, with parentheses or a slash 9. (US: 9 digits in
 * 3-2-4 are no phone, nor are postal codes in 5-4.) */
static size_t find_trunk_end(struct slice text, const struct digit_groups *groups, bool is_area_marked)
{
    if (groups->digits[0] != '0' || groups->lengths[0] < 3 || groups->lengths[0] > 5 || is_other_number(groups))
        return 0;
    size_t end = 0;
    for (size_t i = 1; i < groups->count && i < 6 && groups->lengths[i] >= 2 && groups->totals[i] <= 12; i++)
        if (groups->totals[i] >= (is_area_marked ? 9 : 10) && can_end(text, groups, i))
            end = groups->ends[i];
    return end;
}

static size_t find_national_end(struct slice text, const struct digit_groups *groups, bool is_area_marked)
{
    if (groups->count < 2)
        return 0;
    if (groups->digits[0] == '0' && groups->digits[1] == '0')
        return groups->lengths[0] > 2 && groups->digits[2] != '0' ? find_international_end(text, groups, 2) : 0;
    size_t last;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (has_shape(groups, i, &last) && can_end(text, groups, last))
            return groups->ends[last];
    return find_trunk_end(text, groups, is_area_marked || groups->separators[0] == '/');
}

/* Is this where a number can begin, seen from what is before. A national one is not part of a longer row of groups (an
 * IBAN, a column of numbers). */
static bool is_start_of_number(struct slice text, size_t at, bool is_international)
{
    if (at == 0)
        return true;
    char before = text.data[at - 1];
    if (before == ':' || before == '(' || (before == ' ' && !is_international))
        return at < 2 || !detect_is_digit(text.data[at - 2]);
    if (before == '/' && (is_international || (at >= 2 && text.data[at - 2] == '\\')))
        return true; /* no path has a +, and \/ is an escape that can stand before anything */
    return !detect_is_alnum(before) && !strchr("._-/$#,+", before);
}

static bool find_phone_at(struct slice text, size_t at, struct span *ret_span)
{
    struct digit_groups groups;
    bool is_international = text.data[at] == '+';
    if (!is_start_of_number(text, at, is_international))
        return false;
    size_t digit = at + is_international, end;
    if (!detect_is_digit(detect_byte(text, digit)) || (is_international && text.data[digit] == '0'))
        return false;
    detect_read_groups(text, digit, PHONE_SEPARATORS, &groups);
    if (!groups.count)
        return false;
    bool is_enclosed = at && text.data[at - 1] == '(' && detect_byte(text, groups.ends[0]) == ')';
    if (is_international)
        end = is_other_number(&groups) ? 0 : find_international_end(text, &groups, 0);
    else
        end = find_national_end(text, &groups, is_enclosed);
    *ret_span = (struct span){at - is_enclosed, end};
    return end != 0;
}

bool detect_phone(struct slice text, struct span *ret_span)
{
    for (size_t next = 0; next < text.length; next++) {
        bool is_digit = detect_is_digit(text.data[next]);
        if (!is_digit && text.data[next] != '+')
            continue;
        struct span span;
        if (find_phone_at(text, next, &span)) {
            *ret_span = span;
            return true;
        }
        if (is_digit)
            next = detect_skip_digits(text, next) - 1;
    }
    return false;
}
