/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate jupyter: kernelspecs that start an existing kernel under `tollgate run`, which becomes the kernel, so that
 * interrupts and restarts reach it as before. One per environment; keys come at run time.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sysexits.h>

static const char *jupyter_kernel_name(const struct cli *cli)
{
    return cli->options.kernel ? cli->options.kernel : "python3";
}

/* Jupyter looks names up in lower case. */
static const char *jupyter_new_name(const struct cli *cli)
{
    char *name = cli->options.name ? text_format("%s", cli->options.name)
                                   : text_format("tollgate-%s-%s", cli->place.environment, jupyter_kernel_name(cli));
    for (char *at = name; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return name;
}

static const char *jupyter_target_directory(const struct cli *cli)
{
    return cli->options.prefix ? text_format("%s/share/jupyter", place_absolute(cli->options.prefix))
                               : jupyter_user_directory();
}

static int jupyter_check_options(const struct cli *cli)
{
    const char *names[] = {jupyter_kernel_name(cli), jupyter_new_name(cli)};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!jupyter_is_name(names[i])) {
            text_complain("\"%s\" is no name of a kernel: letters, digits and ._-", terminal_clean(names[i]));
            return EX_USAGE;
        }
    if (cli->options.user && cli->options.prefix) {
        text_complain("--user or --prefix, not both");
        return EX_USAGE;
    }
    return cli->options.group && !api_is_name("group", cli->options.group) ? EX_USAGE : EX_OK;
}

/* ---- install ---- */

static bool jupyter_is_governed(const struct kernel *kernel)
{
    const json_t *argv = json_object_get(kernel->spec, "argv");
    const char *program = json_string_value(json_array_get(argv, 0));
    const char *verb = json_string_value(json_array_get(argv, 1));
    return kernel_wrapper(kernel) ||
           (verb && strcmp(verb, "run") == 0 && text_ends(text_format("/%s", program), "/tollgate"));
}

static int jupyter_find_kernel(const struct cli *cli, struct kernel *ret_kernel)
{
    struct kernels kernels;
    struct text_list others = {0};
    const char *name = jupyter_kernel_name(cli);
    kernels_find(cli->options.prefix, &kernels);
    for (size_t i = 0; i < kernels.count; i++) {
        struct kernel *kernel = &kernels.items[i];
        if (strcasecmp(kernel->name, name) == 0 && !jupyter_is_governed(kernel)) {
            *ret_kernel = *kernel;
            return EX_OK;
        }
        if (strcasecmp(kernel->name, name) == 0) {
            text_complain("kernel %s is governed already; --kernel takes the one that it starts", kernel->name);
            return EX_USAGE;
        }
        if (!jupyter_is_governed(kernel))
            text_append(&others, terminal_clean(kernel->name));
    }
    text_complain("no kernel is named %s; %s", terminal_clean(name),
                  others.count > 0 ? text_format("--kernel takes one of: %s", text_join(&others, ", "))
                                   : "install one first, e.g. python3 -m ipykernel install --user");
    return EX_NOINPUT;
}

/* NULL: a path is not UTF-8. */
static json_t *jupyter_arguments(const struct cli *cli, const struct kernel *kernel)
{
    const json_t *own = json_object_get(kernel->spec, "argv");
    const char *program = jupyter_program(kernel, json_string_value(json_array_get(own, 0)));
    const char *const pairs[][2] = {{"--env", cli->place.environment},
                                    {"--state", place_absolute(cli->options.state)},
                                    {"--runtime", place_absolute(cli->options.runtime)},
                                    {"--group", cli->options.group}};
    json_t *argv = json_pack("[s, s]", locate_program(), "run");
    int failed = argv == NULL;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i][1]) {
            failed |= json_array_append_new(argv, json_string(pairs[i][0]));
            failed |= json_array_append_new(argv, json_string(pairs[i][1]));
        }
    failed |= json_array_append_new(argv, json_string("--"));
    failed |= json_array_append_new(argv, json_string(program));
    for (size_t i = 1; i < json_array_size(own); i++)
        failed |= json_array_append(argv, json_array_get(own, i));
    if (!failed)
        return argv;
    json_decref(argv);
    return NULL;
}

/* The agent's keys are the ones that count; a second copy of another helps nobody. */
static void jupyter_drop_keys(json_t *spec)
{
    json_t *environment = json_object_get(spec, "env");
    const char *name;
    json_t *value;
    void *next;
    json_object_foreach_safe(environment, next, name, value)
    {
        if (!text_ends(name, "_API_KEY"))
            continue;
        text_complain("%s of the kernel's env is not copied: governed programs get a placeholder",
                      terminal_clean(name));
        json_object_del(environment, name);
    }
}

static json_t *jupyter_wrap(const struct cli *cli, const struct kernel *kernel)
{
    json_t *spec = json_deep_copy(kernel->spec), *metadata = json_object_get(spec, "metadata");
    const char *shown =
        cli->options.display_name
            ? cli->options.display_name
            : text_format("%s (tollgate %s%s%s)", api_text(spec, "display_name", kernel->name), cli->place.environment,
                          cli->options.group ? ", " : "", cli->options.group ? cli->options.group : "");
    json_t *mark = json_pack("{s:s, s:s, s:s, s:s*}", "environment", cli->place.environment, "kernel", kernel->name,
                             "from", kernel->directory, "group", cli->options.group);
    if (!json_is_object(metadata)) {
        metadata = json_object();
        json_object_set_new(spec, "metadata", metadata);
    }
    int failed = json_object_set_new(spec, "argv", jupyter_arguments(cli, kernel));
    failed |= json_object_set_new(metadata, "tollgate", mark);
    failed |= json_object_set_new(spec, "display_name", json_string(shown));
    jupyter_drop_keys(spec);
    if (!failed)
        return spec;
    text_complain("paths and names of kernels must be UTF-8");
    json_decref(spec);
    return NULL;
}

