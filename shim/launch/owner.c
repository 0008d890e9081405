/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which agent has a place's runtime directory, and which its state: by the locks that it holds (agent/owner.c), so that
 * one that starts, ends or cannot be reached is found as well. Called by start.c and the client; nothing is changed.
 */
#include "shim/launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The words of a file that an agent holds locked: its pid, the directory that goes with this one, does it end. */
static bool place_read_lock(const char *path, struct launch_owner *owner, const char **ret_other)
{
    char words[4096];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    ssize_t length = pread(fd, words, sizeof words - 1, 0);
    bool is_owned = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(fd);
    words[length > 0 ? length : 0] = '\0';
    char *other = strchr(words, ' ');
    if (!is_owned || !other)
        return false;
    owner->pid = atoi(words);
    owner->is_ending = text_ends(words, "\n" TOLLGATE_OWNER_ENDS);
    *ret_other = text_format("%.*s", (int)strcspn(other + 1, "\n"), other + 1);
    return true;
}

bool place_find_owner(const struct launch_place *place, struct launch_owner *ret_owner)
{
    struct launch_owner owner = {.runtime = place->runtime};
    if (!place_read_lock(place_file(place, TOLLGATE_FILE_OWNER), &owner, &owner.state))
        return false;
    *ret_owner = owner;
    return true;
}

