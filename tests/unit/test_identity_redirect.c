/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Supervisors' announcements, over the real socket: what is acknowledged is found, whose call it then is, what is
 * refused, and that nobody holds up another. Tests that need another uid need root and say so when they cannot run.
 */
#include "tests/unit/suite.h"

#include "base/check.h"
#include "identity/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NETWORK = 0x7f4d0000, REDIRECT_NETWORK = 0x7f4e0000, AGENT_PORT = 20123, COOKIE = 4711 };

static struct identity *identity;
static char socket_path[108], hello_path[108];
static int listening;

static bool admits(void *context, uid_t uid)
{
    (void)context;
    return uid == geteuid();
}

static bool prod; /* calls nobody on another's word but 192.0.2.7 */

static bool may_call(void *context, const uint8_t original[16])
{
    struct in6_addr known;
    (void)context;
    check(inet_pton(AF_INET6, "::ffff:192.0.2.7", &known) == 1);
    return !prod || memcmp(&known, original, sizeof known) == 0;
}

static unsigned places = 100000;

static bool has_place(void *context, uid_t uid, unsigned coming)
{
    (void)context;
    return uid == geteuid() && coming < places;
}

static void listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check(bind(listening, (struct sockaddr *)&address, sizeof address) == 0 && chmod(path, 0666) == 0);
    check(listen(listening, SOMAXCONN) == 0);
}

static void open_all(void)
{
    snprintf(hello_path, sizeof hello_path, "/tmp/test-redirect-%d.hello", (int)getpid());
    snprintf(socket_path, sizeof socket_path, "/tmp/test-redirect-%d.sock", (int)getpid());
    listen_at(socket_path);
    const struct identity_redirects options = {.fd = listening,
                                               .network = NETWORK,
                                               .redirect_network = REDIRECT_NETWORK,
                                               .network_mask = 0xffff0000,
                                               .port = 443,
                                               .agent_port = AGENT_PORT,
                                               .admits = admits,
                                               .may_call = may_call,
                                               .has_place = has_place};
    check(identity_open(hello_path, 0600, &identity) == ERROR_OK);
    identity_listen(identity, &options);
}

