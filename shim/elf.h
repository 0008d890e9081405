/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a Go program is recognised: by the build id that its linker writes, also with cgo; and our library: by a note of
 * ours. Shared by the launcher and the shim, hence free of libc and of any state; each reads the file in its own way.
 */
#ifndef TOLLGATE_ELF_H
#define TOLLGATE_ELF_H

#include "shim/contract.h"

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

#define ELF_NOTES_BYTES 512 /* of each PT_NOTE segment; few notes, Go's is short */
#define ELF_NOTE_GO     4   /* cmd/internal/buildid: name "Go", type 4 */

/* The first bytes of a PT_NOTE segment, aligned as Elf64_Nhdr; name_size with the NUL, at most 16. The note's
 * descriptor; NULL: there is none, or it has not its name and `desc_size` bytes more before the end. */
static inline const void *elf_find_note(const char *bytes, size_t size, const char *name, size_t name_size,
                                        uint32_t type, size_t desc_size)
{
    const size_t padded = (name_size + 3) & ~(size_t)3;
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) + padded + desc_size <= size;) {
        const Elf64_Nhdr *note = (const void *)(bytes + at);
        size_t same = 0;
        while (note->n_namesz == name_size && same < name_size && bytes[at + sizeof *note + same] == name[same])
            same++;
        if (same == name_size && note->n_type == type && note->n_descsz >= desc_size)
            return bytes + at + sizeof *note + padded;
        at += sizeof *note + (((size_t)note->n_namesz + 3) & ~(size_t)3) + (((size_t)note->n_descsz + 3) & ~(size_t)3);
    }
    return NULL;
}

static inline bool elf_notes_are_go(const char *bytes, size_t size)
{
    return elf_find_note(bytes, size, "Go\0", sizeof "Go\0", ELF_NOTE_GO, 0) != NULL;
}

/* Of libtollgate.so: the version of the map that it reads; 0: the notes are not ours. */
static inline uint32_t elf_notes_map_version(const char *bytes, size_t size)
{
    const uint32_t *version =
        elf_find_note(bytes, size, TOLLGATE_NOTE_NAME, sizeof TOLLGATE_NOTE_NAME, TOLLGATE_NOTE_MAP, sizeof *version);
    return version != NULL ? *version : 0;
}

#endif
