/* SPDX-License-Identifier: Apache-2.0 */
#include "owner.h"

#include "base/log.h"
#include "shim/contract.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The runtime directory first: an agent that finds it taken leaves nothing in a state that is not its own. */
static const struct {
    const char *file, *other; /* what the file's words say beside the pid */
} rows[OWNER_LOCKS] = {
    {TOLLGATE_FILE_OWNER, "its state is in"},
    {TOLLGATE_FILE_STATE_OWNER, "its runtime directory is"},
};

/* A lock of the open file (fcntl(2), F_OFD_SETLK): unlike flock(2)'s, others can ask who has it without having it for a
 * moment themselves. */
static bool lock(int fd)
{
    const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

static void say_owner(int fd, const char *directory, const char *what, bool has_log)
{
    char words[PATH_MAX + 16] = "", text[2 * PATH_MAX + 128];
    ssize_t length = pread(fd, words, sizeof words - 1, 0);
    words[length > 0 ? length : 0] = '\0';
    words[strcspn(words, "\n")] = '\0';
    char *other = strchr(words, ' ');
    if (other)
        *other++ = '\0';
    snprintf(text, sizeof text, "%s belongs to another agent: pid %s, %s %s", directory, words[0] ? words : "unknown",
             what, other ? other : "unknown");
    log_event(EVENT_AGENT_FAILED, NULL, "%s", text);
    if (has_log)
        fprintf(stderr, "tollgated: %s\n", text);
}

/* Cut after it is written: on a full disk the file keeps the block that it has. */
static bool write_words(int fd, const char *other)
{
    char words[PATH_MAX + 16];
    int length = snprintf(words, sizeof words, "%d %s\n", (int)getpid(), other);
    return (size_t)length < sizeof words && pwrite(fd, words, (size_t)length, 0) == length &&
           ftruncate(fd, length) == 0;
}

void owner_init(struct owner *owner)
{
    for (unsigned i = 0; i < OWNER_LOCKS; i++)
        owner->fds[i] = -1;
}

enum error owner_claim(struct owner *owner, const char *runtime, const char *state, bool has_log)
{
    const char *const directories[OWNER_LOCKS + 1] = {runtime, state, runtime};
    for (unsigned i = 0; i < OWNER_LOCKS; i++) {
        char path[PATH_MAX];
        int length = snprintf(path, sizeof path, "%s/%s", directories[i], rows[i].file);
        int fd = (size_t)length < sizeof path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
        if (fd < 0)
            return ERROR_FILE_UNWRITABLE;
        if (!lock(fd)) {
            say_owner(fd, directories[i], rows[i].other, has_log);
            close(fd);
            return ERROR_ENVIRONMENT_BUSY;
        }
        owner->fds[i] = fd;
        if (!write_words(fd, directories[i + 1]))
            return ERROR_FILE_UNWRITABLE;
    }
    return ERROR_OK;
}

void owner_note_end(const struct owner *owner)
{
    for (unsigned i = 0; i < OWNER_LOCKS; i++)
        if (owner->fds[i] >= 0 && lseek(owner->fds[i], 0, SEEK_END) > 0)
            (void)!write(owner->fds[i], TOLLGATE_OWNER_ENDS, strlen(TOLLGATE_OWNER_ENDS));
}

/* A file that somebody left, as who found the state taken does, is nobody's. Whom we may not ask has it. */
static bool is_locked(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool is_so = fd < 0 || fcntl(fd, F_OFD_GETLK, &whole) != 0 || whole.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return is_so;
}

bool owner_is_another(const struct owner *owner, const char *runtime)
{
    char path[PATH_MAX];
    struct stat own, there;
    return snprintf(path, sizeof path, "%s/%s", runtime, rows[0].file) < (int)sizeof path && owner->fds[0] >= 0 &&
           fstat(owner->fds[0], &own) == 0 && lstat(path, &there) == 0 &&
           (own.st_dev != there.st_dev || own.st_ino != there.st_ino) && is_locked(path);
}

void owner_release(struct owner *owner)
{
    for (unsigned i = OWNER_LOCKS; i-- > 0;)
        if (owner->fds[i] >= 0)
            close(owner->fds[i]);
    owner_init(owner);
}
