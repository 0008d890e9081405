/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that libc loads when it first needs them: after harden_calls.c it cannot, as nothing is mapped to be
 * executed. What is loaded already it finds by its name. OpenSSL has read its configuration, and loaded what that
 * names, when the policy's digest was taken. Called by harden.c.
 */
#include "harden_internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES_MAX = 1024 };

static void load(const char *name)
{
    (void)!dlopen(name, RTLD_NOW | RTLD_LOCAL); /* never closed */
}

/* "files [NOTFOUND=return] sss": what is in brackets says what to do, not whom to ask. */
static void load_services(char *words)
{
    char name[LINE_BYTES_MAX + 32], *rest = NULL;
    bool is_inside = false;
    for (char *word = strtok_r(words, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
        is_inside = is_inside || word[0] == '[';
        if (!is_inside && !strchr(word, '/') && snprintf(name, sizeof name, "libnss_%s.so.2", word) > 0)
            load(name);
        is_inside = is_inside && word[strlen(word) - 1] != ']';
    }
}

static bool is_asked(const char *database)
{
    static const char *const asked[] = {"passwd", "group", "initgroups", "hosts"};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (!strcmp(asked[i], database))
            return true;
    return false;
}

void harden_load_libraries(void)
{
    char line[LINE_BYTES_MAX], database[32];
    int end = 0;
    load("libgcc_s.so.1"); /* pthread_exit and cancellation end the process without it */
    FILE *file = fopen("/etc/nsswitch.conf", "re");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "#")] = 0;
        if (sscanf(line, " %31[a-z_] :%n", database, &end) == 1 && is_asked(database))
            load_services(line + end);
    }
    if (file)
        fclose(file);
}
