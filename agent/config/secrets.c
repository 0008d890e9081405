/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers' keys: read from where secret_key_ref says, and stored there by `tollgate secret set`. A missing key makes
 * a target unavailable; a key that others can read, or that cannot be one, is an error. No message ever holds a byte of
 * it.
 */
#include "config/loader.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_BYTES_MAX = 8192, STORE_NAME_MAX = 64 };

enum verdict { SECRET_REFUSED /* an error */, SECRET_MISSING /* a warning */, SECRET_NO_FILE /* a warning */ };

struct finding {
    const char *problem; /* NULL: found */
    enum verdict verdict;
};

/* Permissions first: what others can read is not to be trusted, nor used. */
static struct finding read_private(int fd, char bytes[SECRET_BYTES_MAX + 1], size_t *ret_length)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return (struct finding){"the secret file is no regular file", SECRET_REFUSED};
    if (status.st_mode & 077)
        return (struct finding){"the secret file can be read by others: chmod 600", SECRET_REFUSED};
    if (status.st_uid != geteuid() && status.st_uid != 0)
        return (struct finding){"the secret file belongs to another user", SECRET_REFUSED};
    size_t length = 0;
    while (length <= SECRET_BYTES_MAX) {
        ssize_t got = read(fd, bytes + length, SECRET_BYTES_MAX + 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return (struct finding){"the secret file could not be read", SECRET_REFUSED};
        if (got == 0)
            break;
        length += (size_t)got;
    }
    if (length > SECRET_BYTES_MAX)
        return (struct finding){"the secret file is larger than 8 KiB", SECRET_REFUSED};
    if (length && bytes[length - 1] == '\n')
        length--;
    *ret_length = length;
    return (struct finding){0};
}

/* It goes into a header: RFC 9110 section 5.5 field content without obs-text. */
static struct finding check_secret(struct slice secret)
{
    if (secret.length == 0)
        return (struct finding){"the secret is empty", SECRET_MISSING};
    if (secret.length > SECRET_BYTES_MAX)
        return (struct finding){"the secret is larger than 8 KiB", SECRET_REFUSED};
    if (slice_has_prefix(secret, "kt_cg_"))
        return (struct finding){"the secret is a placeholder key (kt_cg_...), not a provider's key", SECRET_REFUSED};
    for (size_t i = 0; i < secret.length; i++)
        if (!isgraph((unsigned char)secret.data[i]))
            return (struct finding){"the secret holds a space or a control character", SECRET_REFUSED};
    return (struct finding){0};
}

static struct finding keep_secret(struct target *target, struct slice bytes)
{
    struct finding finding = check_secret(bytes);
    if (!finding.problem)
        target->secret = secret_new(bytes);
    return finding;
}

static struct finding read_file(struct loader *loader, struct target *target, const char *file)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return (struct finding){arena_printf(loader->scratch, "%s: %s", file, strerror(errno)),
                                errno == ENOENT ? SECRET_NO_FILE : SECRET_REFUSED};
    char bytes[SECRET_BYTES_MAX + 1];
    size_t length = 0;
    struct finding finding = read_private(fd, bytes, &length);
    close(fd);
    if (!finding.problem)
        finding = keep_secret(target, (struct slice){bytes, length});
    explicit_bzero(bytes, sizeof bytes);
    return finding;
}

static struct finding read_environment(struct loader *loader, struct target *target, const char *variable)
{
    const char *value = getenv(variable);
    if (!value)
        return (struct finding){arena_printf(loader->scratch, "%s is not set", variable), SECRET_MISSING};
    return keep_secret(target, slice_of(value));
}

/* A file name without any way out of the directory. */
static bool is_store_name(struct slice name)
{
    bool ok = name.length >= 1 && name.length <= STORE_NAME_MAX && name.data[0] != '.';
    for (size_t i = 0; i < name.length; i++)
        ok &= isalnum((unsigned char)name.data[i]) || (name.data[i] && strchr("_.-", name.data[i]));
    return ok;
}

