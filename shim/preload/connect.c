/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to governed addresses: only the port is rewritten, in a copy on the stack and in the caller's own address
 * family, and the real call is made once. An address of a provider that the program found by itself is replaced by its
 * stand-in, too. The shim keeps no table of descriptors: the address says where to go, and getpeername puts port and
 * address back from the address alone. Connections to the base URL port are introduced, no more. Calls to any other
 * address reach the kernel unchanged, with no system call of ours. Datagram sockets are left alone: source-address
 * probes succeed, and QUIC to a governed name falls back.
 */
#include "shim/preload/shim.h"

#define CONNECT_V6_BYTES_MIN 24 /* RFC 2133's sockaddr_in6, the shortest that Linux takes */

enum connect_verdict {
    CONNECT_ELSEWHERE, /* none of ours: pass the caller's own address on */
    CONNECT_CAPTURED,  /* the copy names the agent's port */
    CONNECT_REFUSED    /* governed address, port nobody governs: a local service on 0.0.0.0 must not get it */
};

struct connect_target {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length;
};

static uint16_t connect_swap16(uint16_t value)
{
    return __builtin_bswap16(value);
}

static const uint8_t connect_mapped[12] = {[10] = 0xff, [11] = 0xff};

/* The address of a socket address of either family, IPv4 as ::ffff:a.b.c.d. False: of another family, or too short.
 * Assumes `length` readable. */
static bool connect_read(const struct sockaddr *address, socklen_t length, uint8_t ret_bytes[16])
{
    if (!map_is_open() || !pointer_is_plausible(address) || length < sizeof(struct sockaddr_in))
        return false;
    if (address->sa_family == AF_INET) {
        __builtin_memcpy(ret_bytes, connect_mapped, sizeof connect_mapped);
        __builtin_memcpy(ret_bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family != AF_INET6 || length < CONNECT_V6_BYTES_MIN)
        return false;
    __builtin_memcpy(ret_bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    return true;
}

/* The IPv4 address in it, host order; 0: none. */
static uint32_t connect_find_v4(const uint8_t bytes[16])
{
    uint32_t address;
    if (__builtin_memcmp(bytes, connect_mapped, sizeof connect_mapped) != 0)
        return 0;
    __builtin_memcpy(&address, bytes + 12, sizeof address);
    return __builtin_bswap32(address);
}

/* In the family that the target has already. */
static void connect_write_v4(struct connect_target *target, uint32_t address)
{
    uint32_t bytes = __builtin_bswap32(address);
    if (target->address.any.sa_family == AF_INET) {
        target->address.v4.sin_addr.s_addr = bytes;
        return;
    }
    __builtin_memcpy(&target->address.v6.sin6_addr, connect_mapped, sizeof connect_mapped);
    target->address.v6.sin6_addr.s6_addr32[3] = bytes;
    target->address.v6.sin6_flowinfo = 0; /* what belongs to the original: a label, an interface */
    target->address.v6.sin6_scope_id = 0;
}

static bool connect_is_stream(int fd)
{
    int type = 0;
    socklen_t size = sizeof type;
    return RAW6(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &size, 0) == 0 && type == SOCK_STREAM;
}

/* The caller may hold the address in a union of its own and pass more bytes than the family needs. */
static void connect_copy(const struct sockaddr *address, socklen_t length, struct connect_target *ret_target)
{
    size_t size = address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    ret_target->length = length < size ? length : (socklen_t)size;
    __builtin_memset(&ret_target->address, 0, sizeof ret_target->address);
    __builtin_memcpy(&ret_target->address, address, ret_target->length);
}

/* sin_port and sin6_port are the same two bytes. No system call before the address is known to concern us. */
static enum connect_verdict connect_decide(int fd, const struct sockaddr *address, socklen_t length,
                                           struct connect_target *ret_target)
{
    uint8_t bytes[16];
    if (!connect_read(address, length, bytes))
        return CONNECT_ELSEWHERE;
    uint16_t port = connect_swap16(((const struct sockaddr_in *)(const void *)address)->sin_port);
    uint16_t agent = map_find_agent(port);
    uint32_t v4 = connect_find_v4(bytes);
    if (map_is_base_url(v4, port) && connect_is_stream(fd)) {
        hello_send(fd);
        return CONNECT_ELSEWHERE;
    }
    bool is_governed = v4 != 0 && map_is_governed(v4);
    uint32_t stand_in = is_governed || agent == 0 ? 0 : map_find_redirect(bytes);
    if ((!is_governed && stand_in == 0) || !connect_is_stream(fd))
        return CONNECT_ELSEWHERE;
    if (agent == 0)
        return CONNECT_REFUSED;
    struct connect_target target;
    connect_copy(address, length, &target);
    target.address.v4.sin_port = connect_swap16(agent);
    if (stand_in != 0)
        connect_write_v4(&target, stand_in);
    if (address->sa_family == AF_INET6) {
        /* A V6ONLY socket cannot reach a mapped address; clearing is legal before bind, else the kernel refuses. */
        int only = 0;
        RAW6(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only, 0);
    }
    hello_send(fd);
    *ret_target = target;
    return CONNECT_CAPTURED;
}

int hook_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    real_connect_call real = REAL(connect);
    struct connect_target target;
    switch (connect_decide(fd, address, length, &target)) {
    case CONNECT_CAPTURED:
        address = &target.address.any;
        length = target.length;
        break;
    case CONNECT_REFUSED:
        real_set_errno(ECONNREFUSED);
        return -1;
    case CONNECT_ELSEWHERE:
        break;
    }
    if (real == NULL)
        return (int)raw_result(RAW3(SYS_connect, fd, address, length));
    return real(fd, address, length);
}

ssize_t hook_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address, socklen_t length)
{
    real_sendto_call real = REAL(sendto);
    struct connect_target target;
    if (flags & MSG_FASTOPEN) {
        enum connect_verdict verdict = connect_decide(fd, address, length, &target);
        if (verdict == CONNECT_REFUSED) {
            real_set_errno(ECONNREFUSED);
            return -1;
        }
        if (verdict == CONNECT_CAPTURED) {
            address = &target.address.any;
            length = target.length;
        }
    }
    if (real == NULL)
        return raw_result(RAW6(SYS_sendto, fd, data, size, flags, address, length));
    return real(fd, data, size, flags, address, length);
}

