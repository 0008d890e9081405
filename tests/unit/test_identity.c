/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is calling, against the real kernel: loopback connections of this process and of children under another uid, real
 * datagrams with real credentials. Tests that need another uid need root and say so when they cannot run.
 */
#include "tests/unit/suite.h"

#include "base/check.h"
#include "base/clock.h"
#include "identity/internal.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in loopback(const char *address, uint16_t port)
{
    struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons(port)};
    check(inet_pton(AF_INET, address, &result.sin_addr) == 1);
    return result;
}

/* ---- a connection with both ends in hand ---- */

struct pair {
    int listener, client, accepted;
    struct sockaddr_in local, remote; /* as the agent sees them */
};

static int connect_client(int family, const struct sockaddr_in *to)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0);
    if (family == AF_INET) {
        check(connect(fd, (const struct sockaddr *)to, sizeof *to) == 0);
        return fd;
    }
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = to->sin_port};
    mapped.sin6_addr.s6_addr16[5] = 0xffff;
    mapped.sin6_addr.s6_addr32[3] = to->sin_addr.s_addr;
    check(connect(fd, (const struct sockaddr *)&mapped, sizeof mapped) == 0);
    return fd;
}

static void pair_listen(struct pair *pair)
{
    struct sockaddr_in any = loopback("0.0.0.0", 0);
    socklen_t length = sizeof pair->local;
    *pair = (struct pair){.client = -1, .accepted = -1};
    pair->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(pair->listener, (struct sockaddr *)&any, sizeof any) == 0 && listen(pair->listener, 16) == 0);
    check(getsockname(pair->listener, (struct sockaddr *)&pair->local, &length) == 0);
    pair->local = loopback("127.77.1.2", ntohs(pair->local.sin_port));
}

static void pair_accept(struct pair *pair)
{
    socklen_t length = sizeof pair->remote;
    pair->accepted = accept(pair->listener, (struct sockaddr *)&pair->remote, &length);
    check(pair->accepted >= 0);
    length = sizeof pair->local;
    check(getsockname(pair->accepted, (struct sockaddr *)&pair->local, &length) == 0);
}

static void pair_open(struct pair *pair, int family)
{
    pair_listen(pair);
    pair->client = connect_client(family, &pair->local);
    pair_accept(pair);
}

static void pair_close(struct pair *pair)
{
    close(pair->listener);
    if (pair->client >= 0)
        close(pair->client);
    if (pair->accepted >= 0)
        close(pair->accepted);
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    check(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0);
    return cookie;
}

/* ---- datagrams ---- */

static char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];

static struct identity *open_identity(void)
{
    struct identity *identity = NULL;
    snprintf(socket_path, sizeof socket_path, "/tmp/test-identity-%d.sock", (int)getpid());
    check(identity_open(socket_path, 0666, &identity) == ERROR_OK);
    return identity;
}

static struct tollgate_hello hello_for(uint64_t cookie, const char *group, const char *project)
{
    struct tollgate_hello hello = {.magic = TOLLGATE_HELLO_MAGIC,
                                   .version = TOLLGATE_HELLO_VERSION,
                                   .size = sizeof(struct tollgate_hello),
                                   .cookie = cookie};
    snprintf(hello.group, sizeof hello.group, "%s", group);
    snprintf(hello.project, sizeof hello.project, "%s", project);
    snprintf(hello.executable, sizeof hello.executable, "/said/program");
    snprintf(hello.directory, sizeof hello.directory, "/said (deleted)");
    return hello;
}

static bool send_bytes(const void *bytes, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, socket_path, sizeof socket_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_sent = sendto(fd, bytes, length, 0, (struct sockaddr *)&address, sizeof address) == (ssize_t)length;
    close(fd);
    return is_sent;
}

static bool send_hello(uint64_t cookie, const char *group, const char *project)
{
    struct tollgate_hello hello = hello_for(cookie, group, project);
    return send_bytes(&hello, sizeof hello);
}

/* Runs `work` in a child under another uid; true when it returned 0 there. */
static bool as_other_user(int (*work)(void *), void *argument)
{
    pid_t child = fork();
    if (child == 0)
        _exit(setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534) ? 99 : work(argument));
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- the kernel's word ---- */

static void expect_peer_is_me(int family)
{
    struct pair pair;
    struct identity_peer peer = {0};
    struct stat status;
    pair_open(&pair, family);
    EXPECT_INTEGER(identity_find_peer(&pair.remote, &pair.local, &peer), ERROR_OK);
    EXPECT_INTEGER(peer.uid, getuid());
    EXPECT_INTEGER(peer.cookie, cookie_of(pair.client));
    check(fstat(pair.client, &status) == 0);
    EXPECT_INTEGER(peer.inode, status.st_ino);
    pair_close(&pair);
}

TEST(peer_is_found_by_its_four_tuple)
{
    expect_peer_is_me(AF_INET);
}

TEST(peer_with_a_mapped_address_is_found)
{
    expect_peer_is_me(AF_INET6);
}

