/* SPDX-License-Identifier: Apache-2.0 */
/* The parsers of types.c's table: each reports what is wrong and leaves *ret_value alone, or writes it. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "config/loader.h"

#define VALUE_PARSER(name)                                                                                             \
    bool parse_##name(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
VALUE_PARSER(boolean);
VALUE_PARSER(uint32);
VALUE_PARSER(uint64);
VALUE_PARSER(name);
VALUE_PARSER(variable);
VALUE_PARSER(text);
VALUE_PARSER(model);
VALUE_PARSER(decimal);
VALUE_PARSER(choice);
VALUE_PARSER(money);
VALUE_PARSER(price);
VALUE_PARSER(path);
VALUE_PARSER(url);
VALUE_PARSER(api_key);
VALUE_PARSER(provider);
VALUE_PARSER(network);
VALUE_PARSER(host);
VALUE_PARSER(address);
VALUE_PARSER(uid);
VALUE_PARSER(gid);
VALUE_PARSER(pattern);
VALUE_PARSER(duration);
VALUE_PARSER(percent);
VALUE_PARSER(argument);
VALUE_PARSER(switch);
VALUE_PARSER(prefix);
VALUE_PARSER(hours);
VALUE_PARSER(zone);
VALUE_PARSER(host_pattern);
VALUE_PARSER(expression);
#undef VALUE_PARSER

/* Decimal digits only, no leading zero: YAML 1.1 would read 010 as 8 and 1_000 as 1000. */
bool value_parse_digits(struct slice text, uint64_t *ret_number);
/* A copy in the settings' arena. */
const char *value_keep(struct loader *loader, struct slice text);
/* From 1 to max characters, or reported. */
bool value_has_length(struct loader *loader, const struct field *field, const struct node *node, uint64_t max);

#endif
