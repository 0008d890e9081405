/* SPDX-License-Identifier: Apache-2.0 */
/* One parser per type: words, numbers and amounts. */
#include "config/values.h"

#include <ctype.h>

bool parse_boolean(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    bool is_true = node->is_plain && slice_is(node->text, "true");
    if (!is_true && !(node->is_plain && slice_is(node->text, "false"))) {
        report(loader, SEVERITY_ERROR, node, "write true or false, without quotes", "\"%s\" is either true or false",
               field->name);
        return false;
    }
    *(bool *)ret_value = is_true;
    return true;
}

bool value_parse_digits(struct slice text, uint64_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!isdigit((unsigned char)text.data[i]) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(text.data[i] - '0'), &number))
            return false;
    }
    if (text.length == 0 || (text.length > 1 && text.data[0] == '0'))
        return false;
    *ret_number = number;
    return true;
}

static bool parse_integer(struct loader *loader, const struct field *field, const struct node *node,
                          uint64_t *ret_number)
{
    uint64_t number;
    const char *hint = arena_printf(loader->scratch, "from %llu to %llu%s%s", (unsigned long long)field->min,
                                    (unsigned long long)field->max, *field->unit ? " " : "", field->unit);
    if (!node->is_plain || !value_parse_digits(node->text, &number)) {
        report(loader, SEVERITY_ERROR, node, hint, "\"%s\" must be a whole number, not %s", field->name,
               quote(loader, node));
        return false;
    }
    if (number < field->min || number > field->max) {
        report(loader, SEVERITY_ERROR, node, hint, "\"%s\" is out of range: %llu", field->name,
               (unsigned long long)number);
        return false;
    }
    *ret_number = number;
    return true;
}

bool parse_uint32(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    uint64_t number;
    if (!parse_integer(loader, field, node, &number))
        return false;
    *(uint32_t *)ret_value = (uint32_t)number;
    return true;
}

bool parse_uint64(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    return parse_integer(loader, field, node, (uint64_t *)ret_value);
}

const char *value_keep(struct loader *loader, struct slice text)
{
    return arena_copy(loader->arena, text).data;
}

bool value_has_length(struct loader *loader, const struct field *field, const struct node *node, uint64_t max)
{
    if (node->text.length >= 1 && node->text.length <= max)
        return true;
    report(loader, SEVERITY_ERROR, node, NULL, "\"%s\" must have 1 to %llu characters", field->name,
           (unsigned long long)max);
    return false;
}

/* Lists give the longest list as their max; their elements are bounded by what a DNS name can be. */
static uint64_t length_max(const struct field *field)
{
    return types[field->type].shape == SHAPE_LIST || field->max == 0 ? 253 : field->max;
}

bool parse_name(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    if (!value_has_length(loader, field, node, length_max(field)))
        return false;
    for (size_t i = 0; i < node->text.length; i++) {
        char c = node->text.data[i];
        if (isalnum((unsigned char)c) || (c && strchr("_-", c)) || (i > 0 && (c == '.' || c == ':')))
            continue;
        report(loader, SEVERITY_ERROR, node, "letters, digits, '_', '-', and after the first '.' and ':'",
               "\"%s\" is no valid name: %s", field->name, quote(loader, node));
        return false;
    }
    *(const char **)ret_value = value_keep(loader, node->text);
    return true;
}

/* POSIX 1003.1 section 8.1; pasted keys mostly fail here, on their '-'. */
bool parse_variable(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    bool ok = node->text.length >= 1 && node->text.length <= 128 && !isdigit((unsigned char)node->text.data[0]);
    for (size_t i = 0; i < node->text.length; i++)
        ok &= isalnum((unsigned char)node->text.data[i]) || node->text.data[i] == '_';
    if (!ok) {
        report(loader, SEVERITY_ERROR, node, "e.g. OPENAI_API_KEY", "\"%s\" must name an environment variable",
               field->name);
        return false;
    }
    *(const char **)ret_value = value_keep(loader, node->text);
    return true;
}

bool parse_text(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    if (!value_has_length(loader, field, node, length_max(field)))
        return false;
    for (size_t i = 0; i < node->text.length; i++) {
        if ((unsigned char)node->text.data[i] > ' ' && node->text.data[i] != 0x7f)
            continue;
        if (node->text.data[i] == ' ' && i > 0 && i + 1 < node->text.length)
            continue;
        report(loader, SEVERITY_ERROR, node, NULL, "\"%s\" has a control character, or a space at its end",
               field->name);
        return false;
    }
    *(const char **)ret_value = value_keep(loader, node->text);
    return true;
}