bool place_is_same(const char *one, const char *other)
{
    struct stat a, b;
    return strcmp(one, other) == 0 ||
           (stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

enum place_reach place_find_state_owner(const struct launch_place *place, struct launch_owner *ret_owner)
{
    const char *path = text_format("%s/" TOLLGATE_FILE_STATE_OWNER, place->state);
    struct launch_owner owner = {.state = place->state}, there;
    if (!place_read_lock(path, &owner, &owner.runtime))
        return PLACE_NOBODY;
    *ret_owner = owner;
    const struct launch_place its = {.runtime = owner.runtime};
    if (place_find_owner(&its, &there) && there.pid == owner.pid)
        return place_is_same(owner.runtime, place->runtime) ? PLACE_HERE : PLACE_ELSEWHERE;
    /* Nobody's, or another agent's by now; unless ours has ended since, which gives up the state first. */
    return place_read_lock(path, &there, &there.runtime) && there.pid == owner.pid ? PLACE_LOST : PLACE_NOBODY;
}

/* dev's own runtime directory follows from the variable, which scripts set; others have to be named. */
static const char *place_name_variable(const struct launch_place *place, const char *runtime)
{
    const char *end = text_format("/tollgate/%s", place->environment);
    return !place->is_prod && text_ends(runtime, end)
               ? text_format("XDG_RUNTIME_DIR=%.*s", (int)(strlen(runtime) - strlen(end)), runtime)
               : text_format(LAUNCH_ENV_RUNTIME_DIRECTORY "=%s", runtime);
}

static const char *place_name_start(const struct launch_place *place)
{
    return place->is_prod ? "start --env prod" : "run";
}

bool place_explain_owner(const struct launch_place *place, const char **ret_what, const char **ret_fix)
{
    struct launch_owner owner;
    enum place_reach reach = place_find_state_owner(place, &owner);
    if ((reach == PLACE_ELSEWHERE || reach == PLACE_LOST) && owner.is_ending) { /* a second signal would cut them */
        *ret_what = text_format("the agent of %s (pid %d, of the runtime directory %s) ends its last calls",
                                place->environment, owner.pid, owner.runtime);
        *ret_fix = text_format("tollgate %s waits for its end, and starts the next one", place_name_start(place));
        return true;
    }
    switch (reach) {
    case PLACE_ELSEWHERE:
        *ret_what = text_format("the agent of %s runs already (pid %d), with the runtime directory %s, not %s",
                                place->environment, owner.pid, owner.runtime, place->runtime);
        *ret_fix = text_format("--runtime %s or %s finds it", owner.runtime, place_name_variable(place, owner.runtime));
        return true;
    case PLACE_LOST:
        *ret_what = text_format("the agent of %s runs (pid %d), but its runtime directory %s is gone, so that it "
                                "cannot be reached",
                                place->environment, owner.pid, owner.runtime);
        *ret_fix = text_format("kill -TERM %d ends it (it drains), then tollgate %s starts another", owner.pid,
                               place_name_start(place));
        return true;
    default:
        return false;
    }
}

bool place_explain_silence(const struct launch_place *place, const char **ret_what, const char **ret_fix)
{
    struct launch_owner owner;
    if (!place_find_owner(place, &owner))
        return place_explain_owner(place, ret_what, ret_fix);
    *ret_what = owner.is_ending
                    ? text_format("the agent of %s (pid %d) ends its last calls", place->environment, owner.pid)
                    : text_format("the agent of %s (pid %d) does not answer: it is starting, or %s is gone",
                                  place->environment, owner.pid, place_file(place, TOLLGATE_FILE_REPORT));
    *ret_fix = owner.is_ending
                   ? text_format("tollgate stop%s waits for its end", place->is_prod ? " --env prod" : "")
                   : text_format("if that lasts, kill -TERM %d ends it (it drains), then tollgate %s starts another",
                                 owner.pid, place_name_start(place));
    return true;
}

enum place_state place_compare_state(const struct launch_place *place, const struct launch_owner *owner)
{
    struct stat own, other;
    if (strcmp(owner->state, place->state) == 0)
        return PLACE_OWN;
    if (stat(place->state, &own) != 0 || stat(owner->state, &other) != 0)
        return PLACE_UNKNOWN;
    return own.st_dev == other.st_dev && own.st_ino == other.st_ino ? PLACE_OWN : PLACE_OTHERS;
}

bool place_is_owned(const struct launch_place *place, struct launch_owner *ret_owner)
{
    return place_find_state_owner(place, ret_owner) != PLACE_NOBODY || place_find_owner(place, ret_owner);
}

/* One that starts there does not yet: it will, or be gone. */
static bool place_serves(const char *runtime)
{
    int fd = agent_connect(&(struct launch_place){.runtime = runtime}, TOLLGATE_FILE_REPORT);
    if (fd >= 0)
        close(fd);
    return fd != -ENOENT && fd != -ECONNREFUSED;
}

/* Whom nothing leads to may have been told to end just now: its words say so a moment later. */
static enum place_reach find_settled_owner(const struct launch_place *place, struct launch_owner *ret_owner)
{
    enum { LOOKS = 40, PAUSE_MS = 25 };
    enum place_reach reach = place_find_state_owner(place, ret_owner);
    for (int i = 0; i < LOOKS && reach == PLACE_LOST && !ret_owner->is_ending; i++) {
        poll(NULL, 0, PAUSE_MS);
        reach = place_find_state_owner(place, ret_owner);
    }
    return reach;
}

bool place_complain_elsewhere(const struct launch_place *place)
{
    struct launch_owner owner;
    const char *what, *fix;
    enum place_reach reach = find_settled_owner(place, &owner);
    bool is_to_stay = reach == PLACE_LOST || (reach == PLACE_ELSEWHERE && place_serves(owner.runtime));
    if (is_to_stay && !owner.is_ending && place_explain_owner(place, &what, &fix)) {
        text_complain("%s: %s", what, fix);
        return true;
    }
    if (!place_find_owner(place, &owner) || place_compare_state(place, &owner) != PLACE_OTHERS)
        return false;
    text_complain(
        "%s belongs to another agent: pid %d, its state is in %s, not in %s; --runtime names another directory",
        place->runtime, owner.pid, owner.state, place->state);
    return true;
}

void place_complain_silence(const struct launch_place *place)
{
    struct launch_owner owner = {.runtime = place->runtime};
    bool is_known = place_is_owned(place, &owner);
    text_complain("another agent%s owns the %s environment but does not answer on %s/%s",
                  is_known ? text_format(" (pid %d)", owner.pid) : "", place->environment, owner.runtime,
                  TOLLGATE_FILE_REPORT);
}
