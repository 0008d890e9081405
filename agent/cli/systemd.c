/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate systemd: a drop-in that lets a service's ExecStart run under `tollgate run`, so that everything that run
 * does (the environment, the engine, the refusal of what cannot be governed) is decided at each start of the service.
 * Writes one file, starts and reloads nothing.
 */
#include "cli/cli.h"
#include "cli/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#define SYSTEMD_DIRECTORY "etc/systemd/system"
#define SYSTEMD_MARK      "# Written by tollgate systemd enable"
#define SYSTEMD_ENDS_RUN  " -- "

static const char *systemd_root(const struct cli *cli)
{
    char *root = text_format("%s", cli->options.root ? place_absolute(cli->options.root) : "");
    size_t length = strlen(root);
    while (length > 0 && root[length - 1] == '/')
        root[--length] = '\0';
    return root;
}

static const char *systemd_directory(const char *root, const char *unit)
{
    return text_format("%s/" SYSTEMD_DIRECTORY "/%s.d", root, unit);
}

static const char *systemd_file(const char *root, const char *unit)
{
    return text_format("%s/" UNIT_DROP_IN, systemd_directory(root, unit));
}

/* A file of that name that somebody else wrote is not ours to change. */
static bool systemd_is_ours(const char *path)
{
    char line[sizeof SYSTEMD_MARK] = "";
    FILE *file = fopen(path, "re");
    bool is_ours = file && fgets(line, sizeof line, file) && strcmp(line, SYSTEMD_MARK) == 0;
    if (file)
        fclose(file);
    return is_ours;
}

/* ---- what stands in the drop-in ---- */

/* In a unit `%`, `$`, quotes and blanks mean something; what we put into one is free of them. */
static bool systemd_is_plain(const char *what, const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+:@,=-";
    if (!text || text[strspn(text, allowed)] == '\0')
        return true;
    text_complain("%s, %s, cannot stand in a unit: letters, digits and /._+:@,=- can", what, terminal_clean(text));
    return false;
}

/* What goes before the service's own program; NULL after a message. */
static const char *systemd_launcher(const struct cli *cli)
{
    const struct options *options = &cli->options;
    const char *const rows[][2] = {{"env", options->environment},
                                   {"state", place_absolute(options->state)},
                                   {"runtime", place_absolute(options->runtime)},
                                   {"group", options->group},
                                   {"project", options->project},
                                   {"engine", options->engine}};
    const char *launcher = text_format("%s run", locate_program());
    if (!systemd_is_plain("the path of tollgate", locate_program()))
        return NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!systemd_is_plain(rows[i][0], rows[i][1]))
            return NULL;
        if (rows[i][1])
            launcher = text_format("%s --%s %s", launcher, rows[i][0], rows[i][1]);
    }
    return launcher;
}

/* systemd.service(5): these stand before the program's path and go before ours. */
static size_t systemd_prefix(const char *command)
{
    return strspn(command, "-+!:@|");
}

/* systemd.service(5): a word that is ";" ends a command; a quoted one, or \;, is data. */
static bool systemd_has_several(const char *command)
{
    char quote = '\0';
    bool begins = true;
    for (const char *at = command; *at; at++) {
        const bool is_blank = *at == ' ' || *at == '\t';
        if (!quote && begins && *at == ';' && (at[1] == ' ' || at[1] == '\t'))
            return true;
        begins = !quote && is_blank;
        if (*at == '\\' && at[1] && quote != '\'')
            at++;
        else if (quote ? *at == quote : *at == '"' || *at == '\'')
            quote = quote ? '\0' : *at;
    }
    return false;
}

/* Why this command cannot run under ours; NULL: it can. */
static const char *systemd_obstacle(const char *command)
{
    size_t prefix = systemd_prefix(command);
    if (memchr(command, '@', prefix))
        return "it gives its program another name (@), which would be ours";
    if (systemd_has_several(command))
        return "it holds several commands, of which only the first would be governed";
    const char *rest = command + prefix, *word = unit_word(&rest);
    if (!word)
        return "it names no program";
    if (systemd_prefix(word) > 0)
        return "the prefix of its program is quoted, and could not go before ours";
    const char *program = terminal_base(word), *verb = unit_word(&rest);
    if (strcmp(program, "tollgate") == 0 && verb && strcmp(verb, "run") == 0)
        return "it runs tollgate already";
    if (strcmp(program, "tollgate") == 0 || strcmp(program, "tollgated") == 0)
        return "it is Tollgate itself, which could not start below its own agent";
    return NULL;
}