static void close_all(void)
{
    identity_close(identity);
    EXPECT(fcntl(listening, F_GETFD) >= 0, "the socket is still ours");
    close(listening);
    unlink(socket_path);
}

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 10};
    memcpy(address.sun_path, socket_path, sizeof socket_path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_INTEGER(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static struct tollgate_redirect redirect_to(const char *original, pid_t pid)
{
    struct tollgate_redirect redirect = {.magic = TOLLGATE_REDIRECT_MAGIC,
                                         .version = TOLLGATE_REDIRECT_VERSION,
                                         .size = sizeof redirect,
                                         .cookie = COOKIE,
                                         .port = 443,
                                         .pid = pid,
                                         .group = "research",
                                         .project = "thesis",
                                         .executable = "/said/program",
                                         .directory = "/said"};
    check(inet_pton(AF_INET6, original, redirect.original) == 1);
    return redirect;
}

static struct tollgate_redirect_answer announce(int fd, const void *bytes, size_t length)
{
    struct tollgate_redirect_answer answer = {0};
    EXPECT_INTEGER(send(fd, bytes, length, MSG_NOSIGNAL), length);
    EXPECT_INTEGER(recv(fd, &answer, sizeof answer, 0), sizeof answer);
    EXPECT_INTEGER(answer.magic, TOLLGATE_REDIRECT_MAGIC);
    return answer;
}

static struct identity_peer peer_of(uid_t uid)
{
    return (struct identity_peer){.uid = uid, .cookie = COOKIE, .inode = 1};
}

static pid_t sleeping_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sleep", "sleep", "60", (char *)NULL);
        _exit(1);
    }
    char path[64], executable[64] = "";
    snprintf(path, sizeof path, "/proc/%d/exe", (int)child);
    for (int i = 0; i < 10000 && !strstr(executable, "sleep") && !strstr(executable, "coreutils"); i++) {
        ssize_t length = readlink(path, executable, sizeof executable - 1);
        executable[length > 0 ? length : 0] = 0;
        poll(NULL, 0, 1);
    }
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

TEST(what_is_acknowledged_is_found)
{
    open_all();
    pid_t child = sleeping_child();
    int fd = dial();
    struct identity_peer peer = peer_of(geteuid());
    struct sockaddr_in6 original;
    int upstream = 0;
    EXPECT(!identity_take_redirect(identity, &peer, &original, &upstream), "not before");
    struct tollgate_redirect redirect = redirect_to("::ffff:192.0.2.7", child);
    struct tollgate_redirect_answer answer = announce(fd, &redirect, sizeof redirect);
    EXPECT_INTEGER(answer.refused, 0);
    EXPECT_INTEGER(answer.port, AGENT_PORT);
    EXPECT_INTEGER(answer.address, REDIRECT_NETWORK + 1);
    struct identity_peer stranger = peer_of(geteuid() + 1);
    EXPECT(!identity_take_redirect(identity, &stranger, &original, &upstream), "another user's socket of that cookie");
    EXPECT(identity_take_redirect(identity, &peer, &original, &upstream), "found");
    EXPECT_INTEGER(upstream, -1);
    EXPECT_INTEGER(ntohs(original.sin6_port), 443);
    EXPECT(memcmp(&original.sin6_addr, redirect.original, 16) == 0, "the address");
    struct identity_claim claim;
    EXPECT(identity_take_claim(identity, &peer, &claim), "the claim is still there");
    EXPECT_INTEGER(claim.pid, child);
    EXPECT(strstr(claim.executable, "sleep") || strstr(claim.executable, "coreutils"), "%s", claim.executable);
    EXPECT(claim.directory[0] == '/', "%s", claim.directory);
    EXPECT_STRING(claim.group, "research");
    EXPECT_STRING(claim.project, "thesis");
    EXPECT(!identity_take_redirect(identity, &peer, &original, &upstream), "taken with the claim");
    close(fd);
    end_child(child);
    close_all();
}

TEST(a_pid_that_is_not_the_announcers_is_not_believed)
{
    open_all();
    const pid_t pids[] = {1, getppid(), 0x3ffffff};
    int fd = dial();
    for (size_t i = 0; i < 3; i++) {
        struct tollgate_redirect redirect = redirect_to("2001:db8::7", pids[i]);
        struct identity_peer peer = peer_of(geteuid());
        struct identity_claim claim = {0};
        EXPECT_INTEGER(announce(fd, &redirect, sizeof redirect).refused, 0);
        EXPECT(identity_take_claim(identity, &peer, &claim), "a claim");
        EXPECT(claim.pid == getpid(), "pid %d for %d", (int)claim.pid, (int)pids[i]);
    }
    close(fd);
    close_all();
}

/* Whatever becomes of the program, until its connection arrives. */
TEST(what_the_supervisor_saw_is_kept_of_a_program_that_is_gone)
{
    struct identity_peer peer = peer_of(geteuid());
    struct identity_claim claim = {0};
    open_all();
    pid_t child = sleeping_child();
    int fd = dial();
    struct tollgate_redirect redirect = redirect_to("::ffff:192.0.2.7", child);
    EXPECT_INTEGER(announce(fd, &redirect, sizeof redirect).refused, 0);
    end_child(child);
    EXPECT(identity_take_claim(identity, &peer, &claim), "a claim");
    EXPECT_STRING(claim.executable, "/said/program");
    EXPECT_STRING(claim.directory, "/said");
    close(fd);
    child = fork();
    if (child == 0) {
        redirect.pid = 1;
        _exit(announce(dial(), &redirect, sizeof redirect).refused);
    }
    int status = 1;
    waitpid(child, &status, 0);
    EXPECT_INTEGER(status, 0);
    EXPECT(identity_take_claim(identity, &peer, &claim), "a claim");
    EXPECT_INTEGER(claim.pid, child);
    EXPECT_STRING(claim.executable, ""); /* not of a program that is not its own */
    close_all();
}

TEST(where_to_connect)
{
    static const struct {
        const char *original;
        uint32_t address;
    } rows[] = {{"::ffff:127.77.1.2", NETWORK + 0x102},
                {"::ffff:127.78.0.9", REDIRECT_NETWORK + 9},
                {"::ffff:127.0.0.1", REDIRECT_NETWORK + 1},
                {"::127.77.1.2", REDIRECT_NETWORK + 1},
                {"::1", REDIRECT_NETWORK + 1}};
    open_all();
    int fd = dial();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tollgate_redirect redirect = redirect_to(rows[i].original, getpid());
        EXPECT(announce(fd, &redirect, sizeof redirect).address == rows[i].address, "%s", rows[i].original);
    }
    close(fd);
    close_all();
}

