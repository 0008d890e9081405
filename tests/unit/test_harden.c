/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process can still do after harden_process: each attempt in a child of its own that has been hardened as the
 * agent is, with what must become of it. And secrets: gone from memory when freed, not in forked processes.
 */
#include "base/secret.h"
#include "harden.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[64], elsewhere[64], state[96], runtime[96];

static void directory_open(void)
{
    strcpy(directory, "/tmp/test-harden-XXXXXX");
    strcpy(elsewhere, "/tmp/test-outside-XXXXXX");
    EXPECT(mkdtemp(directory) && mkdtemp(elsewhere), "mkdtemp");
    snprintf(state, sizeof state, "%s/state", directory);
    snprintf(runtime, sizeof runtime, "%s/runtime", directory);
    EXPECT(chmod(elsewhere, 0777) == 0, "chmod");
    char file[128];
    snprintf(file, sizeof file, "%s/file", elsewhere);
    close(open(file, O_CREAT | O_WRONLY, 0666));
}

static void directory_close(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s %s", directory, elsewhere);
    EXPECT_INTEGER(system(command), 0);
}

static const char *at(const char *folder, const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* ---- attempts: 0, or the errno of what was refused ---- */

static int errno_of(long result)
{
    return result < 0 ? errno : 0;
}

static int run_program(void)
{
    return errno_of(execl("/bin/true", "true", NULL));
}

static int run_program_by_descriptor(void)
{
    char *const none[] = {NULL};
    return errno_of(fexecve(open("/bin/true", O_RDONLY), none, none));
}

/* By another thread: it has inherited it. */
static void *run_in_thread(void *context)
{
    (void)context;
    run_program();
    return NULL;
}

static int run_program_in_thread(void)
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, run_in_thread, NULL);
    return result ? result : pthread_join(thread, NULL);
}

