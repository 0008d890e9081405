/* SPDX-License-Identifier: Apache-2.0 */
#include "directories.h"

#include "base/file.h"

#include <stdio.h>
#include <unistd.h>

struct named_directory {
    const char *key, *directory, *in_force; /* the latter two NULL: in the agent's state */
    const struct config_place *written;
    const char *meanwhile;
};

static void check_directory(const struct settings *settings, const struct named_directory *row,
                            const struct harden *harden, struct config_problems *problems)
{
    enum { TEXT_BYTES = 1400 };
    char message[TEXT_BYTES], hint[TEXT_BYTES];
    const bool is_warning = row->in_force && strcmp(row->in_force, row->directory) == 0;
    const int obstacle = file_find_obstacle(row->directory);
    if (obstacle) {
        snprintf(message, sizeof message, "%s: user %u cannot write to %s: %s", row->key, (unsigned)geteuid(),
                 row->directory, strerrordesc_np(obstacle));
        snprintf(hint, sizeof hint, "make it for the agent's user: install -d -m 700 -o USER %s%s", row->directory,
                 is_warning ? row->meanwhile : "");
    } else if (harden && !harden_may_write(harden, row->directory)) {
        snprintf(message, sizeof message, "%s: the running agent may not write to %s (agent.hardening)", row->key,
                 row->directory);
        snprintf(hint, sizeof hint, "restart it to use this directory%s", is_warning ? row->meanwhile : "");
    } else {
        return;
    }
    config_add_problem(problems, is_warning, settings->file, row->written, message, hint);
}

void directories_check(const struct settings *settings, const struct settings *in_force, const struct harden *harden,
                       struct config_problems *problems)
{
    const struct named_directory rows[] = {
        {"backups.directory", settings->backups.directory, in_force ? in_force->backups.directory : NULL,
         &settings->backups.place, "; until then, backups go to the agent's state"},
        {"evidence.exports.directory", settings->evidence.exports.directory,
         in_force ? in_force->evidence.exports.directory : NULL, &settings->evidence.exports.place,
         "; until then, exports are not written"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].directory)
            check_directory(settings, &rows[i], harden, problems);
}