static void expect_refused(int fd, const void *bytes, size_t length, int error)
{
    struct identity_peer peer = peer_of(geteuid());
    struct identity_claim claim;
    struct tollgate_redirect_answer answer = announce(fd, bytes, length);
    EXPECT(answer.refused == error && answer.port == 0 && answer.address == 0, "%zu bytes: %u", length, answer.refused);
    EXPECT(!identity_take_claim(identity, &peer, &claim), "no claim");
}

TEST(what_is_refused)
{
    open_all();
    int fd = dial();
    char longer[sizeof(struct tollgate_redirect) + 100] = "";
    const struct tollgate_redirect good = redirect_to("::ffff:192.0.2.7", getpid());
    struct tollgate_redirect wrong;
#define WRONG(change, error)                                                                                           \
    wrong = good, wrong.change;                                                                                        \
    expect_refused(fd, &wrong, sizeof wrong, error)
    WRONG(port = 80, ECONNREFUSED);
    WRONG(port = 0, ECONNREFUSED);
    WRONG(magic = 1, EPROTO);
    WRONG(version = 9, EPROTO);
    WRONG(size = 9, EPROTO);
    WRONG(has_socket = 1, ENOBUFS); /* none has come */
    WRONG(has_socket = 2, EPROTO);
    WRONG(cookie = 0, EPROTO);
    WRONG(pid = 0, EPROTO);
    WRONG(pid = -1, EPROTO);
    WRONG(group[0] = '\n', EPROTO);
    memset((wrong = good, &wrong)->project, 'x', sizeof wrong.project);
    expect_refused(fd, &wrong, sizeof wrong, EPROTO);
    memcpy(longer, &good, sizeof good);
    expect_refused(fd, longer, sizeof longer, EPROTO);
    expect_refused(fd, longer, sizeof good - 1, EPROTO);
    EXPECT_INTEGER(announce(fd, &good, sizeof good).refused, 0);
    close(fd);
    close_all();
}

/* ---- sockets that are handed over ---- */

static int server_fd;
static struct tollgate_redirect to_server; /* what announces a connection to it */

static void start_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(443), .sin_addr.s_addr = htonl(0x7f000058)};
    int on = 1;
    server_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(server_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    check(bind(server_fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(server_fd, 600) == 0);
    to_server = redirect_to("::ffff:127.0.0.88", getpid());
    to_server.has_socket = 1;
}

static int call_server(int family, uint32_t to)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443), .sin_addr.s_addr = htonl(to)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    v6.sin6_addr.s6_addr16[5] = 0xffff;
    v6.sin6_addr.s6_addr32[3] = htonl(to);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (family == AF_INET)
        connect(fd, (struct sockaddr *)&v4, sizeof v4);
    else
        connect(fd, (struct sockaddr *)&v6, sizeof v6);
    return fd;
}