TEST(peer_that_closed_is_unknown_never_root)
{
    struct pair pair;
    struct identity_peer peer = {.uid = 4242};
    pair_open(&pair, AF_INET);
    close(pair.client);
    pair.client = -1;
    EXPECT_INTEGER(identity_find_peer(&pair.remote, &pair.local, &peer), ERROR_PEER_UNKNOWN);
    EXPECT_INTEGER(peer.uid, 4242);
    pair_close(&pair);
}

/* The kernel's look-up falls back to a listener: one on the client's port must not lend its owner's uid. */
TEST(peer_is_never_a_listener_on_its_port)
{
    struct pair pair;
    struct identity_peer peer;
    pair_listen(&pair);
    struct sockaddr_in nobody = loopback("127.0.0.1", 1);
    EXPECT_INTEGER(identity_find_peer(&pair.local, &nobody, &peer), ERROR_PEER_UNKNOWN);
    pair_close(&pair);
}

struct foreign_client {
    struct sockaddr_in to;
    int finish_fd;
};

static int hold_connection(void *argument)
{
    struct foreign_client *client = argument;
    char byte;
    int fd = connect_client(AF_INET, &client->to);
    return fd < 0 || read(client->finish_fd, &byte, 1) != 0;
}

TEST(peer_of_another_user_has_its_uid)
{
    if (geteuid() != 0) {
        fprintf(stderr, " SKIP (needs root) ");
        return;
    }
    struct pair pair;
    struct identity_peer peer = {0};
    int finish[2];
    pair_listen(&pair);
    check(pipe2(finish, O_CLOEXEC) == 0);
    struct foreign_client client = {pair.local, finish[0]};
    pid_t child = fork();
    if (child == 0) {
        close(finish[1]);
        _exit(!as_other_user(hold_connection, &client));
    }
    pair_accept(&pair);
    EXPECT_INTEGER(identity_find_peer(&pair.remote, &pair.local, &peer), ERROR_OK);
    EXPECT_INTEGER(peer.uid, 65534);
    close(finish[0]);
    close(finish[1]);
    int status = 1;
    waitpid(child, &status, 0);
    EXPECT_INTEGER(status, 0);
    pair_close(&pair);
}

static void *find_many(void *argument)
{
    struct pair *pair = argument;
    uintptr_t failures = 0;
    for (unsigned i = 0; i < 2000; i++) {
        struct identity_peer peer = {0};
        failures += identity_find_peer(&pair->remote, &pair->local, &peer) != ERROR_OK || peer.uid != getuid();
    }
    return (void *)failures;
}

TEST(peers_are_found_by_many_threads_and_no_descriptor_stays)
{
    struct pair pair;
    pthread_t threads[4];
    pair_open(&pair, AF_INET);
    int before = dup(0);
    close(before);
    for (unsigned i = 0; i < 4; i++)
        check(pthread_create(&threads[i], NULL, find_many, &pair) == 0);
    for (unsigned i = 0; i < 4; i++) {
        void *failures;
        pthread_join(threads[i], &failures);
        EXPECT_INTEGER((uintptr_t)failures, 0);
    }
    int after = dup(0);
    close(after);
    EXPECT_INTEGER(after, before);
    pair_close(&pair);
}

/* ---- claims ---- */

TEST(claim_says_pid_group_and_program)
{
    struct identity *identity = open_identity();
    struct pair pair;
    struct identity_peer peer;
    struct identity_claim claim = {0};
    char executable[256] = {0}, directory[256] = {0};
    pair_open(&pair, AF_INET);
    EXPECT(send_hello(cookie_of(pair.client), "cg-research", "atlas"), "sendto failed");
    EXPECT_INTEGER(identity_find_peer(&pair.remote, &pair.local, &peer), ERROR_OK);
    EXPECT(identity_take_claim(identity, &peer, &claim), "the datagram was sent before");
    EXPECT_INTEGER(claim.pid, getpid());
    EXPECT(claim.has_hello, "has_hello");
    EXPECT_STRING(claim.group, "cg-research");
    EXPECT_STRING(claim.project, "atlas");
    check(readlink("/proc/self/exe", executable, sizeof executable - 1) > 0);
    check(getcwd(directory, sizeof directory) != NULL);
    EXPECT_STRING(claim.executable, executable);
    EXPECT_STRING(claim.directory, directory);
    EXPECT(!identity_take_claim(identity, &peer, &claim), "forgotten once taken");
    pair_close(&pair);
    identity_close(identity);
    EXPECT(access(socket_path, F_OK) != 0, "the socket's path is gone");
}

/* The claim of a process that is gone, or that this agent may not look at. */
TEST(claim_is_the_programs_own_word_where_proc_has_none)
{
    struct identity *identity = open_identity();
    struct identity_peer peer = {.uid = getuid(), .cookie = 4713, .inode = 1};
    struct identity_claim claim = {0};
    pid_t child = fork();
    if (child == 0)
        _exit(!send_hello(peer.cookie, "cg-research", "atlas"));
    int status = 1;
    waitpid(child, &status, 0);
    EXPECT_INTEGER(status, 0);
    EXPECT(identity_take_claim(identity, &peer, &claim), "the claim");
    EXPECT_INTEGER(claim.pid, child);
    EXPECT_STRING(claim.executable, "/said/program");
    EXPECT_STRING(claim.directory, "/said");
    identity_close(identity);
}

