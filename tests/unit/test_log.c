/* SPDX-License-Identifier: Apache-2.0 */
/* The log's file: moved away, removed, too large, and what happens when none can be made; a reader that does not read.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

#include "suite.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64], path[128], older[160], moved[128];

static void open_log(void)
{
    snprintf(root, sizeof root, "/tmp/test-log-%d", (int)getpid());
    snprintf(path, sizeof path, "%s/agent.log", root);
    snprintf(older, sizeof older, "%s.1", path);
    snprintf(moved, sizeof moved, "%s/moved", root);
    mkdir(root, 0700);
    CU_ASSERT_EQUAL_FATAL(log_open(path, LOG_LEVEL_INFO), ERROR_OK);
}

static unsigned count(const char *file, const char *text)
{
    char line[4096];
    unsigned found = 0;
    FILE *in = fopen(file, "re");
    while (in && fgets(line, sizeof line, in))
        found += strstr(line, text) != NULL;
    if (in)
        fclose(in);
    return found;
}

static void remove_all(void)
{
    unlink(path);
    unlink(older);
    unlink(moved);
    rmdir(root);
}

/* What standard error gets when it is a pipe whose number, and that plus `off`, is said to be the journal's. */
static void write_to_stderr(unsigned long long off, char text[512])
{
    int ends[2], before = dup(STDERR_FILENO);
    char stream[64];
    struct stat status;
    CU_ASSERT_FATAL(before >= 0 && pipe(ends) == 0 && fstat(ends[1], &status) == 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino + off);
    setenv("JOURNAL_STREAM", stream, 1);
    dup2(ends[1], STDERR_FILENO);
    CU_ASSERT_EQUAL(log_open(NULL, LOG_LEVEL_INFO), ERROR_OK);
    log_event(EVENT_SETTINGS_WARNING, NULL, "read me");
    dup2(before, STDERR_FILENO);
    ssize_t length = read(ends[0], text, 511);
    text[length > 0 ? length : 0] = '\0';
    unsetenv("JOURNAL_STREAM");
    close(before);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_journal_gets_priorities_and_nobody_else_does)
{
    char text[512];
    write_to_stderr(0, text);
    EXPECT(strncmp(text, "<4>20", 5) == 0 && strstr(text, "warning policy: read me\n"), "a warning's");
    write_to_stderr(1, text);
    EXPECT(strncmp(text, "20", 2) == 0 && strstr(text, "read me"), "no journal");
}

TEST(a_file_that_was_moved_away_is_made_anew)
{
    open_log();
    log_event(EVENT_LOG_LEVEL, NULL, "first");
    rename(path, moved);
    log_look();
    log_event(EVENT_LOG_LEVEL, NULL, "second");
    EXPECT_INTEGER(count(moved, "first"), 1);
    EXPECT_INTEGER(count(moved, "second"), 0);
    EXPECT_INTEGER(count(path, "second"), 1);
    unlink(path);
    log_look();
    log_event(EVENT_LOG_LEVEL, NULL, "third");
    EXPECT_INTEGER(count(path, "third"), 1);
    struct stat status;
    EXPECT(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600, "its owner's alone");
    remove_all();
}

/* Without anybody's asking, a second after the last look. */
TEST(whoever_writes_looks)
{
    open_log();
    log_event(EVENT_LOG_LEVEL, NULL, "first");
    rename(path, moved);
    for (int64_t end_ns = clock_monotonic_ns() + 10000000000;
         clock_monotonic_ns() < end_ns && access(path, F_OK) != 0;) {
        log_event(EVENT_LOG_LEVEL, NULL, "line");
        usleep(20000);
    }
    EXPECT(count(path, "line") >= 1, "nobody looked");
    remove_all();
}

TEST(a_file_that_is_too_large_is_put_aside)
{
    open_log();
    log_event(EVENT_LOG_LEVEL, NULL, "first");
    CU_ASSERT_EQUAL(truncate(path, LOG_BYTES_MAX), 0);
    log_look();
    CU_ASSERT_NOT_EQUAL(access(older, F_OK), 0);
    CU_ASSERT_EQUAL(truncate(path, LOG_BYTES_MAX + 1), 0);
    log_look();
    log_event(EVENT_LOG_LEVEL, NULL, "second");
    EXPECT_INTEGER(count(older, "first"), 1);
    EXPECT_INTEGER(count(path, "second"), 1);
    EXPECT_INTEGER(count(path, "first"), 0);
    CU_ASSERT_EQUAL(truncate(path, LOG_BYTES_MAX + 1), 0); /* the older one goes */
    log_look();
    EXPECT_INTEGER(count(older, "second"), 1);
    EXPECT_INTEGER(count(older, "first"), 0);
    remove_all();
}

