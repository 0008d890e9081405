/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a provider cannot have. Asked before every connect and again before every request (a connection in
 * the pool may have been opened for a target that is `local`). A name that resolves to such an address is refused:
 * otherwise DNS could point the agent, and the keys it adds, at a service of this machine or its network.
 */
#include "upstream/internal.h"

#include <arpa/inet.h>

struct network4 {
    uint32_t network, mask;
};

static const struct network4 forbidden4[] = {
    {0x00000000, 0xff000000}, /* 0.0.0.0/8, RFC 6890 */
    {0x0a000000, 0xff000000}, /* 10.0.0.0/8, RFC 1918 */
    {0x64400000, 0xffc00000}, /* 100.64.0.0/10, shared, RFC 6598 */
    {0x7f000000, 0xff000000}, /* 127.0.0.0/8, loopback */
    {0xa9fe0000, 0xffff0000}, /* 169.254.0.0/16, link-local and cloud metadata, RFC 3927 */
    {0xac100000, 0xfff00000}, /* 172.16.0.0/12, RFC 1918 */
    {0xc0000000, 0xffffff00}, /* 192.0.0.0/24, protocol assignments */
    {0xc0a80000, 0xffff0000}, /* 192.168.0.0/16, RFC 1918 */
    {0xe0000000, 0xe0000000}, /* 224.0.0.0/3: multicast, reserved, broadcast */
};

struct network6 {
    unsigned char prefix[8];
    unsigned bits;
};

static const struct network6 forbidden6[] = {
    {{0xfc}, 7},                                      /* unique-local, RFC 4193 */
    {{0xfe, 0x80}, 10},                               /* link-local */
    {{0xfe, 0xc0}, 10},                               /* site-local, RFC 3879 */
    {{0xff}, 8},                                      /* multicast */
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01, 0, 0}, 48}, /* local NAT64, RFC 8215 */
};

/* Prefixes of IPv6 addresses that carry an IPv4 address: that one decides. */
struct embedding {
    unsigned char prefix[12];
    unsigned bits, offset;
};

static const struct embedding embeddings[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12}, /* ::ffff:a.b.c.d, mapped */
    {{0}, 96, 12},                        /* ::a.b.c.d, with :: and ::1 */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12},   /* 64:ff9b::/96, NAT64, RFC 6052 */
    {{0x20, 0x02}, 16, 2},                /* 2002::/16, 6to4 */
};

static bool is_in(const unsigned char *address, const unsigned char *prefix, unsigned bits)
{
    if (memcmp(address, prefix, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((address[bits / 8] ^ prefix[bits / 8]) >> (8 - rest)) == 0;
}

static bool is_forbidden4(uint32_t address)
{
    for (size_t i = 0; i < sizeof forbidden4 / sizeof *forbidden4; i++)
        if ((address & forbidden4[i].mask) == forbidden4[i].network)
            return true;
    return false;
}

static bool is_forbidden6(const unsigned char address[16])
{
    for (size_t i = 0; i < sizeof forbidden6 / sizeof *forbidden6; i++)
        if (is_in(address, forbidden6[i].prefix, forbidden6[i].bits))
            return true;
    for (size_t i = 0; i < sizeof embeddings / sizeof *embeddings; i++) {
        uint32_t inner;
        memcpy(&inner, address + embeddings[i].offset, sizeof inner);
        if (is_in(address, embeddings[i].prefix, embeddings[i].bits) && is_forbidden4(ntohl(inner)))
            return true;
    }
    return false;
}

bool upstream_is_forbidden_address(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return is_forbidden4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family == AF_INET6)
        return is_forbidden6(((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr);
    return true;
}

bool address_text_is_forbidden(const char *text)
{
    struct in_addr address4;
    struct in6_addr address6;
    if (inet_pton(AF_INET, text, &address4) == 1)
        return is_forbidden4(ntohl(address4.s_addr));
    return inet_pton(AF_INET6, text, &address6) != 1 || is_forbidden6(address6.s6_addr);
}