TEST(paths_of_a_hello_that_cannot_be_true_are_left_out)
{
    static const char *const rows[] = {"", "program", "./program", "/pro\ngram", "/program\x1b[31m", "/program\x7f"};
    struct tollgate_hello hello = hello_for(5, "group", "project"), out;
    memset(hello.directory, '/', sizeof hello.directory); /* without an end */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(hello.executable, sizeof hello.executable, "%s", rows[i]);
        EXPECT(claims_parse_hello(&hello, sizeof hello, &out), "the rest counts");
        EXPECT_STRING(out.executable, "");
        EXPECT_STRING(out.directory, "");
    }
    snprintf(hello.executable, sizeof hello.executable, "/a program/of spaces");
    EXPECT(claims_parse_hello(&hello, sizeof hello, &out), "the good one");
    EXPECT_STRING(out.executable, "/a program/of spaces");
}

static int send_foreign_hello(void *argument)
{
    return !send_hello(*(uint64_t *)argument, "stolen", "");
}

TEST(claim_of_another_uid_does_not_count)
{
    if (geteuid() != 0) {
        fprintf(stderr, " SKIP (needs root) ");
        return;
    }
    struct identity *identity = open_identity();
    struct identity_peer peer = {.uid = getuid(), .cookie = 77, .inode = 1};
    struct identity_claim claim = {0};
    EXPECT(as_other_user(send_foreign_hello, &peer.cookie), "the child could not send");
    EXPECT(!identity_take_claim(identity, &peer, &claim), "a foreign datagram counted");
    /* Nor does it push out the true one, before or after. */
    EXPECT(send_hello(77, "mine", ""), "sendto");
    EXPECT(as_other_user(send_foreign_hello, &peer.cookie), "the child could not send");
    EXPECT(identity_take_claim(identity, &peer, &claim), "the true datagram was lost");
    EXPECT_STRING(claim.group, "mine");
    identity_close(identity);
}

TEST(hello_is_refused_unless_well_formed)
{
    struct tollgate_hello good = hello_for(5, "group", "project"), out;
    EXPECT(claims_parse_hello(&good, sizeof good, &out), "the good one");
    EXPECT(!claims_parse_hello(&good, sizeof good - 1, &out), "short");
    char longer[sizeof good + 1] = {0};
    memcpy(longer, &good, sizeof good);
    EXPECT(!claims_parse_hello(longer, sizeof longer, &out), "long");
    struct tollgate_hello bad[8];
    for (unsigned i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].magic++;
    bad[1].version++;
    bad[2].size--;
    bad[3].cookie = 0;
    memset(bad[4].group, 'a', sizeof bad[4].group);
    memset(bad[5].project, 'a', sizeof bad[5].project);
    bad[6].group[1] = '\n';
    bad[7].project[1] = ' ';
    for (unsigned i = 0; i < 8; i++)
        EXPECT(!claims_parse_hello(&bad[i], sizeof bad[i], &out), "bad[%u]", i);
}

TEST(claims_expire_and_stay_bounded)
{
    static struct claims claims;
    static const int64_t second = 1000000000;
    struct claim_row row = {.cookie = 9, .arrived_ns = 100 * second, .pid = 1, .uid = 1}, out;
    claims_put(&claims, &row);
    EXPECT(!claims_take(&claims, 9, 2, 101 * second, &out), "another uid");
    EXPECT(claims_take(&claims, 9, 1, 129 * second, &out), "29 s old");
    claims_put(&claims, &row);
    EXPECT(!claims_take(&claims, 9, 1, 130 * second, &out), "30 s old");
    /* Far more than fit: the newest of a set are kept, the oldest give way. */
    for (uint64_t cookie = 1; cookie <= 100000; cookie++) {
        row = (struct claim_row){.cookie = cookie, .arrived_ns = 100 * second + (int64_t)cookie, .pid = 1, .uid = 1};
        claims_put(&claims, &row);
    }
    EXPECT(claims_take(&claims, 100000, 1, 101 * second, &out), "the newest");
    unsigned living = 0;
    for (uint64_t cookie = 1; cookie < 100000; cookie++)
        living += claims_take(&claims, cookie, 1, 101 * second, &out);
    EXPECT_INTEGER(living, CLAIMS_SETS * CLAIMS_WAYS - 1);
}

struct burst {
    uint64_t first_cookie;
    unsigned lost;
};

static void *send_burst(void *argument)
{
    struct burst *burst = argument;
    for (unsigned i = 0; i < 200; i++)
        burst->lost += !send_hello(burst->first_cookie + i, "burst", "");
    return NULL;
}

