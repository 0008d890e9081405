/* SPDX-License-Identifier: Apache-2.0 */
/* See unit.h. Places and precedence of files are systemd's: the first of a name counts, drop-ins in order of their
 * names. */
#include "cli/unit.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static const char *const unit_places[] = {
    "etc/systemd/system",     "run/systemd/system", "run/systemd/generator",      "usr/local/lib/systemd/system",
    "usr/lib/systemd/system", "lib/systemd/system", "run/systemd/generator.late",
};
enum {
    UNIT_PLACES = sizeof unit_places / sizeof *unit_places,
    UNIT_NAME_MAX = 255,
    UNIT_LINKS_MAX = 8,
    UNIT_LINE_MAX = 1 << 20
};

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

const char *unit_word(const char **at)
{
    const char *from = *at + strspn(*at, " \t\n");
    char *word = text_allocate(strlen(from) + 1), *to = word, quote = '\0';
    if (!*from)
        return NULL;
    for (; *from && (quote || !strchr(" \t\n", *from)); from++) {
        const bool is_quote = quote ? *from == quote : *from == '"' || *from == '\'';
        if (*from == '\\' && from[1])
            *to++ = *++from == 's' ? ' ' : *from;
        else if (is_quote)
            quote = quote ? '\0' : *from;
        else
            *to++ = *from;
    }
    *at = from;
    return word;
}

/* Lists are lengthened by each assignment, and emptied by an empty one; of others the last counts (systemd.exec(5)). */
static const struct {
    const char *key;
    bool is_list;
} unit_walls[UNIT_WALLS] = {
    [UNIT_PRIVATE_NETWORK] = {"PrivateNetwork", false},
    [UNIT_FAMILIES] = {"RestrictAddressFamilies", true},
    [UNIT_ROOT_DIRECTORY] = {"RootDirectory", false},
    [UNIT_ROOT_IMAGE] = {"RootImage", false},
    [UNIT_INACCESSIBLE_PATHS] = {"InaccessiblePaths", true},
    [UNIT_TEMPORARY] = {"TemporaryFileSystem", true},
    [UNIT_DYNAMIC_USER] = {"DynamicUser", false},
    [UNIT_NETWORK_PATH] = {"NetworkNamespacePath", false},
    [UNIT_PRIVATE_TMP] = {"PrivateTmp", false},
    [UNIT_PROTECT_HOME] = {"ProtectHome", false},
    [UNIT_PROTECT_SYSTEM] = {"ProtectSystem", false},
    [UNIT_IP_DENY] = {"IPAddressDeny", true},
    [UNIT_IP_ALLOW] = {"IPAddressAllow", true},
    [UNIT_NO_EXEC_PATHS] = {"NoExecPaths", true},
    [UNIT_EXEC_PATHS] = {"ExecPaths", true},
    [UNIT_CALLS] = {"SystemCallFilter", true},
};

const char *unit_wall_name(enum unit_wall wall)
{
    return unit_walls[wall].key;
}

static void unit_take_wall(struct unit *unit, const char *key, const char *value)
{
    for (int i = 0; i < UNIT_WALLS; i++) {
        const char *before = unit->walls[i] ? unit->walls[i] : "";
        if (strcmp(key, unit_walls[i].key) == 0)
            unit->walls[i] = unit_walls[i].is_list && value[0] && before[0] ? text_format("%s\n%s", before, value)
                                                                            : text_format("%s", value);
    }
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
        unit->notify_access = text_format("%s", value);
    else if (strcmp(key, "WatchdogSec") == 0)
        unit->is_watched = value[0] && strcmp(value, "0") != 0 && strcmp(value, "infinity") != 0;
    else
        unit_take_wall(unit, key, value);
}

