/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a systemd service unit says, as far as governing it goes (systemd.unit(5), systemd.service(5)). Read from the
 * files below a root, without systemd: also in images and in tests. Memory as in launch.h.
 */
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

#include "shim/launch/launch.h"

#define UNIT_DROP_IN "tollgate.conf" /* our own, in etc/systemd/system/UNIT.d */

/* What can stand between a service and the agent; ALLOW and EXEC take back what DENY and NO_EXEC say. */
enum unit_wall {
    UNIT_PRIVATE_NETWORK,
    UNIT_FAMILIES,
    UNIT_ROOT_DIRECTORY,
    UNIT_ROOT_IMAGE,
    UNIT_INACCESSIBLE_PATHS,
    UNIT_TEMPORARY,
    UNIT_DYNAMIC_USER,
    UNIT_NETWORK_PATH,
    UNIT_PRIVATE_TMP,
    UNIT_PROTECT_HOME,
    UNIT_PROTECT_SYSTEM,
    UNIT_IP_DENY,
    UNIT_IP_ALLOW,
    UNIT_NO_EXEC_PATHS,
    UNIT_EXEC_PATHS,
    UNIT_CALLS,
    UNIT_WALLS
};

struct unit {
    const char *name;                        /* with its suffix: shop.service, shop@blue.service */
    const char *path;                        /* of its file; NULL: there is none */
    const char *type, *user, *notify_access; /* NULL: not said */
    bool is_watched;                         /* by WatchdogSec= */
    struct text_list commands;     /* values of ExecStart that are in force without our drop-in, as they are written */
    const char *walls[UNIT_WALLS]; /* values in force, a list's assignments as lines; NULL or "": not said */
    const char *later; /* a drop-in that sorts behind ours and sets ExecStart: ours would count for nothing */
};

const char *unit_wall_name(enum unit_wall wall); /* as units write it */
/* The next word of a value without its quotes and backslashes, *at moved behind it; NULL: there is none. Of backslashes
 * with a meaning \s is known alone. */
const char *unit_word(const char **at);
/* "shop" is shop.service. NULL (after a message): no name of a service. */
const char *unit_name(const char *typed);
/* `root`: "" or a directory without a last slash. EX_NOINPUT (after a message): no such unit, or it cannot be read. */
int unit_read(const char *root, const char *name, struct unit *ret_unit);
/* The values of ExecStart in one file, NULL-terminated; false: it cannot be read. */
bool unit_read_commands(const char *path, struct text_list *ret_commands);

/* ---- walls.c ---- */

/* Says, a line each on standard error, what of the unit keeps its programs from the agent of the place. */
void walls_warn(const struct launch_place *place, const struct unit *unit);

#endif