static int trace(void)
{
    return errno_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int write_into_parent(void)
{
    char byte = 0;
    struct iovec one = {&byte, 1};
    return errno_of(process_vm_writev(getppid(), &one, 1, &one, 1, 0));
}

static int become_root(void)
{
    return errno_of(setuid(0));
}

static int open_namespace(void)
{
    return errno_of(unshare(CLONE_NEWUSER));
}

static int make_ring(void)
{
    return errno_of(syscall(SYS_io_uring_setup, 8, NULL));
}

static int open_raw_socket(void)
{
    return errno_of(socket(AF_PACKET, SOCK_RAW, 0));
}

static int open_raw_internet_socket(void)
{
    return errno_of(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
}

static int open_firewall_socket(void)
{
    return errno_of(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
}

/* Those that the agent and its libraries open. */
static int open_other_sockets(void)
{
    static const int wanted[][3] = {
        {AF_UNIX, SOCK_STREAM, 0},
        {AF_UNIX, SOCK_DGRAM, 0},
        {AF_UNIX, SOCK_SEQPACKET, 0},
        {AF_INET, SOCK_STREAM, 0},
        {AF_INET, SOCK_DGRAM, 0},
        {AF_INET6, SOCK_STREAM, 0},
        {AF_INET6, SOCK_DGRAM, 0},
        {AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG},
        {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (socket(wanted[i][0], wanted[i][1] | SOCK_CLOEXEC | SOCK_NONBLOCK, wanted[i][2]) < 0 &&
            errno != EAFNOSUPPORT) /* a machine without IPv6 */
            return errno;
    return 0;
}

static int clone_into_namespace(void)
{
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    return errno_of(child);
}

static int push_into_terminal(void)
{
    return errno_of(ioctl(0, TIOCSTI, "x"));
}

static int become_dumpable(void)
{
    return errno_of(prctl(PR_SET_DUMPABLE, 1));
}

static int make_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : 0;
}

/* Written by one mapping of a file, executed by another. */
static int make_code_by_file(void)
{
    const int fd = open(at(state, "code"), O_RDWR | O_CREAT, 0700);
    if (ftruncate(fd, 4096) != 0 || mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
        return -1;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) == MAP_FAILED ? errno : 0;
}

static int make_code_of_data(void)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open(at(state, "program"), O_RDONLY), 0);
    return page == MAP_FAILED ? -1 : errno_of(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int make_code_with_key(void)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, open(at(state, "program"), O_RDONLY), 0);
    return page == MAP_FAILED ? -1 : errno_of(syscall(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1));
}

/* Which writes to pages that cannot be written. */
static int rewrite_code(void)
{
    return errno_of(open("/proc/self/mem", O_RDWR));
}

static int change_own_times(void)
{
    return errno_of(utimensat(AT_FDCWD, at(state, "program"), NULL, 0));
}

static int limit_parent(void)
{
    struct rlimit limit;
    return errno_of(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit));
}

static int read_limit(void)
{
    struct rlimit limit;
    return errno_of(getrlimit(RLIMIT_NOFILE, &limit));
}

static int write_shadow(void)
{
    return errno_of(open("/etc/shadow", O_WRONLY));
}

static int write_elsewhere(void)
{
    return errno_of(open(at(elsewhere, "file"), O_WRONLY));
}

static int make_elsewhere(void)
{
    return errno_of(open(at(elsewhere, "new"), O_WRONLY | O_CREAT, 0600));
}

static int remove_elsewhere(void)
{
    return errno_of(unlink(at(elsewhere, "file")));
}

static int write_by_link(void)
{
    return errno_of(open(at(state, "link"), O_WRONLY));
}

static int make_link(void)
{
    return errno_of(symlink(at(elsewhere, "file"), at(state, "other-link")));
}

static int make_fifo(void)
{
    return errno_of(mkfifo(at(state, "fifo"), 0600));
}

/* What another user executes as the agent's. */
static int lend_user(void)
{
    return errno_of(chmod(at(state, "program"), 04755));
}

static int lend_group_by_descriptor(void)
{
    return errno_of(fchmod(open(at(state, "program"), O_RDONLY), 02755));
}

static int lend_user_below(void)
{
    return errno_of(syscall(SYS_fchmodat, AT_FDCWD, at(state, "program"), 04755));
}

static int lend_user_by_newer_call(void)
{
    enum { FCHMODAT2 = 452 }; /* Linux 6.6 */
    return errno_of(syscall(FCHMODAT2, AT_FDCWD, at(state, "program"), 04755, 0));
}

static int make_lending_file(void)
{
    return errno_of(open(at(state, "lends"), O_WRONLY | O_CREAT, 04755));
}

static int make_lending_file_below(void)
{
    return errno_of(openat(AT_FDCWD, at(state, "lends"), O_WRONLY | O_CREAT | O_EXCL, 02755));
}

static int make_lending_file_without_name(void)
{
    return errno_of(open(state, O_WRONLY | O_TMPFILE, 04755));
}

static int make_lending_file_by_creat(void)
{
    return errno_of(creat(at(state, "lends"), 04755));
}

/* As libc's open does without O_CREAT: the mode is whatever was there. */
static int open_with_odd_mode(void)
{
    return errno_of(syscall(SYS_openat, AT_FDCWD, at(state, "program"), O_RDONLY | O_CLOEXEC, ~0ul));
}

static int change_mode(void)
{
    return errno_of(chmod(at(state, "program"), 0755)) | errno_of(fchmod(open(at(state, "program"), O_RDONLY), 0600)) |
           errno_of(open(state, O_WRONLY | O_TMPFILE, 0666));
}

static int read_elsewhere(void)
{
    return errno_of(open("/etc/passwd", O_RDONLY));
}

static int write_in_state(void)
{
    int fd = open(at(state, "new"), O_WRONLY | O_CREAT, 0600);
    return fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) != 0 || rename(at(state, "new"), at(state, "old")) != 0 ||
                   unlink(at(state, "old")) != 0 || mkdir(at(state, "folder"), 0700) != 0
               ? errno
               : 0;
}

static int listen_in_runtime(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", at(runtime, "socket"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return errno_of(bind(fd, (struct sockaddr *)(void *)&address, sizeof address));
}

/* Without a path, as a session's bus may be: both are this test's own. */
static struct sockaddr_un name_abstract(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s/%d", directory, type);
    return address;
}

static int open_abstract(int type)
{
    const struct sockaddr_un address = name_abstract(type);
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    EXPECT(bind(fd, (const struct sockaddr *)(const void *)&address, sizeof address) == 0, "bind");
    return fd;
}

static int reach_abstract_socket(void)
{
    const struct sockaddr_un address = name_abstract(SOCK_STREAM);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return errno_of(connect(fd, (const struct sockaddr *)(const void *)&address, sizeof address));
}

static int send_to_abstract_socket(void)
{
    const struct sockaddr_un address = name_abstract(SOCK_DGRAM);
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return errno_of(sendto(fd, "x", 1, 0, (const struct sockaddr *)(const void *)&address, sizeof address));
}

static void *do_nothing(void *context)
{
    return context;
}

static int start_thread(void)
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, do_nothing, NULL);
    return result ? result : pthread_join(thread, NULL);
}

static void *end_thread(void *context)
{
    pthread_exit(context);
}