static struct finding read_store(struct loader *loader, struct target *target, const char *name)
{
    const char *directory = loader->sources->secret_directory;
    if (!directory)
        return (struct finding){"there is no secret store here", SECRET_MISSING};
    if (!is_store_name(slice_of(name)))
        return (struct finding){"no valid name of a stored secret", SECRET_REFUSED};
    struct finding finding = read_file(loader, target, arena_printf(loader->scratch, "%s/%s", directory, name));
    if (finding.problem && finding.verdict == SECRET_NO_FILE)
        finding.problem = arena_printf(loader->scratch, "nothing is stored as %s: tollgate secret set %s", name, name);
    return finding;
}

static struct finding find_secret(struct loader *loader, struct target *target)
{
    if (target->secret_environment)
        return read_environment(loader, target, target->secret_environment);
    return target->secret_file ? read_file(loader, target, target->secret_file)
                               : read_store(loader, target, target->secret_store);
}

/* Exactly one place; none written: the variable that the provider's own libraries use. */
static bool has_one_place(struct loader *loader, struct target *target, const struct node *node)
{
    const struct node *reference = node_member(node, "secret_key_ref");
    const char *const written[] = {target->secret_environment, target->secret_file, target->secret_store};
    unsigned places = 0;
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        places += written[i] != NULL;
    if (places == 1)
        return true;
    if (!reference && target->provider && target->provider->key_environment_count) {
        target->secret_environment = target->provider->key_environment[0];
        return true;
    }
    if (!reference && target->provider)
        report(loader, SEVERITY_ERROR, node, "secret_key_ref: {env: NAME}", "target lacks \"secret_key_ref\"");
    if (reference && reference->kind == NODE_MAPPING && (places > 1 || reference->count == 0))
        report(loader, SEVERITY_ERROR, reference, "secret_key_ref: {env: NAME}",
               "\"secret_key_ref\" needs exactly one of env, file and store");
    return false;
}

void load_secrets(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *list = node_member(node_member(root, "providers"), "targets");
    const struct node *node =
        list && list->kind == NODE_SEQUENCE && list->count == settings->target_count ? list->first : NULL;
    for (size_t i = 0; node && i < settings->target_count; i++, node = node->next) {
        struct target *target = &settings->targets[i];
        if (node->kind != NODE_MAPPING || !has_one_place(loader, target, node))
            continue;
        struct finding finding = find_secret(loader, target);
        if (!finding.problem)
            continue;
        const struct node *reference = node_member(node, "secret_key_ref");
        target->secret_problem = arena_strdup(loader->arena, finding.problem);
        bool is_error = finding.verdict == SECRET_REFUSED;
        report(loader, is_error ? SEVERITY_ERROR : SEVERITY_WARNING, reference ? reference : node, NULL,
               "target \"%s\"%s: %s", target->id ? target->id : "?", is_error ? "" : " is unavailable",
               finding.problem);
    }
}

static enum error write_all(int fd, struct slice bytes)
{
    while (bytes.length) {
        ssize_t written = write(fd, bytes.data, bytes.length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return ERROR_FILE_UNWRITABLE;
        bytes = slice_from(bytes, (size_t)written);
    }
    return fsync(fd) == 0 ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

/* By rename, so that a reader sees the old key or the new one. */
static enum error replace_file(int directory_fd, const char *name, struct slice value)
{
    char temporary[STORE_NAME_MAX + 32];
    snprintf(temporary, sizeof temporary, ".%s.%ld", name, (long)getpid());
    unlinkat(directory_fd, temporary, 0);
    int fd = openat(directory_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return ERROR_FILE_UNWRITABLE;
    enum error error = write_all(fd, value);
    close(fd);
    if (!error && renameat(directory_fd, temporary, directory_fd, name) < 0)
        error = ERROR_FILE_UNWRITABLE;
    if (error)
        unlinkat(directory_fd, temporary, 0);
    return error;
}

enum error config_store_secret(const char *directory, const char *name, struct slice value)
{
    if (!is_store_name(slice_of(name)) || check_secret(value).problem)
        return ERROR_REQUEST_INVALID;
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return ERROR_FILE_UNWRITABLE;
    int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return ERROR_FILE_UNWRITABLE;
    enum error error = replace_file(directory_fd, name, value);
    close(directory_fd);
    return error;
}
