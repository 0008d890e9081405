/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the target of an exec is: dynamic, static, privileged, foreign or the agent. exec.c asks before every exec, also
 * in a vfork child and on a 16 KiB thread stack, so this reads a few bytes of the file into small frames, follows
 * at most four "#!" lines, and changes nothing. Whatever cannot be looked at counts as dynamic: if it does not exist
 * the exec fails anyway, and a preload that nobody loads is harmless. Under strict that holds only for files whose mode
 * forbids reading them.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "shim/elf.h"
#include "shim/preload/shim.h"

#define ELF_SCRIPT_DEPTH_MAX 4
#define ELF_SCRIPT_BYTES     256  /* the kernel's BINPRM_BUF_SIZE */
#define ELF_HEAD_BYTES       1024 /* ELF header and 17 program headers: all of them in any usual program */
#define ELF_SEGMENTS_MAX     64
#define ELF_DYNAMIC_READ     24 /* linkers put DT_NEEDED first and DT_STRTAB soon after INIT, FINI and HASH */

/* Program headers, wherever they lie. */
struct elf_file {
    int fd;
    const Elf64_Ehdr *header;
    const char *head;
    size_t head_bytes;
};

static bool elf_read(int fd, void *to, size_t size, uint64_t offset)
{
    return RAW6(SYS_pread64, fd, to, size, offset, 0, 0) == (long)size;
}

static bool elf_read_segment(const struct elf_file *file, size_t index, Elf64_Phdr *ret_segment)
{
    uint64_t offset = file->header->e_phoff + index * sizeof *ret_segment;
    if (offset > UINT32_MAX)
        return false;
    if (offset + sizeof *ret_segment > file->head_bytes)
        return elf_read(file->fd, ret_segment, sizeof *ret_segment, offset);
    __builtin_memcpy(ret_segment, file->head + offset, sizeof *ret_segment);
    return true;
}

static size_t elf_count_segments(const struct elf_file *file)
{
    return file->header->e_phnum < ELF_SEGMENTS_MAX ? file->header->e_phnum : ELF_SEGMENTS_MAX;
}

static bool elf_find_segment(const struct elf_file *file, uint32_t type, Elf64_Phdr *ret_segment)
{
    for (size_t i = 0; i < elf_count_segments(file); i++) {
        Elf64_Phdr segment = {.p_type = PT_NULL};
        if (!elf_read_segment(file, i, &segment))
            return false;
        if (segment.p_type == type) {
            *ret_segment = segment;
            return true;
        }
    }
    return false;
}

/* Where in the file a virtual address lies; 0: nowhere. */
static uint64_t elf_find_offset(const struct elf_file *file, uint64_t address)
{
    for (size_t i = 0; i < elf_count_segments(file); i++) {
        Elf64_Phdr segment = {.p_type = PT_NULL};
        if (!elf_read_segment(file, i, &segment))
            return 0;
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
            return address - segment.p_vaddr + segment.p_offset;
    }
    return 0;
}

/* gcc links libasan before everything else, and libasan insists on it: only the first DT_NEEDED can be it. */
static bool elf_has_asan(const struct elf_file *file)
{
    Elf64_Phdr dynamic;
    if (!elf_find_segment(file, PT_DYNAMIC, &dynamic))
        return false;
    Elf64_Dyn entries[ELF_DYNAMIC_READ] = {{.d_tag = DT_NULL}};
    if (!elf_read(file->fd, entries, sizeof entries, dynamic.p_offset) || entries[0].d_tag != DT_NEEDED)
        return false;
    uint64_t names = 0;
    for (size_t i = 1; i < ELF_DYNAMIC_READ && entries[i].d_tag != DT_NULL && names == 0; i++)
        if (entries[i].d_tag == DT_STRTAB)
            names = entries[i].d_un.d_ptr;
    char name[12];
    uint64_t offset = names != 0 ? elf_find_offset(file, names + entries[0].d_un.d_val) : 0;
    return offset != 0 && elf_read(file->fd, name, sizeof name, offset) && text_starts(name, "libasan.so.");
}