static int systemd_judge(const struct unit *unit)
{
    if (unit->commands.count == 0) {
        text_complain("%s has no ExecStart (%s): it is masked, or no program", unit->name, unit->path);
        return EX_DATAERR;
    }
    if (unit->later) {
        text_complain("%s sets ExecStart and comes after " UNIT_DROP_IN ": name it so that it comes before",
                      unit->later);
        return EX_DATAERR;
    }
    for (size_t i = 0; i < unit->commands.count; i++) {
        const char *obstacle = systemd_obstacle(unit->commands.items[i]);
        if (!obstacle)
            continue;
        text_complain("ExecStart=%s of %s: %s", terminal_clean(unit->commands.items[i]), unit->name, obstacle);
        return EX_DATAERR;
    }
    return EX_OK;
}

/* "+" before a command: systemd runs it as root whatever User= says. */
static const char *systemd_user(const struct unit *unit)
{
    for (size_t i = 0; i < unit->commands.count; i++)
        if (memchr(unit->commands.items[i], '+', systemd_prefix(unit->commands.items[i])))
            return "root";
    return unit->user;
}

/* What keeps the service from its agent. A system service has no XDG_RUNTIME_DIR, and what it starts ends with it. */
static void systemd_warn(const struct cli *cli, const struct unit *unit)
{
    struct launch_place place = cli->place;
    const char *user = systemd_user(unit);
    if (!place.is_prod && !cli->options.runtime)
        place.runtime = text_format("/tmp/tollgate-%s/dev", user ? user : "root");
    walls_warn(&place, unit);
    if (!place.is_prod)
        text_complain(
            "--env dev: an agent that %s starts runs inside of it, and ends with it. Keep one running%s, or use "
            "prod's",
            unit->name, cli->options.runtime ? "" : ", whose directory --runtime names");
}

/* ---- the drop-in ---- */

static const char *systemd_text(const struct cli *cli, const struct unit *unit, const char *launcher)
{
    const char *text = SYSTEMD_MARK "; tollgate systemd disable removes it.\n"
                                    "# When ExecStart of the unit itself changes: enable it again (tollgate systemd "
                                    "list).\n";
    if (cli->place.is_prod)
        text = text_format("%s[Unit]\nWants=tollgated@prod.service\nAfter=tollgated@prod.service\n\n", text);
    text = text_format("%s[Service]\n", text);
    /* A program that needs the supervisor is its child, and reports for itself. */
    const bool is_heard = unit->is_watched || (unit->type && text_starts(unit->type, "notify"));
    if (is_heard && !(unit->notify_access && strcmp(unit->notify_access, "all") == 0))
        text = text_format("%sNotifyAccess=all\n", text);
    text = text_format("%sExecStart=\n", text);
    for (size_t i = 0; i < unit->commands.count; i++) {
        const char *command = unit->commands.items[i];
        size_t prefix = systemd_prefix(command);
        /* "a\ " ends in a backslash, which at a line's end would join the next line to it. */
        text = text_format("%sExecStart=%.*s%s" SYSTEMD_ENDS_RUN "%s%s\n", text, (int)prefix, command, launcher,
                           command + prefix, text_ends(command, "\\") ? " " : "");
    }
    return text;
}

/* Whole or not at all; readable for all, as units are. */
static int systemd_write(const char *directory, const char *path, const char *text)
{
    const char *temporary = text_format("%s/.%s.%d", directory, UNIT_DROP_IN, (int)getpid());
    int error = place_make_directory(directory, 0755);
    int fd = error ? -1 : open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    ssize_t length = (ssize_t)strlen(text);
    bool is_written = fd >= 0 && write(fd, text, (size_t)length) == length && fchmod(fd, 0644) == 0;
    error = error ? error : errno;
    if (fd >= 0)
        close(fd);
    if (is_written && rename(temporary, path) == 0)
        return EX_OK;
    text_complain("%s: %s", path, strerror(is_written ? errno : error));
    unlink(temporary);
    return EX_CANTCREAT;
}

