/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The constructor: finds the real functions, remembers our variables, reads the map, and completes the process's own
 * environment for TLS libraries that are linked into the program and read it at their start (Node, Bun, Go). Whatever
 * fails leaves the program as it would be without us. musl gives constructors no arguments, hence `environ`.
 */
#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "shim/preload/shim.h"

extern unsigned long getauxval(unsigned long type) __attribute__((weak));

/* What the launcher knows us by (shim/elf.h). */
static const struct start_note {
    Elf64_Nhdr head;
    char name[(sizeof TOLLGATE_NOTE_NAME + 3) / 4 * 4];
    uint32_t map_version;
} start_note __attribute__((section(".note.tollgate"), aligned(4), used)) = {
    {sizeof TOLLGATE_NOTE_NAME, sizeof(uint32_t), TOLLGATE_NOTE_MAP}, TOLLGATE_NOTE_NAME, TOLLGATE_MAP_VERSION};

struct shim_state shim;

/*
 * The agent governs others, never itself, also when something started it that no hook saw. So does the launcher, which
 * a hook executes under the program's own arguments: as supervisor it connects programs' sockets to the agent.
 */
static bool start_is_ours(const char *const *entries)
{
    const char *program = getauxval != NULL ? (const char *)getauxval(AT_EXECFN) : NULL;
    if (environment_find(entries, TOLLGATE_ENV_EXECUTE) != NULL)
        return true;
    return program != NULL &&
           (text_equal(text_base(program), "tollgated") || text_equal(text_base(program), "tollgate"));
}

static bool start_read_map(void)
{
    static char path[4096];
    if (text_length(shim.runtime) + sizeof "/" TOLLGATE_FILE_MAP > sizeof path)
        return false;
    text_append(text_append(path, shim.runtime), "/" TOLLGATE_FILE_MAP);
    if (!map_open(path))
        return false;
    shim.map = path;
    return true;
}

/* Kept for the life of the process, as the kernel's own environment block is. Nothing missing: nothing done. */
static void start_complete_environment(enum target_kind kind)
{
    struct environment_plan plan;
    struct target self = {.kind = kind};
    if (!environment_plan(environ, self, NULL, &plan))
        return;
    long memory = RAW6(SYS_mmap, 0, plan.array_bytes + plan.text_bytes + 1, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw_is_error(memory))
        return;
    const char **array = (const char **)memory;
    environment_build(&plan, array, (char *)memory + plan.array_bytes);
    environ = (char **)(uintptr_t)array;
}

__attribute__((constructor)) static void start(void)
{
    real_resolve();
    const char *const *entries = &environ != NULL ? (const char *const *)environ : NULL;
    if (entries == NULL || start_is_ours(entries))
        return;
    environment_remember(entries);
    if (!shim.is_active)
        return;
    if (start_read_map()) {
        hello_prepare(shim.runtime, environment_find(entries, TOLLGATE_ENV_GROUP),
                      environment_find(entries, TOLLGATE_ENV_PROJECT));
    } else if (!environment_is_readable()) {
        /* A program that no hook saw became another user and started this one. */
        start_complete_environment(TARGET_FOREIGN);
        shim.is_active = false;
        return;
    }
    start_complete_environment(TARGET_DYNAMIC);
}
