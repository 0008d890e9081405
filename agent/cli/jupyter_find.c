/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where Jupyter keeps kernelspecs, by its documented rules ("Common Directories and File Locations"), without Jupyter:
 * JUPYTER_PATH, the user's data directory, that of the installation whose `jupyter` (or python3) is first in PATH, the
 * system's. A virtual environment goes before the user, as jupyter_core has it.
 */
#include "cli/cli.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SPEC_BYTES_MAX = 1 << 20, KERNELS_MAX = 1000 };

const char *jupyter_user_directory(void)
{
    const char *own = getenv("JUPYTER_DATA_DIR"), *data = getenv("XDG_DATA_HOME");
    if (own && own[0])
        return place_absolute(own);
    if (data && data[0] == '/')
        return text_format("%s/jupyter", data);
    return text_format("%s/.local/share/jupyter", place_home());
}

/* "/opt/venv/bin/jupyter": "/opt/venv" */
static const char *jupyter_prefix_of(const char *program)
{
    const char *end = program + strlen(program);
    for (int parts = 0; parts < 2 && end > program;)
        parts += *--end == '/';
    return end > program ? text_format("%.*s", (int)(end - program), program) : "";
}

static const char *jupyter_in_path(const char *name)
{
    const char *list = getenv("PATH");
    while (list && *list) {
        size_t length = strcspn(list, ":");
        const char *file = text_format("%.*s/%s", (int)length, list, name);
        if (length > 0 && list[0] == '/' && access(file, X_OK) == 0)
            return file;
        list += length + (list[length] == ':');
    }
    return NULL;
}

static void jupyter_add(struct text_list *list, const char *directory)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], directory) == 0)
            return;
    text_append(list, directory);
}

/* jupyter may be a link into an installation of its own (pipx); python3 is one out of its environment. */
static void jupyter_list_prefixes(struct text_list *ret_prefixes)
{
    const char *jupyter = jupyter_in_path("jupyter"), *python = jupyter_in_path("python3");
    char real[PATH_MAX];
    if (jupyter)
        jupyter_add(ret_prefixes, jupyter_prefix_of(jupyter));
    if (jupyter && realpath(jupyter, real))
        jupyter_add(ret_prefixes, jupyter_prefix_of(text_format("%s", real)));
    if (python)
        jupyter_add(ret_prefixes, jupyter_prefix_of(python));
}

static bool jupyter_prefers_prefix(const struct text_list *prefixes)
{
    static const char *const no[] = {"no", "n", "false", "off", "0", "0.0"};
    const char *wish = getenv("JUPYTER_PREFER_ENV_PATH");
    if (!wish)
        return prefixes->count > 0 && access(text_format("%s/pyvenv.cfg", prefixes->items[0]), F_OK) == 0;
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        if (strcasecmp(wish, no[i]) == 0)
            return false;
    return true;
}

void jupyter_directories(struct text_list *ret_directories)
{
    struct text_list prefixes = {0};
    const char *more = getenv("JUPYTER_PATH");
    while (more && *more) {
        size_t length = strcspn(more, ":");
        if (length > 0)
            jupyter_add(ret_directories, place_absolute(text_format("%.*s", (int)length, more)));
        more += length + (more[length] == ':');
    }
    jupyter_list_prefixes(&prefixes);
    if (!jupyter_prefers_prefix(&prefixes))
        jupyter_add(ret_directories, jupyter_user_directory());
    for (size_t i = 0; i < prefixes.count; i++)
        jupyter_add(ret_directories, text_format("%s/share/jupyter", prefixes.items[i]));
    jupyter_add(ret_directories, jupyter_user_directory());
    jupyter_add(ret_directories, "/usr/local/share/jupyter");
    jupyter_add(ret_directories, "/usr/share/jupyter");
}

/* What Jupyter resolves to its own Python (jupyter_client's format_kernel_cmd) must be found without it. */
const char *jupyter_program(const struct kernel *kernel, const char *program)
{
    struct text_list prefixes = {0};
    if (!text_starts(program, "python") || strchr(program, '/'))
        return program;
    const char *end = strstr(kernel->directory, "/share/jupyter/kernels/");
    if (end)
        text_append(&prefixes, text_format("%.*s", (int)(end - kernel->directory), kernel->directory));
    jupyter_list_prefixes(&prefixes);
    for (size_t i = 0; i < prefixes.count; i++) {
        const char *file = text_format("%s/bin/%s", prefixes.items[i], program);
        if (access(file, X_OK) == 0)
            return file;
    }
    return program;
}

static bool kernel_is_spec(const json_t *spec)
{
    const json_t *argv = json_object_get(spec, "argv");
    for (size_t i = 0; i < json_array_size(argv); i++)
        if (!json_is_string(json_array_get(argv, i)))
            return false;
    return json_array_size(argv) > 0;
}

/* ours: {"tollgate": {"environment": …, "kernel": …}} in its metadata. */
const json_t *kernel_wrapper(const struct kernel *kernel)
{
    return json_object_get(json_object_get(kernel->spec, "metadata"), "tollgate");
}

bool kernel_read(const char *directory, struct kernel *ret_kernel)
{
    struct stat facts = {0};
    json_t *spec = NULL;
    int fd = open(text_format("%s/kernel.json", directory), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size <= SPEC_BYTES_MAX)
        spec = json_loadfd(fd, 0, NULL);
    if (fd >= 0)
        close(fd);
    if (!kernel_is_spec(spec)) {
        json_decref(spec);
        return false;
    }
    const char *slash = strrchr(directory, '/');
    *ret_kernel =
        (struct kernel){.name = slash + 1, .directory = directory, .spec = spec, .mode = (facts.st_mode & 0777) | 0600};
    return true;
}

/* As Jupyter: the first of a name hides later ones. */
static bool kernels_have(const struct kernels *kernels, const char *name)
{
    for (size_t i = 0; i < kernels->count; i++)
        if (strcasecmp(kernels->items[i].name, name) == 0)
            return true;
    return false;
}

static void kernels_add_from(const char *data, struct kernels *kernels)
{
    struct dirent **entries = NULL;
    int count = scandir(text_format("%s/kernels", data), &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        const char *name = text_format("%s", entries[i]->d_name);
        free(entries[i]);
        if (kernels->count < KERNELS_MAX && jupyter_is_name(name) && !kernels_have(kernels, name) &&
            kernel_read(text_format("%s/kernels/%s", data, name), &kernels->items[kernels->count]))
            kernels->count++;
    }
    free(entries);
}

void kernels_find(const char *prefix, struct kernels *ret_kernels)
{
    struct text_list directories = {0};
    if (prefix)
        jupyter_add(&directories, text_format("%s/share/jupyter", place_absolute(prefix)));
    ret_kernels->items = text_allocate(KERNELS_MAX * sizeof *ret_kernels->items);
    ret_kernels->count = 0;
    jupyter_directories(&directories);
    for (size_t i = 0; i < directories.count; i++)
        kernels_add_from(directories.items[i], ret_kernels);
}

bool jupyter_is_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return name[0] && name[0] != '.' && strlen(name) <= 128 && name[strspn(name, allowed)] == '\0';
}
