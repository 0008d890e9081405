/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections below the shim: shim_connect RUNTIME AGENT_PORT OPEN_PORT [gentle]. It is agent and program in one: it
 * listens on AGENT_PORT (the map's port for 443) and on OPEN_PORT (a local service that nobody governs), binds
 * RUNTIME/identity.sock, and connects to 127.77.0.1, 192.0.2.7 and 2001:db8::7 in every way a program may, and to the
 * port of base URLs, which is AGENT_PORT, too. Gentle: no wild pointers (valgrind).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/contract.h"
#include "shim_check.h"

#define GOVERNED "127.77.0.1"

static int agent;
static int introductions;

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t make_address(int family, const char *host, unsigned port, union address *ret_address)
{
    memset(ret_address, 0, sizeof *ret_address);
    ret_address->any.sa_family = (sa_family_t)family;
    ret_address->v4.sin_port = htons((uint16_t)port);
    if (family == AF_INET) {
        inet_pton(AF_INET, host, &ret_address->v4.sin_addr);
        return sizeof ret_address->v4;
    }
    inet_pton(AF_INET6, host, &ret_address->v6.sin6_addr);
    return sizeof ret_address->v6;
}

/* All of IPv4, as a careless local service would. */
static int listen_everywhere(unsigned port)
{
    union address address;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t length = make_address(AF_INET, "0.0.0.0", port, &address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &(int){16}, sizeof(int));
    if (bind(fd, &address.any, length) != 0 || listen(fd, 64) != 0) {
        perror("shim_connect: listen");
        exit(77);
    }
    return fd;
}

static int open_introductions(const char *runtime)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%.80s/" TOLLGATE_FILE_IDENTITY, runtime);
    unlink(name.sun_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, (const struct sockaddr *)&name, sizeof name) != 0)
        exit(77);
    return fd;
}

static void drain_introductions(void)
{
    struct tollgate_hello hello;
    while (recv(introductions, &hello, sizeof hello, 0) > 0)
        continue;
}

static uint64_t get_cookie(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size);
    return cookie;
}

static void check_hello(const char *label, int fd)
{
    struct tollgate_hello hello;
    memset(&hello, 0, sizeof hello);
    ssize_t size = recv(introductions, &hello, sizeof hello, 0);
    char executable[TOLLGATE_PATH_MAX] = "", directory[TOLLGATE_PATH_MAX] = "";
    bool is_known = readlink("/proc/self/exe", executable, sizeof executable - 1) > 0 &&
                    getcwd(directory, sizeof directory) != NULL;
    bool is_right = size == (ssize_t)sizeof hello && hello.magic == TOLLGATE_HELLO_MAGIC &&
                    hello.version == TOLLGATE_HELLO_VERSION && hello.size == sizeof hello &&
                    hello.cookie == get_cookie(fd) && strcmp(hello.group, "research") == 0 &&
                    hello.project[0] == '\0' && is_known && strcmp(hello.executable, executable) == 0 &&
                    strcmp(hello.directory, directory) == 0;
    report(is_right, label, "size %zd group %s cookie %llu executable %s directory %s", size, hello.group,
           (unsigned long long)hello.cookie, hello.executable, hello.directory);
}

/* The agent must have got a connection to that address. */
static void check_arrival(const char *label, const char *wanted)
{
    struct pollfd wait = {.fd = agent, .events = POLLIN};
    union address local;
    socklen_t length = sizeof local;
    char text[INET_ADDRSTRLEN] = "nothing";
    if (poll(&wait, 1, 2000) == 1) {
        int fd = accept(agent, NULL, NULL);
        if (getsockname(fd, &local.any, &length) == 0)
            inet_ntop(AF_INET, &local.v4.sin_addr, text, sizeof text);
        close(fd);
    }
    report(strcmp(text, wanted) == 0, label, "%s arrived", text);
}

static void check_peer(const char *label, int fd, const char *host)
{
    union address peer;
    socklen_t length = sizeof peer;
    char text[INET6_ADDRSTRLEN] = "none";
    int result = getpeername(fd, &peer.any, &length);
    if (result == 0)
        inet_ntop(peer.any.sa_family,
                  peer.any.sa_family == AF_INET ? (void *)&peer.v4.sin_addr : (void *)&peer.v6.sin6_addr, text,
                  sizeof text);
    report(result == 0 && ntohs(peer.v4.sin_port) == 443 && strcmp(text, host) == 0, label, "%s port %u", text,
           ntohs(peer.v4.sin_port));
}

