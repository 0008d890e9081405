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
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NETWORK = 0x7f4d0000, REDIRECT_NETWORK = 0x7f4e0000, AGENT_PORT = 20123, COOKIE = 4711 };

static struct identity *identity;
static char socket_path[108], hello_path[108];

static bool admits(void *context, uid_t uid)
{
    (void)context;
    return uid == geteuid();
}

static void open_all(void)
{
    snprintf(hello_path, sizeof hello_path, "/tmp/test-redirect-%d.hello", (int)getpid());
    snprintf(socket_path, sizeof socket_path, "/tmp/test-redirect-%d.sock", (int)getpid());
    const struct identity_redirects options = {.path = socket_path,
                                               .mode = 0666,
                                               .network = NETWORK,
                                               .redirect_network = REDIRECT_NETWORK,
                                               .network_mask = 0xffff0000,
                                               .port = 443,
                                               .agent_port = AGENT_PORT,
                                               .admits = admits};
    check(identity_open(hello_path, 0600, &identity) == ERROR_OK);
    check(identity_listen(identity, &options) == ERROR_OK);
}

static void close_all(void)
{
    identity_close(identity);
    EXPECT(access(socket_path, F_OK) != 0, "the path is gone");
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
    EXPECT(!identity_find_redirect(identity, &peer, &original), "not before");
    struct tollgate_redirect redirect = redirect_to("::ffff:192.0.2.7", child);
    struct tollgate_redirect_answer answer = announce(fd, &redirect, sizeof redirect);
    EXPECT_INTEGER(answer.refused, 0);
    EXPECT_INTEGER(answer.port, AGENT_PORT);
    EXPECT_INTEGER(answer.address, REDIRECT_NETWORK + 1);
    struct identity_peer stranger = peer_of(geteuid() + 1);
    EXPECT(!identity_find_redirect(identity, &stranger, &original), "another user's socket of that cookie");
    EXPECT(identity_find_redirect(identity, &peer, &original), "found");
    EXPECT_INTEGER(ntohs(original.sin6_port), 443);
    EXPECT(memcmp(&original.sin6_addr, redirect.original, 16) == 0, "the address");
    struct identity_claim claim;
    EXPECT(identity_take_claim(identity, &peer, &claim), "the claim is still there");
    EXPECT_INTEGER(claim.pid, child);
    EXPECT(strstr(claim.executable, "sleep") || strstr(claim.executable, "coreutils"), "%s", claim.executable);
    EXPECT(claim.directory[0] == '/', "%s", claim.directory);
    EXPECT_STRING(claim.group, "research");
    EXPECT_STRING(claim.project, "thesis");
    EXPECT(!identity_find_redirect(identity, &peer, &original), "taken with the claim");
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
    WRONG(reserved = 1, EPROTO);
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