/* A flood of one user, or of many who were never let in, takes nothing from another. */
TEST(claims_of_others_are_safe)
{
    static struct claims claims;
    const int64_t second = 1000000000;
    struct claim_row row = {.cookie = 1, .arrived_ns = 100 * second, .uid = 7}, out;
    claims_put(&claims, &row);
    EXPECT(claims_take(&claims, 1, 7, 100 * second, &out), "let in");
    for (row.cookie = 2; row.cookie <= 101; row.cookie++)
        claims_put(&claims, &row);
    for (uint64_t i = 0; i < 4ull * CLAIMS_SETS * CLAIMS_WAYS; i++) {
        row = (struct claim_row){.cookie = i + 1, .arrived_ns = 101 * second, .uid = 8};
        claims_put(&claims, &row);
        row.uid = (uid_t)(100 + i % 1000);
        claims_put(&claims, &row);
    }
    for (uint64_t cookie = 2; cookie <= 101; cookie++)
        EXPECT(claims_take(&claims, cookie, 7, 102 * second, &out) && out.arrived_ns == 100 * second, "%llu",
               (unsigned long long)cookie);
    row = (struct claim_row){.cookie = 5, .arrived_ns = 102 * second, .uid = 9};
    claims_put(&claims, &row);
    EXPECT(claims_take(&claims, 5, 9, 102 * second, &out), "a newcomer finds a place");
    for (row.uid = 2000; row.uid < 2000 + CLAIMS_USERS_MAX - 2; row.uid++) {
        EXPECT(claims_put(&claims, &row), "room for %u", row.uid);
        EXPECT(claims_take(&claims, 5, row.uid, 102 * second, &out), "and what a table held before is not theirs");
        EXPECT(!claims_take(&claims, 6, row.uid, 102 * second, &out), "of %u", row.uid);
    }
    EXPECT(!claims_put(&claims, &row), "a full house says so");
    row.arrived_ns = 200 * second;
    EXPECT(claims_put(&claims, &row), "until somebody's have expired");
    claims_done(&claims);
}

TEST(claims_of_who_comes_back_are_safe)
{
    static struct claims claims;
    const int64_t second = 1000000000;
    struct claim_row row = {.cookie = 1, .arrived_ns = 100 * second, .uid = 7}, out;
    claims_put(&claims, &row);
    EXPECT(claims_take(&claims, 1, 7, 100 * second, &out), "let in, and silent for a while");
    for (row.uid = 100; row.uid < 100 + 2 * CLAIMS_USERS_MAX; row.uid++, row.arrived_ns = 200 * second)
        claims_put(&claims, &row);
    row = (struct claim_row){.cookie = 2, .arrived_ns = 200 * second, .uid = 7};
    EXPECT(claims_put(&claims, &row), "he is back, among strangers");
    for (row.uid = 1000; row.uid < 1000 + 2 * CLAIMS_USERS_MAX; row.uid++)
        claims_put(&claims, &row);
    EXPECT(claims_take(&claims, 2, 7, 200 * second, &out), "none of whom has taken his place");
    claims_done(&claims);
}

/* Every datagram that the kernel accepted is found, at once, whatever the drain thread is doing. */
TEST(claims_of_a_burst_are_all_found)
{
    struct identity *identity = open_identity();
    pthread_t threads[4];
    struct burst bursts[4];
    for (unsigned i = 0; i < 4; i++) {
        bursts[i] = (struct burst){1000 * (i + 1), 0};
        check(pthread_create(&threads[i], NULL, send_burst, &bursts[i]) == 0);
    }
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < 4; i++) {
        unsigned found = 0;
        EXPECT_INTEGER(bursts[i].lost, 0);
        for (unsigned j = 0; j < 200; j++) {
            struct identity_peer peer = {.uid = getuid(), .cookie = bursts[i].first_cookie + j, .inode = 1};
            struct identity_claim claim;
            found += identity_take_claim(identity, &peer, &claim);
        }
        EXPECT_INTEGER(found, 200);
    }
    identity_close(identity);
}

/* The shim sends, then connects: the claim is there although the drain thread may not have run yet. */
TEST(claim_is_found_right_after_it_was_sent)
{
    struct identity *identity = open_identity();
    unsigned found = 0;
    for (uint64_t cookie = 1; cookie <= 2000; cookie++) {
        struct identity_peer peer = {.uid = getuid(), .cookie = cookie, .inode = 1};
        struct identity_claim claim;
        check(send_hello(cookie, "", ""));
        found += identity_take_claim(identity, &peer, &claim);
    }
    EXPECT_INTEGER(found, 2000);
    identity_close(identity);
}

/* Descriptors attached to a datagram must not pile up in the agent. */
TEST(attached_descriptors_are_discarded)
{
    struct identity *identity = open_identity();
    struct tollgate_hello hello = hello_for(31, "", "");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, socket_path, sizeof socket_path);
    int pipe_fds[2], sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check(pipe2(pipe_fds, O_CLOEXEC) == 0);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {&hello, sizeof hello};
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen = sizeof address,
                             .msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *part = CMSG_FIRSTHDR(&message);
    *part = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(part), &pipe_fds[1], sizeof(int));
    EXPECT_INTEGER(sendmsg(sender, &message, 0), sizeof hello);
    struct identity_peer peer = {.uid = getuid(), .cookie = 31, .inode = 1};
    struct identity_claim claim;
    EXPECT(identity_take_claim(identity, &peer, &claim), "the hello itself counts");
    close(pipe_fds[1]); /* the last writer, unless the agent kept a copy */
    struct pollfd poll_fd = {.fd = pipe_fds[0], .events = POLLIN};
    EXPECT(poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLHUP), "somebody still holds the descriptor");
    close(pipe_fds[0]);
    close(sender);
    identity_close(identity);
}

