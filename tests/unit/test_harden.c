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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
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
    {"fork into a namespace", clone_into_namespace, ENOSYS, true},
    {"type into the terminal", push_into_terminal, ENOSYS, true},
    {"become dumpable", become_dumpable, ENOSYS, true},
    {"make memory that can be written and executed", make_code, EACCES, true},
    {"write /etc/shadow", write_shadow, EACCES, false},
    {"write outside", write_elsewhere, EACCES, false},
    {"make a file outside", make_elsewhere, EACCES, false},
    {"remove a file outside", remove_elsewhere, EACCES, false},
    {"write outside by a link", write_by_link, EACCES, false},
    {"make a link", make_link, ENOSYS, true},
    {"make a fifo", make_fifo, KILLED, true},
    {"read outside", read_elsewhere, 0, false},
    {"write in the state directory", write_in_state, 0, false},
    {"listen in the runtime directory", listen_in_runtime, 0, false},
    {"start a thread", start_thread, 0, false},
    {"fork", fork_and_wait, 0, false},
};

static struct harden *harden_here(bool is_wanted)
{
    static struct settings settings;
    settings.agent.hardening = is_wanted;
    const struct harden_options options = {state, runtime, &settings};
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

static bool has_landlock(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
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
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        const struct attempt *attempt = &attempts[i];
        if (attempt->is_of_calls ? !has_calls : attempt->seen && !has_landlock())
            continue;
        int outcome = outcome_of(attempt, true);
        EXPECT(outcome == attempt->seen, "%s: %d, not %d", attempt->name, outcome, attempt->seen);
    }
    directory_close();
}

/* The control: the same attempts are possible, or refused by something else, in a process that gave up nothing. */
TEST(attempts_without_it)
{
    directory_open();
    static const char *const possible[] = {"execute a program", "make a file outside", "write outside",
                                           "make memory that can be written and executed", "become dumpable"};
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
