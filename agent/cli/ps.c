/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate ps: the programs that this environment governs, as /proc shows them (the variables they were started with,
 * the library they have loaded), with what they have asked for lately; and what goes past the agent. Programs of other
 * users are seen by root alone. Exit code 1: something goes past.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PS_FILE_BYTES_MAX (4u << 20) /* environments and maps of processes */
#define PS_EVENTS         1000       /* the latest: what counts as lately */

enum ps_engine { PS_PRELOAD, PS_SUPERVISE, PS_NONE };
static const char *const ps_engine_names[] = {"preload", "supervise", "none"};

struct ps_process {
    long pid;
    enum ps_engine engine;
    const char *group, *project; /* asked for; NULL: not */
    const char *program;         /* executable, and the script that it runs */
    double started_s;            /* wall clock */
    long long calls;
    const char *last_call; /* time of its latest event; NULL: none */
};

struct ps {
    const struct cli *cli;
    struct ps_process *rows;
    size_t count, capacity;
    size_t unreadable; /* processes of others */
    json_t *events, *leaks;
};

/* A file of /proc has no size; NUL-terminated. NULL: not readable. */
static char *ps_read(int directory, const char *name, size_t *ret_size)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    size_t size = 0, room = 1 << 14;
    char *bytes = text_allocate(room);
    ssize_t got;
    while (size < PS_FILE_BYTES_MAX && (got = read(fd, bytes + size, room - size - 1)) > 0) {
        size += (size_t)got;
        if (size + 1 < room)
            continue;
        char *larger = text_allocate(2 * room);
        memcpy(larger, bytes, size);
        bytes = larger;
        room *= 2;
    }
    close(fd);
    bytes[size] = '\0';
    *ret_size = size;
    return bytes;
}

/* The value of a variable in an environ file: "A=1\0B=2\0". */
static const char *ps_find_variable(const char *bytes, size_t size, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = bytes; at < bytes + size; at += strlen(at) + 1)
        if (strncmp(at, name, length) == 0 && at[length] == '=')
            return at + length + 1;
    return NULL;
}

static bool ps_has_shim(int directory)
{
    size_t size;
    const char *maps = ps_read(directory, "maps", &size);
    return maps && strstr(maps, "/" LAUNCH_SHIM_NAME "\n") != NULL;
}

/* Mode 2 is a filter (proc(5)): ours, when it says that it was started below a supervisor. */
static bool ps_is_supervised(int directory, const char *environment, size_t size)
{
    size_t status_size;
    const char *status = ps_read(directory, "status", &status_size);
    return ps_find_variable(environment, size, TOLLGATE_ENV_SUPERVISED) && status && strstr(status, "\nSeccomp:\t2\n");
}

/* Only the executable and, where its first argument is a file, that one: arguments may hold secrets. */
static const char *ps_describe_program(int directory)
{
    char path[4096];
    ssize_t length = readlinkat(directory, "exe", path, sizeof path - 1);
    if (length <= 0)
        return "-";
    path[length] = '\0';
    const char *slash = strrchr(path, '/');
    const char *name = text_format("%s", slash ? slash + 1 : path);
    size_t size;
    const char *arguments = ps_read(directory, "cmdline", &size);
    const char *script = arguments && strlen(arguments) + 1 < size ? arguments + strlen(arguments) + 1 : "";
    struct stat facts;
    const char *at = script[0] == '/' ? script : text_format("cwd/%s", script);
    bool is_file = script[0] && fstatat(directory, at, &facts, 0) == 0 && S_ISREG(facts.st_mode);
    return is_file ? text_format("%s %s", name, script) : name;
}

static double ps_boot_time(void)
{
    struct timespec wall, boot;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (double)(wall.tv_sec - boot.tv_sec) + (double)(wall.tv_nsec - boot.tv_nsec) / 1e9;
}

/* proc(5): field 22 of stat, in ticks since boot; the name in field 2 may contain anything, `)` too. */
static double ps_find_start(int directory)
{
    size_t size;
    const char *stat = ps_read(directory, "stat", &size);
    const char *field = stat ? strrchr(stat, ')') : NULL;
    for (int number = 2; field && number < 22; number++)
        field = strchr(field + 1, ' ');
    return field ? ps_boot_time() + (double)strtoull(field + 1, NULL, 10) / (double)sysconf(_SC_CLK_TCK) : 0;
}