/* ---- look-ups by inode ---- */

static void count_done(struct identity_lookup *lookup)
{
    lookup->peer.cookie++; /* marks it done */
}

static void run_lookups(struct identity *identity, struct mailbox *replies, struct identity_lookup *lookups,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        lookups[i].peer.cookie = 0;
        lookups[i].reply_to = replies;
        lookups[i].done = count_done;
        identity_start_lookup(identity, &lookups[i]);
    }
    for (unsigned done = 0; done < count;) {
        struct pollfd poll_fd = {.fd = replies->event_fd, .events = POLLIN};
        check(poll(&poll_fd, 1, 10000) == 1);
        done += mailbox_run(replies);
    }
}

TEST(lookup_finds_the_owner_of_a_socket)
{
    struct identity *identity = open_identity();
    struct mailbox replies;
    struct pair pair;
    struct identity_lookup lookups[3] = {0};
    mailbox_init(&replies);
    pair_open(&pair, AF_INET);
    EXPECT_INTEGER(identity_find_peer(&pair.remote, &pair.local, &lookups[0].peer), ERROR_OK);
    lookups[1].peer = lookups[0].peer;
    lookups[1].peer.uid = 12345; /* the inode is held, but not by that user */
    lookups[2].peer = lookups[0].peer;
    lookups[2].peer.inode = 1; /* nobody's */
    run_lookups(identity, &replies, lookups, 3);
    EXPECT_INTEGER(lookups[0].claim.pid, getpid());
    EXPECT(!lookups[0].claim.has_hello, "no datagram came");
    EXPECT(lookups[0].claim.executable[0] == '/', "got \"%s\"", lookups[0].claim.executable);
    EXPECT_INTEGER(lookups[1].claim.pid, 0);
    EXPECT_INTEGER(lookups[2].claim.pid, 0);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_INTEGER(lookups[i].peer.cookie, 1);
    pair_close(&pair);
    identity_close(identity);
    mailbox_done(&replies);
}

/* A program that holds the socket and was started with that environment. */
static pid_t start_holder(int fd, const char *const environment[])
{
    char path[64], name[8] = "";
    pid_t child = fork();
    if (child == 0) {
        fcntl(fd, F_SETFD, 0);
        execle("/bin/sleep", "sleep", "60", (char *)NULL, environment);
        _exit(1);
    }
    /* Not its executable: that is another one before its arguments and variables are there. */
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)child);
    for (int i = 0; i < 10000 && strcmp(name, "sleep") != 0; i++, poll(NULL, 0, 1)) {
        FILE *file = fopen(path, "re");
        if (!file || !fgets(name, sizeof name, file))
            name[0] = '\0';
        if (file)
            fclose(file);
    }
    return child;
}

static void expect_names(const char *const environment[], const char *group, const char *project)
{
    struct identity *identity = open_identity();
    struct mailbox replies;
    struct pair pair;
    struct identity_lookup lookup = {0};
    mailbox_init(&replies);
    pair_open(&pair, AF_INET);
    EXPECT_INTEGER(identity_find_peer(&pair.remote, &pair.local, &lookup.peer), ERROR_OK);
    pid_t holder = start_holder(pair.client, environment);
    close(pair.client);
    pair.client = -1;
    run_lookups(identity, &replies, &lookup, 1);
    EXPECT_INTEGER(lookup.claim.pid, holder);
    EXPECT_STRING(lookup.claim.group, group);
    EXPECT_STRING(lookup.claim.project, project);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    pair_close(&pair);
    identity_close(identity);
    mailbox_done(&replies);
}

/* The agent's runtime directory is /tmp here. */
TEST(lookup_reads_the_names_that_a_process_was_started_with)
{
    static char filler[3][100000];
    for (size_t i = 0; i < 3; i++) {
        memset(filler[i], 'x', sizeof filler[i] - 1);
        filler[i][1] = '=';
    }
    expect_names((const char *[]){"TOLLGATE_PROJECT_=no", "TOLLGATE_RUNTIME=/tmp", "TOLLGATE_GROUP=alpha",
                                  "TOLLGATE_PROJECT=p5", "TOLLGATE_PROJECT=second", NULL},
                 "alpha", "p5");
    expect_names((const char *[]){filler[0], filler[1], "TOLLGATE_PROJECT=p5", "TOLLGATE_RUNTIME=/tmp/", NULL}, "",
                 "p5");
    expect_names(
        (const char *[]){filler[0], filler[1], filler[2], "TOLLGATE_PROJECT=p5", "TOLLGATE_RUNTIME=/tmp", NULL}, "",
        "");
    expect_names((const char *[]){"TOLLGATE_GROUP=alpha", "TOLLGATE_PROJECT=p5", NULL}, "", "");
    expect_names((const char *[]){"TOLLGATE_RUNTIME=/tmpx", "TOLLGATE_GROUP=alpha", "TOLLGATE_PROJECT=p5", NULL}, "",
                 "");
    expect_names((const char *[]){"TOLLGATE_RUNTIME=/tmp", "TOLLGATE_GROUP=al pha", "TOLLGATE_PROJECT=p\n5", NULL}, "",
                 "");
    char longest[15 + TOLLGATE_NAME_MAX + 1] = "TOLLGATE_GROUP="; /* one more than a name may have */
    memset(longest + 15, 'x', TOLLGATE_NAME_MAX);
    expect_names((const char *[]){"TOLLGATE_RUNTIME=/tmp", longest, "TOLLGATE_PROJECT=", NULL}, "", "");
    expect_names((const char *[]){NULL}, "", "");
}

