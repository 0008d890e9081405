/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider catalogue after parsing: what its members must agree on, defaults that depend on the dialect, and the
 * hosts that only a policy can name (each customer of Azure has its own). Called by load.c, and by rules.c when the
 * policy is read.
 */
#include "config/loader.h"

#include <ctype.h>
#include <stddef.h>

enum { HOST_BYTES_MAX = 253 /* RFC 1035, section 3.1 */ };

/* As the providers' own libraries have it in their default base URL. */
static const char *const default_prefixes[DIALECT_COUNT] = {
    [DIALECT_OPENAI] = "/v1", [DIALECT_ANTHROPIC] = "/v1", [DIALECT_GEMINI] = "/v1beta"};

/* Patterns out of `hosts`, so that nothing that reads hosts can take one for a name. */
static void split_hosts(struct loader *loader, struct provider *provider)
{
    const char **patterns = arena_new_array(loader->arena, const char *, provider->host_count + 1);
    size_t kept = 0;
    for (size_t i = 0; i < provider->host_count; i++) {
        if (provider->hosts[i][0] == '*')
            patterns[provider->host_pattern_count++] = provider->hosts[i];
        else
            provider->hosts[kept++] = provider->hosts[i];
    }
    provider->host_count = kept;
    provider->host_patterns = patterns;
}

static void check_base_url(struct loader *loader, const struct provider *provider, const struct node *node)
{
    const struct node *url = node_member(node, "base_url");
    if (provider->base_url && slice_has_prefix(slice_of(provider->base_url), "http:") && !provider->local)
        report(loader, SEVERITY_ERROR, url, "https, or local: true", "\"base_url\" must be https");
    const struct node *hosts = node_member(node, "hosts");
    if (!node_first(hosts, provider->host_count + provider->host_pattern_count) && hosts && hosts->count)
        return; /* some were refused */
    if (!url && (provider->host_count || !provider->host_pattern_count))
        report(loader, SEVERITY_ERROR, node,
               "base_url: https://api.example.com; without it, all hosts must begin with *.",
               "provider lacks \"base_url\"");
}

static void complete_provider(struct loader *loader, struct provider *provider, const struct node *node)
{
    split_hosts(loader, provider);
    if (!provider->api_prefix)
        provider->api_prefix = default_prefixes[provider->dialect];
    if (node->kind != NODE_MAPPING)
        return;
    check_base_url(loader, provider, node);
    refuse_repeated(loader, node_member(node, "aliases"), provider->aliases, sizeof *provider->aliases,
                    provider->alias_count, offsetof(struct model_alias, alias), "alias");
}

void load_catalogue(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    apply_object(loader, &table_providers, root, settings);
    const struct node *node = node_first(node_list(root, NULL, "providers"), settings->provider_count);
    for (size_t i = 0; node && i < settings->provider_count; i++, node = node->next) {
        struct provider *provider = &settings->providers[i];
        for (size_t j = 0; provider->id && j < i; j++)
            if (settings->providers[j].id && strcmp(settings->providers[j].id, provider->id) == 0)
                report(loader, SEVERITY_ERROR, node, NULL, "provider id \"%s\" is used twice", provider->id);
        complete_provider(loader, provider, node);
    }
}

/* ---- hosts that the policy names ---- */

/* "https://Name.example.com:8443/x": name.example.com; NULL: no name that could be governed. */
static const char *host_of(struct loader *loader, const char *url)
{
    const char *start = strstr(url, "://");
    start = start ? start + 3 : url;
    size_t length = strcspn(start, ":/");
    char *host = arena_alloc(loader->arena, length + 1);
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)start[i]) && start[i] != '-' && start[i] != '.')
            return NULL;
        host[i] = (char)tolower((unsigned char)start[i]);
    }
    return length <= HOST_BYTES_MAX ? host : NULL;
}

static bool has_pattern(const struct provider *provider, const char *host)
{
    struct slice name = slice_of(host);
    for (size_t i = 0; i < provider->host_pattern_count; i++) {
        const char *ending = provider->host_patterns[i] + 1; /* ".example.com" */
        if (name.length > strlen(ending) && slice_has_suffix(name, ending))
            return true;
    }
    return false;
}

/* The host's row: an older one, or the next of the array, a copy of `pattern_row`. */
static struct provider *add_host(struct loader *loader, const struct provider *pattern_row, const char *host)
{
    struct settings *settings = loader->settings;
    const struct provider *known = config_find_provider(settings, host);
    if (known)
        return &settings->providers[known - settings->providers];
    struct provider *provider = &settings->providers[settings->provider_count++];
    *provider = *pattern_row;
    provider->hosts = arena_new_array(loader->arena, const char *, 1);
    provider->hosts[0] = host;
    provider->host_count = 1;
    provider->host_patterns = NULL;
    provider->host_pattern_count = 0;
    provider->base_url = arena_printf(loader->arena, "https://%s", host);
    return provider;
}

/* The array gets room for a row per host that may need one; targets follow it to its new place. */
static void make_room(struct loader *loader)
{
    struct settings *settings = loader->settings;
    size_t room = settings->provider_count + settings->capture.host_count + settings->target_count;
    struct provider *providers = arena_new_array(loader->arena, struct provider, room + 1);
    if (settings->provider_count)
        memcpy(providers, settings->providers, settings->provider_count * sizeof *providers);
    for (size_t i = 0; i < settings->target_count; i++)
        if (settings->targets[i].provider)
            settings->targets[i].provider = providers + (settings->targets[i].provider - settings->providers);
    settings->providers = providers;
}

void complete_catalogue(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    size_t catalogued = settings->provider_count;
    (void)root;
    make_room(loader);
    for (size_t i = 0; i < settings->capture.host_count; i++)
        for (size_t j = 0; j < catalogued; j++)
            if (has_pattern(&settings->providers[j], settings->capture.hosts[i]))
                add_host(loader, &settings->providers[j], settings->capture.hosts[i]);
    for (size_t i = 0; i < settings->target_count; i++) {
        struct target *target = &settings->targets[i];
        if (!target->provider || !target->provider->host_pattern_count || !target->base_url)
            continue;
        const char *host = host_of(loader, target->base_url);
        const struct provider *row =
            host && has_pattern(target->provider, host) ? add_host(loader, target->provider, host) : NULL;
        if (row && strcmp(known_name(row->id), known_name(target->provider->id)) == 0)
            target->provider = row; /* else another row of the catalogue has that name */
    }
}
