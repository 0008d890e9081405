/* SPDX-License-Identifier: Apache-2.0 */
/* One parser per type of value. Each reports what is wrong and leaves its output alone, or writes it. */
#include "config/loader.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

static bool parse_boolean(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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

/* Decimal digits only: YAML 1.1 would read 010 as 8 and 1_000 as 1000. */
static bool parse_digits(struct slice text, uint64_t *ret_number)
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
    if (!node->is_plain || !parse_digits(node->text, &number)) {
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

static bool parse_uint32(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    uint64_t number;
    if (!parse_integer(loader, field, node, &number))
        return false;
    *(uint32_t *)ret_value = (uint32_t)number;
    return true;
}

static bool parse_uint64(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    return parse_integer(loader, field, node, (uint64_t *)ret_value);
}

static const char *keep(struct loader *loader, struct slice text)
{
    return arena_copy(loader->arena, text).data;
}

static bool has_length(struct loader *loader, const struct field *field, const struct node *node, uint64_t max)
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

static bool parse_name(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    if (!has_length(loader, field, node, length_max(field)))
        return false;
    for (size_t i = 0; i < node->text.length; i++) {
        char c = node->text.data[i];
        if (isalnum((unsigned char)c) || (c && strchr("_-", c)) || (i > 0 && (c == '.' || c == ':')))
            continue;
        report(loader, SEVERITY_ERROR, node, "letters, digits, '_', '-', and after the first '.' and ':'",
               "\"%s\" is no valid name: %s", field->name, quote(loader, node));
        return false;
    }
    *(const char **)ret_value = keep(loader, node->text);
    return true;
}

/* POSIX 1003.1 section 8.1; pasted keys mostly fail here, on their '-'. */
static bool parse_variable(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    bool ok = node->text.length >= 1 && node->text.length <= 128 && !isdigit((unsigned char)node->text.data[0]);
    for (size_t i = 0; i < node->text.length; i++)
        ok &= isalnum((unsigned char)node->text.data[i]) || node->text.data[i] == '_';
    if (!ok) {
        report(loader, SEVERITY_ERROR, node, "e.g. OPENAI_API_KEY", "\"%s\" must name an environment variable",
               field->name);
        return false;
    }
    *(const char **)ret_value = keep(loader, node->text);
    return true;
}

static bool parse_text(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    if (!has_length(loader, field, node, length_max(field)))
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
    *(const char **)ret_value = keep(loader, node->text);
    return true;
}

static bool parse_model(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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

static bool parse_choice(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    for (const struct choice *choice = field->choices; choice->name; choice++) {
        if (!slice_is(node->text, choice->name))
            continue;
        if (choice->is_unsupported) {
            report(loader, SEVERITY_ERROR, node, choice_list(loader, field->choices),
                   "\"%s: %s\" is not supported by this version yet", field->name, choice->name);
            return false;
        }
        *(unsigned *)ret_value = choice->value;
        return true;
    }
    const struct choice *near = table_suggest_choice(field->choices, node->text);
    report(loader, SEVERITY_ERROR, node, choice_list(loader, field->choices), "\"%s\" cannot be %s%s%s%s", field->name,
           quote(loader, node), near ? ", did you mean \"" : "", near ? near->name : "", near ? "\"?" : "");
    return false;
}

static bool parse_money(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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

/* 1,000,000 USD per million tokens: a dollar a token is a mistake, and 2^63 pico-USD stay far away. */
static bool parse_price(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct price price;
    if (price_parse(node->text, &price) != ERROR_OK) {
        report(loader, SEVERITY_ERROR, node, "USD per million tokens, at most six decimals, e.g. 0.075",
               "\"%s\" is no price: %s", field->name, quote(loader, node));
        return false;
    }
    if (price.pico > 1000000000000) {
        report(loader, SEVERITY_ERROR, node, "prices are in USD per million tokens",
               "\"%s\" is above 1000000 USD per million tokens", field->name);
        return false;
    }
    *(struct price *)ret_value = price;
    return true;
}

static bool parse_path(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    const char *text;
    if (!parse_text(loader, field, node, &text))
        return false;
    *(const char **)ret_value = path_beside(loader, loader->document->file, node->text);
    return true;
}

static bool is_url_byte(char c)
{
    return c > ' ' && c < 0x7f && !strchr("@?#\\\"<>^`{|}%", c);
}

/* No user, query or fragment: they would carry secrets into logs; the path of the call is appended to it. */
static bool parse_url(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct slice text = node->text;
    if (!has_length(loader, field, node, field->max))
        return false;
    while (text.length && text.data[text.length - 1] == '/')
        text.length--;
    size_t scheme = slice_has_prefix(text, "https://") ? 8 : slice_has_prefix(text, "http://") ? 7 : 0;
    bool ok = scheme && text.length > scheme && isalnum((unsigned char)text.data[scheme]);
    ok |= scheme && text.length > scheme && text.data[scheme] == '[';
    for (size_t i = 0; i < text.length; i++)
        ok &= is_url_byte(text.data[i]);
    if (!ok) {
        report(loader, SEVERITY_ERROR, node, "https://host, with :port and /path where needed",
               "\"%s\" is no usable URL", field->name);
        return false;
    }
    *(const char **)ret_value = keep(loader, text);
    return true;
}

static bool parse_api_key(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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
    *(const char **)ret_value = keep(loader, text);
    return true;
}

static const char *provider_list(struct loader *loader)
{
    const char *list = "the catalogue has:";
    for (size_t i = 0; i < loader->settings->provider_count; i++)
        list = arena_printf(loader->scratch, "%s %s", list, loader->settings->providers[i].id);
    return list;
}

static bool parse_provider(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    const struct settings *settings = loader->settings;
    const char *near = NULL;
    unsigned best = 1000;
    (void)field;
    for (size_t i = 0; i < settings->provider_count; i++) {
        const struct provider *provider = &settings->providers[i];
        struct slice id = slice_of(provider->id ? provider->id : "");
        if (id.length && slice_is_equal(id, node->text)) {
            *(const struct provider **)ret_value = provider;
            return true;
        }
        unsigned distance = suggest_distance(node->text, id);
        if (suggest_is_near(node->text, id) && distance < best) {
            near = provider->id;
            best = distance;
        }
    }
    if (settings->provider_count) /* else the catalogue itself is broken, and has been reported */
        report(loader, SEVERITY_ERROR, node, provider_list(loader), "unknown provider %s%s%s%s", quote(loader, node),
               near ? ", did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return false;
}

/* 127.0.0.0/16 holds the machine's own services. */
static bool parse_network(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    char text[INET_ADDRSTRLEN + 4];
    struct in_addr address;
    struct slice number = node->text;
    bool ok = slice_has_suffix(number, "/16") && number.length < sizeof text;
    if (ok) {
        memcpy(text, number.data, number.length - 3);
        text[number.length - 3] = '\0';
        ok = inet_pton(AF_INET, text, &address) == 1;
    }
    uint32_t network = ok ? ntohl(address.s_addr) : 0;
    if (!ok || network >> 24 != 127 || (network & 0xffff) || (network >> 16 & 0xff) == 0) {
        report(loader, SEVERITY_ERROR, node, "e.g. 127.77.0.0/16", "\"%s\" must be 127.N.0.0/16, N from 1 to 255",
               field->name);
        return false;
    }
    *(uint32_t *)ret_value = network;
    return true;
}

static bool parse_host(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct slice text = node->text;
    bool ok = text.length >= 3 && text.length <= 253 && memchr(text.data, '.', text.length) != NULL;
    char before = '.';
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        ok &= isalnum((unsigned char)c) || ((c == '-' || c == '.') && before != '.');
        before = c;
    }
    if (!ok || before == '.' || before == '-') {
        report(loader, SEVERITY_ERROR, node, "e.g. api.example.com, without scheme, port or path",
               "\"%s\" has an entry that is no host name: %s", field->name, quote(loader, node));
        return false;
    }
    char *host = arena_alloc(loader->arena, text.length + 1);
    for (size_t i = 0; i < text.length; i++)
        host[i] = (char)tolower((unsigned char)text.data[i]);
    *(const char **)ret_value = host;
    return true;
}

static bool parse_account(struct loader *loader, const struct field *field, const struct node *node,
                          bool (*find)(const char *name, uint32_t *ret_id), void *ret_value)
{
    uint64_t number;
    uint32_t id;
    if (parse_digits(node->text, &number) && number < UINT32_MAX)
        id = (uint32_t)number;
    else if (node->text.length > 64 || !find(node->text.data, &id)) {
        report(loader, SEVERITY_ERROR, node, "a number, or a name that this machine knows", "\"%s\" names nobody: %s",
               field->name, quote(loader, node));
        return false;
    }
    memcpy(ret_value, &id, sizeof id);
    return true;
}

enum { ACCOUNT_BYTES_MAX = 65536 };

static bool find_user(const char *name, uint32_t *ret_id)
{
    char *memory = malloc(ACCOUNT_BYTES_MAX);
    struct passwd row, *found = NULL;
    bool ok = memory && getpwnam_r(name, &row, memory, ACCOUNT_BYTES_MAX, &found) == 0 && found;
    if (ok)
        *ret_id = row.pw_uid;
    free(memory);
    return ok;
}

static bool find_group(const char *name, uint32_t *ret_id)
{
    char *memory = malloc(ACCOUNT_BYTES_MAX);
    struct group row, *found = NULL;
    bool ok = memory && getgrnam_r(name, &row, memory, ACCOUNT_BYTES_MAX, &found) == 0 && found;
    if (ok)
        *ret_id = row.gr_gid;
    free(memory);
    return ok;
}

static bool parse_uid(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    return parse_account(loader, field, node, find_user, ret_value);
}

static bool parse_gid(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    return parse_account(loader, field, node, find_group, ret_value);
}

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
    [TYPE_MONEY] = {SHAPE_SCALAR, "amount", AMOUNT_SCHEMA, sizeof(struct money), parse_money},
    [TYPE_PRICE] = {SHAPE_SCALAR, "price", AMOUNT_SCHEMA, sizeof(struct price), parse_price},
    [TYPE_PATH] = {SHAPE_SCALAR, "path, relative to the file", TEXT_SCHEMA, sizeof(char *), parse_path},
    [TYPE_URL] = {SHAPE_SCALAR, "URL", TEXT_SCHEMA, sizeof(char *), parse_url},
    [TYPE_API_KEY] = {SHAPE_SCALAR, "placeholder key", TEXT_SCHEMA ", \"pattern\": \"^kt_cg_[A-Za-z0-9_-]+$\"",
                      sizeof(char *), parse_api_key},
    [TYPE_PROVIDER] = {SHAPE_SCALAR, "provider", TEXT_SCHEMA, sizeof(struct provider *), parse_provider},
    [TYPE_NETWORK] = {SHAPE_SCALAR, "network", TEXT_SCHEMA ", \"pattern\": \"^127[.][0-9]+[.]0[.]0/16$\"",
                      sizeof(uint32_t), parse_network},
    [TYPE_HOSTS] = {SHAPE_LIST, "list of host names", TEXT_SCHEMA, sizeof(char *), parse_host},
    [TYPE_NAMES] = {SHAPE_LIST, "list of names", TEXT_SCHEMA, sizeof(char *), parse_name},
    [TYPE_VARIABLES] = {SHAPE_LIST, "list of variables", TEXT_SCHEMA, sizeof(char *), parse_variable},
    [TYPE_MODELS] = {SHAPE_LIST, "list of models", TEXT_SCHEMA, sizeof(char *), parse_model},
    [TYPE_UIDS] = {SHAPE_LIST, "list of users", "\"type\": [\"integer\", \"string\"]", sizeof(uid_t), parse_uid},
    [TYPE_GIDS] = {SHAPE_LIST, "list of groups", "\"type\": [\"integer\", \"string\"]", sizeof(gid_t), parse_gid},
    [TYPE_OBJECT] = {SHAPE_OBJECT, "mapping", NULL, 0, NULL},
    [TYPE_OBJECTS] = {SHAPE_OBJECTS, "list of mappings", NULL, 0, NULL},
    [TYPE_UNSUPPORTED] = {SHAPE_NONE, "not yet", NULL, 0, NULL},
};
