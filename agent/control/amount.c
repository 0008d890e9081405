/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amounts as people write them: "12.50", "$5", "5 USD". A ledger has one currency, so another one is an error of its
 * own, never a number with something cut off. Called by the routes that take money.
 */
#include "control/internal.h"

/* Bytes that belong to a number; everything else beside it names a currency. */
static bool is_numeric(char byte)
{
    return (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == '+' || byte == ',';
}

static struct slice trim(struct slice text)
{
    while (text.length && text.data[0] == ' ')
        text = slice_from(text, 1);
    while (text.length && text.data[text.length - 1] == ' ')
        text.length--;
    return text;
}

static bool is_dollar(struct slice mark)
{
    return mark.length == 0 || slice_is_like(mark, "USD") || slice_is(mark, "$") || slice_is_like(mark, "US$");
}

/* ISO 4217 codes are three letters; signs such as € are not ASCII. Anything else is no currency, just wrong. */
static bool is_currency(struct slice mark)
{
    bool is_sign = mark.length > 0, is_code = mark.length == 3;
    for (size_t i = 0; i < mark.length; i++) {
        char lower = (char)(mark.data[i] | 0x20);
        is_sign &= (unsigned char)mark.data[i] >= 0x80;
        is_code &= lower >= 'a' && lower <= 'z';
    }
    return is_sign || is_code;
}

static const char *describe(enum error error, struct slice number)
{
    const char *point = memchr(number.data, '.', number.length);
    if (error == ERROR_AMOUNT_OVERFLOW)
        return "the amount is larger than a ledger can hold (9223372036.854775807 USD)";
    if (point && (size_t)(number.data + number.length - point) > 10)
        return "the amount has more than nine decimals";
    if (memchr(number.data, ',', number.length))
        return "the amount has a comma: decimals follow a point, and thousands are not separated";
    return "the amount is not a number of USD";
}

enum error control_parse_amount(struct slice text, struct money *ret_amount, const char **ret_why)
{
    struct slice number = trim(text), before = {number.data, 0}, after;
    while (before.length < number.length && !is_numeric(number.data[before.length]))
        before.length++;
    number = slice_from(number, before.length);
    after = (struct slice){number.data + number.length, 0};
    while (number.length && !is_numeric(number.data[number.length - 1])) {
        number.length--;
        after = (struct slice){after.data - 1, after.length + 1};
    }
    before = trim(before);
    after = trim(after);
    *ret_why = "the amount is not a number of USD";
    if (number.length && before.length && after.length)
        return ERROR_AMOUNT_INVALID;
    if (number.length && (is_currency(before) || is_currency(after)) && (!is_dollar(before) || !is_dollar(after))) {
        *ret_why = NULL;
        return ERROR_CURRENCY_UNKNOWN;
    }
    if (number.length == 0 || !is_dollar(before) || !is_dollar(after))
        return ERROR_AMOUNT_INVALID;
    enum error error = money_parse(number, ret_amount);
    if (error)
        *ret_why = describe(error, number);
    return error == ERROR_AMOUNT_OVERFLOW ? ERROR_AMOUNT_INVALID : error;
}
