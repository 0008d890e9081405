/* SPDX-License-Identifier: Apache-2.0 */
/* See harden.h: the order of it all, and what is said about it. */
#include "harden.h"

#include "harden_internal.h"

#include "base/check.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/secret.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65 /* Linux 6.3 */
#endif
enum { REFUSE_EXECUTABLE_GAIN = 1, PLACES_MAX = 7, MISSING_BYTES_MAX = 512 };

struct harden {
    bool is_wanted, has_no_new_privileges, has_seccomp, has_no_executable_memory;
    int landlock; /* the kernel's version, 0: not in force */
    size_t place_count;
    struct harden_place places[PLACES_MAX];
    char paths[PLACES_MAX][PATH_MAX]; /* canonical */
    char missing[MISSING_BYTES_MAX];
};

/* A directory that does not exist yet is made, with those above it, as the one who writes to it would make it. */
static void add_place(struct harden *harden, const char *path, enum harden_access access)
{
    check(harden->place_count < PLACES_MAX);
    if (access == HARDEN_ALL)
        (void)!file_make_directory(path, 0700);
    char *text = harden->paths[harden->place_count];
    if (realpath(path, text))
        harden->places[harden->place_count++] = (struct harden_place){text, access};
}

static bool is_covered(const struct harden *harden, const char *canonical)
{
    for (size_t i = 0; i < harden->place_count; i++) {
        const struct harden_place *place = &harden->places[i];
        const size_t length = strlen(place->path);
        if (place->access == HARDEN_ALL && strncmp(canonical, place->path, length) == 0 &&
            (canonical[length] == '/' || canonical[length] == 0))
            return true;
    }
    return false;
}

static void add_parent(struct harden *harden, const char *path, enum harden_access access)
{
    char text[PATH_MAX], canonical[PATH_MAX];
    if (snprintf(text, sizeof text, "%s", path) < (int)sizeof text && realpath(dirname(text), canonical) &&
        !is_covered(harden, canonical))
        add_place(harden, canonical, access);
}

static void collect_places(struct harden *harden, const struct harden_options *options)
{
    const struct settings *settings = options->settings;
    add_place(harden, options->state, HARDEN_ALL);
    add_place(harden, options->runtime, HARDEN_ALL);
    if (settings->backups.directory)
        add_place(harden, settings->backups.directory, HARDEN_ALL);
    if (settings->evidence.exports.directory)
        add_place(harden, settings->evidence.exports.directory, HARDEN_ALL);
    if (settings->evidence.events_file)
        add_parent(harden, settings->evidence.events_file, HARDEN_APPEND);
    if (options->log_file)
        add_parent(harden, options->log_file, HARDEN_ROTATE);
    add_place(harden, "/dev/null", HARDEN_FILE);
}

static void lack(struct harden *harden, bool is_there, const char *what)
{
    const size_t used = strlen(harden->missing);
    if (!is_there)
        snprintf(harden->missing + used, sizeof harden->missing - used, "%s%s", used ? "; " : "", what);
}

#ifndef TOLLGATE_SANITIZED
static void restrict_calls(struct harden *harden)
{
    struct utsname machine = {.machine = ""};
    char text[sizeof machine.machine + 64];
    if (harden_has_list(0)) {
        harden_load_libraries();
        harden->has_seccomp = harden_restrict_calls(HARDEN_LIST_AGENT);
        lack(harden, harden->has_seccomp, "seccomp filters");
        return;
    }
    (void)uname(&machine);
    snprintf(text, sizeof text, "system calls are not restricted on %s: no list", machine.machine);
    lack(harden, false, text);
}
#endif

