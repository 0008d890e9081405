/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name look-ups below the shim: api.openai.com is governed as 127.77.0.1, long governed names exercise canonical names.
 * Every function that answers names is asked in every way a program may ask. Also compiled with musl-gcc.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "shim_check.h"

#define LONG_NAME "a-rather-long-host-name-beyond-any-numeric-form.of-an-address.api.openai.com"

static const char *format_answers(const struct addrinfo *list, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (; list != NULL; list = list->ai_next) {
        char address[INET6_ADDRSTRLEN] = "?";
        const void *bytes = list->ai_family == AF_INET
                                ? (const void *)&((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr
                                : (const void *)&((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr;
        unsigned port = ntohs(((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_port);
        inet_ntop(list->ai_family, bytes, address, sizeof address);
        int wrote = snprintf(text + used, size - used, "%s%s/%u", used ? " " : "", address, port);
        used += (size_t)wrote;
    }
    return text;
}

static void check_getaddrinfo(const char *label, const char *node, const char *service, const struct addrinfo *hints,
                              const char *expected)
{
    struct addrinfo *answer = NULL;
    char text[512];
    errno = 4711;
    int code = getaddrinfo(node, service, hints, &answer);
    if (code == 0)
        format_answers(answer, text, sizeof text);
    else
        snprintf(text, sizeof text, "code %d", code);
    report(strcmp(text, expected) == 0, label, "%s instead of %s", text, expected);
    if (code == 0)
        freeaddrinfo(answer);
}

static void check_canonical(const char *label, const char *node, int family, const char *expected)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *answer = NULL;
    int code = getaddrinfo(node, "443", &hints, &answer);
    const char *name = code == 0 && answer->ai_canonname ? answer->ai_canonname : "(none)";
    report(strcmp(name, expected) == 0, label, "code %d, name %s", code, name);
    if (code == 0)
        freeaddrinfo(answer);
}

static void check_families(void)
{
    struct addrinfo any = {.ai_socktype = SOCK_STREAM};
    struct addrinfo v4 = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo v6 = {.ai_family = AF_INET6, .ai_socktype = SOCK_STREAM, .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
    struct addrinfo number = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo bad = {.ai_family = 99, .ai_socktype = SOCK_STREAM};
    char code[32];
    check_getaddrinfo("getaddrinfo unspec", "api.openai.com", "443", &any, "127.77.0.1/443");
    check_getaddrinfo("getaddrinfo inet", "api.openai.com", "443", &v4, "127.77.0.1/443");
    check_getaddrinfo("getaddrinfo inet6", "api.openai.com", "443", &v6, "::ffff:127.77.0.1/443");
    check_getaddrinfo("getaddrinfo no service", "api.openai.com", NULL, &any, "127.77.0.1/0");
    check_getaddrinfo("getaddrinfo named service", "api.openai.com", "https", &any, "127.77.0.1/443");
    check_getaddrinfo("getaddrinfo upper case", "API.OpenAI.Com", "80", &any, "127.77.0.1/80");
    check_getaddrinfo("getaddrinfo trailing dot", "api.openai.com.", "80", &any, "127.77.0.1/80");
    check_getaddrinfo("getaddrinfo numeric untouched", "127.0.0.1", "80", &number, "127.0.0.1/80");
    snprintf(code, sizeof code, "code %d", EAI_NONAME);
    check_getaddrinfo("getaddrinfo AI_NUMERICHOST of a name", "api.openai.com", "80", &number, code);
    snprintf(code, sizeof code, "code %d", EAI_FAMILY);
    check_getaddrinfo("getaddrinfo bad family", "api.openai.com", "80", &bad, code);
    snprintf(code, sizeof code, "code %d", EAI_SERVICE);
    check_getaddrinfo("getaddrinfo bad service", "api.openai.com", "no-such-service", &any, code);
    check_getaddrinfo("getaddrinfo NULL node", NULL, "80", &v4, "127.0.0.1/80");
}

static void check_null_hints(void)
{
    struct addrinfo *answer = NULL;
    char text[512] = "";
    int code = getaddrinfo("api.openai.com", "443", NULL, &answer);
    if (code == 0)
        format_answers(answer, text, sizeof text);
    report(code == 0 && strncmp(text, "127.77.0.1/443", 14) == 0 && strchr(text, ':') == NULL, "getaddrinfo NULL hints",
           "code %d: %s", code, text);
    if (code == 0)
        freeaddrinfo(answer);
}

static void check_hostent(const char *label, const struct hostent *host, int family, const char *expected)
{
    char address[INET6_ADDRSTRLEN] = "none";
    if (host != NULL && host->h_addr_list[0] != NULL)
        inet_ntop(host->h_addrtype, host->h_addr_list[0], address, sizeof address);
    bool is_right = host != NULL && host->h_addrtype == family && strcmp(address, expected) == 0 &&
                    strcmp(host->h_name, "api.openai.com") == 0;
    report(is_right, label, "%s %s", host ? host->h_name : "NULL", address);
}

static void check_gethostbyname(void)
{
    struct hostent space;
    struct hostent *host = NULL;
    char buffer[1024];
    int error = 0;
    check_hostent("gethostbyname", gethostbyname("api.OPENAI.com"), AF_INET, "127.77.0.1");
    check_hostent("gethostbyname2 inet", gethostbyname2("api.openai.com", AF_INET), AF_INET, "127.77.0.1");
    check_hostent("gethostbyname2 inet6", gethostbyname2("api.openai.com", AF_INET6), AF_INET6, "::ffff:127.77.0.1");
    gethostbyname_r("api.openai.com.", &space, buffer, sizeof buffer, &host, &error);
    check_hostent("gethostbyname_r", host, AF_INET, "127.77.0.1");
    host = NULL;
    gethostbyname2_r("api.openai.com", AF_INET6, &space, buffer, sizeof buffer, &host, &error);
    check_hostent("gethostbyname2_r inet6", host, AF_INET6, "::ffff:127.77.0.1");
    int code = gethostbyname_r("api.openai.com", &space, buffer, 4, &host, &error);
    report(code == ERANGE && host == NULL, "gethostbyname_r short buffer", "code %d", code);
}

int main(void)
{
    check_families();
    check_null_hints();
    check_canonical("canonical name inet", "API.openai.com.", AF_INET, "api.openai.com");
    check_canonical("canonical name unspec long", LONG_NAME, AF_UNSPEC, LONG_NAME);
    check_canonical("canonical name inet6", "api.openai.com", AF_INET6, "api.openai.com");
    check_canonical("canonical name inet6 long", LONG_NAME, AF_INET6, LONG_NAME);
    check_gethostbyname();
    return failures != 0;
}
