/* SPDX-License-Identifier: Apache-2.0 */
/* The table of types: how each is read, called in REFERENCE.md and described in the JSON schema. */
#include "config/values.h"

_Static_assert(sizeof(uid_t) == sizeof(uint32_t) && sizeof(gid_t) == sizeof(uint32_t), "parse_account");
_Static_assert(sizeof(enum unlisted) == sizeof(unsigned), "parse_choice");

#define TEXT_SCHEMA   "\"type\": \"string\""
#define AMOUNT_SCHEMA "\"type\": [\"number\", \"string\"], \"pattern\": \"^[0-9]+([.][0-9]+)?$\", \"minimum\": 0"
const struct type types[TYPE_COUNT] = {
    [TYPE_BOOLEAN] = {SHAPE_SCALAR, "true or false", "\"type\": \"boolean\"", sizeof(bool), parse_boolean},
    [TYPE_UINT32] = {SHAPE_SCALAR, "number", "\"type\": \"integer\"", sizeof(uint32_t), parse_uint32},
    [TYPE_UINT64] = {SHAPE_SCALAR, "number", "\"type\": \"integer\"", sizeof(uint64_t), parse_uint64},
    [TYPE_NAME] = {SHAPE_SCALAR, "name", TEXT_SCHEMA, sizeof(char *), parse_name},
    [TYPE_VARIABLE] = {SHAPE_SCALAR, "variable", TEXT_SCHEMA ", \"pattern\": \"^[A-Za-z_][A-Za-z0-9_]*$\"",
                       sizeof(char *), parse_variable},
    [TYPE_TEXT] = {SHAPE_SCALAR, "text", "\"type\": [\"string\", \"number\"]", sizeof(char *), parse_text},
    [TYPE_CHOICE] = {SHAPE_SCALAR, "one of", TEXT_SCHEMA, sizeof(unsigned), parse_choice},
    [TYPE_SWITCH] = {SHAPE_SCALAR, "one of", TEXT_SCHEMA, sizeof(bool), parse_switch},
    [TYPE_MONEY] = {SHAPE_SCALAR, "amount", AMOUNT_SCHEMA, sizeof(struct money), parse_money},
    [TYPE_DECIMAL] = {SHAPE_SCALAR, "number", AMOUNT_SCHEMA, sizeof(uint32_t), parse_decimal},
    [TYPE_PRICE] = {SHAPE_SCALAR, "price", AMOUNT_SCHEMA, sizeof(struct price), parse_price},
    [TYPE_PATH] = {SHAPE_SCALAR, "path, relative to the file", TEXT_SCHEMA, sizeof(char *), parse_path},
    [TYPE_URL] = {SHAPE_SCALAR, "URL", TEXT_SCHEMA, sizeof(char *), parse_url},
    [TYPE_API_KEY] = {SHAPE_SCALAR, "placeholder key", TEXT_SCHEMA ", \"pattern\": \"^kt_cg_[A-Za-z0-9_-]+$\"",
                      sizeof(char *), parse_api_key},
    [TYPE_PROVIDER] = {SHAPE_SCALAR, "provider", TEXT_SCHEMA, sizeof(struct provider *), parse_provider},
    [TYPE_NETWORK] = {SHAPE_SCALAR, "network", TEXT_SCHEMA ", \"pattern\": \"^127[.][0-9]+[.]0[.]0/16$\"",
                      sizeof(uint32_t), parse_network},
    [TYPE_PATTERN] = {SHAPE_SCALAR, "text, or a prefix and `*`", TEXT_SCHEMA ", \"pattern\": \"^[^*]*[*]?$\"",
                      sizeof(char *), parse_pattern},
    [TYPE_DURATION] = {SHAPE_SCALAR, "hours or days", TEXT_SCHEMA ", \"pattern\": \"^[1-9][0-9]*[hd]$\"",
                       sizeof(uint32_t), parse_duration},
    [TYPE_PREFIX] = {SHAPE_SCALAR, "path", TEXT_SCHEMA ", \"pattern\": \"^(/[A-Za-z0-9._~-]+)*/?$\"", sizeof(char *),
                     parse_prefix},
    [TYPE_HOURS] = {SHAPE_SCALAR, "hours, `HH:MM-HH:MM`",
                    TEXT_SCHEMA ", \"pattern\": \"^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$\"",
                    2 * sizeof(uint32_t), parse_hours},
    [TYPE_ZONE] = {SHAPE_SCALAR, "time zone", TEXT_SCHEMA, sizeof(struct zone *), parse_zone},
    [TYPE_HOSTS] = {SHAPE_LIST, "list of host names", TEXT_SCHEMA, sizeof(char *), parse_host},
    [TYPE_HOST_PATTERNS] = {SHAPE_LIST, "list of host names", TEXT_SCHEMA, sizeof(char *), parse_host_pattern},
    [TYPE_NAMES] = {SHAPE_LIST, "list of names", TEXT_SCHEMA, sizeof(char *), parse_name},
    [TYPE_VARIABLES] = {SHAPE_LIST, "list of variables", TEXT_SCHEMA, sizeof(char *), parse_variable},
    [TYPE_MODELS] = {SHAPE_LIST, "list of models", TEXT_SCHEMA, sizeof(char *), parse_model},
    [TYPE_PATTERNS] = {SHAPE_LIST, "list of texts, or prefixes and `*`", TEXT_SCHEMA ", \"pattern\": \"^[^*]*[*]?$\"",
                       sizeof(char *), parse_pattern},
    [TYPE_TEXTS] = {SHAPE_LIST, "list of texts", "\"type\": [\"string\", \"number\"]", sizeof(char *), parse_text},
    [TYPE_EXPRESSIONS] = {SHAPE_LIST, "list of regular expressions", TEXT_SCHEMA, sizeof(char *), parse_expression},
    [TYPE_CHOICES] = {SHAPE_SET, "list of", TEXT_SCHEMA, sizeof(unsigned), parse_choice},
    [TYPE_UIDS] = {SHAPE_LIST, "list of users", "\"type\": [\"integer\", \"string\"]", sizeof(uid_t), parse_uid},
    [TYPE_GIDS] = {SHAPE_LIST, "list of groups", "\"type\": [\"integer\", \"string\"]", sizeof(gid_t), parse_gid},
    [TYPE_PERCENTS] = {SHAPE_LIST, "list of percents", "\"type\": \"integer\", \"minimum\": 1, \"maximum\": 1000",
                       sizeof(uint32_t), parse_percent},
    [TYPE_ARGUMENTS] = {SHAPE_LIST, "list of arguments", "\"type\": [\"string\", \"number\"]", sizeof(char *),
                        parse_argument},
    [TYPE_OBJECT] = {SHAPE_OBJECT, "mapping", NULL, 0, NULL},
    [TYPE_OBJECTS] = {SHAPE_OBJECTS, "list of mappings", NULL, 0, NULL},
    [TYPE_UNSUPPORTED] = {SHAPE_NONE, "not yet", NULL, 0, NULL},
};
