/* SPDX-License-Identifier: Apache-2.0 */
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

void descriptors_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", O_RDONLY); /* the lowest that is free: this one; what is written there fails */
}

bool descriptor_is_kept(int fd, enum descriptor_use use)
{
    static const struct {
        rlim_t share, max;
    } kept[] = {[DESCRIPTOR_PROVIDER] = {16, 64}, [DESCRIPTOR_PROGRAM] = {4, 512}, [DESCRIPTOR_BROUGHT] = {2, 1024}};
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    rlim_t count = limit.rlim_cur / kept[use].share;
    if (count > kept[use].max)
        count = kept[use].max;
    return (rlim_t)fd >= limit.rlim_cur - count;
}

bool descriptors_are_short(enum descriptor_use use)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return true;
    bool are_short = descriptor_is_kept(fd, use);
    close(fd);
    return are_short;
}
