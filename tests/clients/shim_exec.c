/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting programs below the shim. `shim_exec children` starts itself in every way there is, each time with an empty
 * environment, and asks the child whether api.openai.com is governed there; `shim_exec errors DIRECTORY` prints the
 * errno of every way over paths that cannot run, to be compared with and without the shim.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim_check.h"

#define ARGUMENTS_MAX 3

typedef int start_function(const char *path, char **arguments);

static char *nothing[] = {NULL};
static char **given = nothing;
extern char **environ;
/* musl has none; below the shim there is one all the same. */
extern int execveat(int directory, const char *path, char *const *arguments, char *const *environment, int flags)
    __attribute__((weak));

static int start_execve(const char *path, char **arguments)
{
    return execve(path, arguments, given);
}

static int start_execve_null(const char *path, char **arguments)
{
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wnonnull"
    return execve(path, arguments, NULL);
#pragma GCC diagnostic pop
}

static int start_execv(const char *path, char **arguments)
{
    environ = given;
    return execv(path, arguments);
}

static int start_execvp(const char *path, char **arguments)
{
    environ = given;
    return execvp(path, arguments);
}

static int start_execvpe(const char *path, char **arguments)
{
    return execvpe(path, arguments, given);
}

static int start_execl(const char *path, char **arguments)
{
    environ = given;
    return execl(path, arguments[0], arguments[1], (char *)NULL);
}

static int start_execlp(const char *path, char **arguments)
{
    environ = given;
    return execlp(path, arguments[0], arguments[1], (char *)NULL);
}

static int start_execle(const char *path, char **arguments)
{
    return execle(path, arguments[0], arguments[1], (char *)NULL, given);
}

static int start_fexecve(const char *path, char **arguments)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? -1 : fexecve(fd, arguments, given);
}

static int start_fexecve_path(const char *path, char **arguments)
{
    int fd = open(path, O_PATH);
    return fd < 0 ? -1 : fexecve(fd, arguments, given);
}

static int start_execveat(const char *path, char **arguments)
{
    return execveat(AT_FDCWD, path, arguments, given, 0);
}

static int start_raw_execve(const char *path, char **arguments)
{
    return (int)syscall(SYS_execve, path, arguments, given);
}

static int start_raw_execveat(const char *path, char **arguments)
{
    return (int)syscall(SYS_execveat, AT_FDCWD, path, arguments, given, 0);
}

/* The spawned process stands for this one. */
static int start_wait(int error, pid_t process)
{
    int status = 0;
    if (error != 0) {
        errno = error;
        return -1;
    }
    waitpid(process, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

static int start_posix_spawn(const char *path, char **arguments)
{
    pid_t process = 0;
    int error = posix_spawn(&process, path, NULL, NULL, arguments, given);
    return start_wait(error, process);
}

static int start_posix_spawnp(const char *path, char **arguments)
{
    pid_t process = 0;
    int error = posix_spawnp(&process, path, NULL, NULL, arguments, given);
    return start_wait(error, process);
}

static int start_vfork(const char *path, char **arguments)
{
    volatile int error = 0;
    pid_t process = vfork();
    if (process == 0) {
        execve(path, arguments, given);
        error = errno;
        _exit(127);
    }
    return start_wait(error, process);
}

static int start_system(const char *path, char **arguments)
{
    char command[4200];
    snprintf(command, sizeof command, "'%s' %s", path, arguments[1]);
    clearenv();
    int status = system(command);
    if (environ != NULL && environ[0] != NULL)
        _exit(97);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

static int start_popen(const char *path, char **arguments)
{
    char command[4200];
    snprintf(command, sizeof command, "'%s' %s", path, arguments[1]);
    clearenv();
    FILE *stream = popen(command, "r");
    int status = pclose(stream);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
}

static const struct {
    const char *name;
    start_function *start;
    bool is_shell; /* its errors are the shell's */
} ways[] = {
    {"execve", start_execve, false},
    {"execve with NULL environment", start_execve_null, false},
    {"execv", start_execv, false},
    {"execvp", start_execvp, false},
    {"execvpe", start_execvpe, false},
    {"execl", start_execl, false},
    {"execlp", start_execlp, false},
    {"execle", start_execle, false},
    {"fexecve", start_fexecve, false},
    {"fexecve O_PATH", start_fexecve_path, false},
    {"execveat", start_execveat, false},
    {"syscall(SYS_execve)", start_raw_execve, false},
    {"syscall(SYS_execveat)", start_raw_execveat, false},
    {"posix_spawn", start_posix_spawn, false},
    {"posix_spawnp", start_posix_spawnp, false},
    {"vfork and execve", start_vfork, false},
    {"system after clearenv", start_system, true},
    {"popen after clearenv", start_popen, true},
};

/* Runs in a fork; the exit status is the child's, or 200 + nothing when the start failed (errno in *ret_errno). */
static int start_in_fork(start_function *start, const char *path, char **arguments, int *ret_errno)
{
    int pipes[2];
    int code = 0;
    int status = 0;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return -1;
    pid_t process = fork();
    if (process == 0) {
        errno = 0;
        start(path, arguments);
        code = errno;
        _exit(write(pipes[1], &code, sizeof code) == (ssize_t)sizeof code ? 99 : 98);
    }
    close(pipes[1]);
    if (read(pipes[0], &code, sizeof code) != (ssize_t)sizeof code)
        code = 0;
    close(pipes[0]);
    waitpid(process, &status, 0);
    *ret_errno = code;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int run_child(void)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *answer = NULL;
    if (getaddrinfo("api.openai.com", "443", &hints, &answer) != 0)
        return 9;
    const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)answer->ai_addr;
    bool is_governed = ntohl(address->sin_addr.s_addr) == 0x7f4d0001;
    freeaddrinfo(answer);
    if (getenv("SSL_CERT_FILE") == NULL || getenv("LD_PRELOAD") == NULL || getenv("TOLLGATE_RUNTIME") == NULL)
        return 8;
    return is_governed ? 7 : 9;
}

static void run_children(const char *self)
{
    char word[] = "child";
    char *arguments[ARGUMENTS_MAX] = {(char *)(uintptr_t)self, word, NULL};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int code = 0;
        int status = start_in_fork(ways[i].start, self, arguments, &code);
        char name[64];
        snprintf(name, sizeof name, "child governed: %s", ways[i].name);
        report(status == 7, name, "status %d, %s", status, strerror(code));
    }
    /* 800 vforks in one process: anything written but the stack would show. */
    int wrong = 0;
    for (int i = 0; i < 800; i++) {
        pid_t process = vfork();
        if (process == 0) {
            execve("/bin/true", arguments, given);
            _exit(127);
        }
        int status = 0;
        waitpid(process, &status, 0);
        wrong += status != 0;
    }
    report(wrong == 0, "800 vforks", "%d failed", wrong);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) != 0)
        exit(2);
    close(fd);
}

