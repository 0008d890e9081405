/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment an agent starts with. The agent is never governed, never takes a placeholder for a provider's key,
 * and trusts what the user trusted before we came. Unless it is a service itself, it also must not answer for one whose
 * manager waits for somebody else's word (sd_notify), nor take that service's sockets.
 */
#include "shim/launch/launch.h"

#include <string.h>

extern char **environ;

static const char *const scrub_manager_names[] = {"NOTIFY_SOCKET", "LISTEN_FDS",   "LISTEN_PID", "LISTEN_FDNAMES",
                                                  "WATCHDOG_USEC", "WATCHDOG_PID", "FDSTORE"};

static bool scrub_is_of_manager(const char *name)
{
    for (size_t i = 0; i < sizeof scrub_manager_names / sizeof *scrub_manager_names; i++)
        if (strcmp(name, scrub_manager_names[i]) == 0)
            return true;
    return false;
}

/* What the agent gets of one variable; NULL: nothing. */
static const char *scrub_value(const struct launch_place *place, const char *name, const char *value)
{
    if (strcmp(name, "LD_PRELOAD") == 0 || text_starts(name, "TOLLGATE_") || owned_is_key(value))
        return NULL;
    if (base_urls_is_ours(name, value))
        return NULL;
    if (owned_is_ca(name))
        return owned_user_ca(place, name, value);
    if (strcasecmp(name, "no_proxy") == 0)
        return owned_proxy_rest(value);
    return value;
}

static char **scrub(const struct launch_place *place, bool is_service)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **kept = text_allocate((count + 1) * sizeof *kept);
    char **at = kept;
    for (char **entry = environ; *entry; entry++) {
        size_t length = strcspn(*entry, "=");
        if ((*entry)[length] != '=')
            continue;
        const char *name = text_format("%.*s", (int)length, *entry);
        if (!is_service && scrub_is_of_manager(name))
            continue;
        const char *value = scrub_value(place, name, *entry + length + 1);
        if (value)
            *at++ = text_format("%s=%s", name, value);
    }
    return kept;
}

char **scrub_environment(const struct launch_place *place)
{
    return scrub(place, false);
}

char **scrub_environment_of_service(const struct launch_place *place)
{
    return scrub(place, true);
}
