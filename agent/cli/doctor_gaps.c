/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's look for gaps on this machine: AI programs that are installed here and which engine governs each, and
 * what stands here that no engine reaches (capture.md, "What cannot be governed"). Nothing is executed.
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Commands that speak to AI providers; a missing one is no finding. */
static const char *const gaps_programs[] = {"claude", "codex", "gemini", "opencode", "aider",  "goose", "crush",
                                            "llm",    "sgpt",  "q",      "amp",      "cursor", "code",  NULL};

/* What runs programs where neither a preload nor a filter of ours follows. */
static const struct gaps_place {
    const char *command, *why;
} gaps_places[] = {
    {"docker", "containers have their own network and files: run tollgate inside, or give them the base URLs"},
    {"podman", "containers have their own network and files: run tollgate inside, or give them the base URLs"},
    {"snap", "snaps drop LD_PRELOAD and see other files: install the program in another way"},
    {"flatpak", "flatpaks drop LD_PRELOAD and see other files: install the program in another way"},
    {NULL, NULL},
};

static bool gaps_is_script(const char *path)
{
    char begin[2] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool is_script = fd >= 0 && read(fd, begin, sizeof begin) == sizeof begin && memcmp(begin, "#!", 2) == 0;
    if (fd >= 0)
        close(fd);
    return is_script;
}

static void gaps_check_program(struct doctor *doctor, const char *command)
{
    struct launch_program program = elf_look(command);
    if (program.missing)
        return;
    char real[PATH_MAX];
    const char *lies = realpath(program.path, real) ? real : program.path;
    const char *name = text_format("program %s", command);
    if (text_starts(lies, "/snap/") || text_starts(lies, "/var/lib/flatpak/") || strcmp(lies, "/usr/bin/snap") == 0)
        doctor_add(doctor, name, FINDING_WARNING, "install it in another way",
                   "%s is a snap or a flatpak: not governed", lies);
    else if (!program.ungoverned)
        doctor_add(doctor, name, FINDING_OK, NULL, "%s, by the preload library%s", lies,
                   gaps_is_script(lies) ? "; static programs that it starts by the supervisor" : "");
    else if (program.is_supervisable)
        doctor_add(doctor, name, FINDING_OK, NULL, "%s, by the supervisor: it is %s", lies, program.ungoverned);
    else
        doctor_add(doctor, name, FINDING_WARNING, "tollgate run refuses it in prod, and where capture.strict is set",
                   "%s cannot be governed: it is %s", lies, program.ungoverned);
}

static void gaps_check_places(struct doctor *doctor)
{
    for (const struct gaps_place *row = gaps_places; row->command; row++) {
        struct launch_program program = elf_look(row->command);
        if (!program.missing)
            doctor_add(doctor, text_format("gap %s", row->command), FINDING_OK, NULL, "%s is here; %s", program.path,
                       row->why);
    }
}

/* Yama: 1 lets ancestors look into a process, which the supervisor is; from 2 on only root may. */
static void gaps_check_yama(struct doctor *doctor)
{
    int scope = 0;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (!file)
        return;
    if (fscanf(file, "%d", &scope) != 1)
        scope = 0;
    fclose(file);
    bool is_closed = scope > 2 || (scope == 2 && geteuid() != 0);
    doctor_add(doctor, "ptrace", is_closed ? FINDING_WARNING : FINDING_OK,
               "static programs need kernel.yama.ptrace_scope 0 or 1 to be supervised",
               "kernel.yama.ptrace_scope is %d", scope);
}

void doctor_check_gaps(struct doctor *doctor)
{
    for (const char *const *command = gaps_programs; *command; command++)
        gaps_check_program(doctor, *command);
    gaps_check_places(doctor);
    gaps_check_yama(doctor);
}