TEST(lookups_are_answered_by_close)
{
    struct identity *identity = open_identity();
    struct mailbox replies;
    static struct identity_lookup lookups[64];
    mailbox_init(&replies);
    for (unsigned i = 0; i < 64; i++) {
        lookups[i] =
            (struct identity_lookup){.peer = {.uid = getuid(), .inode = 1}, .reply_to = &replies, .done = count_done};
        identity_start_lookup(identity, &lookups[i]);
    }
    identity_close(identity);
    EXPECT_INTEGER(mailbox_run(&replies), 64);
    mailbox_done(&replies);
}

TEST(process_that_started_later_is_not_described)
{
    struct identity_claim claim = {.pid = getpid()};
    process_describe(&claim, getuid(), 1);
    EXPECT_STRING(claim.executable, "");
    EXPECT_STRING(claim.directory, "");
    process_describe(&claim, getuid(), process_now_ns());
    EXPECT(claim.executable[0] == '/', "got \"%s\"", claim.executable);
}

/* A program replaced while it runs (an upgrade) is still named without the kernel's suffix. */
TEST(deleted_directory_keeps_its_name)
{
    char path[] = "/tmp/test-identity-XXXXXX";
    check(mkdtemp(path) != NULL);
    int ready[2], finish[2];
    check(pipe2(ready, O_CLOEXEC) == 0 && pipe2(finish, O_CLOEXEC) == 0);
    pid_t child = fork();
    if (child == 0) {
        char byte = 1;
        close(finish[1]);
        _exit(chdir(path) || rmdir(path) || write(ready[1], &byte, 1) != 1 || read(finish[0], &byte, 1) != 0);
    }
    char byte;
    EXPECT_INTEGER(read(ready[0], &byte, 1), 1);
    struct identity_claim claim = {.pid = child};
    process_describe(&claim, getuid(), process_now_ns());
    EXPECT_STRING(claim.directory, path);
    for (unsigned i = 0; i < 2; i++) {
        close(ready[i]);
        close(finish[i]);
    }
    waitpid(child, NULL, 0);
}

/* ---- connections of the machine ---- */

struct finding {
    uint64_t cookie;
    unsigned count, others;
    struct identity_connection connection;
};

static const uint8_t pair_remote[16] = {[10] = 0xff, 0xff, 127, 77, 1, 2};

static void note_connection(void *context, const struct identity_connection *connection)
{
    struct finding *finding = context;
    if (connection->peer.cookie != finding->cookie) {
        finding->others += memcmp(connection->remote, pair_remote, sizeof pair_remote) == 0; /* not another suite's */
        return;
    }
    finding->count++;
    finding->connection = *connection;
}

static void expect_listed(int family, uint16_t port_offset)
{
    struct pair pair;
    pair_open(&pair, family);
    struct finding finding = {.cookie = cookie_of(pair.client)};
    uint16_t port = (uint16_t)(ntohs(pair.local.sin_port) + port_offset);
    EXPECT_INTEGER(identity_list_connections(port, note_connection, &finding), ERROR_OK);
    EXPECT_INTEGER(finding.count, port_offset == 0);
    EXPECT_INTEGER(finding.others, 0);
    if (finding.count) {
        EXPECT(memcmp(finding.connection.remote, pair_remote, sizeof pair_remote) == 0, "the other end's address");
        EXPECT_INTEGER(finding.connection.peer.uid, getuid());
        struct identity_lookup lookups[2] = {{.peer = finding.connection.peer},
                                             {.peer = {.uid = getuid(), .inode = 1}}};
        identity_find_processes(lookups, 2);
        EXPECT_INTEGER(lookups[0].claim.pid, getpid());
        EXPECT(lookups[0].claim.executable[0] == '/', "its executable");
        EXPECT(identity_is_agent(&lookups[0].claim), "the program that asks is the agent");
        EXPECT_INTEGER(lookups[1].claim.pid, 0);
    }
    pair_close(&pair);
}

TEST(connections_to_a_port_are_listed_with_their_owner)
{
    expect_listed(AF_INET, 0);
    expect_listed(AF_INET6, 0);
    expect_listed(AF_INET, 1);
    expect_listed(AF_INET, (uint16_t)-1);
}

