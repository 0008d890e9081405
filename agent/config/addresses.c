/* SPDX-License-Identifier: Apache-2.0 */
/* One parser per type: what names something outside the file, such as paths, URLs, hosts, providers, users. */
#include "config/values.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

bool parse_path(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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
bool parse_url(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    struct slice text = node->text;
    if (!value_has_length(loader, field, node, field->max))
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
    *(const char **)ret_value = value_keep(loader, text);
    return true;
}

static const char *provider_list(struct loader *loader)
{
    const char *list = "the catalogue has:";
    for (size_t i = 0; i < loader->settings->provider_count; i++)
        list = arena_printf(loader->scratch, "%s %s", list, loader->settings->providers[i].id);
    return list;
}

bool parse_provider(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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
bool parse_network(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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

bool parse_host(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
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

bool parse_address(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    char text[INET6_ADDRSTRLEN];
    struct config_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
    bool ok = node->text.length < sizeof text;
    if (ok) {
        memcpy(text, node->text.data, node->text.length);
        text[node->text.length] = '\0';
        ok = inet_pton(AF_INET, text, address.bytes + 12) == 1 || inet_pton(AF_INET6, text, address.bytes) == 1;
    }
    if (!ok) {
        report(loader, SEVERITY_ERROR, node, "e.g. 192.0.2.7 or 2001:db8::7",
               "\"%s\" has an entry that is no address: %s", field->name, quote(loader, node));
        return false;
    }
    *(struct config_address *)ret_value = address;
    return true;
}

static bool parse_account(struct loader *loader, const struct field *field, const struct node *node,
                          bool (*find)(const char *name, uint32_t *ret_id), void *ret_value)
{
    uint64_t number;
    uint32_t id;
    if (value_parse_digits(node->text, &number) && number < UINT32_MAX)
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

bool parse_uid(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    return parse_account(loader, field, node, find_user, ret_value);
}

bool parse_gid(struct loader *loader, const struct field *field, const struct node *node, void *ret_value)
{
    return parse_account(loader, field, node, find_group, ret_value);
}