static bool ps_is_tollgate(int directory)
{
    struct stat own, other;
    return stat("/proc/self/exe", &own) == 0 && fstatat(directory, "exe", &other, 0) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

static void ps_add(struct ps *ps, const struct ps_process *process)
{
    if (ps->count == ps->capacity) {
        ps->capacity = ps->capacity ? 2 * ps->capacity : 64;
        struct ps_process *rows = text_allocate(ps->capacity * sizeof *rows);
        if (ps->count)
            memcpy(rows, ps->rows, ps->count * sizeof *rows);
        ps->rows = rows;
    }
    ps->rows[ps->count++] = *process;
}

/* proc(5): "Uid:" of status; the directory's owner is root for every process that is not dumpable. */
static bool ps_is_of_other(int directory)
{
    size_t size;
    unsigned real, effective;
    const char *status = ps_read(directory, "status", &size);
    const char *line = status ? strstr(status, "\nUid:") : NULL;
    return line && sscanf(line, "\nUid: %u %u", &real, &effective) == 2 && effective != geteuid();
}

static void ps_look(struct ps *ps, long pid, int directory)
{
    size_t size;
    const char *environment = ps_read(directory, "environ", &size);
    if (!environment) {
        ps->unreadable += (errno == EACCES || errno == EPERM) && ps_is_of_other(directory);
        return;
    }
    const char *runtime = ps_find_variable(environment, size, TOLLGATE_ENV_RUNTIME);
    if (!runtime || strcmp(runtime, ps->cli->place.runtime) != 0 || ps_is_tollgate(directory))
        return;
    struct ps_process process = {.pid = pid,
                                 .group = ps_find_variable(environment, size, TOLLGATE_ENV_GROUP),
                                 .project = ps_find_variable(environment, size, TOLLGATE_ENV_PROJECT),
                                 .program = ps_describe_program(directory),
                                 .started_s = ps_find_start(directory)};
    process.engine = ps_is_supervised(directory, environment, size) ? PS_SUPERVISE
                     : ps_has_shim(directory)                       ? PS_PRELOAD
                                                                    : PS_NONE;
    ps_add(ps, &process);
}

static void ps_look_around(struct ps *ps)
{
    DIR *processes = opendir("/proc");
    if (!processes)
        return;
    for (struct dirent *entry; (entry = readdir(processes));) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        int directory =
            *end || pid <= 0 ? -1 : openat(dirfd(processes), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
            continue;
        ps_look(ps, pid, directory);
        close(directory);
    }
    closedir(processes);
}

/* ISO 8601 in UTC orders like the time it says. */
static const char *ps_format_time(double wall_s)
{
    time_t seconds = (time_t)wall_s;
    struct tm parts;
    char text[32];
    if (!gmtime_r(&seconds, &parts) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts))
        return "";
    return text_format("%s", text);
}

/* Events are the newest first. A pid that was used again has events from before its start. */
static void ps_count_calls(struct ps *ps, struct ps_process *process)
{
    const char *start = ps_format_time(process->started_s);
    for (size_t i = 0; i < json_array_size(ps->events); i++) {
        const json_t *event = json_array_get(ps->events, i);
        const char *time = api_text(event, "time", "");
        if (api_integer(event, "pid", 0) != process->pid || strncmp(time, start, strlen(start)) < 0 ||
            strcmp(api_text(event, "kind", ""), "ungoverned") == 0)
            continue;
        process->calls++;
        process->last_call = process->last_call ? process->last_call : time;
    }
}

static const char *ps_state(const struct ps_process *process)
{
    if (process->engine == PS_NONE)
        return "not governed: static, or changed its user";
    return process->calls ? "governed" : "silent";
}

