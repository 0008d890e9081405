/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can the preload engine govern a program? Static and Go programs make their system calls without libc, and the loader
 * ignores LD_PRELOAD when the program gains rights. Follows PATH as execvp does and at most four "#!" lines. Reads
 * a few KB; what cannot be read counts as governable: exec then says what is wrong with it. And is the library one that
 * the loader takes? It starts a program without one that it cannot load, and one that was cut kills the program.
 */
#include "shim/elf.h"
#include "shim/launch/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ELF_SCRIPT_DEPTH_MAX 4
#define ELF_HEAD_BYTES       4096
#define ELF_DYNAMIC_MAX      32 /* DT_NEEDED comes first, DT_STRTAB soon after */

struct elf_file {
    int fd;
    const Elf64_Ehdr *header;
    const Elf64_Phdr *segments;
    size_t segment_count;
};

static const Elf64_Phdr *elf_find_segment(const struct elf_file *file, uint32_t type, const Elf64_Phdr *after)
{
    for (const Elf64_Phdr *at = after ? after + 1 : file->segments; at < file->segments + file->segment_count; at++)
        if (at->p_type == type)
            return at;
    return NULL;
}

/* The next segment of notes; false: there is none any more. Starts with *at NULL. */
static bool elf_read_notes(const struct elf_file *file, const Elf64_Phdr **at, char bytes[ELF_NOTES_BYTES],
                           size_t *ret_size)
{
    *at = elf_find_segment(file, PT_NOTE, *at);
    if (!*at)
        return false;
    size_t size = (*at)->p_filesz < ELF_NOTES_BYTES ? (size_t)(*at)->p_filesz : ELF_NOTES_BYTES;
    ssize_t got = pread(file->fd, bytes, size, (off_t)(*at)->p_offset);
    *ret_size = got > 0 ? (size_t)got : 0;
    return true;
}

static bool elf_is_go(const struct elf_file *file)
{
    _Alignas(Elf64_Nhdr) char bytes[ELF_NOTES_BYTES] = "";
    size_t size;
    for (const Elf64_Phdr *at = NULL; elf_read_notes(file, &at, bytes, &size);)
        if (elf_notes_are_go(bytes, size))
            return true;
    return false;
}

/* Where in the file what is at an address begins; 0: nowhere. Of numbers that anybody wrote: they wrap, and what is
 * beyond any file is refused by pread. */
static uint64_t elf_find_offset(const struct elf_file *file, uint64_t address)
{
    for (const Elf64_Phdr *load = elf_find_segment(file, PT_LOAD, NULL); load;
         load = elf_find_segment(file, PT_LOAD, load))
        if (address >= load->p_vaddr && address - load->p_vaddr < load->p_filesz)
            return address - load->p_vaddr + load->p_offset;
    return 0;
}

/* gcc links libasan before everything else, and libasan insists on it: only the first DT_NEEDED can be it. */
static bool elf_has_asan(const struct elf_file *file)
{
    const Elf64_Phdr *dynamic = elf_find_segment(file, PT_DYNAMIC, NULL);
    Elf64_Dyn entries[ELF_DYNAMIC_MAX];
    ssize_t got = dynamic ? pread(file->fd, entries, sizeof entries, (off_t)dynamic->p_offset) : 0;
    if (got < (ssize_t)sizeof entries[0] || entries[0].d_tag != DT_NEEDED)
        return false;
    uint64_t names = 0;
    for (size_t i = 1; i < (size_t)got / sizeof entries[0] && names == 0; i++)
        if (entries[i].d_tag == DT_STRTAB)
            names = elf_find_offset(file, entries[i].d_un.d_ptr);
    char name[11];
    return names > 0 && pread(file->fd, name, sizeof name, (off_t)(names + entries[0].d_un.d_val)) == sizeof name &&
           memcmp(name, "libasan.so.", sizeof name) == 0;
}

static bool elf_is_of_machine(const char *head, size_t bytes)
{
    const Elf64_Ehdr *header = (const void *)head;
    return bytes >= sizeof *header && header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_machine == EM_X86_64;
}

/* False: the program headers are not in the bytes. */
static bool elf_take_segments(int fd, const char *head, size_t bytes, struct elf_file *ret_file)
{
    const Elf64_Ehdr *header = (const void *)head;
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff % _Alignof(Elf64_Phdr) != 0 ||
        header->e_phoff > bytes || header->e_phnum > (bytes - header->e_phoff) / sizeof(Elf64_Phdr))
        return false;
    *ret_file = (struct elf_file){.fd = fd,
                                  .header = header,
                                  .segments = (const void *)(head + header->e_phoff),
                                  .segment_count = header->e_phnum};
    return true;
}

static void elf_judge(int fd, const char *head, size_t bytes, struct launch_program *program)
{
    struct elf_file file;
    if (!elf_is_of_machine(head, bytes)) {
        program->ungoverned = "for another architecture";
        return;
    }
    if (!elf_take_segments(fd, head, bytes, &file))
        return;
    const char *slash = strrchr(program->path, '/');
    /* The loader itself, run as a program, has no interpreter and honours LD_PRELOAD for what it loads. */
    bool is_loader = text_starts(slash ? slash + 1 : program->path, "ld-");
    program->is_go = elf_is_go(&file);
    if (program->is_go)
        program->ungoverned = "a Go program";
    else if (!elf_find_segment(&file, PT_INTERP, NULL) && !is_loader)
        program->ungoverned = "static";
    else
        program->has_asan = elf_has_asan(&file);
    program->is_supervisable = program->ungoverned != NULL;
}

