/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where one environment's agent lives: dev in the user's XDG directories, prod in the system's, unless options or
 * TOLLGATE_STATE_DIR and TOLLGATE_RUNTIME_DIR say otherwise. A program that is governed already stays with its agent.
 * Finding creates nothing; a directory that somebody else could have planted is refused.
 */
#include "shim/launch/launch.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

const char *place_absolute(const char *path)
{
    if (!path || path[0] == '/')
        return path;
    char *directory = getcwd(NULL, 0);
    if (!directory) { /* removed, for one: below "/" it would be another file */
        text_complain("%s: the working directory cannot be found: %s", path, strerror(errno));
        exit(EX_NOINPUT);
    }
    const char *absolute = text_format("%s/%s", directory, path);
    free(directory);
    return absolute;
}

const char *place_home(void)
{
    const char *home = getenv("HOME");
    if (home && home[0] == '/')
        return home;
    const struct passwd *user = getpwuid(geteuid());
    return user && user->pw_dir && user->pw_dir[0] == '/' ? text_format("%s", user->pw_dir) : "/";
}

static const char *place_variable(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

/* XDG base directory specification: a relative value is to be ignored. */
static const char *place_xdg(const char *name)
{
    const char *value = place_variable(name);
    return value && value[0] == '/' ? value : NULL;
}

const char *place_state_home(void)
{
    const char *state = place_xdg("XDG_STATE_HOME");
    return state ? text_format("%s/tollgate", state) : text_format("%s/.local/state/tollgate", place_home());
}

/* The directory pair of the agent that governs this process already; both or neither, or money and names would mix. */
static bool place_inherit(const char *environment, struct launch_place *place)
{
    const char *own = place_variable(TOLLGATE_ENV_ENVIRONMENT);
    const char *runtime = place_xdg(TOLLGATE_ENV_RUNTIME), *state = place_xdg(LAUNCH_ENV_STATE);
    if (!own || strcmp(own, environment) != 0 || !runtime || !state)
        return false;
    place->runtime = runtime;
    place->state = state;
    return true;
}

static void place_default(struct launch_place *place)
{
    const char *name = place->environment;
    if (place->is_prod) {
        place->state = text_format("/var/lib/tollgate/%s", name);
        place->runtime = text_format("/run/tollgate/%s", name);
        return;
    }
    place->state = text_format("%s/%s", place_state_home(), name);
    const char *runtime = place_xdg("XDG_RUNTIME_DIR");
    place->is_fallback = !runtime;
    place->runtime = runtime ? text_format("%s/tollgate/%s", runtime, name)
                             : text_format("/tmp/tollgate-%u/%s", (unsigned)geteuid(), name);
}

static void place_override(const char *option, const char *variable, const char **path)
{
    const char *value = option ? option : place_variable(variable);
    if (value)
        *path = place_absolute(value);
}

int place_find(const char *environment, const char *state, const char *runtime, struct launch_place *ret_place)
{
    const char *name = environment ? environment : place_variable(TOLLGATE_ENV_ENVIRONMENT);
    struct launch_place place = {.environment = name ? name : "dev"};
    place.is_prod = strcmp(place.environment, "prod") == 0;
    if (!place.is_prod && strcmp(place.environment, "dev") != 0) {
        text_complain("unknown environment \"%s\": dev or prod", place.environment);
        return EX_USAGE;
    }
    if (!place_inherit(place.environment, &place))
        place_default(&place);
    const char *found = place.runtime;
    place_override(state, LAUNCH_ENV_STATE_DIRECTORY, &place.state);
    place_override(runtime, LAUNCH_ENV_RUNTIME_DIRECTORY, &place.runtime);
    place.is_fallback = place.is_fallback && place.runtime == found;
    place.own = place.runtime;
    if (place.is_prod && geteuid() != 0) {
        const char *user = place_xdg("XDG_RUNTIME_DIR");
        place.own =
            user ? text_format("%s/tollgate/prod", user) : text_format("/tmp/tollgate-%u/prod", (unsigned)geteuid());
    }
    *ret_place = place;
    return EX_OK;
}

static const char *place_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    return text_format("%.*s", slash > path ? (int)(slash - path) : 1, path);
}

/* chmod: the mode shall hold whatever the umask is. */
int place_make_directory(const char *path, unsigned mode)
{
    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0 ? 0 : errno;
    if (errno == EEXIST)
        return 0;
    if (errno != ENOENT || strcmp(path, "/") == 0)
        return errno;
    int error = place_make_directory(place_parent(path), 0700);
    if (error)
        return error;
    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0 ? 0 : errno;
    return errno == EEXIST ? 0 : errno;
}

/* Ours, a real directory, and (strict) nobody else's business. */
static int place_verify_directory(const char *path, bool is_strict)
{
    struct stat facts;
    if (lstat(path, &facts) != 0)
        return EX_OK;
    const char *problem = NULL;
    if (!S_ISDIR(facts.st_mode))
        problem = "is not a directory";
    else if (facts.st_uid != geteuid())
        problem = "belongs to another user";
    else if (facts.st_mode & (is_strict ? 077 : 022))
        problem = "is open to others (want mode 0700)";
    if (!problem)
        return EX_OK;
    text_complain("%s %s; remove it, or set XDG_RUNTIME_DIR", path, problem);
    return EX_NOPERM;
}

int place_verify(const struct launch_place *place)
{
    if (place->is_prod)
        return EX_OK;
    if (place->is_fallback) {
        int code = place_verify_directory(place_parent(place->runtime), true);
        if (code != EX_OK)
            return code;
    }
    return place_verify_directory(place->runtime, place->is_fallback);
}

int place_verify_own(const struct launch_place *place)
{
    const char *const paths[] = {place_parent(place->own), place->own, text_format("%s/merged", place->own)};
    int code = EX_OK;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && code == EX_OK; i++)
        code = place_verify_directory(paths[i], i > 0);
    return code;
}

/* The agent would refuse another user's directory; root's start would leave files in it that its user cannot open. */
static int place_verify_owner(const struct launch_place *place, const char *path)
{
    struct stat facts;
    if (lstat(path, &facts) != 0 || facts.st_uid == geteuid())
        return EX_OK;
    const struct passwd *owner = getpwuid(facts.st_uid);
    const char *name = owner ? owner->pw_name : text_format("%u", (unsigned)facts.st_uid);
    text_complain("%s belongs to %s: start the agent as that user%s", path, name,
                  place->is_prod ? text_format(" (systemctl start tollgated@prod, or setpriv --reuid %s --regid %s "
                                               "--init-groups tollgate start --env prod)",
                                               name, name)
                                 : "");
    return EX_NOPERM;
}

int place_prepare(const struct launch_place *place)
{
    int error = place_make_directory(place->state, 0700);
    const char *failed = place->state;
    if (error == 0) {
        failed = place->runtime;
        error = place_make_directory(place->runtime, place->is_prod ? 0755 : 0700);
    }
    if (error) {
        text_complain("cannot make %s: %s%s", failed, strerror(error),
                      place->is_prod && error == EACCES ? " (prod's agent is a system service: systemctl start "
                                                          "tollgated@prod, or run as its user)"
                                                        : "");
        return error == EACCES || error == EPERM ? EX_NOPERM : EX_CANTCREAT;
    }
    int code = place_verify_owner(place, place->state);
    if (code == EX_OK)
        code = place_verify_owner(place, place->runtime);
    return code == EX_OK ? place_verify(place) : code;
}

const char *place_file(const struct launch_place *place, const char *name)
{
    return text_format("%s/%s", place->runtime, name);
}