/* Sends the descriptors, which it closes, with the message. */
static uint16_t hand_over(int fd, const struct tollgate_redirect *redirect, const int *fds, size_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof *fds)] = {0};
    struct iovec piece = {.iov_base = &(struct tollgate_redirect){0}, .iov_len = sizeof *redirect};
    memcpy(piece.iov_base, redirect, sizeof *redirect);
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count > 0) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        struct cmsghdr *part = CMSG_FIRSTHDR(&header);
        *part = (struct cmsghdr){CMSG_LEN(count * sizeof *fds), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(part), fds, count * sizeof *fds);
    }
    struct tollgate_redirect_answer answer = {0};
    EXPECT_INTEGER(sendmsg(fd, &header, MSG_NOSIGNAL), sizeof *redirect);
    EXPECT_INTEGER(recv(fd, &answer, sizeof answer, 0), sizeof answer);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return answer.refused;
}

/* Once the agent has a descriptor for us, it needs no further ones. */
static int dial_and_be_heard(void)
{
    const struct tollgate_redirect nothing = {0};
    int fd = dial();
    EXPECT_INTEGER(hand_over(fd, &nothing, NULL, 0), EPROTO);
    return fd;
}

static size_t count_fds(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

TEST(a_socket_is_the_connections)
{
    if (geteuid() != 0) {
        puts("skipped: needs root");
        return;
    }
    open_all();
    start_server();
    prod = true;
    int fd = dial_and_be_heard(), families[] = {AF_INET, AF_INET6};
    size_t before = count_fds();
    for (size_t i = 0; i < 2; i++) {
        int socket_fd = call_server(families[i], 0x7f000058);
        struct identity_peer peer = peer_of(geteuid());
        struct sockaddr_in6 original;
        struct identity_claim claim;
        int upstream = -1;
        EXPECT_INTEGER(hand_over(fd, &to_server, &socket_fd, 1), 0);
        EXPECT(identity_take_redirect(identity, &peer, &original, &upstream) && upstream >= 0, "handed over");
        EXPECT_INTEGER(close(upstream), 0);
        EXPECT(!identity_take_redirect(identity, &peer, &original, &upstream), "once; nobody else is called for it");
        EXPECT(identity_take_claim(identity, &peer, &claim), "the claim is still there");
    }
    EXPECT_INTEGER(count_fds(), before);
    close(fd);
    close(server_fd);
    prod = false;
    close_all();
}

static void expect_no_socket(int fd, const struct tollgate_redirect *redirect, const int *fds, size_t count, int error)
{
    struct identity_peer peer = peer_of(geteuid());
    struct sockaddr_in6 original;
    int upstream;
    EXPECT_INTEGER(hand_over(fd, redirect, fds, count), error);
    EXPECT(!identity_take_redirect(identity, &peer, &original, &upstream), "no connection");
}

TEST(what_is_handed_over_is_looked_at)
{
    if (geteuid() != 0) {
        puts("skipped: needs root");
        return;
    }
    open_all();
    start_server();
    prod = true;
    int fd = dial_and_be_heard(), two[2];
    size_t before = count_fds();
    struct tollgate_redirect wrong = to_server;
#define HAND(what, error) expect_no_socket(fd, &wrong, (const int[]){what}, 1, error)
    HAND(open("/dev/null", O_RDWR | O_CLOEXEC), EPROTO);
    HAND(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), EPROTO);
    HAND(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), EPROTO);
    HAND(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), EPROTO); /* leads nowhere */
    HAND(call_server(AF_INET, 0x7f000059), EPROTO);               /* and this elsewhere */
    HAND(fcntl(server_fd, F_DUPFD_CLOEXEC, 0), EPROTO);
    int stranger = call_server(AF_INET, 0x7f000058);
    EXPECT_INTEGER(fchown(stranger, 65534, 65534), 0);
    HAND(stranger, EPROTO);
    two[0] = call_server(AF_INET, 0x7f000058);
    two[1] = call_server(AF_INET, 0x7f000058);
    expect_no_socket(fd, &wrong, NULL, 0, ENOBUFS);
    wrong.has_socket = 0;
    HAND(call_server(AF_INET, 0x7f000058), EPROTO);
    expect_no_socket(fd, &wrong, NULL, 0, ECONNREFUSED); /* prod calls nobody unknown by itself */
    wrong.has_socket = 1;
    check(inet_pton(AF_INET6, "::ffff:127.77.0.1", wrong.original) == 1);
    HAND(call_server(AF_INET, 0x7f4d0001), EPROTO);       /* ourselves */
    EXPECT_INTEGER(hand_over(fd, &to_server, two, 2), 0); /* the kernel throws the second away */
    EXPECT_INTEGER(count_fds(), before + 1);
    EXPECT_INTEGER(hand_over(fd, &to_server, NULL, 0), ENOBUFS);
    prod = false;
    wrong = to_server;
    wrong.has_socket = 0;
    EXPECT_INTEGER(hand_over(fd, &wrong, NULL, 0), 0); /* instead of the former, whose socket goes */
    EXPECT_INTEGER(count_fds(), before);
    close(fd);
    close(server_fd);
    close_all();
}

