/* SPDX-License-Identifier: Apache-2.0 */
#include "doors.h"

#include "shim/contract.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct {
    const char *file;
    int type;
    mode_t mode, shared_mode;
} rows[INHERITED_COUNT] = {
    [INHERITED_ADMIN] = {TOLLGATE_FILE_ADMIN, SOCK_STREAM, 0600, 0600},
    [INHERITED_REPORT] = {TOLLGATE_FILE_REPORT, SOCK_STREAM, 0600, 0666},
    [INHERITED_REDIRECT] = {TOLLGATE_FILE_REDIRECT, SOCK_SEQPACKET, 0600, 0666},
};

static bool find_address(enum inherited which, const char *runtime, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(ret_address->sun_path, sizeof ret_address->sun_path, "%s/%s", runtime, rows[which].file);
    return length > 0 && (size_t)length < sizeof ret_address->sun_path;
}

static int read_option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

/* Does who connects to the path come to us? The runtime directory may be another one by now. Whoever called listen(2)
 * last is the peer of who connects. */
static bool leads_here(const struct sockaddr_un *address, int type)
{
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_here = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
                   getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getpid();
    if (fd >= 0)
        close(fd);
    return is_here;
}

/* What somebody else opened is believed after the kernel has confirmed what it is. -1: it is nothing for us. */
static int take(enum inherited which, const struct sockaddr_un *address)
{
    int fd = inherited_take(which, NULL);
    if (fd < 0)
        return -1;
    if (read_option(fd, SO_DOMAIN) == AF_UNIX && read_option(fd, SO_TYPE) == rows[which].type &&
        read_option(fd, SO_ACCEPTCONN) == 1 && listen(fd, SOMAXCONN) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
        fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && leads_here(address, rows[which].type))
        return fd;
    close(fd);
    return -1;
}

/* One of an agent that died stands there still. */
static int bind_new(const struct sockaddr_un *address, int type, mode_t mode)
{
    unlink(address->sun_path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
        chmod(address->sun_path, mode) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

void doors_init(struct doors *doors)
{
    for (unsigned i = 0; i < INHERITED_COUNT; i++)
        doors->fds[i] = -1;
}

enum error doors_open(struct doors *doors, enum inherited which, const char *runtime, bool is_shared)
{
    struct sockaddr_un address;
    if (!find_address(which, runtime, &address))
        return ERROR_FILE_UNWRITABLE;
    int fd = take(which, &address);
    if (fd < 0)
        fd = bind_new(&address, rows[which].type, is_shared ? rows[which].shared_mode : rows[which].mode);
    doors->fds[which] = fd;
    return fd < 0 ? ERROR_FILE_UNWRITABLE : ERROR_OK;
}

void doors_close(struct doors *doors, const char *runtime, bool is_kept)
{
    struct sockaddr_un address;
    for (unsigned i = 0; i < INHERITED_COUNT; i++) {
        if (doors->fds[i] < 0)
            continue;
        if (!is_kept && find_address((enum inherited)i, runtime, &address))
            unlink(address.sun_path);
        close(doors->fds[i]);
        doors->fds[i] = -1;
    }
}