/* An odd number of them: the last one is no character of the value (systemd.syntax(7)). */
static bool unit_is_open(const char *line)
{
    size_t length = strlen(line), backslashes = 0;
    while (backslashes < length && line[length - 1 - backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 1;
}

/* The next line, with those that continue it as they stand; false at the end. The backslash is a blank then; comments
 * may stand between. */
static bool unit_read_line(FILE *file, char **buffer, size_t *buffer_size, char **ret_line)
{
    const char *joined = "";
    bool has_line = false, goes_on = true;
    while (goes_on && strlen(joined) < UNIT_LINE_MAX && getline(buffer, buffer_size, file) > 0) {
        char *line = *buffer;
        line[strcspn(line, "\r\n")] = '\0';
        const char first = line[strspn(line, " \t")];
        if (first == '#' || first == ';')
            continue;
        has_line = true;
        goes_on = unit_is_open(line);
        if (goes_on)
            line[strlen(line) - 1] = ' ';
        joined = text_format("%s%s", joined, line);
    }
    *ret_line = unit_trim(text_format("%s", joined));
    return has_line;
}

/* A file may begin with the mark of UTF-8. */
static void unit_skip_mark(FILE *file)
{
    char mark[3];
    if (fread(mark, 1, sizeof mark, file) != sizeof mark || memcmp(mark, "\xef\xbb\xbf", sizeof mark) != 0)
        rewind(file);
}

static bool unit_read_file(const char *path, struct unit *unit)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    char *buffer = NULL, *line;
    size_t buffer_size = 0;
    bool is_service = false;
    unit_skip_mark(file);
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

/* "a-b-c.service": its own, its template's, then a-b-.service.d and a-.service.d. */
static void unit_list_owners(const char *name, struct text_list *owners)
{
    const char *template = unit_template(name);
    text_append(owners, name);
    if (template)
        text_append(owners, template);
    for (size_t length = strcspn(name, "@"); length > 0; length--)
        if (name[length - 1] == '-' && strcmp(name + length, ".service") != 0)
            text_append(owners, text_format("%.*s.service", (int)length, name));
}

/* Of each name that the unit has; those of all services come last. */
static void unit_list_drop_ins(const char *root, const struct text_list *names, struct text_list *paths)
{
    struct text_list owners = {0};
    for (size_t i = 0; i < names->count; i++)
        unit_list_owners(names->items[i], &owners);
    text_append(&owners, "service");
    for (size_t owner = 0; owner < owners.count; owner++)
        for (size_t place = 0; place < UNIT_PLACES; place++)
            unit_list_directory(text_format("%s/%s/%s.d", root, unit_places[place], owners.items[owner]), paths);
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

/* ---- aliases ---- */

/* The unit of another name that this file links to; NULL: it is a unit itself, or masked. */
static const char *unit_link(const char *path)
{
    char target[PATH_MAX];
    const ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
    return text_ends(name, ".service") && strcmp(name, unit_base(path)) != 0 ? text_format("%s", name) : NULL;
}

static const char *unit_real_name(const char *root, const char *name)
{
    for (unsigned depth = 0; depth < UNIT_LINKS_MAX; depth++) {
        const char *link = NULL;
        bool is_there = false;
        for (size_t place = 0; place < UNIT_PLACES && !is_there; place++) {
            const char *path = text_format("%s/%s/%s", root, unit_places[place], name);
            struct stat facts;
            is_there = lstat(path, &facts) == 0;
            link = is_there ? unit_link(path) : NULL;
        }
        if (!link)
            break;
        name = link;
    }
    return name;
}

/* The real name first, then each that is a link to it. */
static void unit_list_names(const char *root, const char *real, struct text_list *names)
{
    text_append(names, real);
    for (size_t place = 0; place < UNIT_PLACES; place++) {
        const char *directory = text_format("%s/%s", root, unit_places[place]);
        DIR *stream = opendir(directory);
        const struct dirent *entry;
        while (stream && (entry = readdir(stream)))
            if (text_ends(entry->d_name, ".service") && unit_link(text_format("%s/%s", directory, entry->d_name)) &&
                strcmp(unit_real_name(root, entry->d_name), real) == 0)
                text_append(names, text_format("%s", entry->d_name));
        if (stream)
            closedir(stream);
    }
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
    struct text_list names = {0}, drop_ins = {0};
    const char *real = unit_real_name(root, name), *template = unit_template(real);
    if (!unit_find(root, real, &unit) && !(template && unit_find(root, template, &unit))) {
        text_complain("there is no unit %s in %s/etc/systemd/system, %s/usr/lib/systemd/system and the like", name,
                      root, root);
        return EX_NOINPUT;
    }
    unit_list_names(root, real, &names);
    unit_list_drop_ins(root, &names, &drop_ins);
    for (size_t i = 0; i < drop_ins.count; i++)
        unit_read_drop_in(drop_ins.items[i], &unit);
    *ret_unit = unit;
    return EX_OK;
}
