/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate hook: what a shell evaluates at its start, so that entering a trusted project with `shell: true` governs it
 * and leaving ends that. At a prompt the shell itself sees whether anything can have changed (another directory, a
 * project file around); only then it asks `tollgate hook-step`, which compares what it looked at the last time (SEEN)
 * and says in statements what to do. The words of other shells' hooks, the exit status and the options are left alone.
 *
 * What governs a shell for a project carries TOLLGATE_PROJECT_FILE, exported: a shell started from it knows that it
 * must end at the same border. A shell that was governed in another way (run, env) is left alone.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/* Each @ becomes this program, quoted. */
static const char *const hook_texts[SHELL_COUNT] = {
    [SHELL_BASH] = "__tollgate_step() {\n"
                   "    local __tollgate_again=\n"
                   "    eval \"$(@ hook-step bash \"${__tollgate_seen-}\" </dev/null)\"\n"
                   "    [[ -z $__tollgate_again ]] || eval \"$(@ hook-step bash \"${__tollgate_seen-}\" </dev/null)\"\n"
                   "}\n"
                   "__tollgate_hook() {\n"
                   "    local __tollgate_status=$?\n"
                   "    if [[ ${__tollgate_at-} != \"$PWD\" || -n ${__tollgate_seen-}${TOLLGATE_PROJECT_FILE-} ||\n"
                   "        -e " PROJECT_FILE_NAME " ]]; then\n"
                   "        __tollgate_at=$PWD\n"
                   "        __tollgate_step || :\n"
                   "    fi\n"
                   "    case $- in *e*) return 0 ;; esac\n" /* bash itself keeps $?; here it would end the shell */
                   "    return \"$__tollgate_status\"\n"
                   "}\n"
                   /* An assignment without a subscript is to the first element of an array. */
                   "case \"${PROMPT_COMMAND[*]-}\" in\n"
                   "*__tollgate_hook*) ;;\n"
                   "*) PROMPT_COMMAND=__tollgate_hook${PROMPT_COMMAND:+$'\\n'$PROMPT_COMMAND} ;;\n"
                   "esac\n",
    [SHELL_ZSH] = "__tollgate_step() {\n"
                  "    local __tollgate_again=\n"
                  "    eval \"$(@ hook-step zsh \"${__tollgate_seen-}\" </dev/null)\"\n"
                  "    [[ -z $__tollgate_again ]] || eval \"$(@ hook-step zsh \"${__tollgate_seen-}\" </dev/null)\"\n"
                  "}\n"
                  "__tollgate_hook() {\n"
                  "    emulate -L zsh\n"
                  "    if [[ ${__tollgate_at-} != \"$PWD\" || -n ${__tollgate_seen-}${TOLLGATE_PROJECT_FILE-} ||\n"
                  "        -e " PROJECT_FILE_NAME " ]]; then\n"
                  "        typeset -g __tollgate_at=$PWD\n"
                  "        __tollgate_step\n"
                  "    fi\n"
                  "    return 0\n" /* zsh keeps $? for the prompt and for other hooks */
                  "}\n"
                  "typeset -ga precmd_functions\n"
                  "if [[ ${precmd_functions[(I)__tollgate_hook]} -eq 0 ]]; then\n"
                  "    precmd_functions=(__tollgate_hook $precmd_functions)\n"
                  "fi\n",
    [SHELL_FISH] = "function __tollgate_step\n"
                   "    set -g __tollgate_again ''\n"
                   "    @ hook-step fish \"$__tollgate_seen\" </dev/null | source\n"
                   "    if test -n \"$__tollgate_again\"\n"
                   "        @ hook-step fish \"$__tollgate_seen\" </dev/null | source\n"
                   "    end\n"
                   "    set -e __tollgate_again\n"
                   "end\n"
                   "function __tollgate_hook --on-event fish_prompt\n"
                   "    if test \"$__tollgate_at\" != \"$PWD\" -o -n \"$__tollgate_seen$TOLLGATE_PROJECT_FILE\" "
                   "-o -e " PROJECT_FILE_NAME "\n"
                   "        set -g __tollgate_at \"$PWD\"\n"
                   "        __tollgate_step\n"
                   "    end\n"
                   "end\n",
};

static enum launch_shell hook_find_shell(const char *name)
{
    for (int shell = 0; shell < SHELL_COUNT; shell++)
        if (shell_find(name) == (enum launch_shell)shell && hook_texts[shell])
            return (enum launch_shell)shell;
    text_complain("hook is for bash, zsh or fish, not %s", terminal_clean(name));
    return SHELL_COUNT;
}

