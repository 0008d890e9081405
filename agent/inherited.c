/* SPDX-License-Identifier: Apache-2.0 */
/* See inherited.h. A manager's socket has the unit's name, whatever that is: the first one is the TLS port's. */
#include "inherited.h"

#include "shim/contract.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, FDS_MAX = 8 };

static const char *const names[INHERITED_COUNT] = {
    [INHERITED_TLS] = TOLLGATE_HANDED_TLS, [INHERITED_BASE_URL] = TOLLGATE_HANDED_BASE_URL};
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

static bool is_from_agent(void)
{
    return find_name(names[INHERITED_TLS]) >= 0;
}

int inherited_take(enum inherited which, bool *ret_is_handed)
{
    const bool is_handed = is_from_agent();
    int place = is_handed ? find_name(names[which]) : which == INHERITED_TLS ? 0 : -1;
    if (place < 0 || place >= count_all() || is_taken[place])
        return -1;
    is_taken[place] = true;
    *ret_is_handed = is_handed;
    return FIRST_FD + place;
}

void inherited_close_rest(void)
{
    for (int i = 0; is_from_agent() && i < count_all(); i++)
        if (!is_taken[i]) {
            is_taken[i] = true;
            close(FIRST_FD + i);
        }
}

const char *inherited_manager(bool is_detached)
{
    if (getenv("NOTIFY_SOCKET") || (count_all() > 0 && !is_from_agent()))
        return "systemd";
    return is_detached ? "tollgate" : "foreground";
}
