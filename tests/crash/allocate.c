/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Part of powercut.so: allocations that the program's own code makes (told by the caller's address, so that those of
 * Berkeley DB and libc are left alone) are counted, and the Nth fails when the plan says so.
 */
#include "tests/crash/disk.h"

#include <errno.h>
#include <link.h>
#include <stddef.h>

#define HOOK __attribute__((visibility("default")))

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static uintptr_t program_first, program_end;

/* The first object is the program itself. */
static int note_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X) {
            program_first = info->dlpi_addr + segment->p_vaddr;
            program_end = program_first + segment->p_memsz;
        }
    }
    return 1;
}

static __attribute__((constructor)) void find_program(void)
{
    dl_iterate_phdr(note_program, NULL);
}

static bool must_fail(const void *caller)
{
    bool is_part;
    uintptr_t place = (uintptr_t)caller;
    if (place < program_first || place >= program_end || !disk_map || !atomic_load(&disk_map->is_armed))
        return false;
    if (disk_decide(DISK_ALLOCATE, &is_part) == 0)
        return false;
    errno = ENOMEM;
    return true;
}

HOOK void *malloc(size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

HOOK void *calloc(size_t count, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

HOOK void *realloc(void *old, size_t size)
{
    return must_fail(__builtin_return_address(0)) ? NULL : __libc_realloc(old, size);
}