static void restrict_all(struct harden *harden)
{
    harden->has_no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    harden->landlock = harden_restrict_paths(harden->places, harden->place_count);
    lack(harden, harden->landlock, "Landlock (Linux 5.13, and \"landlock\" among the kernel's lsm)");
#ifndef TOLLGATE_SANITIZED /* whose runtime asks for more than the agent, and traces it at the end */
    harden->has_no_executable_memory = prctl(PR_SET_MDWE, REFUSE_EXECUTABLE_GAIN, 0, 0, 0) == 0;
    restrict_calls(harden); /* last: it forbids the other three */
    harden->has_no_executable_memory = harden->has_no_executable_memory || harden->has_seccomp;
    lack(harden, harden->has_no_executable_memory, "no executable memory (Linux 6.3)");
#else
    lack(harden, false, "seccomp (a build with sanitizers)");
#endif
}

struct harden *harden_process(const struct harden_options *options)
{
    struct harden *harden = calloc(1, sizeof *harden);
    check(harden != NULL);
    harden->is_wanted = options->settings->agent.hardening;
    collect_places(harden, options);
    if (harden->is_wanted)
        restrict_all(harden);
    else
        lack(harden, false, "agent.hardening is false: the agent may execute and write what its user may");
    if (harden->missing[0])
        log_event(EVENT_HARDENING_MISSING, NULL, "%s", harden->missing);
    if (secret_count_swappable())
        log_event(EVENT_HARDENING_MISSING, NULL, "%u keys may be swapped out: the limit of locked memory is too small",
                  secret_count_swappable());
    return harden;
}

void harden_free(struct harden *harden)
{
    free(harden);
}

static void restrict_helper(enum harden_list list)
{
#ifndef TOLLGATE_SANITIZED
    if (list == HARDEN_LIST_AGENT)
        harden_load_libraries();
    (void)!harden_restrict_calls(harden_has_list(0) ? list : HARDEN_LIST_LOADER);
#else
    (void)list;
#endif
}

static void restrict_helper_paths(const char *writable)
{
    const struct harden_place places[] = {{"/dev/null", HARDEN_FILE}, {writable, HARDEN_ALL}};
    (void)!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); /* Landlock wants it first */
    (void)!harden_restrict_paths(places, writable ? 2 : 1);
}

void harden_helper(const char *writable)
{
    restrict_helper_paths(writable);
    restrict_helper(HARDEN_LIST_AGENT);
}

void harden_loader(void)
{
    restrict_helper_paths(NULL);
    restrict_helper(HARDEN_LIST_LOADER);
}

void harden_looker(void)
{
    (void)!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    restrict_helper(HARDEN_LIST_AGENT);
}

/* The longest part of the path that exists, without links. */
static bool find_existing(const char *path, char ret_existing[PATH_MAX])
{
    char text[PATH_MAX];
    if (snprintf(text, sizeof text, "%s", path) >= (int)sizeof text)
        return false;
    while (!realpath(text, ret_existing)) {
        char *slash = strrchr(text, '/');
        if (errno != ENOENT || !slash || slash == text)
            return false;
        *slash = 0;
    }
    return true;
}

bool harden_may_write(const struct harden *harden, const char *path)
{
    char existing[PATH_MAX];
    if (!harden->landlock)
        return true;
    return find_existing(path, existing) && is_covered(harden, existing);
}

const char *harden_missing(const struct harden *harden)
{
    return harden->missing;
}

void harden_write(const struct harden *harden, struct buffer *out)
{
    json_write_raw(out, "{");
    json_write_member_boolean(out, "wanted", harden->is_wanted);
    json_write_member_boolean(out, "no_new_privileges", harden->has_no_new_privileges);
    json_write_member_integer(out, "landlock", harden->landlock);
    json_write_member_boolean(out, "seccomp", harden->has_seccomp);
    json_write_member_boolean(out, "no_executable_memory", harden->has_no_executable_memory);
    json_write_member_boolean(out, "keys_locked", secret_count_swappable() == 0);
    json_write_member(out, "writable");
    json_write_raw(out, "[");
    for (size_t i = 0; i < harden->place_count; i++) {
        json_write_raw(out, i ? "," : "");
        json_write_string(out, slice_of(harden->places[i].path));
    }
    json_write_raw(out, "]");
    json_write_member_string(out, "missing", harden->missing);
    json_write_raw(out, "}");
}
