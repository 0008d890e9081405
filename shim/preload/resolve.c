/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name look-ups. A governed name is answered by asking the real function for the name's address as a number, so that
 * libc owns the memory and only its own codes come back. Everything else goes through untouched, numeric queries
 * included. Families: AF_INET and AF_UNSPEC get the IPv4 address only (some clients dial every address they get),
 * AF_INET6 gets it v4-mapped.
 */
#include "shim/preload/shim.h"

#define RESOLVE_NUMBER_BYTES 320 /* a padded number as long as the longest name */

/*
 * "127.77.0.5", or the same address written in at least `width` characters: libc stores the number as the canonical
 * name, in memory that it will free, and the padding makes room to write the true name over it. Leading zeros make the
 * first part octal (inet_aton), hence 0177.
 */
static void resolve_format_v4(char *at, uint32_t address, size_t width)
{
    char tail[16];
    char *end = tail;
    for (int shift = 16; shift >= 0; shift -= 8) {
        end = text_append(end, ".");
        end = text_append_number(end, address >> shift & 0xff);
    }
    if (width == 0) {
        at = text_append_number(at, address >> 24);
        text_append(at, tail);
        return;
    }
    size_t used = 4 + (size_t)(end - tail);
    while (used++ < width)
        *at++ = '0';
    *at++ = '0';
    for (int shift = 6; shift >= 0; shift -= 3)
        *at++ = (char)('0' + (address >> 24 >> shift & 7));
    text_append(at, tail);
}

/* "::ffff:7f4d:5", padded with a zero scope ("%000"), which glibc and musl both accept for any address. */
static void resolve_format_v6(char *at, uint32_t address, size_t width)
{
    static const char digits[] = "0123456789abcdef";
    char *start = at;
    at = text_append(at, "::ffff:");
    for (int shift = 28; shift >= 0; shift -= 4) {
        *at++ = digits[address >> shift & 15];
        if (shift == 16)
            *at++ = ':';
    }
    if (width > (size_t)(at - start)) {
        *at++ = '%';
        *at++ = '0';
        while ((size_t)(at - start) < width)
            *at++ = '0';
    }
    *at = '\0';
}

static void resolve_format(char *at, int family, uint32_t address, size_t width)
{
    if (family == AF_INET6)
        resolve_format_v6(at, address, width);
    else
        resolve_format_v4(at, address, width);
}

static void resolve_name_canonically(struct addrinfo *answer, const char *name)
{
    if (answer == NULL || answer->ai_canonname == NULL)
        return;
    if (text_length(answer->ai_canonname) >= text_length(name))
        text_append(answer->ai_canonname, name);
}

static int resolve_governed(real_getaddrinfo_call real, const char *name, uint32_t address, const char *service,
                            const struct addrinfo *hints, struct addrinfo **ret_answer)
{
    struct addrinfo numeric = {.ai_family = AF_UNSPEC};
    if (hints != NULL)
        numeric = *hints;
    bool wants_name = (numeric.ai_flags & AI_CANONNAME) != 0;
    /* AI_ADDRCONFIG would refuse IPv4 on a host that has none but loopback; the mapping flags have nothing to map. */
    numeric.ai_flags = (numeric.ai_flags & ~(AI_ADDRCONFIG | AI_V4MAPPED | AI_ALL)) | AI_NUMERICHOST;
    char number[RESOLVE_NUMBER_BYTES];
    resolve_format(number, numeric.ai_family, address, wants_name ? text_length(name) : 0);
    int result = real(number, service, &numeric, ret_answer);
    if (result == 0 && wants_name)
        resolve_name_canonically(*ret_answer, name);
    return result;
}

int hook_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_answer)
{
    real_getaddrinfo_call real = REAL(getaddrinfo);
    if (real == NULL)
        return EAI_FAIL;
    uint32_t address = 0;
    const char *name = NULL;
    if (node != NULL && !(hints != NULL && (hints->ai_flags & AI_NUMERICHOST)))
        name = map_find_name(node, &address);
    if (name == NULL)
        return real(node, service, hints, ret_answer);
    return resolve_governed(real, name, address, service, hints, ret_answer);
}

/* The number to ask for instead of `name`, or `name` itself; *ret_name is the governed name, which outlives any
 * hostent. */
static const char *resolve_number(const char *name, int family, char *number, const char **ret_name)
{
    uint32_t address = 0;
    if (name == NULL)
        return name;
    *ret_name = map_find_name(name, &address);
    if (*ret_name == NULL)
        return name;
    resolve_format(number, family, address, 0);
    return number;
}

/* hostent.h_name is const in spirit and never freed by anybody, so that it may point into the map. */
static void resolve_rename(struct hostent *host, const char *name)
{
    if (host != NULL && name != NULL)
        host->h_name = (char *)(uintptr_t)name;
}

struct hostent *hook_gethostbyname(const char *name)
{
    char number[RESOLVE_NUMBER_BYTES];
    const char *governed = NULL;
    real_gethostbyname_call real = REAL(gethostbyname);
    struct hostent *host = real ? real(resolve_number(name, AF_INET, number, &governed)) : NULL;
    resolve_rename(host, governed);
    return host;
}

struct hostent *hook_gethostbyname2(const char *name, int family)
{
    char number[RESOLVE_NUMBER_BYTES];
    const char *governed = NULL;
    real_gethostbyname2_call real = REAL(gethostbyname2);
    struct hostent *host = real ? real(resolve_number(name, family, number, &governed), family) : NULL;
    resolve_rename(host, governed);
    return host;
}

int hook_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size, struct hostent **ret_host,
                         int *ret_error)
{
    char number[RESOLVE_NUMBER_BYTES];
    const char *governed = NULL;
    real_gethostbyname_r_call real = REAL(gethostbyname_r);
    if (real == NULL)
        return ENOSYS;
    int result = real(resolve_number(name, AF_INET, number, &governed), host, buffer, size, ret_host, ret_error);
    if (result == 0)
        resolve_rename(*ret_host, governed);
    return result;
}

int hook_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer, size_t size,
                          struct hostent **ret_host, int *ret_error)
{
    char number[RESOLVE_NUMBER_BYTES];
    const char *governed = NULL;
    real_gethostbyname2_r_call real = REAL(gethostbyname2_r);
    if (real == NULL)
        return ENOSYS;
    int result = real(resolve_number(name, family, number, &governed), family, host, buffer, size, ret_host, ret_error);
    if (result == 0)
        resolve_rename(*ret_host, governed);
    return result;
}
