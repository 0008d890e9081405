/* SPDX-License-Identifier: Apache-2.0 */
/* The events file on a full disk: no line that is cut, each missing event counted, and whole again when there is room.
 */
#include "events_file.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beyond what any file of the journal is: only the events file meets the limit. */
enum { ROOM_BYTES = 1 << 30 };
static const char document[] = "{\"id\":\"x\",\"time\":\"2026-11-29T13:07:00.000Z\",\"group\":\"a\",\"status\":200}";

static void append(struct journal *journal, unsigned char number)
{
    struct id id = {{0}};
    id.bytes[14] = number;
    journal_append_event(journal, id, slice_of(document));
    journal_flush(journal);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static off_t size_of(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 ? facts.st_size : -1;
}

TEST(a_full_disk_leaves_no_cut_line)
{
    char root[] = "/tmp/tollgate-events-XXXXXX", aux[64], path[64], command[96];
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(aux, sizeof aux, "%s/aux", root);
    snprintf(path, sizeof path, "%s/events.jsonl", root);
    signal(SIGXFSZ, SIG_IGN);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_EQUAL_FATAL(ftruncate(fd, ROOM_BYTES), 0); /* sparse */
    close(fd);
    struct journal *journal = NULL;
    CU_ASSERT_EQUAL_FATAL(journal_open(aux, &journal), ERROR_OK);
    struct events_file *file = events_file_open(journal, path);
    const off_t line = (off_t)sizeof document; /* with its newline */

    limit_files(ROOM_BYTES + (rlim_t)line + 10);
    append(journal, 1);
    EXPECT_INTEGER(events_file_count_missing(file), 0);
    EXPECT_INTEGER(size_of(path), ROOM_BYTES + line);
    append(journal, 2); /* ten bytes fit */
    EXPECT_INTEGER(events_file_count_missing(file), 1);
    EXPECT_INTEGER(size_of(path), ROOM_BYTES + line);
    limit_files(ROOM_BYTES + (rlim_t)line);
    append(journal, 3); /* none does */
    EXPECT_INTEGER(events_file_count_missing(file), 2);
    limit_files(RLIM_INFINITY);
    append(journal, 4);
    EXPECT_INTEGER(events_file_count_missing(file), 2);
    EXPECT_INTEGER(size_of(path), ROOM_BYTES + 2 * line);

    events_file_close(file);
    journal_close(journal);
    snprintf(command, sizeof command, "rm -r %s", root);
    CU_ASSERT_EQUAL(system(command), 0);
}
