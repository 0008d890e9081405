/* SPDX-License-Identifier: Apache-2.0 */
/* See inherited.h. A manager's own socket has its unit's name, whatever that is: if it comes first, it is the TLS
 * port's. What it has kept of an agent before (manager.h) comes after it, under our names. */
#include "inherited.h"

#include "shim/contract.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, FDS_MAX = 8 };

static const char *const names[INHERITED_COUNT] = {
    [INHERITED_TLS] = TOLLGATE_HANDED_TLS,           [INHERITED_BASE_URL] = TOLLGATE_HANDED_BASE_URL,
    [INHERITED_ADMIN] = TOLLGATE_HANDED_ADMIN,       [INHERITED_REPORT] = TOLLGATE_HANDED_REPORT,
    [INHERITED_REDIRECT] = TOLLGATE_HANDED_REDIRECT,
};
static bool is_taken[FDS_MAX];

const char *inherited_name(enum inherited which)
{
    return names[which];
}

static int count_all(void)
{
    const char *pid = getenv("LISTEN_PID"), *text = getenv("LISTEN_FDS");
    if (!pid || !text || atoi(pid) != (int)getpid())
        return 0;
    int count = atoi(text);
    return count < 0 ? 0 : count < FDS_MAX ? count : FDS_MAX;
}

/* The place of a name in LISTEN_FDNAMES ("a:b"); -1: it is not there. */
static int find_name(const char *name)
{
    const char *at = getenv("LISTEN_FDNAMES");
    for (int i = 0; at && i < FDS_MAX; i++) {
        size_t length = strcspn(at, ":");
        if (length == strlen(name) && strncmp(at, name, length) == 0)
            return i;
        at = at[length] ? at + length + 1 : NULL;
    }
    return -1;
}

static bool is_ours(int place)
{
    for (unsigned i = 0; i < INHERITED_COUNT; i++)
        if (find_name(names[i]) == place)
            return true;
    return false;
}

bool inherited_is_managers(void)
{
    return count_all() > 0 && !is_ours(0);
}

int inherited_take(enum inherited which, bool *ret_is_handed)
{
    int place = which == INHERITED_TLS && inherited_is_managers() ? 0 : find_name(names[which]);
    if (place < 0 || place >= count_all() || is_taken[place])
        return -1;
    is_taken[place] = true;
    if (ret_is_handed)
        *ret_is_handed = is_ours(place) && !getenv("NOTIFY_SOCKET");
    return FIRST_FD + place;
}

void inherited_close_rest(void)
{
    for (int i = 0; i < count_all(); i++)
        if (!is_taken[i] && is_ours(i)) {
            is_taken[i] = true;
            close(FIRST_FD + i);
        }
}

const char *inherited_manager(bool is_detached)
{
    if (getenv("NOTIFY_SOCKET") || inherited_is_managers())
        return "systemd";
    return is_detached ? "tollgate" : "foreground";
}
