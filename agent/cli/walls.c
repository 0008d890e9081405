/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service unit says that would keep its program from the agent, or tollgate from starting it (systemd.exec(5),
 * systemd.resource-control(5)). Called by systemd enable, which says it and goes on: only the administrator knows what
 * other units and drop-ins of slices add.
 */
#include "cli/cli.h"
#include "cli/unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef bool wall_stands(const struct unit *unit, const char *value, const struct launch_place *place);

static bool is_true(const struct unit *unit, const char *value, const struct launch_place *place)
{
    static const char *const words[] = {"yes", "true", "on", "1", "y", "t"};
    (void)unit, (void)place;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

static bool is_said(const struct unit *unit, const char *value, const struct launch_place *place)
{
    (void)unit, (void)place;
    return value[0] != '\0';
}

static bool is_other_root(const struct unit *unit, const char *value, const struct launch_place *place)
{
    (void)unit, (void)place;
    return strcmp(value, "/") != 0;
}

/* Of dev, where a service finds it: prod's directories are the system's. */
static bool closes_tmp(const struct unit *unit, const char *value, const struct launch_place *place)
{
    return text_starts(place->runtime, "/tmp/") && (is_true(unit, value, place) || strcmp(value, "disconnected") == 0);
}

static bool closes_home(const struct unit *unit, const char *value, const struct launch_place *place)
{
    const bool is_closed =
        is_true(unit, value, place) || strcmp(value, "tmpfs") == 0 || strcmp(value, "read-only") == 0;
    return !place->is_prod && is_closed;
}

static bool closes_system(const struct unit *unit, const char *value, const struct launch_place *place)
{
    (void)unit;
    return !place->is_prod && strcmp(value, "strict") == 0;
}

/* ---- lists of what is allowed, or with "~" forbidden ---- */

/* `names`: what is asked for and the sets that hold it. The first line says what becomes of what no line names, each
 * later one adds or takes away. "connect:EPERM" names connect. */
static bool list_allows(const char *value, const char *const *names)
{
    bool is_allowed = value[0] == '~';
    for (const char *line = value, *end; *line; line = end + (*end == '\n')) {
        end = line + strcspn(line, "\n");
        const bool is_denial = *line == '~';
        const char *words = text_format("%.*s", (int)(end - line) - is_denial, line + is_denial);
        for (const char *word; (word = unit_word(&words));)
            for (const char *const *name = names; *name; name++)
                if (strlen(*name) == strcspn(word, ":") && text_starts(word, *name))
                    is_allowed = !is_denial;
    }
    return is_allowed;
}

static bool lacks_families(const struct unit *unit, const char *value, const struct launch_place *place)
{
    (void)unit, (void)place;
    return !list_allows(value, (const char *const[]){"AF_UNIX", NULL}) ||
           !list_allows(value, (const char *const[]){"AF_INET", NULL});
}

/* As far as the programs can be looked at: with another root they are not here. */
static bool needs_supervisor(const struct unit *unit)
{
    for (size_t i = 0; i < unit->commands.count; i++) {
        const char *rest = unit->commands.items[i] + strspn(unit->commands.items[i], "-+!:@|");
        const char *program = unit_word(&rest);
        const struct launch_program facts = elf_look(program ? program : "");
        if (!facts.missing && facts.ungoverned && facts.is_supervisable)
            return true;
    }
    return false;
}

static const struct {
    const char *names[6];
    bool is_for_supervisor;
} wall_calls[] = {
    {{"socket", "@network-io", "@system-service", "@known"}, false},
    {{"connect", "@network-io", "@system-service", "@known"}, false},
    {{"sendto", "@network-io", "@system-service", "@known"}, false},
    {{"execve", "@default", "@system-service", "@known"}, false},
    {{"seccomp", "@sandbox", "@known"}, true},
    {{"pidfd_getfd", "@debug", "@known"}, true},
    {{"pidfd_open", "@process", "@system-service", "@known"}, true},
    {{"process_vm_readv", "@ipc", "@system-service", "@known"}, true},
};

static bool lacks_calls(const struct unit *unit, const char *value, const struct launch_place *place)
{
    const bool is_supervised = needs_supervisor(unit);
    (void)place;
    for (size_t i = 0; i < sizeof wall_calls / sizeof *wall_calls; i++)
        if ((is_supervised || !wall_calls[i].is_for_supervisor) && !list_allows(value, wall_calls[i].names))
            return true;
    return false;
}

/* ---- addresses ---- */

/* Does one of these hold the agent's addresses, which begin with 127.77? */
static bool holds_agent(const char *value)
{
    const uint32_t agent = 0x7f4d0001;
    for (const char *at = value ? value : "", *word; (word = unit_word(&at));) {
        struct in_addr network;
        const char *slash = strchr(word, '/');
        const int length = slash ? atoi(slash + 1) : 32;
        const char *address = text_format("%.*s", (int)strcspn(word, "/"), word);
        if (strcmp(word, "any") == 0 || strcmp(word, "localhost") == 0)
            return true;
        if (inet_pton(AF_INET, address, &network) == 1 && length >= 0 && length <= 32 &&
            (length == 0 || (ntohl(network.s_addr) ^ agent) >> (32 - length) == 0))
            return true;
    }
    return false;
}

static bool denies_address(const struct unit *unit, const char *value, const struct launch_place *place)
{
    (void)place;
    return holds_agent(value) && !holds_agent(unit->walls[UNIT_IP_ALLOW]); /* which goes before */
}

/* ---- paths ---- */

/* Of a system service (systemd.unit(5)). */
static const char *const wall_specifiers[][2] = {{"%t", "/run"},     {"%S", "/var/lib"}, {"%C", "/var/cache"},
                                                 {"%L", "/var/log"}, {"%E", "/etc"},     {"%T", "/tmp"},
                                                 {"%V", "/var/tmp"}, {"%h", "/root"},    {"/var/run", "/run"}};

/* "-/run//tollgate/:ro" and "%t/tollgate" are /run/tollgate. */
static const char *plain_path(const char *word)
{
    word += strspn(word, "-+");
    word = text_format("%.*s", (int)strcspn(word, ":"), word);
    for (size_t i = 0; i < sizeof wall_specifiers / sizeof *wall_specifiers; i++) {
        const char *rest = word + strlen(wall_specifiers[i][0]);
        if (text_starts(word, wall_specifiers[i][0]) && (*rest == '/' || !*rest))
            word = text_format("%s%s", wall_specifiers[i][1], rest);
    }
    char *path = text_format("%s", word), *to = path;
    for (const char *from = path; *from; from++)
        if (*from != '/' || (from[1] != '/' && from[1] != '\0') || to == path)
            *to++ = *from;
    *to = '\0';
    return path;
}

/* How long the longest path of the list is that holds this one; 0: none does. */
static size_t longest_above(const char *value, const char *path)
{
    size_t longest = 0;
    for (const char *at = value ? value : "", *word; (word = unit_word(&at));) {
        const char *above = plain_path(word);
        const size_t length = strlen(above);
        if (length > longest && text_starts(path, above) &&
            (length == 1 || path[length] == '/' || path[length] == '\0'))
            longest = length;
    }
    return longest;
}

static bool hides_runtime(const struct unit *unit, const char *value, const struct launch_place *place)
{
    (void)unit;
    return longest_above(value, place->runtime) > 0;
}

static bool forbids_program(const struct unit *unit, const char *value, const struct launch_place *place)
{
    const char *const paths[] = {locate_program(), locate_shim()};
    (void)place;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i] && longest_above(value, paths[i]) > longest_above(unit->walls[UNIT_EXEC_PATHS], paths[i]))
            return true;
    return false;
}