static void ps_print_processes(const struct ps *ps)
{
    static const struct table_column columns[] = {
        {"PID", TABLE_RIGHT},
        {"ENGINE", 0},
        {"STATE", TABLE_FLEX},
        {"GROUP", TABLE_FLEX | TABLE_WIDE},
        {"PROJECT", TABLE_FLEX | TABLE_WIDE},
        {"CALLS", TABLE_RIGHT},
        {"LAST CALL", TABLE_WIDE},
        {"PROGRAM", TABLE_FLEX},
    };
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof columns[0]};
    for (size_t i = 0; i < ps->count; i++) {
        const struct ps_process *process = &ps->rows[i];
        table_add(&table, text_format("%ld", process->pid));
        table_add(&table, ps_engine_names[process->engine]);
        table_add(&table, ps_state(process));
        table_add(&table, process->group ? process->group : "-");
        table_add(&table, process->project ? process->project : "-");
        table_add(&table, text_format("%lld", process->calls));
        table_add(&table, process->last_call ? terminal_time(process->last_call, false) : "-");
        table_add(&table, process->program);
    }
    table_print(&table, stdout);
}

static void ps_print_leaks(const struct ps *ps)
{
    for (size_t i = 0; i < json_array_size(ps->leaks); i++) {
        const json_t *leak = json_array_get(ps->leaks, i);
        const char *executable = api_text(leak, "executable", "");
        const char *line =
            text_format("UNGOVERNED pid %s, %s: connected to %s past the agent since %s", api_text(leak, "pid", "?"),
                        executable[0] ? executable : "a program of another user", api_text(leak, "host", "?"),
                        terminal_time(api_text(leak, "since", "-"), true));
        puts(terminal_paint(stdout, COLOR_RED, terminal_clean(line)));
    }
    if (json_array_size(ps->leaks) > 0)
        puts("start these programs with tollgate run; what holds a placeholder key is refused by the provider");
}

static void ps_print_json(const struct ps *ps)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < ps->count; i++) {
        const struct ps_process *process = &ps->rows[i];
        json_array_append_new(rows, json_pack("{s:I, s:s, s:s, s:s?, s:s?, s:I, s:s?, s:s}", "pid",
                                              (json_int_t)process->pid, "engine", ps_engine_names[process->engine],
                                              "state", ps_state(process), "group", process->group, "project",
                                              process->project, "calls", (json_int_t)process->calls, "last_call",
                                              process->last_call, "program", process->program));
    }
    json_t *document = json_pack("{s:s, s:o, s:O, s:I}", "environment", ps->cli->place.environment, "processes", rows,
                                 "leaks", ps->leaks, "unreadable", (json_int_t)ps->unreadable);
    json_dumpf(document, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(document);
}

/* Members of an answer outlive it. */
static int ps_ask(const struct cli *cli, const char *path, const char *member, json_t **ret_array)
{
    struct answer answer;
    int code = api_get(cli, path, &answer);
    if (code != EX_OK)
        return code;
    *ret_array = json_incref(json_object_get(answer.json, member));
    json_decref(answer.json);
    return EX_OK;
}

int ps_command(struct cli *cli)
{
    struct ps ps = {.cli = cli};
    int code = ps_ask(cli, "/v1/leaks", "leaks", &ps.leaks);
    if (code == EX_OK)
        code = ps_ask(cli, text_format("/v1/events?limit=%d", PS_EVENTS), "events", &ps.events);
    if (code != EX_OK)
        return code;
    ps_look_around(&ps);
    for (size_t i = 0; i < ps.count; i++)
        ps_count_calls(&ps, &ps.rows[i]);
    if (cli->options.json) {
        ps_print_json(&ps);
    } else {
        ps_print_processes(&ps);
        ps_print_leaks(&ps);
        if (ps.unreadable > 0)
            printf("%s\n",
                   terminal_paint(stdout, COLOR_DIM,
                                  text_format(ps.unreadable == 1 ? "1 process of another user cannot be looked at"
                                                                 : "%zu processes of other users cannot be looked at",
                                              ps.unreadable)));
    }
    code = json_array_size(ps.leaks) > 0 ? CLI_NEGATIVE : EX_OK;
    json_decref(ps.leaks);
    json_decref(ps.events);
    return code;
}
