/* SPDX-License-Identifier: Apache-2.0 */
/* See unit.h. Places and precedence of files are systemd's: the first of a name counts, drop-ins in order of their
 * names. */
#include "cli/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *const unit_places[] = {
    "etc/systemd/system",     "run/systemd/system", "run/systemd/generator",      "usr/local/lib/systemd/system",
    "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/generator.late",
};
enum { UNIT_PLACES = sizeof unit_places / sizeof *unit_places, UNIT_NAME_MAX = 255, UNIT_LINE_MAX = 1 << 20 };

const char *unit_name(const char *typed)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@";
    const char *name = text_ends(typed, ".service") ? typed : text_format("%s.service", typed);
    if (typed[0] && typed[0] != '.' && strlen(name) <= UNIT_NAME_MAX && name[strspn(name, allowed)] == '\0')
        return name;
    text_complain("that is no name of a service: letters, digits and :-_.\\@");
    return NULL;
}

/* "shop@blue.service" is an instance of "shop@.service"; NULL: of no template. */
static const char *unit_template(const char *name)
{
    const char *at = strchr(name, '@');
    return at && strcmp(at, "@.service") != 0 ? text_format("%.*s@.service", (int)(at - name), name) : NULL;
}

/* ---- one file ---- */

static char *unit_trim(char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* One assignment of [Service]. An empty ExecStart takes back those before it. */
static void unit_take(struct unit *unit, const char *key, const char *value)
{
    if (strcmp(key, "ExecStart") == 0 && !value[0])
        unit->commands = (struct text_list){0};
    else if (strcmp(key, "ExecStart") == 0)
        text_append(&unit->commands, text_format("%s", value));
    else if (strcmp(key, "Type") == 0)
        unit->type = text_format("%s", value);
    else if (strcmp(key, "User") == 0)
        unit->user = value[0] ? text_format("%s", value) : NULL;
    else if (strcmp(key, "NotifyAccess") == 0)
        unit->says_notify_access = true;
}

/* The next line, those that continue it joined to it by spaces; false at the end. Comments may stand between them. */
static bool unit_read_line(FILE *file, char **buffer, size_t *buffer_size, char **ret_line)
{
    const char *joined = "";
    bool has_line = false, goes_on = true;
    while (goes_on && strlen(joined) < UNIT_LINE_MAX && getline(buffer, buffer_size, file) > 0) {
        char *line = unit_trim(*buffer);
        size_t length = strlen(line);
        if (line[0] == '#' || line[0] == ';')
            continue;
        has_line = true;
        goes_on = length > 0 && line[length - 1] == '\\';
        if (goes_on)
            line[length - 1] = '\0';
        joined = text_format("%s%s%s", joined, joined[0] ? " " : "", line);
    }
    *ret_line = text_format("%s", joined);
    return has_line;
}

static bool unit_read_file(const char *path, struct unit *unit)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    char *buffer = NULL, *line;
    size_t buffer_size = 0;
    bool is_service = false;
    while (unit_read_line(file, &buffer, &buffer_size, &line)) {
        char *equals = strchr(line, '=');
        if (line[0] == '[') {
            is_service = strcmp(unit_trim(line), "[Service]") == 0;
        } else if (equals && is_service) {
            *equals = '\0';
            unit_take(unit, unit_trim(line), unit_trim(equals + 1));
        }
    }
    bool is_whole = !ferror(file);
    free(buffer);
    fclose(file);
    return is_whole;
}

bool unit_read_commands(const char *path, struct text_list *ret_commands)
{
    struct unit unit = {0};
    if (!unit_read_file(path, &unit))
        return false;
    *ret_commands = unit.commands;
    return true;
}

/* ---- drop-ins ---- */

static const char *unit_base(const char *path)
{
    return strrchr(path, '/') + 1;
}

static int unit_compare(const void *a, const void *b)
{
    return strcmp(unit_base(*(const char *const *)a), unit_base(*(const char *const *)b));
}

static bool unit_has_base(const struct text_list *paths, const char *base)
{
    for (size_t i = 0; i < paths->count; i++)
        if (strcmp(unit_base(paths->items[i]), base) == 0)
            return true;
    return false;
}

static void unit_list_directory(const char *directory, struct text_list *paths)
{
    DIR *stream = opendir(directory);
    const struct dirent *entry;
    while (stream && (entry = readdir(stream)))
        if (text_ends(entry->d_name, ".conf") && !unit_has_base(paths, entry->d_name))
            text_append(paths, text_format("%s/%s", directory, entry->d_name));
    if (stream)
        closedir(stream);
}

/* Those of the unit go before those of its template, these before those of all services. */
static void unit_list_drop_ins(const char *root, const char *name, struct text_list *paths)
{
    const char *const owners[] = {name, unit_template(name), "service"};
    for (size_t owner = 0; owner < sizeof owners / sizeof *owners; owner++)
        for (size_t place = 0; owners[owner] && place < UNIT_PLACES; place++)
            unit_list_directory(text_format("%s/%s/%s.d", root, unit_places[place], owners[owner]), paths);
    if (paths->count)
        qsort(paths->items, paths->count, sizeof *paths->items, unit_compare);
}

static void unit_read_drop_in(const char *path, struct unit *unit)
{
    struct text_list commands;
    const char *base = unit_base(path);
    if (strcmp(base, UNIT_DROP_IN) == 0 || !unit_read_file(path, unit))
        return;
    if (strcmp(base, UNIT_DROP_IN) > 0 && unit_read_commands(path, &commands) && commands.count > 0)
        unit->later = path;
}

static bool unit_find(const char *root, const char *name, struct unit *unit)
{
    for (size_t place = 0; place < UNIT_PLACES; place++) {
        const char *path = text_format("%s/%s/%s", root, unit_places[place], name);
        if (unit_read_file(path, unit)) {
            unit->path = path;
            return true;
        }
        if (errno != ENOENT && errno != ENOTDIR)
            text_complain("%s: %s", path, strerror(errno));
    }
    return false;
}

int unit_read(const char *root, const char *name, struct unit *ret_unit)
{
    struct unit unit = {.name = name};
    struct text_list drop_ins = {0};
    const char *template = unit_template(name);
    if (!unit_find(root, name, &unit) && !(template && unit_find(root, template, &unit))) {
        text_complain("there is no unit %s in %s/etc/systemd/system, %s/usr/lib/systemd/system and the like", name,
                      root, root);
        return EX_NOINPUT;
    }
    unit_list_drop_ins(root, name, &drop_ins);
    for (size_t i = 0; i < drop_ins.count; i++)
        unit_read_drop_in(drop_ins.items[i], &unit);
    *ret_unit = unit;
    return EX_OK;
}