TEST(another_program_is_no_agent)
{
    pid_t child = fork();
    if (child == 0) {
        execlp("sleep", "sleep", "30", (char *)NULL);
        _exit(127);
    }
    struct identity_claim claim = {.pid = child};
    for (unsigned waited = 0; identity_is_agent(&claim) && waited < 1000; waited++)
        usleep(1000); /* until it has become sleep */
    EXPECT(!identity_is_agent(&claim), "sleep");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    EXPECT(!identity_is_agent(&claim), "nobody");
}

/* Helpers say what the caller would have found, in questions of 128 owners each; one that is gone knows nothing. */
TEST(helpers_look_as_the_caller_does)
{
    enum { SOCKETS = 300 };
    static struct identity_lookup lookups[SOCKETS];
    int ends[2][2], sockets[SOCKETS];
    pid_t helpers[2];
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_INTEGER(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends[i]), 0);
        helpers[i] = fork();
        if (helpers[i] == 0) {
            close(ends[i][0]);
            identity_look(ends[i][1]);
            _exit(0);
        }
        close(ends[i][1]);
    }
    identity_use_lookers(ends[0][0], ends[1][0]);
    for (unsigned i = 0; i < SOCKETS; i++) {
        struct stat status;
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_INTEGER(fstat(sockets[i], &status), 0);
        lookups[i].peer = (struct identity_peer){.uid = getuid(), .inode = (uint32_t)status.st_ino};
    }
    lookups[200].peer.inode = 1;
    identity_find_processes(lookups, SOCKETS);
    for (unsigned i = 0; i < SOCKETS; i++)
        EXPECT_INTEGER(lookups[i].claim.pid, i == 200 ? 0 : getpid());
    EXPECT(lookups[299].claim.executable[0] == '/' && lookups[299].claim.directory[0] == '/',
           "what it runs, and where");
    EXPECT(identity_is_agent(&(struct identity_claim){.pid = helpers[0]}), "the same file");
    EXPECT(look_descends(helpers[0], getpid(), getuid()) && !look_descends(getpid(), helpers[0], getuid()), "a child");
    for (unsigned i = 0; i < 2; i++) {
        kill(helpers[i], SIGKILL);
        waitpid(helpers[i], NULL, 0);
    }
    identity_find_processes(lookups, SOCKETS);
    EXPECT_INTEGER(lookups[0].claim.pid, 0);
    EXPECT(!look_descends(getpid(), getpid(), getuid()), "nobody to ask");
    identity_use_lookers(-1, -1);
    close(ends[0][0]);
    close(ends[1][0]);
    for (unsigned i = 0; i < SOCKETS; i++)
        close(sockets[i]);
}

/* A copy of `sleep` under that name; its file is gone when it is looked at. */
static void expect_agent_by_name(const char *name, bool expected)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/tg-%d", (int)getpid());
    check(mkdir(path, 0700) == 0);
    size_t length = strlen(path);
    snprintf(path + length, sizeof path - length, "/%s", name);
    pid_t copier = fork();
    if (copier == 0) {
        execlp("cp", "cp", "/bin/sleep", path, (char *)NULL);
        _exit(127);
    }
    waitpid(copier, NULL, 0);
    pid_t child = fork();
    if (child == 0) {
        execl(path, name, "30", (char *)NULL);
        _exit(127);
    }
    struct identity_claim claim = {.pid = child};
    char link[64], target[64] = "";
    snprintf(link, sizeof link, "/proc/%d/exe", (int)child);
    for (unsigned waited = 0; strcmp(target, path) && waited < 5000; waited++) {
        ssize_t got = readlink(link, target, sizeof target - 1);
        target[got > 0 ? got : 0] = 0;
        usleep(1000); /* until it has become that program */
    }
    EXPECT_INTEGER(identity_is_agent(&claim), expected);
    unlink(path);
    EXPECT_INTEGER(identity_is_agent(&claim), expected);
    path[length] = 0;
    rmdir(path);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

TEST(another_agent_is_known_by_its_name)
{
    expect_agent_by_name("tollgated", true);
    expect_agent_by_name("tollgated2", false);
    expect_agent_by_name("mytollgated", false);
}

/* ---- membership ---- */

static _Atomic uid_t slow_uid = (uid_t)-1; /* the user database needs a second and a half for it */
static atomic_bool is_database_away;
static atomic_uint lookups;
static atomic_llong ahead_ns; /* of the clock */

int64_t clock_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + ahead_ns;
}

int64_t clock_wall_ns(void)
{
    return (int64_t)time(NULL) * 1000000000;
}

char *clock_format(int64_t wall_ns, char text[CLOCK_TEXT_MAX])
{
    snprintf(text, CLOCK_TEXT_MAX, "%lld", (long long)wall_ns);
    return text;
}

