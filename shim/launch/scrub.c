/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment an agent starts with. The agent is never governed, never takes a placeholder for a provider's key,
 * and trusts what the user trusted before we came. It also must not answer for a service whose manager waits for
 * somebody else's word (sd_notify), nor take that service's sockets.
 */
#include "shim/launch/launch.h"

#include <string.h>

extern char **environ;

static const char *const scrub_names[] = {"LD_PRELOAD",     "NOTIFY_SOCKET", "LISTEN_FDS",   "LISTEN_PID",
                                          "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", NULL};

static bool scrub_drops(const char *name, const char *value)
{
    for (const char *const *row = scrub_names; *row; row++)
        if (strcmp(name, *row) == 0)
            return true;
    return text_starts(name, "TOLLGATE_") || owned_is_key(value);
}

/* What the agent gets of one variable; NULL: nothing. */
static const char *scrub_value(const struct launch_place *place, const char *name, const char *value)
{
    if (scrub_drops(name, value))
        return NULL;
    if (base_urls_is_ours(name, value))
        return NULL;
    if (owned_is_ca(name))
        return owned_user_ca(place, name, value);
    if (strcasecmp(name, "no_proxy") == 0)
        return owned_proxy_rest(value);
    return value;
}

char **scrub_environment(const struct launch_place *place)
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
        const char *value = scrub_value(place, name, *entry + length + 1);
        if (value)
            *at++ = text_format("%s=%s", name, value);
    }
    return kept;
}