TEST(sockets_that_nobody_takes_are_bounded)
{
    if (geteuid() != 0) {
        puts("skipped: needs root");
        return;
    }
    open_all();
    start_server();
    int fd = dial_and_be_heard();
    size_t before = count_fds();
    for (uint64_t i = 0; i < HANDED_PER_UID_MAX + 10; i++) {
        int socket_fd = call_server(AF_INET, 0x7f000058);
        to_server.cookie = COOKIE + i;
        EXPECT_INTEGER(hand_over(fd, &to_server, &socket_fd, 1), i < HANDED_PER_UID_MAX ? 0 : ENOBUFS);
    }
    EXPECT_INTEGER(count_fds(), before + HANDED_PER_UID_MAX);
    close(fd);
    close_all();
    EXPECT(count_fds() < before, "all are closed with the rest");
    close(server_fd);
}

/* Who could not be served is told so before he comes. */
TEST(a_socket_without_room_is_not_taken)
{
    struct rlimit files;
    if (geteuid() != 0) {
        puts("skipped: needs root");
        return;
    }
    open_all();
    start_server();
    getrlimit(RLIMIT_NOFILE, &files);
    int fd = dial_and_be_heard(), socket_fd = call_server(AF_INET, 0x7f000058);
    to_server.cookie = COOKIE;
    places = 1;
    EXPECT_INTEGER(hand_over(fd, &to_server, &socket_fd, 1), 0);
    socket_fd = call_server(AF_INET, 0x7f000058);
    to_server.cookie = COOKIE + 1;
    EXPECT_INTEGER(hand_over(fd, &to_server, &socket_fd, 1), ENOBUFS);
    places = 100000;
    for (int spare = 1; spare < 3; spare++) { /* no descriptor for it; one, but no other */
        socket_fd = call_server(AF_INET, 0x7f000058);
        struct rlimit tight = {(rlim_t)(socket_fd + spare), files.rlim_max};
        setrlimit(RLIMIT_NOFILE, &tight);
        EXPECT_INTEGER(hand_over(fd, &to_server, &socket_fd, 1), ENOBUFS);
        setrlimit(RLIMIT_NOFILE, &files);
    }
    socket_fd = call_server(AF_INET, 0x7f000058);
    EXPECT_INTEGER(hand_over(fd, &to_server, &socket_fd, 1), 0);
    close(fd);
    close(server_fd);
    close_all();
}

TEST(sockets_that_nobody_takes_are_closed_in_time)
{
    static struct handed handed;
    const int64_t second = 1000000000;
    int fds[2];
    check(pipe2(fds, O_CLOEXEC) == 0);
    EXPECT(handed_put(&handed, &(struct handed_row){1, 1 * second, 7, fds[0]}), "room");
    EXPECT(handed_put(&handed, &(struct handed_row){1, 5 * second, 8, fds[1]}), "another user's");
    handed_expire(&handed, 32 * second);
    EXPECT_INTEGER(handed.count, 1);
    EXPECT(fcntl(fds[0], F_GETFD) < 0, "closed");
    EXPECT_INTEGER(handed_take(&handed, 1, 7), -1);
    EXPECT_INTEGER(handed_take(&handed, 1, 8), fds[1]);
    close(fds[1]);
}

