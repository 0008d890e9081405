/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the installation: tollgated, libtollgate.so and the policy files, found relative to this program, so
 * that a build directory, /usr/local and a package all work without configuration. Only looks, never creates.
 */
#include "shim/launch/launch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef LAUNCH_MULTIARCH /* Debian's name of the machine: the Makefile asks the compiler */
#define LAUNCH_MULTIARCH ""
#endif

const char *locate_program(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    return text_format("%.*s", length > 0 ? (int)length : 0, path);
}

/* Directory of this program, "" when /proc is not there. */
static const char *locate_directory(void)
{
    static const char *directory;
    if (!directory) {
        const char *program = locate_program();
        const char *slash = strrchr(program, '/');
        directory = text_format("%.*s", slash ? (int)(slash - program) : 0, program);
    }
    return directory;
}

static const char *locate_real(const char *path, int mode)
{
    char real[PATH_MAX];
    if (access(path, mode) != 0 || !realpath(path, real))
        return NULL;
    return text_format("%s", real);
}

static const char *locate_in_path(const char *name)
{
    const char *list = getenv("PATH");
    while (list && *list) {
        size_t length = strcspn(list, ":");
        const char *found = locate_real(text_format("%.*s/%s", (int)length, list, name), X_OK);
        if (length > 0 && found)
            return found;
        list += length + (list[length] == ':');
    }
    return NULL;
}

/* Relative to this program's directory: a build directory, then what `make install` offers. */
static const char *const locate_agent_places[] = {"tollgated", "../sbin/tollgated", NULL};
static const char *const locate_shim_places[] = {LAUNCH_SHIM_NAME, "../lib/tollgate/" LAUNCH_SHIM_NAME,
                                                 "../lib64/tollgate/" LAUNCH_SHIM_NAME,
                                                 "../lib/" LAUNCH_MULTIARCH "/tollgate/" LAUNCH_SHIM_NAME, NULL};

static const char *locate_at(const char *const *places, int mode)
{
    const char *found = NULL;
    for (const char *const *place = places; *place && !found; place++)
        found = locate_real(text_format("%s/%s", locate_directory(), *place), mode);
    return found;
}

const char *locate_agent(void)
{
    const char *chosen = getenv("TOLLGATED");
    if (chosen && chosen[0])
        return locate_real(chosen, X_OK);
    const char *found = locate_at(locate_agent_places, X_OK);
    return found ? found : locate_in_path("tollgated");
}

const char *locate_shim(void)
{
    return locate_at(locate_shim_places, R_OK);
}

const char *locate_configuration(const char *name)
{
    return text_format("%s/../etc/tollgate/%s", locate_directory(), name);
}

/* Relative to this program's directory: those that come with it. */
static const char *const locate_policy_places[] = {"../policies", "../share/tollgate/policies", NULL};

bool locate_is_shipped(const char *policy)
{
    const char *name = strrchr(policy, '/');
    for (const char *const *place = locate_policy_places; name && *place; place++) {
        const char *shipped = locate_real(text_format("%s/%s%s", locate_directory(), *place, name), F_OK);
        if (shipped && strcmp(shipped, policy) == 0)
            return true;
    }
    return false;
}

const char *locate_policy(const struct launch_place *place, struct text_list *ret_tried)
{
    const char *file = text_format("policy-config.%s.yaml", place->environment);
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *user = config && config[0] == '/' ? text_format("%s/tollgate/%s", config, file)
                                                  : text_format("%s/.config/tollgate/%s", place_home(), file);
    struct text_list tried = {0};
    text_append(&tried, user);
    if (place->is_prod) {
        text_append(&tried, text_format("/etc/tollgate/%s", file));
        text_append(&tried, locate_configuration(file));
    }
    for (const char *const *shipped = locate_policy_places; *shipped; shipped++)
        text_append(&tried, text_format("%s/%s/%s", locate_directory(), *shipped, file));
    for (size_t i = 0; i < tried.count; i++) {
        const char *found = locate_real(tried.items[i], F_OK);
        if (found)
            return found;
    }
    *ret_tried = tried;
    return NULL;
}
