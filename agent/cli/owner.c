/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a state directory is, for orders that write to it without the agent. */
#include "cli/cli.h"

#include <pwd.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

const char *owner_name(uid_t uid)
{
    const struct passwd *user = getpwuid(uid);
    return user ? text_format("%s", user->pw_name) : text_format("%u", (unsigned)uid);
}

/* Even an audit writes: it recovers what a kill left. Who is not root cannot open those files in the first place. */
int owner_check_root(const struct cli *cli, const char *command)
{
    struct stat status;
    if (geteuid() != 0 || stat(cli->place.state, &status) != 0 || status.st_uid == 0)
        return EX_OK;
    const char *from = cli->arguments.count ? cli->arguments.items[0] : "";
    const char *name = owner_name(status.st_uid);
    text_complain(
        "%s is %s's, and what root wrote there would be closed to its agent: runuser -u %s -- tollgate %s%s%s%s",
        cli->place.state, name, name, command, cli->place.is_prod ? " --env prod" : "", from[0] ? " " : "", from);
    if (from[0])
        fprintf(stderr, "  (%s must be able to read %s)\n", name, from);
    return EX_NOPERM;
}
