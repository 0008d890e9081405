/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate backup: a running agent makes a copy of its ledger, in a place of its own where it may not write to the one
 * that is wanted; then the copy is moved. Restoring and dumping need a stopped one: tool.c. */
#include "cli/cli.h"

#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#define BACKUP_TIMEOUT_MS 600000 /* the copy is audited: some seconds for a million transfers */

/* The agent names it, and root may be the one who moves: nothing is moved that is not the agent's. */
static bool is_of_agent(const struct cli *cli, const char *path)
{
    struct stat state, backup;
    return path[0] == '/' && lstat(path, &backup) == 0 && S_ISDIR(backup.st_mode) &&
           stat(cli->place.state, &state) == 0 && backup.st_uid == state.st_uid;
}

/* By mv, as the two may be on different file systems. */
static int move_backup(const struct cli *cli, const char *from, const char *to)
{
    const char *const arguments[] = {"mv", "-T", "--", from, to, NULL};
    const struct launch_changes none = {0};
    int status = -1;
    const char *said = is_of_agent(cli, from) ? child_run(arguments, &none, BACKUP_TIMEOUT_MS, &status) : NULL;
    if (said && status == 0)
        return EX_OK;
    text_complain("the backup is at %s; it could not be moved to %s", from, to);
    return EX_CANTCREAT;
}

int backup_command(struct cli *cli)
{
    struct answer answer = {0};
    const char *directory = cli->arguments.count > 0 ? place_absolute(cli->arguments.items[0]) : NULL;
    json_t *order = json_pack("{s:s*}", "directory", directory);
    int code = api_post_slowly(cli, "/v1/backup", order, BACKUP_TIMEOUT_MS, &answer);
    if (code == EX_OK && directory && strcmp(api_text(answer.json, "directory", directory), directory) != 0) {
        code = move_backup(cli, api_text(answer.json, "directory", ""), directory);
        json_object_set_new(answer.json, "directory", json_string(directory));
    }
    if (code == EX_OK && cli->options.json)
        terminal_print_json(&answer);
    else if (code == EX_OK)
        printf("%s\n", terminal_clean(api_text(answer.json, "directory", "-")));
    json_decref(answer.json);
    return code;
}