static int systemd_enable(struct cli *cli, const char *root, const char *name)
{
    struct unit unit;
    if (!cli->options.environment) {
        text_complain("say which agent shall govern it: --env prod");
        return EX_USAGE;
    }
    const char *launcher = systemd_launcher(cli), *path = systemd_file(root, name);
    if (!launcher)
        return EX_USAGE;
    if (access(path, F_OK) == 0 && !systemd_is_ours(path)) {
        text_complain("%s is there already, and not from us", path);
        return EX_CANTCREAT;
    }
    int code = unit_read(root, name, &unit);
    if (code == EX_OK)
        code = systemd_judge(&unit);
    if (code == EX_OK)
        code = systemd_write(systemd_directory(root, name), path, systemd_text(cli, &unit, launcher));
    if (code != EX_OK)
        return code;
    printf("%s: its ExecStart runs under tollgate run --env %s\n", path, cli->options.environment);
    systemd_warn(cli, &unit);
    if (cli->place.is_prod && systemd_user(&unit))
        printf("its user, %s, must be one of access.uids, or of a group of access.gids, in the policy of prod\n",
               terminal_clean(systemd_user(&unit)));
    printf("now: systemctl daemon-reload && systemctl restart %s\n", name);
    return EX_OK;
}

static int systemd_disable(const char *root, const char *name)
{
    const char *path = systemd_file(root, name);
    if (access(path, F_OK) != 0) {
        printf("%s is not enabled\n", name);
        return EX_OK;
    }
    if (!systemd_is_ours(path)) {
        text_complain("%s is not from us", path);
        return EX_DATAERR;
    }
    if (unlink(path) != 0) {
        text_complain("%s: %s", path, strerror(errno));
        return errno == EACCES ? EX_NOPERM : EX_IOERR;
    }
    rmdir(systemd_directory(root, name)); /* unless other drop-ins are there */
    printf("%s: removed\nnow: systemctl daemon-reload && systemctl restart %s\n", path, name);
    return EX_OK;
}

/* ---- list ---- */

static const char *systemd_own_part(const char *command)
{
    const char *end = strstr(command, SYSTEMD_ENDS_RUN);
    return end ? end + strlen(SYSTEMD_ENDS_RUN) : "";
}

/* Does the drop-in still start what the unit says? */
static const char *systemd_state(const char *root, const char *name)
{
    struct unit unit;
    struct text_list ours;
    if (unit_read(root, name, &unit) != EX_OK)
        return "no such unit";
    if (unit.later)
        return text_format("overruled by %s", unit.later);
    if (!unit_read_commands(systemd_file(root, name), &ours) || ours.count != unit.commands.count)
        return "out of date";
    for (size_t i = 0; i < ours.count; i++) {
        const char *command = unit.commands.items[i];
        if (strcmp(systemd_own_part(ours.items[i]), command + systemd_prefix(command)) != 0)
            return "out of date";
    }
    return "governed";
}

static const char *systemd_environment(const char *root, const char *name)
{
    struct text_list ours;
    if (!unit_read_commands(systemd_file(root, name), &ours) || ours.count == 0)
        return "-";
    const char *option = strstr(ours.items[0], " --env ");
    return option ? text_format("%.*s", (int)strcspn(option + 7, " "), option + 7) : "-";
}

static int systemd_list(const char *root)
{
    static const struct table_column columns[] = {{"UNIT", TABLE_FLEX}, {"ENV", 0}, {"STATE", TABLE_FLEX}};
    struct table table = {.columns = columns, .column_count = sizeof columns / sizeof *columns};
    DIR *directory = opendir(text_format("%s/" SYSTEMD_DIRECTORY, root));
    const struct dirent *entry;
    bool are_current = true;
    while (directory && (entry = readdir(directory))) {
        const char *name = text_format("%.*s", (int)strlen(entry->d_name) - 2, entry->d_name);
        if (!text_ends(entry->d_name, ".service.d") || !systemd_is_ours(systemd_file(root, name)))
            continue;
        const char *state = systemd_state(root, name);
        are_current = are_current && strcmp(state, "governed") == 0;
        table_add(&table, name);
        table_add(&table, systemd_environment(root, name));
        table_add(&table, state);
    }
    if (directory)
        closedir(directory);
    table_print(&table, stdout);
    return are_current ? EX_OK : CLI_NEGATIVE;
}

int systemd_command(struct cli *cli)
{
    const char *verb = cli->arguments.items[0], *root = systemd_root(cli);
    if (strcmp(verb, "list") == 0 && cli->arguments.count == 1)
        return systemd_list(root);
    bool is_enable = strcmp(verb, "enable") == 0;
    if ((!is_enable && strcmp(verb, "disable") != 0) || cli->arguments.count != 2) {
        text_complain("systemd enable UNIT, systemd disable UNIT, or systemd list");
        return EX_USAGE;
    }
    const char *name = unit_name(cli->arguments.items[1]);
    if (!name)
        return EX_USAGE;
    return is_enable ? systemd_enable(cli, root, name) : systemd_disable(root, name);
}