/* ---- all of them ---- */

static const char wall_of_root[] = "tollgate and the agent's sockets are not below another root";
static const char wall_of_network[] = "the agent's addresses are not in another network";

static const struct {
    wall_stands *stands; /* NULL: never by itself */
    const char *why;
} walls[UNIT_WALLS] = {
    [UNIT_PRIVATE_NETWORK] = {is_true, wall_of_network},
    [UNIT_NETWORK_PATH] = {is_said, wall_of_network},
    [UNIT_FAMILIES] = {lacks_families, "AF_UNIX and AF_INET lead to the agent"},
    [UNIT_ROOT_DIRECTORY] = {is_other_root, wall_of_root},
    [UNIT_ROOT_IMAGE] = {is_other_root, wall_of_root},
    [UNIT_INACCESSIBLE_PATHS] = {hides_runtime, "the agent's runtime directory is in it"},
    [UNIT_TEMPORARY] = {hides_runtime, "it lies over the agent's runtime directory"},
    [UNIT_DYNAMIC_USER] = {is_true, "such a user has no number that access.uids could name"},
    [UNIT_PRIVATE_TMP] = {closes_tmp, "the agent's runtime directory is in the /tmp of others"},
    [UNIT_PROTECT_HOME] = {closes_home, "the state of dev is in the home of its user"},
    [UNIT_PROTECT_SYSTEM] = {closes_system, "the state of dev is in the home of its user"},
    [UNIT_IP_DENY] = {denies_address, "the agent listens on addresses of 127.0.0.0/8: IPAddressAllow=localhost"},
    [UNIT_NO_EXEC_PATHS] = {forbids_program, "tollgate and its library could not be executed: ExecPaths= for both"},
    [UNIT_CALLS] = {lacks_calls,
                    "socket, connect, sendto and execve lead to the agent; static and Go programs also want "
                    "seccomp, pidfd_open, pidfd_getfd and process_vm_readv"},
};

void walls_warn(const struct launch_place *place, const struct unit *unit)
{
    for (int i = 0; i < UNIT_WALLS; i++) {
        const char *value = unit->walls[i];
        if (!value || !value[0] || !walls[i].stands || !walls[i].stands(unit, value, place))
            continue;
        char *shown = text_format("%s", value);
        for (char *at = shown; (at = strchr(at, '\n'));)
            *at = ' ';
        text_complain("%s=%s of %s: %s; it will not be governed so", unit_wall_name((enum unit_wall)i),
                      terminal_clean(shown), unit->name, walls[i].why);
    }
}
