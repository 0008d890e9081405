/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The group and project that a process was started with: its variables as `tollgate run` set them, read in
 * /proc/PID/environ. For processes that did not introduce themselves (static programs by base URL, lost datagrams).
 * Called on the look-up thread. The process could have changed what stands there: it is believed as a hello is.
 */
#include "base/check.h"
#include "identity/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ENVIRONMENT_BYTES_MAX = 256 << 10 };

/* The first one counts, as for getenv. `text` ends with a NUL. */
static const char *find_variable(const char *text, const char *end, const char *name)
{
    size_t length = strlen(name);
    for (const char *entry = text; entry < end; entry += strlen(entry) + 1)
        if (strncmp(entry, name, length) == 0 && entry[length] == '=')
            return entry + length + 1;
    return NULL;
}

static bool is_same_directory(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length + strspn(path + length, "/")] == 0;
}

static void take_name(const char *value, char to[TOLLGATE_NAME_MAX])
{
    char name[TOLLGATE_NAME_MAX] = "";
    if (value && (size_t)snprintf(name, sizeof name, "%s", value) < sizeof name && claims_has_valid_name(name))
        memcpy(to, name, sizeof name);
}

/* Returns the length of the whole entries in `text`; 0: it may not be read. */
static size_t read_environment(int process_fd, char *text)
{
    size_t length = 0;
    ssize_t got = 1;
    int fd = openat(process_fd, "environ", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && got > 0 && length < ENVIRONMENT_BYTES_MAX) {
        got = read(fd, text + length, ENVIRONMENT_BYTES_MAX - length);
        length += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    while (length > 0 && text[length - 1] != 0)
        length--;
    return length;
}

void process_read_names(struct identity_claim *claim, uid_t uid, const char *runtime)
{
    int process_fd = process_open(claim->pid, uid);
    if (process_fd < 0)
        return;
    char *text = malloc(ENVIRONMENT_BYTES_MAX);
    check(text != NULL);
    const char *end = text + read_environment(process_fd, text);
    close(process_fd);
    const char *theirs = find_variable(text, end, TOLLGATE_ENV_RUNTIME);
    if (theirs && is_same_directory(theirs, runtime)) {
        take_name(find_variable(text, end, TOLLGATE_ENV_GROUP), claim->group);
        take_name(find_variable(text, end, TOLLGATE_ENV_PROJECT), claim->project);
    }
    free(text);
}