static __attribute__((noinline)) bool elf_is_go(const struct elf_file *file)
{
    for (size_t i = 0; i < elf_count_segments(file); i++) {
        _Alignas(Elf64_Nhdr) char notes[ELF_NOTES_BYTES] = "";
        Elf64_Phdr segment = {.p_type = PT_NULL};
        if (!elf_read_segment(file, i, &segment))
            return false;
        if (segment.p_type != PT_NOTE)
            continue;
        size_t size = segment.p_filesz < sizeof notes ? segment.p_filesz : sizeof notes;
        /* Notes usually follow the program headers, in the part that was read already. */
        if (segment.p_offset < file->head_bytes && size <= file->head_bytes - segment.p_offset)
            __builtin_memcpy(notes, file->head + segment.p_offset, size);
        else if (!elf_read(file->fd, notes, size, segment.p_offset))
            continue;
        if (elf_notes_are_go(notes, size))
            return true;
    }
    return false;
}

static struct target elf_judge(int fd, const char *head, size_t head_bytes, const char *name)
{
    struct target target = {.kind = TARGET_DYNAMIC};
    const Elf64_Ehdr *header = (const void *)head;
    if (head_bytes < sizeof *header)
        return target;
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64) {
        target.kind = TARGET_FOREIGN;
        return target;
    }
    if (header->e_phentsize != sizeof(Elf64_Phdr))
        return target;
    struct elf_file file = {.fd = fd, .header = header, .head = head, .head_bytes = head_bytes};
    Elf64_Phdr interpreter;
    /* The loader itself, run as a program, has no interpreter and honours LD_PRELOAD for what it loads. */
    bool is_static = !elf_find_segment(&file, PT_INTERP, &interpreter) && !text_starts(name, "ld-");
    if (is_static || elf_is_go(&file))
        target.kind = TARGET_STATIC;
    else
        target.has_asan = elf_has_asan(&file);
    return target;
}

/* "#!" line → interpreter's path in `line`, cut to a string. False: not a script, or a line the kernel would refuse. */
static bool elf_parse_script(const char *head, size_t head_bytes, char line[ELF_SCRIPT_BYTES])
{
    if (head_bytes < 3 || head[0] != '#' || head[1] != '!')
        return false;
    size_t at = 2;
    while (at < head_bytes && (head[at] == ' ' || head[at] == '\t'))
        at++;
    size_t length = 0;
    while (at < head_bytes && length + 1 < ELF_SCRIPT_BYTES && head[at] != ' ' && head[at] != '\t' &&
           head[at] != '\n' && head[at] != '\0')
        line[length++] = head[at++];
    line[length] = '\0';
    return length > 0;
}

/* A descriptor that only names its file (O_PATH) is read through another one. A negative errno on failure. */
static __attribute__((noinline)) long elf_open(int directory, const char *path)
{
    const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    char link[sizeof "/proc/self/fd/" + 10], byte;
    if (path[0] != '\0')
        return RAW6(SYS_openat, directory, path, flags, 0, 0, 0);
    if (RAW6(SYS_pread64, directory, &byte, 1, 0, 0, 0) != -EBADF)
        return directory;
    text_append_number(text_append(link, "/proc/self/fd/"), (uint32_t)directory);
    return RAW6(SYS_openat, AT_FDCWD, link, flags, 0, 0, 0);
}

/*
 * The launcher's rule (shim/launch/elf.c): ids that would change, or file capabilities for anybody but root. The latter
 * cost two system calls and matter only where such a program must not run: a preload that the loader ignores is
 * harmless.
 */