int hook_command(struct cli *cli)
{
    enum launch_shell shell = hook_find_shell(cli->arguments.items[0]);
    if (shell == SHELL_COUNT)
        return EX_USAGE;
    for (const char *at = hook_texts[shell]; *at; at++)
        if (*at == '@' && at[1] == ' ')
            shell_print_quoted(shell, locate_program(), stdout);
        else
            putchar(*at);
    return EX_OK;
}

/* ---- one step ---- */

struct step {
    enum launch_shell shell;
    const char *path;   /* of the project file here; NULL: none */
    const char *sight;  /* what was looked at, "" for none: equal means that nothing changed */
    const char *seen;   /* the same of the last step; "" also in a new shell */
    const char *active; /* the file that governs the shell now; NULL: none */
};

static void step_set(const struct step *step, const char *name, const char *value)
{
    fputs(step->shell == SHELL_FISH ? "set -g " : "", stdout);
    fputs(name, stdout);
    putchar(step->shell == SHELL_FISH ? ' ' : '=');
    shell_print_quoted(step->shell, value, stdout);
    putchar('\n');
}

static const char *step_sight_of(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return "-";
    return text_format("%llx.%llx.%llx.%llx.%lx.%llx.%lx", (unsigned long long)facts.st_dev,
                       (unsigned long long)facts.st_ino, (unsigned long long)facts.st_size,
                       (unsigned long long)facts.st_mtim.tv_sec, (unsigned long)facts.st_mtim.tv_nsec,
                       (unsigned long long)facts.st_ctim.tv_sec, (unsigned long)facts.st_ctim.tv_nsec);
}

/* The user's own keys lie in the shell, where the next step can put them aside again: so one thing at a time. */
static void step_leave(const struct step *step, struct cli *cli)
{
    struct launch_changes changes;
    governed_undo(&cli->place, &changes);
    shell_print(step->shell, &changes, true, stdout);
    step_set(step, "__tollgate_seen", "");
    step_set(step, "__tollgate_again", "1");
    text_complain("left project %s", terminal_clean(getenv(TOLLGATE_ENV_PROJECT) ? getenv(TOLLGATE_ENV_PROJECT) : ""));
}

static void step_enter(const struct step *step, struct cli *cli, const struct project *project)
{
    struct launch_facts facts;
    struct launch_changes changes;
    bool refuses_ungoverned;
    if (project_follow(cli, project) != EX_OK || agent_get_launch(cli, &facts, &refuses_ungoverned) != EX_OK)
        return;
    facts.project_file = project->path;
    if (governed_changes(&facts, &changes) != EX_OK)
        return;
    shell_print(step->shell, &changes, false, stdout);
    text_complain("%s governs this shell: project %s, %s", cli->place.environment,
                  facts.project ? terminal_clean(facts.project) : "none", terminal_clean(project->path));
}

static void step_look(const struct step *step, struct cli *cli)
{
    struct project project;
    if (project_read(cli, step->path, &project) != EX_OK)
        return;
    if (project.refused)
        text_complain("%s %s: it is not followed", terminal_clean(step->path), project.refused);
    else if (!project.is_trusted)
        text_complain("%s %s and is not followed; tollgate trust shows it and trusts it", terminal_clean(step->path),
                      project.has_changed ? "has changed since it was trusted" : "is not trusted");
    else if (project.problems)
        text_complain("%s has mistakes: tollgate trust shows them", terminal_clean(step->path));
    else if (project.shell)
        step_enter(step, cli, &project);
}

static void step_do(const struct step *step, struct cli *cli)
{
    bool is_same = strcmp(step->sight, step->seen) == 0;
    bool is_here = step->active && step->path && strcmp(step->active, step->path) == 0;
    bool is_new_shell = !step->seen[0];
    if (step->active && (!is_here || !(is_same || is_new_shell))) {
        step_leave(step, cli);
        return;
    }
    bool is_governed_otherwise = !step->active && getenv(TOLLGATE_ENV_RUNTIME);
    if (!is_same && step->path && !step->active && !is_governed_otherwise)
        step_look(step, cli);
    if (!is_same)
        step_set(step, "__tollgate_seen", step->sight);
}

int hook_step_command(struct cli *cli)
{
    static char pipeful[65536]; /* one write: an interrupt leaves no half statement to evaluate */
    struct step step = {.shell = hook_find_shell(cli->arguments.items[0]),
                        .path = project_locate(),
                        .seen = cli->arguments.items[1],
                        .active = getenv(LAUNCH_ENV_PROJECT_FILE)};
    if (step.shell == SHELL_COUNT)
        return EX_USAGE;
    setvbuf(stdout, pipeful, _IOFBF, sizeof pipeful);
    step.sight = step.path ? text_format("%s,%s", step_sight_of(step.path), step_sight_of(trust_file())) : "";
    step.active = step.active && step.active[0] ? step.active : NULL;
    step_do(&step, cli);
    return EX_OK;
}