bool parse_model(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    const char *star = node->text.length ? memchr(node->text.data, '*', node->text.length) : NULL;
    if (star && star + 1 < node->text.data + node->text.length) {
        report(loader, SEVERITY_ERROR, node, "gpt-5.4-*", "'*' is only allowed at the end of a model name");
        return false;
    }
    return parse_text(loader, field, node, ret_value);
}

static const char *choice_list(struct loader *loader, const struct choice *choices)
{
    const char *list = "one of:";
    for (const struct choice *choice = choices; choice->name; choice++)
        if (!choice->is_unsupported)
            list = arena_printf(loader->scratch, "%s %s", list, choice->name);
    return list;
}

/* NULL: reported. */
static const struct choice *find_choice(struct loader *loader, const struct field *field, const struct node *node)
{
    for (const struct choice *choice = field->choices; choice->name; choice++) {
        if (!slice_is(node->text, choice->name))
            continue;
        if (!choice->is_unsupported)
            return choice;
        report(loader, SEVERITY_ERROR, node, choice_list(loader, field->choices),
               "\"%s: %s\" is not supported by this version yet", field->name, choice->name);
        return NULL;
    }
    const struct choice *near = table_suggest_choice(field->choices, node->text);
    report(loader, SEVERITY_ERROR, node, choice_list(loader, field->choices), "\"%s\" cannot be %s%s%s%s", field->name,
           quote(loader, node), near ? ", did you mean \"" : "", near ? near->name : "", near ? "\"?" : "");
    return NULL;
}

bool parse_choice(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    const struct choice *choice = find_choice(loader, field, node);
    if (choice)
        *(unsigned *)ret_value = choice->value;
    return choice != NULL;
}

bool parse_switch(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    const struct choice *choice = find_choice(loader, field, node);
    if (choice)
        *(bool *)ret_value = choice->value != 0;
    return choice != NULL;
}

bool parse_money(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct money money;
    enum error error = money_parse(node->text, &money);
    if (error) {
        report(loader, SEVERITY_ERROR, node, "at most nine decimals, e.g. 12.50", "\"%s\" is no amount of USD: %s",
               field->name, quote(loader, node));
        return false;
    }
    int64_t whole = money.nano / 1000000000;
    if (money.nano < 0 || whole > (int64_t)field->max || (whole == (int64_t)field->max && money.nano % 1000000000)) {
        report(loader, SEVERITY_ERROR, node, NULL, "\"%s\" must be from 0 to %llu USD", field->name,
               (unsigned long long)field->max);
        return false;
    }
    *(struct money *)ret_value = money;
    return true;
}

bool parse_decimal(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    enum { NANO_OF_MILLI = 1000000 };
    struct money number; /* the same digits: at most nine of them after the point */
    bool is_number = money_parse(node->text, &number) == ERROR_OK && number.nano >= 0 &&
                     number.nano % NANO_OF_MILLI == 0 && number.nano / 1000000000 <= (int64_t)field->max;
    if (!is_number) {
        report(loader, SEVERITY_ERROR, node, "at most three decimals, e.g. 0.7",
               "\"%s\" must be a number from %llu to %llu, not %s", field->name, (unsigned long long)field->min,
               (unsigned long long)field->max, quote(loader, node));
        return false;
    }
    *(uint32_t *)ret_value = (uint32_t)(number.nano / NANO_OF_MILLI);
    return true;
}

/* 1,000,000 USD per million: a dollar a token (or image) is a mistake, and 2^63 pico-USD stay far away. */
bool parse_price(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct price price;
    if (price_parse(node->text, &price) != ERROR_OK) {
        report(loader, SEVERITY_ERROR, node, "USD per million, at most six decimals, e.g. 0.075",
               "\"%s\" is no price: %s", field->name, quote(loader, node));
        return false;
    }
    if (price.pico > 1000000000000) {
        report(loader, SEVERITY_ERROR, node,
               "prices are in USD per million tokens (calls, images, seconds, characters)",
               "\"%s\" is above 1000000 USD per million", field->name);
        return false;
    }
    *(struct price *)ret_value = price;
    return true;
}

bool parse_api_key(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct slice text = node->text;
    bool ok = slice_has_prefix(text, "kt_cg_") && text.length > 6 && text.length <= field->max;
    for (size_t i = 0; i < text.length; i++)
        ok &= isalnum((unsigned char)text.data[i]) || text.data[i] == '_' || text.data[i] == '-';
    if (!ok) {
        report(loader, SEVERITY_ERROR, node, "it is a placeholder, not a provider's key, e.g. kt_cg_my_team",
               "\"%s\" must be kt_cg_ and letters, digits, '_' or '-'", field->name);
        return false;
    }
    *(const char **)ret_value = value_keep(loader, text);
    return true;
}
