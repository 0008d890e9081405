/* SPDX-License-Identifier: Apache-2.0 */
/* config/project.c: what a .tollgate.yaml says, what is not even read, and that its digest is that of its bytes. */
#include "tests/unit/config_files.h"

#include "base/arena.h"

struct reading {
    enum error error;
    struct arena *arena;
    struct config_problems problems;
    const char *refused;
    struct project_file project;
};

static struct reading read_file(const char *path)
{
    struct reading reading = {.arena = arena_new(1024)};
    config_problems_init(&reading.problems);
    reading.error = config_read_project(path, reading.arena, &reading.problems, &reading.refused, &reading.project);
    return reading;
}

static struct reading read_saying(const char *text)
{
    return read_file(write_text(".tollgate.yaml", text));
}

static void finish(struct reading *reading)
{
    config_problems_done(&reading->problems);
    arena_free(reading->arena);
}

TEST(project_says_what_is_written)
{
    struct reading reading = read_saying("environment: prod\ngroup: g.1\nproject: shop\nshell: true\n");
    EXPECT_INTEGER(reading.error, ERROR_OK);
    EXPECT_INTEGER(reading.project.environment, ENVIRONMENT_PROD);
    EXPECT_STRING(reading.project.group, "g.1");
    EXPECT_STRING(reading.project.project, "shop");
    EXPECT(reading.project.shell, "shell");
    finish(&reading);
}

TEST(project_defaults_are_dev_and_nothing)
{
    static const char *const texts[] = {"", "\n", "# only this", "  # a\r\n#b\n\n", "shell: false\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct reading reading = read_saying(texts[i]);
        EXPECT_INTEGER(reading.error, ERROR_OK);
        EXPECT_INTEGER(reading.project.environment, ENVIRONMENT_DEV);
        EXPECT(!reading.project.group && !reading.project.project && !reading.project.shell, "nothing");
        finish(&reading);
    }
}

TEST(project_digest_is_of_the_bytes)
{
    struct reading reading = read_saying("shell: true\n");
    EXPECT_STRING(reading.project.digest, "61154e8a83faea7636648eabab9a461c108fbb163e0a3d0a86f081ad0d996da5");
    finish(&reading);
    reading = read_saying("shell: [\n"); /* also of what has mistakes: it can have changed since it was trusted */
    EXPECT_INTEGER(reading.error, ERROR_SETTINGS_INVALID);
    EXPECT_INTEGER(strlen(reading.project.digest), 64);
    finish(&reading);
}

TEST(project_mistakes_are_errors)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"enviroment: prod\n", "did you mean \"environment\"?"},
        {"environment: staging\n", "staging"},
        {"shell: maybe\n", "\"shell\""},
        {"project: 'a b'\n", "is no valid name"},
        {"group: \"a\\nb\"\n", "is no valid name"},
        {"group:\n", "has no value"},
        {"- a\n", "must be a mapping"},
        {"text\n", "must be a mapping"},
        {"environment: dev\nenvironment: prod\n", "environment"},
        {"environment: &a dev\n", "anchor"},
        {"project: !!str a\n", "tag"},
        {"--- {}\n--- {}\n", "document"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reading reading = read_saying(rows[i].text);
        EXPECT_INTEGER(reading.error, ERROR_SETTINGS_INVALID);
        bool is_said = false;
        for (size_t j = 0; j < reading.problems.count; j++)
            is_said |= strstr(reading.problems.rows[j].message, rows[i].message) != NULL;
        EXPECT(is_said, "%s", rows[i].text);
        EXPECT(reading.problems.count > 0 && reading.problems.rows[0].place.line > 0, "has a place");
        finish(&reading);
    }
}

static void expect_refused(const char *path, const char *why)
{
    struct reading reading = read_file(path);
    EXPECT_INTEGER(reading.error, ERROR_FILE_UNREADABLE);
    EXPECT_STRING(reading.refused, why);
    EXPECT_STRING(reading.project.digest, "");
    finish(&reading);
}

TEST(project_files_of_others_are_not_read)
{
    static char large[16386];
    memset(large, '#', sizeof large);
    expect_refused(path_of("absent"), "is not there");
    expect_refused(write_bytes("large", large, sizeof large - 1, 0600), "is larger than 16 KiB");
    expect_refused(write_bytes("group", "", 0, 0660), "can be written by others (chmod go-w)");
    expect_refused(write_bytes("all", "", 0, 0606), "can be written by others (chmod go-w)");
    const char *pipe = path_of("pipe"), *loop = path_of("loop");
    CU_ASSERT_EQUAL_FATAL(mkfifo(pipe, 0600), 0);
    expect_refused(pipe, "is no regular file");
    CU_ASSERT_EQUAL_FATAL(symlink("loop", loop), 0);
    expect_refused(loop, "is a loop of symbolic links");
    expect_refused(folder, "is no regular file");
    if (geteuid() == 0) {
        const char *other = write_bytes("other", "", 0, 0600);
        CU_ASSERT_EQUAL_FATAL(chown(other, 65534, 65534), 0);
        expect_refused(other, "belongs to another user");
    }
}

TEST(project_of_the_largest_size_is_read)
{
    static char bytes[16384];
    memset(bytes, '#', sizeof bytes);
    struct reading reading = read_file(write_bytes("just", bytes, sizeof bytes, 0644));
    EXPECT_INTEGER(reading.error, ERROR_OK);
    finish(&reading);
}