/* For which libc loads a library. */
static int end_thread_early(void)
{
    pthread_t thread;
    int result = pthread_create(&thread, NULL, end_thread, NULL);
    return result ? result : pthread_join(thread, NULL);
}

static int ask_for_user(void)
{
    char text[4096];
    struct passwd row, *found = NULL;
    gid_t gids[64];
    int count = 64, result = getpwuid_r(0, &row, text, sizeof text, &found);
    return result ? result : !found || getgrouplist(row.pw_name, row.pw_gid, gids, &count) < 1;
}

static int ask_for_address(void)
{
    struct addrinfo *list = NULL;
    int result = getaddrinfo("localhost", "443", NULL, &list);
    if (list)
        freeaddrinfo(list);
    return result;
}

static int fork_and_wait(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return errno_of(waitpid(child, NULL, 0));
}

enum { KILLED = -SIGSYS };

/* `seen` where Landlock and seccomp are in force; 0 where it must work. */
static const struct attempt {
    const char *name;
    int (*run)(void);
    int seen;
    bool is_of_calls; /* seccomp's, which sanitizers do without */
} attempts[] = {
    {"execute a program", run_program, KILLED, true},
    {"execute a descriptor", run_program_by_descriptor, KILLED, true},
    {"execute a program in a thread", run_program_in_thread, KILLED, true},
    {"trace a process", trace, KILLED, true},
    {"write into a process", write_into_parent, KILLED, true},
    {"become root", become_root, KILLED, true},
    {"leave the namespace", open_namespace, KILLED, true},
    {"make an io_uring", make_ring, KILLED, true},
    {"open a raw socket", open_raw_socket, ENOSYS, true},
    {"open a raw internet socket", open_raw_internet_socket, ENOSYS, true},
    {"open the firewall's socket", open_firewall_socket, ENOSYS, true},
    {"open sockets of all other kinds", open_other_sockets, 0, false},
    {"fork into a namespace", clone_into_namespace, ENOSYS, true},
    {"type into the terminal", push_into_terminal, ENOSYS, true},
    {"become dumpable", become_dumpable, ENOSYS, true},
    {"make memory that can be written and executed", make_code, EACCES, true},
    {"make code by a file", make_code_by_file, EACCES, true},
    {"make code of data", make_code_of_data, EACCES, true},
    {"make code of data with a key", make_code_with_key, ENOSYS, true},
    {"rewrite code by /proc", rewrite_code, EACCES, false},
    {"change a file's times", change_own_times, ENOSYS, true},
    {"look at another's limits", limit_parent, ENOSYS, true},
    {"look at its own limits", read_limit, 0, false},
    {"write /etc/shadow", write_shadow, EACCES, false},
    {"write outside", write_elsewhere, EACCES, false},
    {"make a file outside", make_elsewhere, EACCES, false},
    {"remove a file outside", remove_elsewhere, EACCES, false},
    {"write outside by a link", write_by_link, EACCES, false},
    {"make a link", make_link, ENOSYS, true},
    {"make a fifo", make_fifo, KILLED, true},
    {"make a program lend our user", lend_user, ENOSYS, true},
    {"make a program lend our group, by descriptor", lend_group_by_descriptor, ENOSYS, true},
    {"make a program lend our user, by fchmodat", lend_user_below, ENOSYS, true},
    {"make a program lend our user, by fchmodat2", lend_user_by_newer_call, ENOSYS, true},
    {"make a file that lends our user", make_lending_file, ENOSYS, true},
    {"make a file that lends our group", make_lending_file_below, ENOSYS, true},
    {"make a file without a name that lends our user", make_lending_file_without_name, ENOSYS, true},
    {"make a file that lends our user, by creat", make_lending_file_by_creat, ENOSYS, true},
    {"open with an odd mode that does not count", open_with_odd_mode, 0, false},
    {"change a mode", change_mode, 0, false},
    {"reach another's abstract socket", reach_abstract_socket, EPERM, false},
    {"send to another's abstract socket", send_to_abstract_socket, EPERM, false},
    {"read outside", read_elsewhere, 0, false},
    {"write in the state directory", write_in_state, 0, false},
    {"listen in the runtime directory", listen_in_runtime, 0, false},
    {"start a thread", start_thread, 0, false},
    {"end a thread early", end_thread_early, 0, false},
    {"ask for a user's groups", ask_for_user, 0, false},
    {"ask for an address", ask_for_address, 0, false},
    {"fork", fork_and_wait, 0, false},
};