/* 0: absent; 1: ours; -1 (after a message): somebody else's. */
static int jupyter_look_at_target(const char *directory)
{
    struct stat facts;
    struct kernel kernel;
    if (lstat(directory, &facts) != 0)
        return 0;
    bool is_read = kernel_read(directory, &kernel);
    bool is_ours = is_read && kernel_wrapper(&kernel);
    if (is_read)
        json_decref(kernel.spec);
    if (is_ours)
        return 1;
    text_complain("%s is not from tollgate jupyter install: it stays; --name takes another name",
                  terminal_clean(directory));
    return -1;
}

/* A slip of the pen would make a directory that nobody looks into. */
static int jupyter_check_prefix(const char *prefix)
{
    struct stat facts;
    if (!prefix || (stat(prefix, &facts) == 0 && S_ISDIR(facts.st_mode)))
        return EX_OK;
    text_complain("--prefix %s is no directory: it takes an installation, e.g. a virtual environment",
                  terminal_clean(prefix));
    return EX_NOINPUT;
}

/* Only an agent knows the groups. */
static int jupyter_check_group(const struct cli *cli)
{
    struct answer answer;
    if (!cli->options.group)
        return EX_OK;
    if (agent_is_absent(cli)) {
        text_complain("no agent of %s is running: whether it has a group %s shows when the kernel starts",
                      cli->place.environment, cli->options.group);
        return EX_OK;
    }
    int code = api_get(cli, text_format("/v1/launch?group=%s", cli->options.group), &answer);
    if (code == EX_OK)
        json_decref(answer.json);
    return code;
}

static int jupyter_install(struct cli *cli)
{
    struct kernel kernel;
    const char *data = jupyter_target_directory(cli), *name = jupyter_new_name(cli);
    int code = jupyter_check_prefix(cli->options.prefix);
    if (code == EX_OK)
        code = jupyter_check_group(cli);
    if (code == EX_OK)
        code = jupyter_find_kernel(cli, &kernel);
    if (code != EX_OK)
        return code;
    const char *target = text_format("%s/kernels/%s", data, name);
    int found = jupyter_look_at_target(target);
    json_t *spec = found >= 0 ? jupyter_wrap(cli, &kernel) : NULL;
    if (!spec)
        return found < 0 ? EX_CANTCREAT : EX_DATAERR;
    code = kernel_write(&kernel, spec, data, name);
    if (code == EX_OK)
        printf("%s %s: %s, starts %s under tollgate run --env %s\n", found ? "updated" : "wrote",
               terminal_clean(target), terminal_clean(api_text(spec, "display_name", name)),
               terminal_clean(kernel.directory), cli->place.environment);
    json_decref(spec);
    return code;
}

/* ---- list, remove ---- */

static const struct table_column jupyter_columns[] = {
    {"KERNEL", TABLE_FLEX}, {"GOVERNED", 0}, {"GROUP", 0}, {"STARTS", TABLE_FLEX}, {"DIRECTORY", TABLE_FLEX}};

static int jupyter_list(struct cli *cli)
{
    struct kernels kernels;
    struct table table = {.columns = jupyter_columns,
                          .column_count = sizeof jupyter_columns / sizeof jupyter_columns[0]};
    kernels_find(cli->options.prefix, &kernels);
    for (size_t i = 0; i < kernels.count; i++) {
        const struct kernel *kernel = &kernels.items[i];
        const json_t *wrapper = kernel_wrapper(kernel), *argv = json_object_get(kernel->spec, "argv");
        table_add(&table, kernel->name);
        table_add(&table, api_text(wrapper, "environment", "-"));
        table_add(&table, api_text(wrapper, "group", "-"));
        table_add(&table, api_text(wrapper, "kernel", json_string_value(json_array_get(argv, 0))));
        table_add(&table, kernel->directory);
    }
    table_print(&table, stdout);
    return EX_OK;
}

static int jupyter_remove(struct cli *cli)
{
    const char *target = text_format("%s/kernels/%s", jupyter_target_directory(cli), jupyter_new_name(cli));
    int found = jupyter_look_at_target(target);
    if (found == 0)
        text_complain("%s is not there; tollgate jupyter list shows what is", terminal_clean(target));
    if (found <= 0)
        return found == 0 ? CLI_NEGATIVE : EX_NOPERM;
    int code = kernel_remove(target);
    if (code == EX_OK)
        printf("removed %s\n", terminal_clean(target));
    return code;
}

int jupyter_command(struct cli *cli)
{
    static const struct {
        const char *name;
        int (*handle)(struct cli *cli);
    } verbs[] = {{"install", jupyter_install}, {"list", jupyter_list}, {"remove", jupyter_remove}};
    int code = jupyter_check_options(cli);
    for (size_t i = 0; code == EX_OK && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(cli->arguments.items[0], verbs[i].name) == 0)
            return verbs[i].handle(cli);
    if (code == EX_OK)
        text_complain("jupyter install, jupyter list or jupyter remove");
    return EX_USAGE;
}
