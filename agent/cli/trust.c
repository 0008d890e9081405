/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate trust: which project files the user has seen and wants followed, by canonical path and SHA-256 of the
 * content, in the user's own state directory:
 *   {"projects": {"/home/you/shop/.tollgate.yaml": {"digest": "…", "environment": "prod", "time": 1782993600}}}
 * A copy elsewhere, or another content here, is another file. Shown is what was hashed.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { TRUST_PROJECTS_MAX = 1000, TRUST_BYTES_MAX = 8 << 20, TRUST_LOCK_MS = 5000 };

static const char *trust_directory(void)
{
    return text_format("%s/trust", place_state_home());
}

const char *trust_file(void)
{
    return text_format("%s/projects.json", trust_directory());
}

/* NULL: fine. Whoever could write it could trust for the user. */
static const char *trust_doubt(const struct stat *facts, mode_t type)
{
    if ((facts->st_mode & S_IFMT) != type)
        return type == S_IFDIR ? "is no directory" : "is no regular file";
    if (facts->st_uid != geteuid())
        return "belongs to another user";
    return facts->st_mode & 077 ? "is open to others (want no rights for group and others)" : NULL;
}

/* A new reference; NULL (after a message unless it is absent): nothing is trusted. */
static json_t *trust_read_from(int fd, const struct stat *facts)
{
    json_error_t error;
    if (facts->st_size > TRUST_BYTES_MAX) {
        text_complain("%s is larger than %d MiB: it is not believed", trust_file(), TRUST_BYTES_MAX >> 20);
        return NULL;
    }
    json_t *store = json_loadfd(fd, 0, &error);
    if (json_is_object(json_object_get(store, "projects")))
        return store;
    text_complain("%s is damaged (line %d): it is not believed; remove it, and trust again", trust_file(), error.line);
    json_decref(store);
    return NULL;
}

