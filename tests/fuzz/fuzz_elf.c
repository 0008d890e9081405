/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kind of program a file is, as the launcher and as the shim see it. They differ in how much of a file they look
 * at (the shim on a small stack), so that they must agree only on what has few segments and lies where linkers put it.
 */
#include "fuzz.h"

#include <elf.h>

#include "shim/launch/launch.h"
#include "shim_side.h"

/* Within what both look at. */
static bool is_plain(struct slice file)
{
    Elf64_Ehdr header;
    if (file.length < sizeof header)
        return false;
    memcpy(&header, file.data, sizeof header);
    return memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_phentsize == sizeof(Elf64_Phdr) &&
           header.e_phoff % 8 == 0 && header.e_phoff < 512 && header.e_phnum <= 8 &&
           header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr) <= file.length &&
           header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == EM_X86_64 &&
           (header.e_type == ET_EXEC || header.e_type == ET_DYN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice file = fuzz_slice(data, size);
    const char *path = fuzz_file("program", file);
    struct text_block *mark = text_mark();
    bool has_asan = false;
    struct launch_program program = elf_look(path);
    enum shim_kind kind = shim_side_look(path, &has_asan);
    FUZZ_REQUIRE(!program.missing, "missing %d", program.missing);
    if (is_plain(file))
        FUZZ_REQUIRE((kind == SHIM_STATIC) == program.is_supervisable, "the shim says %d, the launcher %s", kind,
                     program.ungoverned ? program.ungoverned : "dynamic");
    text_release(mark);
    return 0;
}