/* The shim of a supervised program introduces the same socket; its datagram may come late. */
TEST(a_late_hello_leaves_the_destination)
{
    static struct claims claims;
    struct claim_row announced = {.cookie = 7, .arrived_ns = 100, .pid = 5, .uid = 1, .port = 443, .original = {9}};
    struct claim_row hello = {.cookie = 7, .arrived_ns = 200, .pid = 6, .uid = 1, .group = "other"}, row;
    claims_put(&claims, &announced);
    claims_put(&claims, &hello);
    EXPECT(claims_find_redirect(&claims, 7, 1, 300, &row), "still there");
    EXPECT(row.port == 443 && row.original[0] == 9 && row.pid == 6, "port %u pid %d", row.port, (int)row.pid);
    EXPECT(!claims_find_redirect(&claims, 7, 1, 200 + 30ll * 1000000000, &row), "thirty seconds later it is not");
    hello.cookie = 8;
    claims_put(&claims, &hello);
    EXPECT(!claims_find_redirect(&claims, 8, 1, 300, &row), "a hello is no announcement");
}

/* One asks without reading answers, and many do nothing: others are served, the silent ones make room. */
TEST(nobody_holds_up_another)
{
    enum { SILENT = 300 };
    static int silent[SILENT];
    open_all();
    const struct tollgate_redirect redirect = redirect_to("::ffff:192.0.2.7", getpid());
    int deaf = dial();
    fcntl(deaf, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 10000; i++)
        if (send(deaf, &redirect, sizeof redirect, MSG_NOSIGNAL) < 0 && errno == EPIPE)
            break;
    for (int i = 0; i < SILENT; i++)
        silent[i] = dial();
    int fd = dial();
    EXPECT_INTEGER(announce(fd, &redirect, sizeof redirect).refused, 0);
    EXPECT_INTEGER(announce(fd, &redirect, sizeof redirect).refused, 0);
    char byte;
    EXPECT_INTEGER(recv(silent[0], &byte, 1, 0), 0); /* silent for longest */
    EXPECT_INTEGER(announce(silent[SILENT - 1], &redirect, sizeof redirect).refused, 0);
    for (int i = 0; i < SILENT; i++)
        close(silent[i]);
    close(deaf);
    close(fd);
    close_all();
}

TEST(strangers_are_not_served)
{
    if (geteuid() != 0) {
        puts("skipped: needs root");
        return;
    }
    open_all();
    pid_t child = fork();
    if (child == 0) {
        char byte;
        if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
            _exit(9);
        _exit(recv(dial(), &byte, 1, 0) == 0 ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
    close_all();
}

TEST(before_another_agent_comes_all_are_put_off)
{
    open_all();
    pid_t child = sleeping_child();
    int fd = dial();
    struct identity_peer peer = peer_of(geteuid());
    struct sockaddr_in6 original;
    int upstream;
    struct tollgate_redirect redirect = redirect_to("::ffff:192.0.2.7", child);
    EXPECT_INTEGER(announce(fd, &redirect, sizeof redirect).refused, 0);
    identity_put_off(identity);
    struct tollgate_redirect later = redirect;
    later.cookie++;
    EXPECT_INTEGER(announce(fd, &later, sizeof later).refused, TOLLGATE_REDIRECT_AGAIN);
    int newcomer = dial();
    EXPECT_INTEGER(announce(newcomer, &later, sizeof later).refused, TOLLGATE_REDIRECT_AGAIN);
    EXPECT(identity_take_redirect(identity, &peer, &original, &upstream), "what was acknowledged before is found");
    peer.cookie++;
    EXPECT(!identity_take_redirect(identity, &peer, &original, &upstream), "what was put off is not");
    close(newcomer);
    close(fd);
    end_child(child);
    close_all();
}