static struct harden *harden_here(bool is_wanted)
{
    static struct settings settings;
    settings.agent.hardening = is_wanted;
    const struct harden_options options = {state, runtime, NULL, &settings};
    struct harden *harden = harden_process(&options);
    return harden;
}

/* What an attempt came to in a child of its own: 0, an errno, or minus the signal that ended it. */
static int outcome_of(const struct attempt *attempt, bool is_wanted)
{
    pid_t child = fork();
    if (child == 0) {
        harden_here(is_wanted);
        _exit(attempt->run());
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child, "waitpid");
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

static bool has_landlock(void)
{
    return landlock_version() > 0;
}

static bool is_refused_here(const struct attempt *attempt)
{
    return landlock_version() >= (attempt->seen == EPERM ? 6 : 1); /* 6: sockets without a path */
}

TEST(attempts_of_a_hardened_process)
{
#ifdef TOLLGATE_SANITIZED
    const bool has_calls = false;
#else
    const bool has_calls = true;
#endif
    directory_open();
    EXPECT(mkdir(state, 0700) == 0 && symlink(at(elsewhere, "file"), at(state, "link")) == 0, "the link");
    close(open(at(state, "program"), O_CREAT | O_WRONLY, 0700));
    const int bus = open_abstract(SOCK_STREAM), datagrams = open_abstract(SOCK_DGRAM);
    EXPECT(listen(bus, 8) == 0, "listen");
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        const struct attempt *attempt = &attempts[i];
        if (attempt->is_of_calls ? !has_calls : attempt->seen && !is_refused_here(attempt))
            continue;
        int outcome = outcome_of(attempt, true);
        EXPECT(outcome == attempt->seen, "%s: %d, not %d", attempt->name, outcome, attempt->seen);
    }
    close(bus);
    close(datagrams);
    directory_close();
}

/* systemd's, in some containers: what it asked to be told must not be lost. */
TEST(manager_without_a_path_is_told)
{
    static const struct attempt tell = {"tell the manager", send_to_abstract_socket, 0, false};
    directory_open();
    const int manager = open_abstract(SOCK_DGRAM);
    setenv("NOTIFY_SOCKET", "@manager", 1);
    EXPECT_INTEGER(outcome_of(&tell, true), 0);
    unsetenv("NOTIFY_SOCKET");
    close(manager);
    directory_close();
}

/* The control: the same attempts are possible, or refused by something else, in a process that gave up nothing. */
TEST(attempts_without_it)
{
    directory_open();
    EXPECT(mkdir(state, 0700) == 0, "mkdir");
    close(open(at(state, "program"), O_CREAT | O_WRONLY, 0700));
    static const char *const possible[] = {"execute a program",
                                           "make a file outside",
                                           "write outside",
                                           "make memory that can be written and executed",
                                           "become dumpable",
                                           "make a program lend our user",
                                           "make a file that lends our user",
                                           "make code by a file",
                                           "make code of data"};
    for (size_t i = 0; i < sizeof possible / sizeof *possible; i++)
        for (size_t j = 0; j < sizeof attempts / sizeof *attempts; j++)
            if (!strcmp(attempts[j].name, possible[i]))
                EXPECT(outcome_of(&attempts[j], false) == 0, "%s", possible[i]);
    directory_close();
}

TEST(where_it_may_write)
{
    directory_open();
    pid_t child = fork();
    if (child == 0) {
        struct harden *harden = harden_here(true);
        bool is_right = harden_may_write(harden, at(state, "a/b/c")) && harden_may_write(harden, state) &&
                        (!has_landlock() ||
                         (!harden_may_write(harden, at(elsewhere, "x")) && !harden_may_write(harden, "/etc/shadow") &&
                          !harden_may_write(harden, at(directory, "state-of-others"))));
        _exit(is_right ? 0 : 1);
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child && status == 0, "status %d", status);
    directory_close();
}

TEST(secret_is_unmapped_when_freed_and_not_in_children)
{
    struct secret *secret = secret_new(SLICE_LITERAL("sk-very-secret"));
    const char *bytes = secret_reveal(secret).data;
    EXPECT(!memcmp(bytes, "sk-very-secret", 15), "the secret");
    pid_t child = fork();
    if (child == 0)
        _exit(bytes[0] == 0 && secret_reveal(secret).length == 0 ? 0 : 1);
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child && status == 0, "a child has the secret");
    secret_free(secret);
    unsigned char in_core;
    void *page = (void *)((uintptr_t)bytes & ~(uintptr_t)4095);
    EXPECT(mincore(page, 1, &in_core) != 0 && errno == ENOMEM, "its page is still there");
}
