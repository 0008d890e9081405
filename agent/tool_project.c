/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgated --tool project FILE: a project's .tollgate.yaml as one line of JSON, for the client, which links no YAML:
 *   {"refused": "belongs to another user"}                                        it was not read
 *   {"digest": …, "environment": …, "group": …, "project": …, "shell": …}         what it says
 *   {"digest": …, "problems": "FILE:LINE:COLUMN: error: …"}                       it has mistakes
 */
#include "tools.h"

#include "base/buffer.h"
#include "base/json.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { ANSWER_BYTES_MAX = 1 << 20 };

static void write_problems(const struct config_problems *problems, struct buffer *out)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *stream = open_memstream(&text, &bytes);
    if (!stream)
        return;
    config_print_problems(problems, stream);
    if (fclose(stream) == 0)
        json_write_member_string(out, "problems", text);
    free(text);
}

static void write_project(const struct project_file *project, struct buffer *out)
{
    json_write_member_string(out, "environment", config_environment_name((enum environment)project->environment));
    json_write_member_string(out, "group", project->group);
    json_write_member_string(out, "project", project->project);
    json_write_member_boolean(out, "shell", project->shell);
}

static void write_answer(enum error error, const struct config_problems *problems, const char *refused,
                         const struct project_file *project, struct buffer *out)
{
    json_write_raw(out, "{");
    if (error == ERROR_FILE_UNREADABLE)
        json_write_member_string(out, "refused", refused);
    else
        json_write_member_string(out, "digest", project->digest);
    if (error == ERROR_SETTINGS_INVALID)
        write_problems(problems, out);
    else if (!error)
        write_project(project, out);
    json_write_raw(out, "}");
}

int tool_project(int argc, char **argv)
{
    struct config_problems problems;
    struct project_file project = {0};
    const char *refused = NULL;
    struct buffer answer;
    if (argc != 1) {
        fputs("usage: tollgated --tool project FILE\n", stderr);
        return EX_USAGE;
    }
    struct arena *arena = arena_new(4096);
    config_problems_init(&problems);
    buffer_init(&answer, ANSWER_BYTES_MAX);
    enum error error = config_read_project(argv[0], arena, &problems, &refused, &project);
    write_answer(error, &problems, refused, &project, &answer);
    printf("%.*s\n", (int)buffer_length(&answer), buffer_contents(&answer).data);
    buffer_done(&answer);
    config_problems_done(&problems);
    arena_free(arena);
    return error ? EX_DATAERR : EX_OK;
}
