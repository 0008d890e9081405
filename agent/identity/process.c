/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /proc says of a process: executable and working directory by pid, and the owner of a socket by inode. Everything
 * is read through one directory descriptor per process, which stays with that process when its number is used again.
 */
#include "base/clock.h"
#include "identity/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { GENERATIONS_MAX = 64 };
static const int64_t search_max_ns = 1000ll * 1000 * 1000;

int64_t process_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool read_text(int process_fd, const char *name, char *text, size_t bytes_max)
{
    int fd = openat(process_fd, name, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, bytes_max - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = 0;
    return length > 0;
}

/* proc(5): field 22 of /proc/PID/stat, in ticks since boot; the name in field 2 may contain anything, `)` too. */
static int64_t process_start_ns(int process_fd)
{
    char text[1024];
    if (!read_text(process_fd, "stat", text, sizeof text))
        return -1;
    const char *field = strrchr(text, ')');
    for (unsigned number = 2; field && number < 22; number++)
        field = strchr(field + 1, ' ');
    if (!field)
        return -1;
    return (int64_t)strtoull(field + 1, NULL, 10) * (1000000000 / sysconf(_SC_CLK_TCK));
}

void process_trim_deleted(char *path)
{
    static const char deleted[] = " (deleted)";
    size_t length = strlen(path), suffix = sizeof deleted - 1;
    if (length > suffix && strcmp(path + length - suffix, deleted) == 0)
        path[length - suffix] = 0;
}

/* Leaves `text` as it is where the link cannot be read. */
static void read_link(int process_fd, const char *name, char *text, size_t bytes_max)
{
    ssize_t length = readlinkat(process_fd, name, text, bytes_max - 1);
    if (length <= 0)
        return;
    text[length] = 0;
    process_trim_deleted(text);
}

static int open_directory(pid_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Processes that are not dumpable show root as their owner: no proof of another user, and their links stay closed. */
static bool process_is_of(int process_fd, uid_t uid)
{
    struct stat status;
    return fstat(process_fd, &status) == 0 && (status.st_uid == uid || status.st_uid == 0);
}

int process_open(pid_t pid, uid_t uid)
{
    int process_fd = open_directory(pid);
    if (process_fd < 0 || process_is_of(process_fd, uid))
        return process_fd;
    close(process_fd);
    return -1;
}

void process_describe(struct identity_claim *claim, uid_t uid, int64_t alive_at_ns)
{
    int process_fd = process_open(claim->pid, uid);
    if (process_fd < 0)
        return;
    if (process_start_ns(process_fd) <= alive_at_ns) {
        read_link(process_fd, "exe", claim->executable, sizeof claim->executable);
        read_link(process_fd, "cwd", claim->directory, sizeof claim->directory);
    }
    close(process_fd);
}

/* proc(5): "Uid:" of status, real and effective. Unlike the owner of the directory it is true of processes that are not
 * dumpable, too. */
static bool has_effective_uid(int process_fd, uid_t uid)
{
    char text[2048];
    unsigned real, effective;
    if (!read_text(process_fd, "status", text, sizeof text))
        return false;
    const char *line = strstr(text, "\nUid:");
    return line && sscanf(line, "\nUid: %u %u", &real, &effective) == 2 && effective == uid;
}

/* Field 4 of stat; 0 when there is none. */
static pid_t parent_of(int process_fd)
{
    char text[1024];
    int parent = 0;
    const char *end = read_text(process_fd, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
    return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

bool process_descends(pid_t pid, pid_t ancestor, uid_t uid)
{
    int process_fd = open_directory(pid);
    bool is_of_uid = process_fd >= 0 && has_effective_uid(process_fd, uid);
    for (int generation = 0; is_of_uid && process_fd >= 0 && generation < GENERATIONS_MAX; generation++) {
        pid_t parent = pid == ancestor ? pid : parent_of(process_fd);
        close(process_fd);
        if (parent == ancestor)
            return true;
        process_fd = parent > 0 ? open_directory(parent) : -1;
    }
    if (process_fd >= 0)
        close(process_fd);
    return false;
}

static struct identity_lookup *next_lookup(struct identity_lookup *lookup)
{
    return (struct identity_lookup *)(void *)lookup->task.next; /* task is the first member */
}
_Static_assert(offsetof(struct identity_lookup, task) == 0, "a task is its lookup");

/* How many lookups of the chain still search for a process of that uid. */
static unsigned count_open(struct identity_lookup *first, uid_t uid, bool any_uid)
{
    unsigned count = 0;
    for (struct identity_lookup *lookup = first; lookup; lookup = next_lookup(lookup))
        count += lookup->claim.pid == 0 && (any_uid || lookup->peer.uid == uid);
    return count;
}

static void match_inode(struct identity_lookup *first, unsigned long inode, pid_t pid, uid_t uid)
{
    for (struct identity_lookup *lookup = first; lookup; lookup = next_lookup(lookup))
        if (lookup->peer.inode == inode && lookup->peer.uid == uid && lookup->claim.pid == 0)
            lookup->claim.pid = pid;
}

static void search_process(struct identity_lookup *first, pid_t pid, uid_t uid, int64_t deadline_ns)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    if (!directory)
        return;
    struct dirent *entry;
    while ((entry = readdir(directory)) && clock_monotonic_ns() < deadline_ns) {
        char target[64];
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);
        if (length <= 0)
            continue;
        target[length] = 0;
        if (strncmp(target, "socket:[", 8) == 0)
            match_inode(first, strtoul(target + 8, NULL, 10), pid, uid);
    }
    closedir(directory);
}

void process_find_owners(struct identity_lookup *first)
{
    int64_t deadline_ns = clock_monotonic_ns() + search_max_ns;
    DIR *processes = opendir("/proc");
    if (!processes)
        return;
    struct dirent *entry;
    while ((entry = readdir(processes)) && count_open(first, 0, true) > 0 && clock_monotonic_ns() < deadline_ns) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct stat status;
        if (pid <= 0 || fstatat(dirfd(processes), entry->d_name, &status, 0) != 0)
            continue;
        if (count_open(first, status.st_uid, false) > 0)
            search_process(first, pid, status.st_uid, deadline_ns);
    }
    closedir(processes);
}

/* After an upgrade the old file is gone, and read_link has taken "(deleted)" away. */
static bool is_named_agent(pid_t pid)
{
    char path[4096] = "";
    int process_fd = open_directory(pid);
    if (process_fd < 0)
        return false;
    read_link(process_fd, "exe", path, sizeof path);
    close(process_fd);
    const char *slash = strrchr(path, '/');
    return slash && strcmp(slash + 1, "tollgated") == 0;
}

static bool runs_own_file(pid_t pid)
{
    char path[32];
    struct stat own, other;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 && own.st_dev == other.st_dev &&
           own.st_ino == other.st_ino;
}

bool process_is_agent(pid_t pid)
{
    return runs_own_file(pid) || is_named_agent(pid);
}
