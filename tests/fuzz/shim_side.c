/* SPDX-License-Identifier: Apache-2.0 */
/* See shim_side.h. Built with the shim's flags and shim_names.h. */
#include "shim/preload/shim.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "tests/fuzz/shim_side.h"

/* elf.c looks for PATH; no target searches it. */
const char *environment_find(const char *const *entries, const char *name)
{
    (void)entries;
    (void)name;
    return NULL;
}

bool shim_side_open_map(const char *path)
{
    return map_open(path);
}

const char *shim_side_get_name(uint32_t index, uint32_t *ret_address, uint32_t *ret_found)
{
    const char *name = map_get_name(index, ret_address);
    *ret_found = 0;
    if (name)
        (void)map_find_name(name, ret_found);
    return name;
}

/* map.c: the joined names lie behind the file. */
void shim_side_close_map(size_t size)
{
    (void)munmap((void *)(uintptr_t)(map_names() - size), 2 * size + 1);
}

const char *shim_side_names(void)
{
    return map_names();
}

uint32_t shim_side_find_redirect(const uint8_t original[16])
{
    return map_find_redirect(original);
}

enum shim_kind shim_side_look(const char *path, bool *ret_has_asan)
{
    struct target target = elf_look(AT_FDCWD, path, 0, false);
    *ret_has_asan = target.has_asan;
    return target.kind == TARGET_DYNAMIC ? SHIM_DYNAMIC : target.kind == TARGET_STATIC ? SHIM_STATIC : SHIM_OTHER;
}
