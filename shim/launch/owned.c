/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values of the present environment come from an earlier activation, and what the user had in their place. Used
 * when governing again (nested runs), when undoing, and when the agent's environment is scrubbed. Reads only.
 */
#include "shim/launch/launch.h"

#include <stdlib.h>
#include <string.h>

const struct launch_ca_variable owned_ca_variables[] = {
#define OWNED_ROW(name, adds) {name, (adds) != 0},
    TOLLGATE_CA_VARIABLES(OWNED_ROW)
#undef OWNED_ROW
        {NULL, false}};

bool owned_is_ca(const char *name)
{
    for (const struct launch_ca_variable *row = owned_ca_variables; row->name; row++)
        if (strcmp(row->name, name) == 0)
            return true;
    return false;
}

static bool owned_lies_in(const char *path, const char *directory)
{
    size_t length = directory ? strlen(directory) : 0;
    return length > 0 && strncmp(path, directory, length) == 0 && path[length] == '/';
}

/* "…/merged/0123456789abcdef.pem": written by bundle.c, for whatever environment. */
static bool owned_is_merged(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash - path >= 7 && strncmp(slash - 7, "/merged", 7) == 0 && strlen(slash) == 21 &&
           strspn(slash + 1, "0123456789abcdef") == 16 && text_ends(slash, ".pem");
}

static bool owned_is_ours(const struct launch_place *place, const char *value)
{
    const char *file = getenv(TOLLGATE_ENV_CA_FILE), *bundle = getenv(TOLLGATE_ENV_CA_BUNDLE);
    return (file && strcmp(value, file) == 0) || (bundle && strcmp(value, bundle) == 0) ||
           owned_lies_in(value, getenv(TOLLGATE_ENV_RUNTIME)) || owned_lies_in(value, place->runtime) ||
           owned_lies_in(value, place->own) || owned_is_merged(value);
}

const char *owned_user_ca(const struct launch_place *place, const char *name, const char *value)
{
    if (value && owned_is_ours(place, value))
        value = getenv(text_format(TOLLGATE_ENV_WAS "%s", name));
    return value && value[0] ? value : NULL;
}

bool owned_is_key(const char *value)
{
    return text_starts(value, TOLLGATE_KEY_PREFIX);
}

static bool owned_is_shim(const char *element)
{
    const char *slash = strrchr(element, '/');
    return strcmp(slash ? slash + 1 : element, LAUNCH_SHIM_NAME) == 0;
}

/* ld.so(8): elements are separated by colons or blanks. */
const char *owned_preload_rest(const char *preload)
{
    struct text_list rest = {0};
    while (preload && *preload) {
        size_t length = strcspn(preload, ": ");
        const char *element = text_format("%.*s", (int)length, preload);
        if (length > 0 && !owned_is_shim(element))
            text_append(&rest, element);
        preload += length + (preload[length] != '\0');
    }
    return rest.count > 0 ? text_join(&rest, ":") : NULL;
}

const char *owned_proxy_rest(const char *no_proxy)
{
    const char *runtime = getenv(TOLLGATE_ENV_RUNTIME);
    struct launch_map map;
    if (!runtime || map_read(text_format("%s/" TOLLGATE_FILE_MAP, runtime), &map) != NULL || map.names.count == 0)
        return no_proxy[0] ? no_proxy : NULL;
    const char *added = map_join_names(&map.names);
    const char *part = NULL;
    if (getenv(TOLLGATE_ENV_BASE_URLS))
        part = strstr(no_proxy, text_format("127.0.0.1,%s", added));
    if (part)
        added = text_format("127.0.0.1,%s", added);
    else
        part = strstr(no_proxy, added);
    if (!part)
        return no_proxy[0] ? no_proxy : NULL;
    const char *rest = part + strlen(added);
    size_t kept = (size_t)(part - no_proxy);
    kept -= kept > 0;
    rest += kept == 0 && *rest == ',';
    const char *value = text_format("%.*s%s", (int)kept, no_proxy, rest);
    return value[0] ? value : NULL;
}
