/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A project's .tollgate.yaml: where it is, what it says, whether it is followed. It came with the project, maybe from
 * a stranger, so nothing of it counts before `tollgate trust`. tollgated reads it, and only when there is one: the
 * client links no YAML, and `run` elsewhere costs nothing.
 *
 * A file that is not trusted and says prod makes run fail, unless --env or TOLLGATE_ENV decides. To go on in dev would
 * answer with cheap models from the wrong wallet what was meant for production, behind a line that nobody reads in a
 * log; to go on in prod would let a stranger's file spend. Failing costs whoever cloned it one command. A file that
 * somebody else could have written does not even do that: it may neither direct nor stop programs.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

enum { PROJECT_DEPTH_MAX = 64, PROJECT_READ_MS = 10000 };

static const char *project_parent(const char *directory)
{
    const char *slash = strrchr(directory, '/');
    return text_format("%.*s", slash > directory ? (int)(slash - directory) : 1, directory);
}

static const char *project_canonical(const char *path)
{
    char *real = realpath(path, NULL);
    const char *kept = real ? text_format("%s", real) : NULL;
    free(real);
    return kept;
}

/* Not above the home directory, nor on another file system: what lies there is not the project's. */
const char *project_locate(void)
{
    const char *directory = project_canonical("."), *home = project_canonical(place_home());
    struct stat here, above;
    if (!directory || stat(directory, &here) != 0)
        return NULL;
    for (int depth = 0; depth < PROJECT_DEPTH_MAX; depth++) {
        struct stat file;
        const char *path = text_format("%s/" PROJECT_FILE_NAME, strcmp(directory, "/") == 0 ? "" : directory);
        if (lstat(path, &file) == 0)
            return path;
        if (strcmp(directory, "/") == 0 || (home && strcmp(directory, home) == 0))
            return NULL;
        directory = project_parent(directory);
        if (stat(directory, &above) != 0 || above.st_dev != here.st_dev)
            return NULL;
    }
    return NULL;
}

/* The directory's name as a name of ours: other characters become one '-'. */
static const char *project_default_name(const char *path)
{
    const char *directory = project_parent(path);
    char name[TOLLGATE_NAME_MAX];
    size_t length = 0;
    for (const char *from = strrchr(directory, '/') + 1; *from && length < sizeof name - 1; from++) {
        bool is_kept = (*from >= 'a' && *from <= 'z') || (*from >= 'A' && *from <= 'Z') ||
                       (*from >= '0' && *from <= '9') || (strchr("._-", *from) && length > 0);
        if (is_kept)
            name[length++] = *from;
        else if (length > 0 && name[length - 1] != '-')
            name[length++] = '-';
    }
    return length > 0 ? text_format("%.*s", (int)length, name) : NULL;
}

static const char *project_member(const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));
    return text ? text_format("%s", text) : NULL;
}

static void project_take_trust(struct project *project)
{
    const json_t *trusted = trust_find(project->path);
    if (!trusted || !project->digest)
        return;
    project->is_trusted = strcmp(api_text(trusted, "digest", ""), project->digest) == 0;
    project->has_changed = !project->is_trusted;
    project->was_prod = strcmp(api_text(trusted, "environment", ""), "prod") == 0;
}

static bool project_take(const json_t *answer, struct project *project)
{
    project->refused = project_member(answer, "refused");
    project->problems = project_member(answer, "problems");
    project->digest = project_member(answer, "digest");
    project->environment = project_member(answer, "environment");
    project->group = project_member(answer, "group");
    project->name = project_member(answer, "project");
    project->shell = json_is_true(json_object_get(answer, "shell"));
    if (!project->name)
        project->name = project_default_name(project->path);
    return project->refused || (project->digest && (project->problems || project->environment));
}

int project_read(const struct cli *cli, const char *path, struct project *ret_project)
{
    const char *agent = locate_agent();
    if (!agent) {
        text_complain("%s cannot be read: tollgated is neither beside %s nor in PATH", terminal_clean(path),
                      locate_program());
        return EX_UNAVAILABLE;
    }
    const char *const arguments[] = {agent, "--tool", "project", path, NULL};
    struct launch_changes undo;
    int status;
    governed_undo(&cli->place, &undo); /* as every start of tollgated: ungoverned */
    const char *output = child_run(arguments, &undo, PROJECT_READ_MS, &status);
    json_t *answer = output ? json_loads(output, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    struct project project = {.path = path};
    bool is_read = project_take(answer, &project);
    json_decref(answer);
    if (!is_read) {
        text_complain("%s could not be read by %s", terminal_clean(path), agent);
        return EX_UNAVAILABLE;
    }
    project_take_trust(&project);
    *ret_project = project;
    return EX_OK;
}

static const char *project_chosen_environment(const struct cli *cli)
{
    const char *variable = getenv(TOLLGATE_ENV_ENVIRONMENT);
    if (cli->options.environment)
        return cli->options.environment;
    return variable && variable[0] ? variable : NULL;
}

/* A group is a name of one environment's policy; a project's name means the same everywhere. */
int project_follow(struct cli *cli, const struct project *project)
{
    const char *chosen = project_chosen_environment(cli);
    const char *environment = chosen ? chosen : project->environment;
    bool is_other = strcmp(environment, project->environment) != 0;
    cli->project = *project;
    if (is_other)
        cli->project.group = NULL;
    if (is_other && !cli->options.environment)
        text_complain("TOLLGATE_ENV says %s, which goes before %s (%s)", environment, terminal_clean(project->path),
                      project->environment);
    return place_find(environment, cli->options.state, cli->options.runtime, &cli->place);
}

static int project_decline(const struct cli *cli, const struct project *project)
{
    const char *path = terminal_clean(project->path);
    const char *why = project->has_changed ? "has changed since it was trusted" : "is not trusted";
    bool may_mean_prod = project->was_prod || project->problems || strcmp(project->environment, "prod") == 0;
    if (may_mean_prod && !project_chosen_environment(cli)) {
        text_complain("%s %s and %s prod: see it and trust it with tollgate trust, or say --env dev or --env prod",
                      path, why,
                      project->problems   ? "has mistakes, so it could mean"
                      : project->was_prod ? "was for"
                                          : "is for");
        return EX_NOPERM;
    }
    text_complain("%s %s and is not followed; tollgate trust shows it and trusts it", path, why);
    return EX_OK;
}

int project_apply(struct cli *cli)
{
    const char *path = project_locate();
    struct project project;
    int code = path ? project_read(cli, path, &project) : EX_OK;
    if (!path || code != EX_OK)
        return code;
    if (project.refused) {
        text_complain("%s %s: it is not followed", terminal_clean(path), project.refused);
        return EX_OK;
    }
    if (!project.is_trusted)
        return project_decline(cli, &project);
    if (project.problems) { /* trusted by another version of ours */
        fputs(project.problems, stderr);
        return EX_DATAERR;
    }
    return project_follow(cli, &project);
}
