/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate backup: a running agent makes a copy of its ledger. Restoring and dumping need a stopped one: tool.c. */
#include "cli/cli.h"

#include <sysexits.h>

#define BACKUP_TIMEOUT_MS 600000 /* the copy is audited: some seconds for a million transfers */

int backup_command(struct cli *cli)
{
    struct answer answer = {0};
    const char *directory = cli->arguments.count > 0 ? place_absolute(cli->arguments.items[0]) : NULL;
    json_t *order = json_pack("{s:s*}", "directory", directory);
    int code = api_post_slowly(cli, "/v1/backup", order, BACKUP_TIMEOUT_MS, &answer);
    if (code == EX_OK && cli->options.json)
        terminal_print_json(&answer);
    else if (code == EX_OK)
        printf("%s\n", terminal_clean(api_text(answer.json, "directory", "-")));
    json_decref(answer.json);
    return code;
}
