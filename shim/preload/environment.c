/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variables that matter to a governed process, and our values for them, remembered in static storage by the
 * constructor: programs overwrite their environment block (setproctitle) and children are started with an empty one.
 * plan.c decides from these rows what an environment lacks. Nothing here allocates.
 */
#include <fcntl.h>
#include <unistd.h>

#include "shim/preload/environment.h"

const char *const row_names[ROW_COUNT] = {[ROW_PRELOAD] = "LD_PRELOAD=",
                                          [ROW_ASAN] = "ASAN_OPTIONS=",
                                          [ROW_NO_PROXY] = "NO_PROXY=",
                                          [ROW_NO_PROXY_LOWER] = "no_proxy=",
                                          [ROW_PROXY_FIRST] = "HTTPS_PROXY=",
                                          [ROW_PROXY_FIRST + 1] = "https_proxy=",
                                          [ROW_PROXY_FIRST + 2] = "ALL_PROXY=",
                                          [ROW_PROXY_FIRST + 3] = "all_proxy=",
                                          [ROW_PROXY_FIRST + 4] = "HTTP_PROXY=",
                                          [ROW_PROXY_FIRST + 5] = "http_proxy=",
                                          [ROW_RUNTIME] = TOLLGATE_ENV_RUNTIME "=",
                                          [ROW_ENVIRONMENT] = TOLLGATE_ENV_ENVIRONMENT "=",
                                          [ROW_GROUP] = TOLLGATE_ENV_GROUP "=",
                                          [ROW_PROJECT] = TOLLGATE_ENV_PROJECT "=",
                                          [ROW_SHIM] = TOLLGATE_ENV_SHIM "=",
                                          [ROW_LAUNCHER] = TOLLGATE_ENV_LAUNCHER "=",
                                          [ROW_CA_FILE] = TOLLGATE_ENV_CA_FILE "=",
                                          [ROW_CA_BUNDLE] = TOLLGATE_ENV_CA_BUNDLE "=",
#define CA_ROW(name, adds) name "=",
                                          TOLLGATE_CA_VARIABLES(CA_ROW)
#undef CA_ROW
};
#define CA_ROW(name, adds) (adds) != 0,
static const bool row_ca_adds[] = {TOLLGATE_CA_VARIABLES(CA_ROW)};
#undef CA_ROW

/* "NAME=value" as a governed process should have it; NULL: not remembered. */
const char *environment_remembered[ROW_COUNT];
static char remembered_text[16384];
static size_t remembered_used;

/* First character of any row's name: most entries of an environment are dismissed by it. */
static bool row_may_begin(char c)
{
    switch (c) {
    case 'A':
    case 'C':
    case 'D':
    case 'G':
    case 'H':
    case 'L':
    case 'N':
    case 'P':
    case 'R':
    case 'S':
    case 'T':
    case 'a':
    case 'h':
    case 'n':
        return true;
    default:
        return false;
    }
}

int row_find(const char *entry)
{
    if (!row_may_begin(entry[0]))
        return -1;
    for (int row = 0; row < ROW_COUNT; row++)
        if (row_names[row][0] == entry[0] && text_starts(entry, row_names[row]))
            return row;
    return -1;
}

const char *row_value(int row, const char *entry)
{
    return entry + text_length(row_names[row]);
}

const char *environment_find(const char *const *entries, const char *name)
{
    size_t length = text_length(name);
    for (; entries != NULL && *entries != NULL; entries++)
        if (text_starts(*entries, name) && (*entries)[length] == '=')
            return *entries + length + 1;
    return NULL;
}

/* Answers the remembered value; NULL (and nothing remembered) when it is absent or the storage is full. */
static const char *environment_keep(int row, const char *value, const char *file)
{
    if (value == NULL)
        return NULL;
    size_t need = text_length(row_names[row]) + text_length(value) + (file ? text_length(file) + 1 : 0) + 1;
    if (need > sizeof remembered_text - remembered_used)
        return NULL;
    char *entry = remembered_text + remembered_used;
    char *at = text_append(text_append(entry, row_names[row]), value);
    if (file != NULL)
        text_append(text_append(at, "/"), file);
    remembered_used += need;
    environment_remembered[row] = entry;
    return row_value(row, entry);
}

static const char *environment_keep_or(int row, const char *value, const char *file)
{
    return value != NULL && value[0] == '/' ? environment_keep(row, value, NULL)
                                            : environment_keep(row, shim.runtime, file);
}