TEST(without_a_place_the_lines_stay_where_they_are)
{
    open_log();
    char away[80];
    snprintf(away, sizeof away, "%s.away", root);
    log_event(EVENT_LOG_LEVEL, NULL, "first");
    rename(root, away);
    log_look();
    log_event(EVENT_LOG_LEVEL, NULL, "second");
    rename(away, root);
    EXPECT_INTEGER(count(path, "second"), 1);
    remove_all();
}

enum { WRITERS = 4, LINES = 5000 };

static void *write_lines(void *context)
{
    (void)context;
    for (int i = 0; i < LINES; i++)
        log_event(EVENT_LOG_LEVEL, NULL, "line");
    return NULL;
}

TEST(no_line_is_lost_on_the_way)
{
    open_log();
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, write_lines, NULL), 0);
    rename(path, moved);
    log_look();
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    EXPECT_INTEGER(count(moved, "line") + count(path, "line"), WRITERS * LINES);
    remove_all();
}

/* ---- standard error, and nobody who reads it ---- */

enum { UNREAD_LINES = 4000, PATIENCE_S = 30 };
enum reader { READER_PIPE, READER_SOCKET, READER_OF_ANOTHER, READERS };

struct heard {
    unsigned lines;     /* that were logged */
    unsigned long lost; /* as they say */
};

static void hear(int fd, struct heard *heard)
{
    char line[4096];
    FILE *in = fdopen(dup(fd), "re");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (fgets(line, sizeof line, in)) {
        const char *lost = strstr(line, "nobody took them: ");
        heard->lines += strstr(line, "log level: line") != NULL;
        if (lost)
            heard->lost += strtoul(strchr(lost, ':') + 2, NULL, 10);
    }
    fclose(in);
}

/* A child's exit code, as standard error is not the suite's any more; the alarm ends one that waits. */
static int log_unread(enum reader reader)
{
    int ends[2];
    struct heard heard = {0};
    if (reader == READER_SOCKET ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends))
        return 2;
    if (reader == READER_OF_ANOTHER && setresuid(65534, 65534, 65534) != 0)
        return 0; /* only root can be another */
    alarm(PATIENCE_S);
    dup2(ends[1], STDERR_FILENO);
    if (log_open(NULL, LOG_LEVEL_INFO))
        return 3;
    for (int i = 0; i < UNREAD_LINES; i++)
        log_event(EVENT_LOG_LEVEL, NULL, "line");
    for (int i = 0; i < UNREAD_LINES; i++)
        fprintf(stderr, "stdio does not wait either\n");
    if (fcntl(ends[1], F_GETFL) & O_NONBLOCK)
        return 4; /* others have that open file, too */
    hear(ends[0], &heard);
    if (heard.lines == 0 || heard.lines == UNREAD_LINES || heard.lost)
        return 5;
    log_event(EVENT_LOG_LEVEL, NULL, "line");
    hear(ends[0], &heard);
    return heard.lines + heard.lost == UNREAD_LINES + 1 && heard.lost ? 0 : 6;
}

TEST(a_reader_that_does_not_read_costs_lines_alone)
{
    for (enum reader reader = READER_PIPE; reader < READERS; reader++) {
        int status = -1;
        pid_t pid = fork();
        if (pid == 0)
            _exit(log_unread(reader));
        CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
        EXPECT(status == 0, "reader %d: status %x", (int)reader, (unsigned)status);
    }
}

TEST(a_panic_does_not_wait_for_a_reader)
{
    int ends[2], status = -1;
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(PATIENCE_S);
        dup2(ends[1], STDERR_FILENO);
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
        while (write(ends[1], "full", 4) == 4)
            ;
        fcntl(ends[1], F_SETFL, 0);
        check_panic("full", __FILE__, __LINE__);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x", (unsigned)status);
    close(ends[0]);
    close(ends[1]);
}
