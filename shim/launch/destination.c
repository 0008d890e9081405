/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a stopped call wants to go: the address is read from the program's memory and compared with the agent's map.
 * Called by serve.c. Changes nothing in the program. The map is believed no more than by the shim: what is not a
 * loopback network of ours governs nothing.
 */
#include "shim/launch/supervise.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { GATE_LOOK_US = 1000 };

/* ---- the map ---- */

static void *gate_copy(const void *rows, size_t bytes)
{
    void *copy = malloc(bytes > 0 ? bytes : 1);
    if (copy && bytes > 0)
        memcpy(copy, rows, bytes);
    return copy;
}

static void gate_take(struct gate *gate, const struct launch_map *map)
{
    const struct tollgate_map_header *header = &map->header;
    struct gate fresh = {.file = gate->file,
                         .looked_us = gate->looked_us,
                         .network = header->network,
                         .redirect_network = header->redirect_network,
                         .mask = header->network_mask,
                         .port_count = header->port_count,
                         .redirect_count = header->redirect_count};
    /* Ours are loopback networks, and small. */
    bool is_ours = fresh.mask >= 0xff000000u && fresh.network >> 24 == 127 && fresh.redirect_network >> 24 == 127;
    if (!is_ours)
        return;
    fresh.ports = gate_copy(map->ports, fresh.port_count * sizeof *fresh.ports);
    fresh.redirects = gate_copy(map->redirects, fresh.redirect_count * sizeof *fresh.redirects);
    if (!fresh.ports || !fresh.redirects) {
        free(fresh.ports);
        free(fresh.redirects);
        return;
    }
    free(gate->ports);
    free(gate->redirects);
    *gate = fresh;
}

void gate_refresh(struct gate *gate, const char *path)
{
    struct stat now;
    const struct stat *known = &gate->file;
    long long now_us = launch_now_us();
    if (now_us - gate->looked_us < GATE_LOOK_US)
        return;
    gate->looked_us = now_us;
    if (!path || stat(path, &now) != 0)
        return;
    if (now.st_ino == known->st_ino && now.st_size == known->st_size && now.st_mtim.tv_sec == known->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == known->st_mtim.tv_nsec)
        return;
    gate->file = now;
    struct text_block *mark = text_mark();
    struct launch_map map;
    if (map_read(path, &map) == NULL)
        gate_take(gate, &map);
    text_release(mark);
}

uint16_t gate_find_agent(const struct gate *gate, uint16_t original)
{
    for (size_t i = 0; i < gate->port_count; i++)
        if (gate->ports[i].original == original)
            return gate->ports[i].agent;
    return 0;
}

static bool gate_is_agent(const struct gate *gate, uint16_t port)
{
    for (size_t i = 0; i < gate->port_count; i++)
        if (gate->ports[i].agent == port)
            return true;
    return false;
}

static int gate_compare(const void *key, const void *row)
{
    return memcmp(key, ((const struct tollgate_map_redirect *)row)->original, 16);
}

/* ---- the program's memory ---- */

static bool memory_read(pid_t pid, uint64_t from, void *to, size_t size)
{
    struct iovec local = {to, size};
    struct iovec remote = {(void *)(uintptr_t)from, size}; // NOLINT(performance-no-int-to-ptr)
    if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size)
        return true;
    /* A kernel without CONFIG_CROSS_MEMORY_ATTACH. */
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_read = pread(fd, to, size, (off_t)from) == (ssize_t)size;
    close(fd);
    return is_read;
}

/* Where the socket address lies, and its length; sendmmsg's first message begins as a sendmsg's does. */
static bool memory_find_address(const struct seccomp_notif *call, uint64_t *ret_address, uint64_t *ret_length)
{
    const __u64 *args = call->data.args;
    struct msghdr message;
    switch (call->data.nr) {
    case SYS_connect:
        *ret_address = args[1];
        *ret_length = (uint32_t)args[2];
        return true;
    case SYS_sendto:
        *ret_address = args[4];
        *ret_length = (uint32_t)args[5];
        return true;
    case SYS_sendmsg:
    case SYS_sendmmsg:
        if (!memory_read((pid_t)call->pid, args[1], &message, sizeof message))
            return false;
        *ret_address = (uintptr_t)message.msg_name;
        *ret_length = message.msg_namelen;
        return true;
    default:
        return false;
    }
}

/* ---- the verdict ---- */

static bool destination_is_v4(const uint8_t *bytes)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(bytes, mapped, sizeof mapped) == 0;
}

static bool destination_is_local(const struct destination *destination)
{
    const uint8_t *bytes = destination->original;
    static const uint8_t any[16], one[16] = {[15] = 1};
    if (destination_is_v4(bytes))
        return bytes[12] == 127 || bytes[12] == 0 || bytes[12] >= 224;
    /* Link-local addresses mean nothing without their interface, which an announcement does not carry. */
    return memcmp(bytes, any, 16) == 0 || memcmp(bytes, one, 16) == 0 || bytes[0] == 0xff ||
           (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80);
}

enum destination_kind destination_judge(const struct gate *gate, const struct destination *destination)
{
    const uint8_t *bytes = destination->original;
    bool is_v4 = destination_is_v4(bytes);
    uint32_t v4 = (uint32_t)bytes[12] << 24 | (uint32_t)bytes[13] << 16 | (uint32_t)bytes[14] << 8 | bytes[15];
    bool is_governed = gate_find_agent(gate, destination->port) != 0;
    if (gate->mask == 0)
        return DESTINATION_ELSEWHERE;
    if (is_v4 && ((v4 & gate->mask) == gate->network || (v4 & gate->mask) == gate->redirect_network)) {
        /* The shim of a dynamic program was here before: it wrote the agent's port, and introduced the caller. */
        if (gate_is_agent(gate, destination->port))
            return DESTINATION_ELSEWHERE;
        return is_governed ? DESTINATION_OURS : DESTINATION_CLOSED;
    }
    if (!is_governed || destination_is_local(destination))
        return DESTINATION_ELSEWHERE;
    bool is_known = bsearch(bytes, gate->redirects, gate->redirect_count, sizeof *gate->redirects, gate_compare);
    return is_known ? DESTINATION_PROVIDER : DESTINATION_ANY;
}

bool destination_read(const struct seccomp_notif *call, struct destination *ret_destination)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name;
    uint64_t address, length;
    memset(&name, 0, sizeof name);
    if (!memory_find_address(call, &address, &length) || length < sizeof name.v4 || length > 128)
        return false;
    size_t size = length < sizeof name.v6 ? sizeof name.v4 : sizeof name.v6;
    if (!memory_read((pid_t)call->pid, address, &name, size))
        return false;
    struct destination destination = {.family = name.any.sa_family, .port = ntohs(name.v4.sin_port)};
    if (name.any.sa_family == AF_INET) {
        memset(destination.original + 10, 0xff, 2);
        memcpy(destination.original + 12, &name.v4.sin_addr, 4);
    } else if (name.any.sa_family == AF_INET6 && length >= 24) { /* RFC 2133's form: without a scope */
        if (size < sizeof name.v6 && !memory_read((pid_t)call->pid, address, &name, 24))
            return false;
        memcpy(destination.original, &name.v6.sin6_addr, 16);
    } else {
        return false;
    }
    *ret_destination = destination;
    return true;
}