/* AT_SECURE follows from ids that would change, or from file capabilities for anybody but root. */
static const char *elf_find_privilege(const char *path, const struct stat *facts)
{
    if ((facts->st_mode & S_ISUID) && facts->st_uid != geteuid())
        return "setuid";
    if ((facts->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && facts->st_gid != getegid())
        return "setgid";
    if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "a program with file capabilities";
    return NULL;
}

/* The interpreter of a "#!" line, or NULL. */
static const char *elf_parse_script(const char *head, size_t bytes)
{
    if (bytes < 3 || head[0] != '#' || head[1] != '!')
        return NULL;
    const char *line = text_format("%.*s", (int)(bytes - 2), head + 2);
    line += strspn(line, " \t");
    size_t length = strcspn(line, " \t\r\n");
    return length > 0 ? text_format("%.*s", (int)length, line) : NULL;
}

/* One file of the chain; answers the next one, NULL at its end. */
static const char *elf_look_once(const char *path, struct launch_program *program)
{
    struct stat facts;
    if (stat(path, &facts) != 0 || !S_ISREG(facts.st_mode))
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    _Alignas(Elf64_Ehdr) char head[ELF_HEAD_BYTES];
    ssize_t got = fd >= 0 ? pread(fd, head, sizeof head, 0) : -1;
    const char *next = got > 0 ? elf_parse_script(head, (size_t)got) : NULL;
    if (!next) {
        program->path = path;
        program->ungoverned = elf_find_privilege(path, &facts); /* the kernel ignores these bits on scripts */
        if (!program->ungoverned && got >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
            elf_judge(fd, head, (size_t)got, program);
    }
    if (fd >= 0)
        close(fd);
    return next;
}

/* execvp's search; *ret_missing says with what exit code a shell would end. */
static const char *elf_search(const char *name, int *ret_missing)
{
    const char *list = strchr(name, '/') ? "" : getenv("PATH");
    *ret_missing = 127;
    if (!list)
        list = "/bin:/usr/bin";
    for (bool is_last = false; !is_last;) {
        size_t length = strcspn(list, ":");
        const char *path = length > 0 ? text_format("%.*s/%s", (int)length, list, name) : name;
        struct stat facts;
        if (stat(path, &facts) == 0) {
            if (S_ISREG(facts.st_mode) && access(path, X_OK) == 0) {
                *ret_missing = 0;
                return path;
            }
            *ret_missing = 126;
        } else if (errno == EACCES) {
            *ret_missing = 126;
        }
        is_last = list[length] == '\0';
        list += length + 1;
    }
    return NULL;
}

struct launch_program elf_look(const char *name)
{
    struct launch_program program = {.path = name};
    const char *path = name[0] ? elf_search(name, &program.missing) : NULL;
    if (!path) {
        program.missing = program.missing ? program.missing : 127;
        return program;
    }
    const char *found = path;
    for (int depth = 0; path && depth <= ELF_SCRIPT_DEPTH_MAX; depth++)
        path = elf_look_once(path, &program);
    program.path = found;
    return program;
}

static const char *elf_find_library_fault(const struct elf_file *file, uint64_t size)
{
    _Alignas(Elf64_Nhdr) char bytes[ELF_NOTES_BYTES] = "";
    size_t got;
    uint32_t version = 0;
    for (const Elf64_Phdr *load = elf_find_segment(file, PT_LOAD, NULL); load;
         load = elf_find_segment(file, PT_LOAD, load))
        if (load->p_offset > size || load->p_filesz > size - load->p_offset)
            return "is cut off";
    for (const Elf64_Phdr *at = NULL; version == 0 && elf_read_notes(file, &at, bytes, &got);)
        version = elf_notes_map_version(bytes, got);
    if (version == 0)
        return "is not of this program";
    return version != TOLLGATE_MAP_VERSION ? "is of another version" : NULL;
}

const char *elf_check_library(const char *path)
{
    struct stat facts;
    struct statvfs system;
    struct elf_file file;
    _Alignas(Elf64_Ehdr) char head[ELF_HEAD_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return "cannot be opened";
    const char *fault = NULL;
    ssize_t got = pread(fd, head, sizeof head, 0);
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
        fault = "is no regular file";
    else if (fstatvfs(fd, &system) == 0 && (system.f_flag & ST_NOEXEC))
        fault = "lies where nothing may be executed (noexec)";
    else if (got < SELFMAG || memcmp(head, ELFMAG, SELFMAG) != 0 || !elf_is_of_machine(head, (size_t)got) ||
             !elf_take_segments(fd, head, (size_t)got, &file) || file.header->e_type != ET_DYN)
        fault = "is no library of this machine";
    else
        fault = elf_find_library_fault(&file, (uint64_t)facts.st_size);
    close(fd);
    return fault;
}