static void check_connect(const char *label, int family, const char *host, int type, const char *arrives)
{
    union address address;
    char name[128];
    drain_introductions();
    socklen_t length = make_address(family, host, 443, &address);
    union address before = address;
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    errno = 4711;
    int result = connect(fd, &address.any, length);
    int code = errno;
    report(result == 0 ? code == 4711 : (type & SOCK_NONBLOCK) && code == EINPROGRESS, label, "%s", strerror(code));
    snprintf(name, sizeof name, "%s: arrives", label);
    check_arrival(name, arrives);
    snprintf(name, sizeof name, "%s: caller's address untouched", label);
    report(memcmp(&before, &address, sizeof before) == 0, name, "changed");
    snprintf(name, sizeof name, "%s: getpeername hides the agent", label);
    check_peer(name, fd, host);
    snprintf(name, sizeof name, "%s: introduced", label);
    check_hello(name, fd);
    close(fd);
}

static void check_refused(const char *label, int family, const char *host, unsigned port)
{
    union address address;
    socklen_t length = make_address(family, host, port, &address);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = connect(fd, &address.any, length);
    report(result == -1 && errno == ECONNREFUSED, label, "result %d errno %d", result, errno);
    close(fd);
}

static void check_datagrams(void)
{
    union address address;
    union address local;
    socklen_t size = sizeof local;
    socklen_t length = make_address(AF_INET, GOVERNED, 443, &address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    drain_introductions();
    int result = connect(fd, &address.any, length);
    int named = getpeername(fd, &local.any, &size);
    report(result == 0 && named == 0 && ntohs(local.v4.sin_port) == 443, "datagram probe succeeds", "errno %d", errno);
    struct tollgate_hello hello;
    report(recv(introductions, &hello, sizeof hello, 0) == -1, "datagram socket is not introduced", "it was");
    close(fd);
}

/* Introduced or not, it goes where the caller said, by the caller's own socket. */
static void check_local(const char *label, int family, const char *host, unsigned port, bool is_introduced)
{
    union address address;
    union address peer;
    char name[128];
    struct tollgate_hello hello;
    socklen_t size = sizeof peer;
    socklen_t length = make_address(family, host, port, &address);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    drain_introductions();
    errno = 4711;
    report(connect(fd, &address.any, length) == 0 && errno == 4711, label, "%s", strerror(errno));
    getpeername(fd, &peer.any, &size);
    snprintf(name, sizeof name, "%s: as it is", label);
    report(size == length && memcmp(&peer, &address, length) == 0, name, "it went elsewhere");
    snprintf(name, sizeof name, "%s: introduced or not", label);
    if (is_introduced)
        check_hello(name, fd);
    else
        report(recv(introductions, &hello, sizeof hello, 0) == -1, name, "it was");
    close(fd);
}

static void check_base_url(unsigned agent_port, unsigned open_port)
{
    union address address;
    socklen_t length = make_address(AF_INET, "127.0.0.1", agent_port, &address);
    struct tollgate_hello hello;
    check_local("base URL", AF_INET, "127.0.0.1", agent_port, true);
    check_local("base URL, mapped", AF_INET6, "::ffff:127.0.0.1", agent_port, true);
    check_local("its port of another address", AF_INET, "127.0.0.2", agent_port, false);
    check_local("another port of its address", AF_INET, "127.0.0.1", open_port, false);
    drain_introductions();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = connect(fd, &address.any, length);
    report(result == 0 && recv(introductions, &hello, sizeof hello, 0) == -1,
           "datagram socket to the base URL port is not introduced", "result %d", result);
    close(fd);
    while (poll(&(struct pollfd){.fd = agent, .events = POLLIN}, 1, 0) == 1)
        close(accept(agent, NULL, NULL));
}

static void check_fast_open(void)
{
    union address address;
    socklen_t length = make_address(AF_INET, GOVERNED, 443, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ssize_t sent = sendto(fd, "x", 1, MSG_FASTOPEN, &address.any, length);
    report(sent == 1 || errno == EOPNOTSUPP, "sendto MSG_FASTOPEN", "%s", strerror(errno));
    if (sent == 1)
        check_arrival("sendto MSG_FASTOPEN: arrives", GOVERNED);
    close(fd);
    char byte = 'y';
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_name = &address, .msg_namelen = length, .msg_iov = &part, .msg_iovlen = 1};
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sent = sendmsg(fd, &message, MSG_FASTOPEN);
    report(sent == 1 || errno == EOPNOTSUPP, "sendmsg MSG_FASTOPEN", "%s", strerror(errno));
    if (sent == 1)
        check_arrival("sendmsg MSG_FASTOPEN: arrives", GOVERNED);
    close(fd);
    address.v4.sin_port = htons(444);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sent = sendto(fd, "x", 1, MSG_FASTOPEN, &address.any, length);
    report(sent == -1 && errno == ECONNREFUSED, "sendto MSG_FASTOPEN to a port nobody governs", "sent %zd", sent);
    close(fd);
}

static void check_raw_call(void)
{
    union address address;
    socklen_t length = make_address(AF_INET, GOVERNED, 443, &address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    long result = syscall(SYS_connect, fd, &address, length);
    report(result == 0, "syscall(SYS_connect)", "%s", strerror(errno));
    check_arrival("syscall(SYS_connect): arrives", GOVERNED);
    close(fd);
    report(syscall(SYS_getpid) == getpid(), "syscall of another number", "differs");
    errno = 0;
    result = syscall(SYS_close, -1);
    report(result == -1 && errno == EBADF, "syscall that fails", "%ld, errno %d", result, errno);
    long copied = syscall(SYS_copy_file_range, -1, NULL, -1, NULL, 1UL, 0U);
    report(copied == -1 && errno == EBADF, "syscall with six arguments", "errno %d", errno);
}

static void check_errors(bool is_gentle)
{
    union address address;
    socklen_t length = make_address(AF_INET, GOVERNED, 443, &address);
    report(connect(-1, &address.any, length) == -1 && errno == EBADF, "connect on a bad descriptor", "errno %d", errno);
    report(connect(0, &address.any, length) == -1 && errno == ENOTSOCK, "connect on no socket", "errno %d", errno);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    report(connect(fd, &address.any, 8) == -1 && errno == EINVAL, "connect with a short address", "errno %d", errno);
    const struct sockaddr *wild = (const struct sockaddr *)(uintptr_t)-1;
    if (!is_gentle)
        report(connect(fd, wild, length) == -1 && errno == EFAULT, "connect with a wild pointer", "errno %d", errno);
    report(getpeername(fd, &address.any, &length) == -1 && errno == ENOTCONN, "getpeername unconnected", "errno %d",
           errno);
    close(fd);
}

/* Datagrams to an address of a provider go there, and a socket that can have no IPv4 stand-in goes nowhere. */
static void check_redirect_limits(void)
{
    union address address;
    union address peer;
    socklen_t size = sizeof peer;
    socklen_t length = make_address(AF_INET, "192.0.2.7", 443, &address);
    drain_introductions();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = connect(fd, &address.any, length);
    bool is_named = result == 0 && syscall(SYS_getpeername, fd, &peer, &size) == 0;
    report(result != 0 || (is_named && peer.v4.sin_addr.s_addr == inet_addr("192.0.2.7")),
           "datagram socket to an address of a provider is left alone", "it went elsewhere");
    close(fd);
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    length = make_address(AF_INET6, "::1", 0, &address);
    if (bind(fd, &address.any, length) == 0) {
        length = make_address(AF_INET6, "2001:db8::7", 443, &address);
        result = connect(fd, &address.any, length);
        report(result == -1, "a bound v6only socket is refused", "it connected");
    }
    close(fd);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    unsigned open_port = (unsigned)atoi(argv[3]);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    introductions = open_introductions(argv[1]);
    agent = listen_everywhere((unsigned)atoi(argv[2]));
    int service = listen_everywhere(open_port);
    check_connect("connect inet", AF_INET, GOVERNED, SOCK_STREAM, GOVERNED);
    check_connect("connect inet non-blocking", AF_INET, GOVERNED, SOCK_STREAM | SOCK_NONBLOCK, GOVERNED);
    check_connect("connect inet6 mapped, v6only", AF_INET6, "::ffff:" GOVERNED, SOCK_STREAM, GOVERNED);
    check_connect("connect to an address of a provider", AF_INET, "192.0.2.7", SOCK_STREAM, "127.78.0.2");
    check_connect("the same mapped", AF_INET6, "::ffff:192.0.2.7", SOCK_STREAM, "127.78.0.2");
    check_connect("an IPv6 address of a provider", AF_INET6, "2001:db8::7", SOCK_STREAM | SOCK_NONBLOCK, "127.78.0.3");
    check_redirect_limits();
    check_refused("port nobody governs is refused", AF_INET, GOVERNED, open_port);
    check_refused("mapped port nobody governs is refused", AF_INET6, "::ffff:" GOVERNED, open_port);
    check_refused("the agent's own port is refused", AF_INET, GOVERNED, (unsigned)atoi(argv[2]));
    check_datagrams();
    check_base_url((unsigned)atoi(argv[2]), open_port);
    check_fast_open();
    check_raw_call();
    check_errors(argc > 4);
    close(agent);
    check_refused("agent down: refused", AF_INET, GOVERNED, 443);
    check_refused("agent down: an address of a provider is refused", AF_INET, "192.0.2.7", 443);
    close(service);
    return failures != 0;
}
