/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tollgated --tool ready`: would an agent of this version start with these files, on this state directory, from this
 * environment? Asked by `tollgate restart` before the agent that runs is stopped. Opens no store, changes nothing.
 */
#include "directories.h"
#include "shim/contract.h"
#include "startup.h"
#include "tools.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sysexits.h>

enum {
    PROBLEMS_BYTES_MAX = 4 << 20,
    RUNTIME_ROOM_MIB = 1,
    /* Logs, sockets, and whatever is written beside a file before it takes its place. */
    STATE_FILES = 32,
    RUNTIME_FILES = 16,
};

struct question {
    struct agent_options options;
    const char *environment;
    const char *keys; /* targets that must have theirs, by commas; NULL: none */
};

static bool read_arguments(int argc, char **argv, struct question *question)
{
    const struct {
        const char *name, **value;
    } rows[] = {{"--environment", &question->environment},
                {"--policy", &question->options.policy_file},
                {"--state", &question->options.state},
                {"--runtime", &question->options.runtime},
                {"--providers", &question->options.providers_file},
                {"--prices", &question->options.prices_file},
                {"--keys", &question->keys}};
    for (int i = 0; i + 1 < argc; i += 2) {
        size_t row = 0;
        while (row < sizeof rows / sizeof *rows && strcmp(argv[i], rows[row].name) != 0)
            row++;
        if (row == sizeof rows / sizeof *rows)
            return false;
        *rows[row].value = argv[i + 1];
    }
    return argc % 2 == 0 && question->environment && question->options.policy_file && question->options.state;
}

static bool is_listed(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = list; at && (at = strstr(at, name)); at += length)
        if ((at == list || at[-1] == ',') && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* Keys come from variables of whoever starts the agent: another shell may have others. */
static int check_keys(const struct settings *settings, const char *keys)
{
    int code = EX_OK;
    for (size_t i = 0; i < settings->target_count; i++) {
        const struct target *target = &settings->targets[i];
        if (target->secret || !is_listed(keys, target->id))
            continue;
        fprintf(stderr, "tollgate: target %s has its key in the agent that runs, and would not here: %s\n", target->id,
                target->secret_problem ? target->secret_problem : "no API key");
        code = EX_CONFIG;
    }
    return code;
}

/* Problems as config_print_problems writes them. Their words quote the policy, which may hold a secret in a wrong
 * place: without them only the places are said. */
static void print(struct slice problems, bool has_words)
{
    static const char *const kinds[] = {": error: ", ": warning: "};
    if (has_words && problems.length)
        fwrite(problems.data, 1, problems.length, stderr);
    while (!has_words && problems.length) {
        const char *newline = memchr(problems.data, '\n', problems.length);
        const struct slice line = {problems.data, newline ? (size_t)(newline - problems.data) : problems.length};
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            const char *end = memmem(line.data, line.length, kinds[i], strlen(kinds[i]));
            if (end && line.data[0] != ' ')
                fprintf(stderr, "%.*s%s(tollgate check says which)\n", (int)(end - line.data), line.data, kinds[i]);
        }
        problems = slice_from(problems, line.length + (newline != NULL));
    }
}

/* The settings that the arguments lead to; EX_OK, or what is wrong is said. */
static int load(int argc, char **argv, const char *name, bool has_words, struct question *question,
                struct settings **ret_settings)
{
    if (!read_arguments(argc, argv, question)) {
        fprintf(stderr,
                "usage: tollgated --tool %s --environment E --policy FILE --state DIR [--providers FILE] "
                "[--prices FILE] [--keys TARGETS]\n",
                name);
        return EX_USAGE;
    }
    for (int i = 0; i < ENVIRONMENT_COUNT; i++)
        if (!strcmp(question->environment, config_environment_name((enum environment)i)))
            question->options.environment = i;
    struct buffer text;
    buffer_init(&text, PROBLEMS_BYTES_MAX);
    enum error error = startup_load_settings(&question->options, ret_settings, &text);
    print(buffer_contents(&text), has_words);
    buffer_done(&text);
    return error ? startup_exit_code(error) : EX_OK;
}

struct needs {
    const char *path; /* NULL: not said */
    unsigned mib, files;
};

static int check_place(const struct needs *needs)
{
    struct statvfs room;
    int code = EX_OK;
    if (!needs->path || statvfs(needs->path, &room) != 0)
        return EX_OK; /* it is made */
    const unsigned long long free_mib = (unsigned long long)room.f_bavail * room.f_frsize >> 20;
    if (free_mib < needs->mib) {
        fprintf(stderr, "tollgate: %s: %llu MiB are free, an agent needs %u to start: free some space first\n",
                needs->path, free_mib, needs->mib);
        code = EX_IOERR;
    }
    if (room.f_files && room.f_favail < needs->files) { /* f_files: 0 where files are not counted */
        fprintf(stderr, "tollgate: %s: %llu inodes are free, an agent needs %u to start: remove some files first\n",
                needs->path, (unsigned long long)room.f_favail, needs->files);
        code = EX_IOERR;
    }
    return code;
}

/* An agent that serves on a full disk goes on; one that starts there would not come so far. */
static int check_room(const struct question *question)
{
    const struct needs rows[] = {{question->options.state, TOLLGATE_STATE_ROOM_MIB, STATE_FILES},
                                 {question->options.runtime, RUNTIME_ROOM_MIB, RUNTIME_FILES}};
    int code = EX_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int found = check_place(&rows[i]);
        code = found != EX_OK ? found : code;
    }
    return code;
}

static int check_directories(const struct settings *settings)
{
    struct config_problems problems;
    config_problems_init(&problems);
    directories_check(settings, NULL, NULL, &problems);
    config_print_problems(&problems, stderr);
    const int code = problems.error_count ? EX_CANTCREAT : EX_OK;
    config_problems_done(&problems);
    return code;
}

int tool_ready(int argc, char **argv)
{
    struct question question = {.options = {.environment = -1}};
    struct settings *settings = NULL;
    int code = load(argc, argv, "ready", true, &question, &settings);
    if (code == EX_OK)
        code = startup_check_stores(question.options.state, false);
    if (code == EX_OK)
        code = check_keys(settings, question.keys);
    if (code == EX_OK)
        code = check_directories(settings);
    if (code == EX_OK)
        code = check_room(&question);
    config_release(settings);
    return code;
}

/* For support bundles: what is in force, without anything secret. */
int tool_settings(int argc, char **argv)
{
    struct question question = {.options = {.environment = -1}};
    struct settings *settings = NULL;
    int code = load(argc, argv, "settings", false, &question, &settings);
    if (code == EX_OK)
        config_print_effective(settings, stdout);
    config_release(settings);
    return code;
}