static bool elf_gains_rights(const struct stat *facts, int fd)
{
    if ((facts->st_mode & S_ISUID) && (long)facts->st_uid != RAW3(SYS_geteuid, 0, 0, 0))
        return true;
    if ((facts->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
        (long)facts->st_gid != RAW3(SYS_getegid, 0, 0, 0))
        return true;
    return map_is_strict() && RAW3(SYS_geteuid, 0, 0, 0) != 0 &&
           RAW6(SYS_fgetxattr, fd, "security.capability", 0, 0, 0, 0) > 0;
}

/*
 * One file. True: it is a script, and `line` names the interpreter to look at next. Only regular files are opened: a
 * FIFO would block and a device might act.
 */
static bool elf_look_once(int directory, const char *path, int flags, struct target *ret_target,
                          char line[ELF_SCRIPT_BYTES])
{
    union {
        char bytes[ELF_HEAD_BYTES];
        Elf64_Ehdr aligned;
    } head;
    struct stat facts = {.st_mode = 0};
    if (RAW6(SYS_newfstatat, directory, path, &facts, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), 0, 0) != 0 ||
        !S_ISREG(facts.st_mode))
        return false;
    long fd = elf_open(directory, path);
    long got = fd < 0 ? fd : RAW6(SYS_pread64, fd, head.bytes, sizeof head.bytes, 0, 0, 0);
    if (got < 0 && got != -EACCES && map_is_strict())
        ret_target->kind = TARGET_PRIVILEGED; /* nobody can tell; a program that may not be read is the kernel's */
    bool is_script = got > 0 && elf_parse_script(head.bytes, (size_t)got, line);
    if (!is_script && elf_gains_rights(&facts, (int)fd)) /* the kernel ignores these bits on scripts */
        ret_target->kind = TARGET_PRIVILEGED;
    else if (got >= SELFMAG && __builtin_memcmp(head.bytes, ELFMAG, SELFMAG) == 0)
        *ret_target = elf_judge((int)fd, head.bytes, (size_t)got, text_base(path));
    if (fd >= 0 && fd != directory)
        RAW3(SYS_close, fd, 0, 0);
    return is_script;
}

static __attribute__((noinline)) struct target elf_look_at(int directory, const char *path, int flags)
{
    struct target target = {.kind = TARGET_DYNAMIC};
    char line[ELF_SCRIPT_BYTES];
    if (text_equal(text_base(path), "tollgated")) {
        target.kind = TARGET_AGENT;
        return target;
    }
    bool is_script = elf_look_once(directory, path, flags, &target, line);
    for (int depth = 1; is_script && depth <= ELF_SCRIPT_DEPTH_MAX; depth++) {
        char next[ELF_SCRIPT_BYTES];
        text_append(next, line);
        is_script = elf_look_once(AT_FDCWD, next, 0, &target, line);
    }
    return target;
}

static bool elf_is_executable(const char *path)
{
    struct stat facts = {.st_mode = 0};
    return RAW6(SYS_newfstatat, AT_FDCWD, path, &facts, 0, 0, 0) == 0 && S_ISREG(facts.st_mode) &&
           (facts.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH));
}

/* Length of the first element of a PATH-like list. */
static size_t elf_measure_element(const char *list)
{
    size_t length = 0;
    while (list[length] != '\0' && list[length] != ':')
        length++;
    return length;
}

/* execvp's search: the first regular executable file. Anything longer than `room` is not found. */
static bool elf_search(const char *list, const char *name, char room[ELF_PATH_BYTES])
{
    size_t name_length = text_length(name);
    if (name_length == 0 || name_length > 255)
        return false;
    for (;;) {
        size_t length = elf_measure_element(list);
        if (length + name_length + 2 <= ELF_PATH_BYTES) {
            __builtin_memcpy(room, list, length);
            char *end = room + length;
            if (length > 0)
                *end++ = '/';
            text_append(end, name);
            if (elf_is_executable(room))
                return true;
        }
        if (list[length] == '\0')
            return false;
        list += length + 1;
    }
}

bool elf_find(const char *name, char room[ELF_PATH_BYTES])
{
    const char *list = &environ != NULL ? environment_find((const char *const *)environ, "PATH") : NULL;
    return elf_search(list != NULL ? list : "/bin:/usr/bin", name, room);
}

static __attribute__((noinline)) struct target elf_look_in_path(const char *name)
{
    struct target nothing = {.kind = TARGET_DYNAMIC};
    char found[ELF_PATH_BYTES];
    return elf_find(name, found) ? elf_look_at(AT_FDCWD, found, 0) : nothing;
}

struct target elf_look(int directory, const char *path, int flags, bool search)
{
    struct target nothing = {.kind = TARGET_DYNAMIC};
    if (!pointer_is_plausible(path))
        return nothing;
    if (!search || text_find(path, "/") != NULL)
        return elf_look_at(directory, path, flags);
    return elf_look_in_path(path);
}