static json_t *trust_read(bool *ret_is_absent)
{
    struct stat facts;
    const char *directory = trust_directory(), *doubt = NULL;
    json_t *store = NULL;
    *ret_is_absent = false;
    int fd = open(trust_file(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        *ret_is_absent = errno == ENOENT;
        if (errno != ENOENT)
            text_complain("%s: %s", trust_file(), strerror(errno));
        return NULL;
    }
    if (lstat(directory, &facts) == 0 && (doubt = trust_doubt(&facts, S_IFDIR)))
        text_complain("%s %s: what it holds is not believed", directory, doubt);
    else if (fstat(fd, &facts) == 0 && (doubt = trust_doubt(&facts, S_IFREG)))
        text_complain("%s %s: it is not believed", trust_file(), doubt);
    else
        store = trust_read_from(fd, &facts);
    close(fd);
    return store;
}

const json_t *trust_find(const char *path)
{
    static json_t *store; /* kept: what is given out points into it */
    static bool is_read;
    bool is_absent;
    if (!is_read)
        store = trust_read(&is_absent);
    is_read = true;
    return json_object_get(json_object_get(store, "projects"), path);
}

static int trust_fail(const char *path)
{
    text_complain("%s could not be written: %s", path, strerror(errno));
    return EX_CANTCREAT;
}

static int trust_write(const json_t *store)
{
    const char *path = trust_file(), *temporary = text_format("%s.new", path);
    unlink(temporary);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return trust_fail(temporary);
    bool is_written = json_dumpfd(store, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
    close(fd);
    if (is_written && rename(temporary, path) == 0)
        return EX_OK;
    int code = trust_fail(path);
    unlink(temporary);
    return code;
}

/* Two that change it at once take turns. */
static int trust_lock(void)
{
    const char *directory = trust_directory();
    int error = place_make_directory(directory, 0700);
    int fd = error ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct stat facts;
    const char *doubt = fd >= 0 && fstat(fd, &facts) == 0 ? trust_doubt(&facts, S_IFDIR) : NULL;
    if (doubt) {
        text_complain("%s %s: nothing is kept there", directory, doubt);
        close(fd);
        return -1;
    }
    for (int waited = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0; waited += 20) {
        if (errno != EWOULDBLOCK || waited >= TRUST_LOCK_MS) {
            close(fd);
            fd = -1;
        } else {
            usleep(20000);
        }
    }
    if (fd < 0)
        text_complain("%s cannot be used: %s", directory, strerror(error ? error : errno));
    return fd;
}

/* entry NULL: takes the trust away. CLI_NEGATIVE: there was none. */
static int trust_change(const char *path, json_t *entry)
{
    int lock = trust_lock();
    if (lock < 0) {
        json_decref(entry);
        return EX_CANTCREAT;
    }
    bool is_absent;
    json_t *store = trust_read(&is_absent);
    if (!store && is_absent)
        store = json_pack("{s:{}}", "projects");
    json_t *projects = json_object_get(store, "projects");
    int code = EX_OK;
    if (!projects) {
        json_decref(entry);
        code = EX_NOPERM;
    } else if (!entry) {
        code = json_object_del(projects, path) == 0 ? EX_OK : CLI_NEGATIVE;
    } else if (json_object_size(projects) >= TRUST_PROJECTS_MAX && !json_object_get(projects, path)) {
        text_complain("%d projects are trusted already: tollgate trust --list, --remove", TRUST_PROJECTS_MAX);
        json_decref(entry);
        code = EX_UNAVAILABLE;
    } else if (json_object_set_new(projects, path, entry) != 0) {
        text_complain("%s: only a path that is UTF-8 can be trusted", terminal_clean(path));
        code = EX_DATAERR;
    }
    if (code == EX_OK)
        code = trust_write(store);
    json_decref(store);
    close(lock);
    return code;
}

/* The argument is the file or its directory; NULL after a message. */
static const char *trust_path(const struct cli *cli)
{
    const char *argument = cli->arguments.count > 0 ? cli->arguments.items[0] : NULL;
    if (!argument) {
        const char *nearest = project_locate();
        if (!nearest)
            text_complain("no " PROJECT_FILE_NAME " here or above");
        return nearest;
    }
    const char *path = place_absolute(argument);
    const char *slash = strrchr(path, '/');
    bool is_file = strcmp(slash + 1, PROJECT_FILE_NAME) == 0;
    const char *directory = is_file ? text_format("%.*s", (int)(slash - path), path) : path;
    char *real = realpath(directory[0] ? directory : "/", NULL);
    /* What is gone can still be removed from the list, under the name that it has there. */
    const char *found = text_format("%s/" PROJECT_FILE_NAME, real ? strcmp(real, "/") == 0 ? "" : real : directory);
    free(real);
    return found;
}

static void trust_show(const struct project *project)
{
    bool is_prod = strcmp(project->environment, "prod") == 0;
    printf("%s\n", terminal_clean(project->path));
    printf("  environment  %s%s\n", project->environment, is_prod ? ": programs run here spend prod's money" : "");
    printf("  group        %s\n", project->group ? project->group : "as the policy decides");
    printf("  project      %s\n", project->name ? project->name : "none");
    printf("  shell        %s\n", project->shell ? "true: entering governs a shell that has the hook" : "false");
}

static int trust_add(const struct cli *cli)
{
    const char *path = trust_path(cli);
    struct project project;
    int code = path ? project_read(cli, path, &project) : EX_NOINPUT;
    if (code != EX_OK)
        return code;
    if (project.refused) {
        text_complain("%s %s: it cannot be trusted", terminal_clean(path), project.refused);
        return EX_NOPERM;
    }
    if (project.problems) {
        fputs(project.problems, stderr);
        text_complain("%s has mistakes: it is not trusted", terminal_clean(path));
        return EX_DATAERR;
    }
    trust_show(&project);
    if (project.is_trusted) {
        puts("trusted already");
        return EX_OK;
    }
    code = trust_change(path, json_pack("{s:s, s:s, s:I}", "digest", project.digest, "environment", project.environment,
                                        "time", (json_int_t)time(NULL)));
    if (code == EX_OK)
        puts(project.has_changed ? "trusted again, as it is now" : "trusted, until it changes");
    return code;
}

static int trust_remove(const struct cli *cli)
{
    const char *path = trust_path(cli);
    int code = path ? trust_change(path, NULL) : EX_NOINPUT;
    if (code == CLI_NEGATIVE)
        text_complain("%s was not trusted", terminal_clean(path));
    else if (code == EX_OK)
        printf("%s is not trusted any more\n", terminal_clean(path));
    return code;
}

static const struct table_column trust_columns[] = {
    {"FILE", TABLE_FLEX}, {"ENVIRONMENT", 0}, {"STATE", 0}, {"SINCE", TABLE_WIDE}};

static const char *trust_state(const struct cli *cli, const char *path)
{
    struct project project;
    if (access(path, F_OK) != 0)
        return "gone";
    if (project_read(cli, path, &project) != EX_OK)
        return "unknown";
    return project.refused ? "refused" : project.is_trusted ? "trusted" : "changed";
}

static int trust_list(const struct cli *cli)
{
    bool is_absent;
    json_t *store = trust_read(&is_absent);
    if (!store && !is_absent)
        return EX_NOPERM;
    struct table table = {.columns = trust_columns, .column_count = sizeof trust_columns / sizeof trust_columns[0]};
    const char *path;
    json_t *entry;
    json_object_foreach(json_object_get(store, "projects"), path, entry)
    {
        time_t since = (time_t)api_integer(entry, "time", 0);
        struct tm local;
        char text[32] = "-";
        if (localtime_r(&since, &local))
            strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
        table_add(&table, text_format("%s", path));
        table_add(&table, text_format("%s", api_text(entry, "environment", "-")));
        table_add(&table, trust_state(cli, path));
        table_add(&table, text_format("%s", text));
    }
    table_print(&table, stdout);
    json_decref(store);
    return EX_OK;
}

int trust_command(struct cli *cli)
{
    if (cli->options.list && (cli->options.remove || cli->arguments.count > 0)) {
        text_complain("--list goes alone");
        return EX_USAGE;
    }
    if (cli->options.list)
        return trust_list(cli);
    return cli->options.remove ? trust_remove(cli) : trust_add(cli);
}
