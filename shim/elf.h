/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a Go program is recognised: by the build id that its linker writes, also with cgo. Shared by the launcher and the
 * shim, hence free of libc and of any state; each reads the file in its own way.
 */
#ifndef TOLLGATE_ELF_H
#define TOLLGATE_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

#define ELF_NOTES_BYTES 512 /* of each PT_NOTE segment; few notes, Go's is short */
#define ELF_NOTE_GO     4   /* cmd/internal/buildid: name "Go", type 4 */

/* The first bytes of a PT_NOTE segment, aligned as Elf64_Nhdr. */
static inline bool elf_notes_are_go(const char *bytes, size_t size)
{
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) + 4 <= size;) {
        const Elf64_Nhdr *note = (const void *)(bytes + at);
        const char *name = bytes + at + sizeof *note;
        if (note->n_namesz == 4 && note->n_type == ELF_NOTE_GO && name[0] == 'G' && name[1] == 'o' && name[2] == '\0')
            return true;
        at += sizeof *note + (((size_t)note->n_namesz + 3) & ~(size_t)3) + (((size_t)note->n_descsz + 3) & ~(size_t)3);
    }
    return false;
}

#endif