/* In place of the C library's. */
int getpwuid_r(uid_t uid, struct passwd *row, char *text, size_t bytes, struct passwd **found)
{
    typedef int lookup(uid_t, struct passwd *, char *, size_t, struct passwd **);
    if (uid == slow_uid)
        usleep(1500000);
    lookups++;
    if (is_database_away)
        return EIO;
    return ((lookup *)dlsym(RTLD_NEXT, "getpwuid_r"))(uid, row, text, bytes, found);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool find_ids(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
    const struct passwd *row = getpwnam(name);
    if (!row || row->pw_uid == geteuid())
        return false;
    *ret_uid = row->pw_uid;
    *ret_gid = row->pw_gid;
    return true;
}

/* The thread that asks may have to wait for a processor for longer than who asks it does. */
static bool is_member_soon(uid_t uid, const gid_t *gids, size_t count)
{
    for (int i = 0; i < 1000; i++) {
        if (identity_is_member(uid, gids, count))
            return true;
        usleep(10000);
    }
    return false;
}

static void await_lookup(unsigned before)
{
    for (int i = 0; i < 1000 && lookups == before; i++)
        usleep(10000);
    usleep(100000); /* its answer is noted after it */
}

TEST(user_database_that_fails_makes_nobody_forgotten)
{
    const int64_t minute_ns = 61ll * 1000000000;
    uid_t uid;
    gid_t theirs;
    if (!find_ids("games", &uid, &theirs))
        return;
    EXPECT(is_member_soon(uid, &theirs, 1), "known");
    is_database_away = true;
    for (int i = 0; i < 3; i++) {
        ahead_ns += minute_ns;
        unsigned before = lookups;
        EXPECT(identity_is_member(uid, &theirs, 1), "what is known counts while it is asked for");
        await_lookup(before);
        EXPECT(identity_is_member(uid, &theirs, 1), "and when that fails");
    }
    ahead_ns += 10 * minute_ns;
    EXPECT(!identity_is_member(uid, &theirs, 1), "but not for ever");
    is_database_away = false;
    ahead_ns += minute_ns;
    EXPECT(is_member_soon(uid, &theirs, 1), "it is back");
}

TEST(slow_user_database_keeps_nobody)
{
    uid_t known, uid;
    gid_t theirs, group;
    if (!find_ids("nobody", &known, &theirs) || !find_ids("daemon", &uid, &group))
        return;
    EXPECT(is_member_soon(known, &theirs, 1), "known");
    slow_uid = uid;
    const double began = seconds();
    bool is_early = identity_is_member(uid, &group, 1);
    for (int i = 0; i < 100; i++) {
        is_early |= identity_is_member(uid, &group, 1);
        EXPECT(identity_is_member(known, &theirs, 1), "who is known is answered");
    }
    if (seconds() - began < 1.4) /* else this machine was slower than the database */
        EXPECT(!is_early, "nobody knows yet");
    EXPECT(is_member_soon(uid, &group, 1), "once it has answered");
    slow_uid = (uid_t)-1;
}

TEST(member_is_owner_or_in_a_group)
{
    struct passwd *nobody = getpwnam("nobody");
    check(nobody != NULL);
    gid_t theirs = nobody->pw_gid, other = 54321;
    EXPECT(identity_is_member(geteuid(), NULL, 0), "the agent's own user");
    if (geteuid() == nobody->pw_uid)
        return;
    EXPECT(!identity_is_member(nobody->pw_uid, NULL, 0), "no group listed");
    EXPECT(!identity_is_member(nobody->pw_uid, &other, 1), "a group they are not in");
    EXPECT(is_member_soon(nobody->pw_uid, (gid_t[]){other, theirs}, 2), "their own group");
    EXPECT(identity_is_member(nobody->pw_uid, &theirs, 1), "from the cache");
    EXPECT(!identity_is_member(nobody->pw_uid + 64 * 1000, &theirs, 1), "no such user, same row of the cache");
    EXPECT(identity_is_member(nobody->pw_uid, &theirs, 1), "after being pushed out of the cache");
}

/* ---- opening ---- */

TEST(open_sets_the_mode_and_replaces_a_stale_socket)
{
    struct identity *identity = NULL, *other = NULL;
    struct stat status;
    snprintf(socket_path, sizeof socket_path, "/tmp/test-identity-%d.sock", (int)getpid());
    EXPECT_INTEGER(identity_open(socket_path, 0600, &identity), ERROR_OK);
    EXPECT(lstat(socket_path, &status) == 0 && (status.st_mode & 07777) == 0600, "0600");
    EXPECT_INTEGER(identity_open(socket_path, 0666, &other), ERROR_OK);
    EXPECT(lstat(socket_path, &status) == 0 && (status.st_mode & 07777) == 0666, "0666");
    identity_close(identity); /* the path is not its own any more */
    EXPECT(lstat(socket_path, &status) == 0, "the second one's path stays");
    identity_close(other);
    EXPECT_INTEGER(identity_open("/nonexistent/identity.sock", 0600, &identity), ERROR_FILE_UNWRITABLE);
    char longest[200];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = 0;
    EXPECT_INTEGER(identity_open(longest, 0600, &identity), ERROR_FILE_UNWRITABLE);
}