/* One element of a preload list: separated by colons and blanks (ld.so(8)). */
static size_t preload_measure(const char *list)
{
    size_t length = 0;
    while (list[length] != '\0' && list[length] != ':' && list[length] != ' ')
        length++;
    return length;
}

/* Our library under any path: a nested launcher may have brought its own copy, and two would be one too many. */
static bool preload_is_ours(const char *element, size_t length)
{
    static const char name[] = "libtollgate.so";
    size_t size = sizeof name - 1;
    if (length < size || __builtin_memcmp(element + length - size, name, size) != 0)
        return shim.library != NULL && length == text_length(shim.library) && text_starts(element, shim.library);
    return length == size || element[length - size - 1] == '/';
}

const char *preload_find(const char *list, size_t *ret_length)
{
    while (*list != '\0') {
        size_t length = preload_measure(list);
        if (length > 0 && preload_is_ours(list, length)) {
            *ret_length = length;
            return list;
        }
        list += length;
        if (*list != '\0')
            list++;
    }
    return NULL;
}

/* Without TOLLGATE_SHIM the path is the one that ld.so was given. */
static const char *environment_keep_library(const char *const *entries)
{
    const char *value = environment_find(entries, TOLLGATE_ENV_SHIM);
    if (value != NULL && value[0] == '/')
        return environment_keep(ROW_SHIM, value, NULL);
    const char *list = environment_find(entries, "LD_PRELOAD");
    size_t length = 0;
    const char *element = list != NULL ? preload_find(list, &length) : NULL;
    char path[1024];
    if (element == NULL || element[0] != '/' || length >= sizeof path)
        return NULL;
    __builtin_memcpy(path, element, length);
    path[length] = '\0';
    return environment_keep(ROW_SHIM, path, NULL);
}

void environment_remember(const char *const *entries)
{
    shim.runtime = environment_keep(ROW_RUNTIME, environment_find(entries, TOLLGATE_ENV_RUNTIME), NULL);
    if (shim.runtime == NULL || shim.runtime[0] != '/')
        return;
    shim.library = environment_keep_library(entries);
    if (shim.library != NULL)
        environment_keep(ROW_PRELOAD, shim.library, NULL);
    shim.launcher = environment_keep(ROW_LAUNCHER, environment_find(entries, TOLLGATE_ENV_LAUNCHER), NULL);
    environment_keep(ROW_ENVIRONMENT, environment_find(entries, TOLLGATE_ENV_ENVIRONMENT), NULL);
    environment_keep(ROW_GROUP, environment_find(entries, TOLLGATE_ENV_GROUP), NULL);
    environment_keep(ROW_PROJECT, environment_find(entries, TOLLGATE_ENV_PROJECT), NULL);
    const char *file = environment_find(entries, TOLLGATE_ENV_CA_FILE);
    const char *bundle = environment_find(entries, TOLLGATE_ENV_CA_BUNDLE);
    shim.ca_file = environment_keep_or(ROW_CA_FILE, file, TOLLGATE_FILE_CA);
    shim.ca_bundle = environment_keep_or(ROW_CA_BUNDLE, bundle, TOLLGATE_FILE_BUNDLE);
    for (int row = ROW_FIRST_CA; row < ROW_COUNT; row++)
        environment_keep(row, row_ca_adds[row - ROW_FIRST_CA] ? shim.ca_file : shim.ca_bundle, NULL);
    /* Not a variable of ours, only a path that must live as long. */
    const char *keystore = remembered_text + remembered_used;
    size_t need = text_length(shim.runtime) + sizeof "/" TOLLGATE_FILE_JKS;
    if (need <= sizeof remembered_text - remembered_used) {
        text_append(text_append(remembered_text + remembered_used, shim.runtime), "/" TOLLGATE_FILE_JKS);
        remembered_used += need;
        shim.keystore = keystore;
    }
    shim.is_active = true;
}

/*
 * One file stands for all: the one that would break TLS to every host. A file that is missing says nothing. Asked by
 * both ids: setpriv still has root's capabilities here, which its target will not have and the first call leaves out;
 * seteuid leaves the real user as he was.
 */
bool environment_is_readable(void)
{
    return shim.ca_bundle == NULL ||
           (RAW3(SYS_faccessat, AT_FDCWD, shim.ca_bundle, R_OK) != -EACCES &&
            RAW6(SYS_faccessat2, AT_FDCWD, shim.ca_bundle, R_OK, AT_EACCESS, 0, 0) != -EACCES);
}
