/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payment cards (ISO/IEC 7812: issuer prefix, length, Luhn) and IBANs (ISO 13616: length of the country, remainder 1
 * modulo 97). Called through the table in detect.c.
 */
#include "policy/internal.h"

#include <string.h>

/* Issuers by their first digits, as their published ranges say. */
static const struct {
    uint32_t from, to; /* of the first `digits` digits */
    unsigned digits;
    uint32_t lengths; /* bit n: n digits */
} issuers[] = {
#define LENGTHS_16_19 (1u << 16 | 1u << 17 | 1u << 18 | 1u << 19)
#define LENGTHS_13_19 (1u << 13 | 1u << 14 | 1u << 15 | LENGTHS_16_19)
    {4, 4, 1, 1u << 13 | 1u << 16 | 1u << 19},        /* Visa */
    {51, 55, 2, 1u << 16},                            /* Mastercard */
    {2221, 2720, 4, 1u << 16},                        /* Mastercard */
    {34, 34, 2, 1u << 15},                            /* American Express */
    {37, 37, 2, 1u << 15},                            /* American Express */
    {300, 305, 3, 1u << 14 | LENGTHS_16_19},          /* Diners Club */
    {3095, 3095, 4, 1u << 14 | LENGTHS_16_19},        /* Diners Club */
    {36, 36, 2, 1u << 14 | 1u << 15 | LENGTHS_16_19}, /* Diners Club */
    {38, 39, 2, 1u << 14 | LENGTHS_16_19},            /* Diners Club */
    {3528, 3589, 4, LENGTHS_16_19},                   /* JCB */
    {6011, 6011, 4, LENGTHS_16_19},                   /* Discover */
    {644, 659, 3, LENGTHS_16_19},                     /* Discover */
    {62, 62, 2, LENGTHS_16_19},                       /* UnionPay */
    {81, 81, 2, LENGTHS_16_19},                       /* UnionPay */
    {50, 50, 2, LENGTHS_13_19},                       /* Maestro */
    {56, 58, 2, LENGTHS_13_19},                       /* Maestro */
    {63, 63, 2, LENGTHS_13_19},                       /* Maestro, InstaPayment */
    {67, 67, 2, LENGTHS_13_19},                       /* Maestro */
    {2200, 2204, 4, LENGTHS_16_19},                   /* Mir */
    {9792, 9792, 4, 1u << 16},                        /* Troy */
    {60, 60, 2, 1u << 16},                            /* RuPay */
    {506, 509, 3, LENGTHS_16_19},                     /* Elo, Verve */
};

static bool has_issuer(const char *digits, unsigned length)
{
    for (size_t i = 0; i < sizeof issuers / sizeof *issuers; i++) {
        uint32_t prefix = 0;
        for (unsigned n = 0; n < issuers[i].digits; n++)
            prefix = prefix * 10 + (uint32_t)(digits[n] - '0');
        if (prefix >= issuers[i].from && prefix <= issuers[i].to && (issuers[i].lengths >> length & 1))
            return true;
    }
    return false;
}

static bool is_luhn(const char *digits, unsigned length)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < length; i++) {
        unsigned digit = (unsigned)(digits[length - 1 - i] - '0') << (i & 1);
        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

/* Not within a word, nor the fraction of a number. */
static bool is_start(struct slice text, size_t at)
{
    if (at == 0)
        return true;
    char before = text.data[at - 1];
    return !detect_is_alnum(before) && !(before == '.' && at > 1 && detect_is_digit(text.data[at - 2]));
}

static bool is_end(struct slice text, size_t at)
{
    char c = detect_byte(text, at);
    return !detect_is_alnum(c) && !(c == '.' && detect_is_digit(detect_byte(text, at + 1)));
}

/* Whole groups only, none but the last of fewer than three digits: rows of small numbers are no card. */
static size_t find_card_end(struct slice text, size_t at)
{
    struct digit_groups groups;
    size_t end = 0;
    detect_read_groups(text, at, " -", &groups);
    bool is_phone = at && text.data[at - 1] == '+'; /* up to 15 digits */
    for (size_t i = 0; i < groups.count && (i == 0 || groups.lengths[i - 1] >= 3); i++) {
        unsigned length = groups.totals[i];
        if (length >= (is_phone ? 16 : 13) && is_end(text, groups.ends[i]) && has_issuer(groups.digits, length) &&
            is_luhn(groups.digits, length))
            end = groups.ends[i];
    }
    return end;
}

bool detect_card(struct slice text, struct span *ret_span)
{
    for (size_t next = 0; next < text.length; next++) {
        if (!detect_is_digit(text.data[next]))
            continue;
        size_t end = is_start(text, next) ? find_card_end(text, next) : 0;
        if (end) {
            *ret_span = (struct span){next, end};
            return true;
        }
        next = detect_skip_digits(text, next) - 1;
    }
    return false;
}

/* SWIFT's IBAN registry: how long the number of a country is. */
static const struct {
    char country[3];
    unsigned char length;
} ibans[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22}, {"BH", 22},
    {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24}, {"DE", 22}, {"DJ", 27},
    {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18}, {"FK", 18}, {"FO", 18}, {"FR", 27},
    {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27}, {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28},
    {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28},
    {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22},
    {"MK", 19}, {"MN", 20}, {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23},
    {"PK", 24}, {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
    {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30},
};

static unsigned iban_length(struct slice text, size_t at)
{
    for (size_t i = 0; i < sizeof ibans / sizeof *ibans; i++)
        if (at + 2 <= text.length && strncasecmp(text.data + at, ibans[i].country, 2) == 0)
            return ibans[i].length;
    return 0;
}

/* Letters count as 10 to 35. */
static unsigned remainder_with(unsigned remainder, char c)
{
    if (detect_is_digit(c))
        return (remainder * 10 + (unsigned)(c - '0')) % 97;
    return (remainder * 100 + ((unsigned)c | 0x20u) - 'a' + 10) % 97;
}

/* Behind one space, no-break space or dash. */
static size_t skip_one_separator(struct slice text, size_t at)
{
    char c = detect_byte(text, at);
    bool is_wide = c == '\xc2' && detect_byte(text, at + 1) == '\xa0';
    return at + (is_wide ? 2 : c == ' ' || c == '-' ? 1 : 0);
}

/* The first four characters count last. */
static size_t find_iban_end(struct slice text, size_t at, unsigned length)
{
    unsigned remainder = 0;
    size_t next = at + 4;
    for (unsigned i = 4; i < length; i++, next++) {
        next = skip_one_separator(text, next);
        if (!detect_is_alnum(detect_byte(text, next)))
            return 0;
        remainder = remainder_with(remainder, text.data[next]);
    }
    for (unsigned i = 0; i < 4; i++)
        remainder = remainder_with(remainder, text.data[at + i]);
    return remainder == 1 && !detect_is_alnum(detect_byte(text, next)) ? next : 0;
}

bool detect_iban(struct slice text, struct span *ret_span)
{
    for (size_t next = 0; next + 4 < text.length; next++) {
        if (!detect_is_letter(text.data[next]) || !detect_is_letter(text.data[next + 1]) ||
            !detect_is_digit(text.data[next + 2]) || !detect_is_digit(text.data[next + 3]) ||
            (next && detect_is_alnum(text.data[next - 1])))
            continue;
        unsigned length = iban_length(text, next);
        size_t end = length ? find_iban_end(text, next, length) : 0;
        if (end) {
            *ret_span = (struct span){next, end};
            return true;
        }
    }
    return false;
}