ssize_t hook_sendmsg(int fd, const struct msghdr *message, int flags)
{
    real_sendmsg_call real = REAL(sendmsg);
    struct connect_target target;
    struct msghdr copy;
    if ((flags & MSG_FASTOPEN) && pointer_is_plausible(message)) {
        enum connect_verdict verdict = connect_decide(fd, message->msg_name, message->msg_namelen, &target);
        if (verdict == CONNECT_REFUSED) {
            real_set_errno(ECONNREFUSED);
            return -1;
        }
        if (verdict == CONNECT_CAPTURED) {
            copy = *message;
            copy.msg_name = &target.address.any;
            copy.msg_namelen = target.length;
            message = &copy;
        }
    }
    if (real == NULL)
        return raw_result(RAW3(SYS_sendmsg, fd, message, flags));
    return real(fd, message, flags);
}

/* Puts back what connect replaced. `given` is the room the caller had: libc copies no more than that, and *length tells
 * the true size. An AF_INET socket has a stand-in of an IPv4 address only. */
static void connect_hide_agent(struct sockaddr *address, socklen_t given, socklen_t length)
{
    uint8_t bytes[16];
    uint32_t v4 = connect_read(address, given < length ? given : length, bytes) ? connect_find_v4(bytes) : 0;
    struct sockaddr_in *named = (void *)address;
    uint16_t port = v4 == 0 ? 0 : map_find_original(connect_swap16(named->sin_port));
    const uint8_t *original = port == 0 ? NULL : map_find_redirected(v4);
    if (port == 0 || (!map_is_governed(v4) && original == NULL))
        return;
    named->sin_port = connect_swap16(port);
    if (original != NULL && address->sa_family == AF_INET)
        __builtin_memcpy(&named->sin_addr, original + 12, 4);
    else if (original != NULL)
        __builtin_memcpy(&((struct sockaddr_in6 *)(void *)address)->sin6_addr, original, 16);
}

int hook_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    real_getpeername_call real = REAL(getpeername);
    socklen_t given = pointer_is_plausible(length) ? *length : 0;
    int result = real ? real(fd, address, length) : (int)raw_result(RAW3(SYS_getpeername, fd, address, length));
    if (result == 0)
        connect_hide_agent(address, given, *length);
    return result;
}
