/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a systemd service unit says, as far as governing it goes (systemd.unit(5), systemd.service(5)). Read from the
 * files below a root, without systemd: also in images and in tests. Memory as in launch.h.
 */
#ifndef CLI_UNIT_H
#define CLI_UNIT_H

#include "shim/launch/launch.h"

#define UNIT_DROP_IN "tollgate.conf" /* our own, in etc/systemd/system/UNIT.d */

struct unit {
    const char *name;        /* with its suffix: shop.service, shop@blue.service */
    const char *path;        /* of its file; NULL: there is none */
    const char *type, *user; /* NULL: not said */
    bool says_notify_access;
    struct text_list commands; /* values of ExecStart that are in force without our drop-in, as they are written */
    const char *later;         /* a drop-in that sorts behind ours and sets ExecStart: ours would count for nothing */
};

/* "shop" is shop.service. NULL (after a message): no name of a service. */
const char *unit_name(const char *typed);
/* `root`: "" or a directory without a last slash. EX_NOINPUT (after a message): no such unit, or it cannot be read. */
int unit_read(const char *root, const char *name, struct unit *ret_unit);
/* The values of ExecStart in one file, NULL-terminated; false: it cannot be read. */
bool unit_read_commands(const char *path, struct text_list *ret_commands);

#endif
