/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the config suites share: files below a directory of their own, loads, and tables of bad policies with the place
 * and the words of what is said about them. Included once per program, in place of suite.h; run in the repository's
 * root.
 */
#ifndef TESTS_UNIT_CONFIG_FILES_H
#define TESTS_UNIT_CONFIG_FILES_H

#include "config/config.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *position)
{
    (void)status;
    (void)kind;
    (void)position;
    return remove(path);
}

static inline void remove_folder(void)
{
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *path_of(const char *name)
{
    static char path[4][512];
    static unsigned turn;
    char *text = path[turn++ % 4];
    if (!*folder) {
        snprintf(folder, sizeof folder, "/tmp/test_config.XXXXXX");
        CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
        atexit(remove_folder);
    }
    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

static inline const char *write_bytes(const char *name, const char *bytes, size_t length, mode_t mode)
{
    const char *path = path_of(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(write(fd, bytes, length), (ssize_t)length);
    fchmod(fd, mode);
    close(fd);
    return path;
}

static inline const char *write_text(const char *name, const char *text)
{
    return write_bytes(name, text, strlen(text), 0600);
}

static inline char *read_text(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    char *text = calloc(1, 1 << 21);
    *ret_length = fread(text, 1, (1 << 21) - 1, file);
    fclose(file);
    return text;
}

struct load {
    enum error error;
    struct settings *settings;
    struct config_problems problems;
};

static inline struct load load_from(const struct config_sources *sources)
{
    struct load load = {0};
    config_problems_init(&load.problems);
    load.error = config_load(sources, &load.problems, &load.settings);
    EXPECT((load.error == ERROR_OK) == (load.settings != NULL), "%s", sources->policy_file);
    EXPECT((load.error == ERROR_OK) == (load.problems.error_count == 0), "%s", sources->policy_file);
    return load;
}

static inline struct config_sources sources_of(const char *policy)
{
    return (struct config_sources){.policy_file = policy,
                                   .providers_file = "policies/providers.yaml",
                                   .prices_file = "policies/prices.yaml",
                                   .environment = -1};
}

static inline struct load load(const char *policy)
{
    struct config_sources sources = sources_of(policy);
    return load_from(&sources);
}

static inline void done(struct load *load)
{
    config_release(load->settings);
    config_problems_done(&load->problems);
}

static inline const struct config_problem *find_problem(const struct load *load, unsigned line, unsigned column,
                                                        const char *message)
{
    for (size_t i = 0; i < load->problems.count; i++) {
        const struct config_problem *row = &load->problems.rows[i];
        if (row->place.line == line && row->place.column == column && strcmp(row->message, message) == 0)
            return row;
    }
    fprintf(stderr, "\n    wanted %u:%u %s, have:\n", line, column, message);
    config_print_problems(&load->problems, stderr);
    return NULL;
}

static inline struct settings *load_good(const char *policy, struct load *ret_load)
{
    *ret_load = load(policy);
    if (ret_load->error)
        config_print_problems(&ret_load->problems, stderr);
    CU_ASSERT_EQUAL_FATAL(ret_load->error, ERROR_OK);
    return ret_load->settings;
}

/* Lines 1 to 4 and 5 to 9 of most cases; what is under test begins at line 10. */
#define GROUP  "consumer_groups:\n  - name: g\n    api_key: kt_cg_g\n    wallet_team_id: w\n"
#define TARGET "providers:\n  targets:\n    - id: t\n      provider: openai\n      model: gpt-5.4-nano\n"
#define BOTH   GROUP TARGET

struct bad {
    const char *text;
    unsigned line, column;
    const char *message;
    unsigned errors; /* 0: exactly this one */
};

static inline void expect_bad(const struct bad *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct load load_result = load(write_text("case.dev.yaml", rows[i].text));
        EXPECT(load_result.error == ERROR_SETTINGS_INVALID, "%s", rows[i].text);
        EXPECT(find_problem(&load_result, rows[i].line, rows[i].column, rows[i].message) != NULL, "%s", rows[i].text);
        size_t errors = rows[i].errors ? rows[i].errors : 1;
        EXPECT(load_result.problems.error_count == errors, "%zu errors: %s", load_result.problems.error_count,
               rows[i].text);
        done(&load_result);
    }
}

static inline const char *print(const struct load *load)
{
    static char text[4096];
    FILE *stream = fmemopen(text, sizeof text - 1, "w");
    config_print_problems(&load->problems, stream);
    fclose(stream);
    return text;
}

#endif
