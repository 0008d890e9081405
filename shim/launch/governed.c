/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment variables of a governed program: the shim in LD_PRELOAD, the TOLLGATE_ family of contract.h,
 * placeholder keys, CA variables, NO_PROXY, base URLs. Computed from the present environment, which may be governed
 * already (by this agent or by another): doing it twice is doing it once. The order of the lists does not matter.
 */
#include "shim/launch/launch.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

extern char **environ;

static const char *const governed_proxies[] = {"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
                                               "HTTP_PROXY",  "http_proxy",  NULL};
static const char *const governed_family[] = {TOLLGATE_ENV_ENVIRONMENT,
                                              TOLLGATE_ENV_RUNTIME,
                                              TOLLGATE_ENV_GROUP,
                                              TOLLGATE_ENV_PROJECT,
                                              TOLLGATE_ENV_SHIM,
                                              TOLLGATE_ENV_CA_FILE,
                                              LAUNCH_ENV_STATE,
                                              TOLLGATE_ENV_CA_BUNDLE,
                                              LAUNCH_ENV_PROJECT_FILE,
                                              TOLLGATE_ENV_LAUNCHER,
                                              NULL};

static void governed_set_or_unset(struct launch_changes *changes, const char *name, const char *value)
{
    if (value || getenv(name))
        changes_set(changes, name, value);
}

static void governed_set_unhooked(struct launch_changes *changes)
{
    const char *preload = getenv("LD_PRELOAD");
    governed_set_or_unset(changes, "LD_PRELOAD", preload ? owned_preload_rest(preload) : NULL);
    governed_set_or_unset(changes, TOLLGATE_ENV_SHIM, NULL);
}

/* Colons and blanks separate the elements of LD_PRELOAD and cannot be quoted (ld.so(8)). */
static int governed_set_preload(const struct launch_facts *facts, struct launch_changes *changes)
{
    const char *shim = locate_shim();
    changes_set(changes, TOLLGATE_ENV_LAUNCHER, locate_program());
    if (facts->is_unhooked) {
        governed_set_unhooked(changes);
        return EX_OK;
    }
    if (!shim) {
        text_complain(LAUNCH_SHIM_NAME " is neither beside %s nor in ../lib/tollgate", locate_program());
        return EX_UNAVAILABLE;
    }
    if (strpbrk(shim, ": ")) {
        text_complain("%s: LD_PRELOAD cannot hold a path with blanks or colons; install tollgate elsewhere", shim);
        return EX_CONFIG;
    }
    const char *rest = owned_preload_rest(getenv("LD_PRELOAD"));
    changes_set(changes, "LD_PRELOAD", rest ? text_format("%s:%s", shim, rest) : shim);
    changes_set(changes, TOLLGATE_ENV_SHIM, shim);
    return EX_OK;
}

static int governed_set_ca(const struct launch_place *place, struct launch_changes *changes)
{
    const char *file = place_file(place, TOLLGATE_FILE_CA), *bundle = place_file(place, TOLLGATE_FILE_BUNDLE);
    for (const struct launch_ca_variable *row = owned_ca_variables; row->name; row++) {
        const char *user = owned_user_ca(place, row->name, getenv(row->name));
        const char *value;
        int code = bundle_merge(place, user, row->adds ? file : bundle, &value);
        if (code != EX_OK)
            return code;
        changes_set(changes, row->name, value);
        governed_set_or_unset(changes, text_format(TOLLGATE_ENV_WAS "%s", row->name),
                              user && strcmp(user, value) != 0 ? user : NULL);
    }
    changes_set(changes, TOLLGATE_ENV_CA_FILE, file);
    changes_set(changes, TOLLGATE_ENV_CA_BUNDLE, bundle);
    return EX_OK;
}

static bool governed_has_proxy(void)
{
    for (const char *const *name = governed_proxies; *name; name++) {
        const char *value = getenv(*name);
        if (value && value[0])
            return true;
    }
    return false;
}

static int governed_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In the map's order, so that the shim finds its own list and does not append it again. Base URLs are no proxy's
 * business either. */