static void print_errors(const char *name)
{
    char word[] = "x";
    char *arguments[ARGUMENTS_MAX] = {word, word, NULL};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int code = 0;
        if (ways[i].is_shell)
            continue;
        int status = start_in_fork(ways[i].start, name, arguments, &code);
        printf("%s %.40s: status %d errno %d\n", ways[i].name, name, status, code);
    }
}

/* An argument list that no kernel takes. */
static void print_too_big(void)
{
    size_t size = 40u << 20;
    size_t piece = 100000;
    char *text = malloc(piece);
    char **arguments = calloc(size / piece + 2, sizeof *arguments);
    if (text == NULL || arguments == NULL)
        exit(2);
    memset(text, 'x', piece - 1);
    text[piece - 1] = '\0';
    for (size_t i = 0; i < size / piece; i++)
        arguments[i] = text;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        int code = 0;
        if (ways[i].is_shell)
            continue;
        /* The list forms of the ways pass two arguments only: they succeed, in both runs. */
        int status = start_in_fork(ways[i].start, "/bin/true", arguments, &code);
        printf("%s too big: status %d errno %d\n", ways[i].name, status, code);
    }
    free(text);
    free(arguments);
}

/* The most that an exec with an empty environment can carry: what the shim adds must not lower it. */
static void print_limit(void)
{
    static char *arguments[40];
    static char piece[100000];
    static char last[100001];
    memset(piece, 'x', sizeof piece - 1);
    size_t low = 0;
    size_t high = 3600000;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        size_t count = 0;
        size_t rest = middle;
        int code = 0;
        for (; rest >= sizeof piece; rest -= sizeof piece)
            arguments[count++] = piece;
        memset(last, 'x', sizeof last);
        last[rest] = '\0';
        arguments[count++] = last;
        arguments[count] = NULL;
        int status = start_in_fork(start_execve, "/bin/true", arguments, &code);
        if (status == 0)
            low = middle;
        else
            high = middle;
    }
    printf("largest argument list: %zu bytes\n", low);
}

static int run_errors(const char *directory)
{
    char long_name[5000];
    if (chdir(directory) != 0)
        return 2;
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    write_file("plain", "not executable\n", 0644);
    write_file("text", "exit 5\n", 0755);
    write_file("empty", "", 0755);
    write_file("orphan", "#!/no/such/interpreter\n", 0755);
    write_file("blank", "#!\n", 0755);
    write_file("torn", "\177ELF\2\1\1", 0755);
    write_file("one", "#!./two\n", 0755);
    write_file("two", "#!./one\n", 0755);
    mkdir("directory", 0755);
    mkfifo("fifo", 0755);
    if (symlink("loop", "loop") != 0 && errno != EEXIST)
        return 2;
    const char *const names[] = {"./missing", "missing", "./plain", "./text",      "./empty", "./orphan", "./blank",
                                 "./torn",    "./one",   "./fifo",  "./directory", "./loop",  "plain/x",  "",
                                 long_name,   "text",    "plain",   "/",           "true"};
    setenv("PATH", "/no/such:.:/bin", 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        print_errors(names[i]);
    print_too_big();
    print_limit();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "child") == 0)
        return run_child();
    if (argc >= 3 && strcmp(argv[1], "errors") == 0)
        return run_errors(argv[2]);
    if (argc >= 2 && strcmp(argv[1], "children") == 0) {
        run_children(argv[0]);
        return failures != 0;
    }
    return 2;
}