static void governed_set_no_proxy(const struct launch_facts *facts, struct launch_changes *changes)
{
    const struct text_list *governed = &facts->governed;
    if (!governed_has_proxy() || governed->count == 0)
        return;
    struct text_list sorted = {0};
    for (size_t i = 0; i < governed->count; i++)
        text_append(&sorted, governed->items[i]);
    qsort(sorted.items, sorted.count, sizeof *sorted.items, governed_compare);
    const char *added = map_join_names(&sorted);
    if (facts->base_urls.count > 0 || base_urls_stay(facts))
        added = text_format("127.0.0.1,%s", added);
    const char *upper = getenv("NO_PROXY"), *lower = getenv("no_proxy");
    const char *bases[][2] = {{"NO_PROXY", upper ? upper : lower}, {"no_proxy", lower ? lower : upper}};
    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        const char *base = bases[i][1] ? bases[i][1] : "";
        if (strcmp(base, "*") == 0 || strstr(base, added))
            continue;
        const char *own = owned_proxy_rest(base); /* another agent's names make room for ours */
        changes_set(changes, bases[i][0], own ? text_format("%s,%s", own, added) : added);
    }
}

/* The agent names the variables; a shell will evaluate them. */
bool governed_is_name(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
    return length > 0 && name[length] == '\0' && !(name[0] >= '0' && name[0] <= '9');
}

static void governed_set_keys(const struct launch_facts *facts, struct launch_changes *changes)
{
    for (size_t i = 0; facts->placeholder && i < facts->key_environment.count; i++) {
        if (governed_is_name(facts->key_environment.items[i]))
            changes_set(changes, facts->key_environment.items[i], facts->placeholder)->is_key = true;
    }
}

int governed_changes(const struct launch_facts *facts, struct launch_changes *ret_changes)
{
    struct launch_changes changes = {0};
    int code = governed_set_preload(facts, &changes);
    if (code == EX_OK)
        code = governed_set_ca(facts->place, &changes);
    if (code != EX_OK)
        return code;
    changes_set(&changes, TOLLGATE_ENV_ENVIRONMENT, facts->place->environment);
    changes_set(&changes, TOLLGATE_ENV_RUNTIME, facts->place->runtime);
    changes_set(&changes, LAUNCH_ENV_STATE, facts->place->state);
    governed_set_or_unset(&changes, TOLLGATE_ENV_GROUP, facts->group);
    governed_set_or_unset(&changes, TOLLGATE_ENV_PROJECT, facts->project);
    governed_set_no_proxy(facts, &changes);
    base_urls_set(facts, &changes);
    governed_set_or_unset(&changes, LAUNCH_ENV_PROJECT_FILE, facts->project_file);
    governed_set_keys(facts, &changes);
    *ret_changes = changes;
    return EX_OK;
}

void governed_permit_asan(struct launch_changes *changes)
{
    static const char permission[] = "verify_asan_link_order=0";
    const char *options = getenv("ASAN_OPTIONS");
    if (!options || !options[0])
        changes_set(changes, "ASAN_OPTIONS", permission);
    else if (!strstr(options, permission))
        changes_set(changes, "ASAN_OPTIONS", text_format("%s:%s", options, permission));
}

static void governed_undo_entry(const struct launch_place *place, const char *name, const char *value,
                                struct launch_changes *changes)
{
    if (strcmp(name, "LD_PRELOAD") == 0) {
        const char *rest = owned_preload_rest(value);
        if (!rest || strlen(rest) != strlen(value))
            changes_set(changes, name, rest);
    } else if (strcasecmp(name, "no_proxy") == 0) {
        const char *rest = owned_proxy_rest(value);
        if (!rest || strcmp(rest, value) != 0)
            changes_set(changes, name, rest);
    } else if (owned_is_ca(name)) {
        const char *user = owned_user_ca(place, name, value);
        if (!user || strcmp(user, value) != 0)
            changes_set(changes, name, user);
    } else if (text_starts(name, TOLLGATE_ENV_WAS)) {
        changes_set(changes, name, NULL);
    } else if (owned_is_key(value) && governed_is_name(name)) {
        changes_set(changes, name, NULL)->is_key = true;
    }
}

void governed_undo(const struct launch_place *place, struct launch_changes *ret_changes)
{
    struct launch_changes changes = {0};
    for (char **entry = environ; *entry; entry++) {
        size_t length = strcspn(*entry, "=");
        if ((*entry)[length] == '=')
            governed_undo_entry(place, text_format("%.*s", (int)length, *entry), *entry + length + 1, &changes);
    }
    base_urls_undo(&changes);
    for (const char *const *name = governed_family; *name; name++)
        governed_set_or_unset(&changes, *name, NULL);
    *ret_changes = changes;
}
