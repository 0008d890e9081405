/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers' keys and the one that signs alerts: read from where secret_key_ref says, and stored there by `tollgate
 * secret set`. A missing key makes its target unavailable; a key that others can read, or that cannot be one, is an
 * error. No message ever holds a byte of it.
 */
#include "config/loader.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* One secret_key_ref: where it points, and where the secret and what is wrong with it go. */
struct reference {
    const char *environment, *file, *store;
    struct secret **secret;
    const char **problem;
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

static struct finding keep_secret(const struct reference *reference, struct slice bytes)
{
    struct finding finding = check_secret(bytes);
    if (!finding.problem)
        *reference->secret = secret_new(bytes);
    return finding;
}

static struct finding read_file(struct loader *loader, const struct reference *reference, const char *file)
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
        finding = keep_secret(reference, (struct slice){bytes, length});
    explicit_bzero(bytes, sizeof bytes);
    return finding;
}

static struct finding read_environment(struct loader *loader, const struct reference *reference, const char *variable)
{
    const char *value = getenv(variable);
    /* Whoever writes the key in the name's place must not read it in a log. */
    const bool is_name = variable[strspn(variable, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == 0;
    if (!value)
        return (struct finding){arena_printf(loader->scratch, "%s is not set",
                                             is_name ? variable : "a variable whose name is not all capitals"),
                                SECRET_MISSING};
    return keep_secret(reference, slice_of(value));
}

/* A file name without any way out of the directory. */
static bool is_store_name(struct slice name)
{
    bool ok = name.length >= 1 && name.length <= STORE_NAME_MAX && name.data[0] != '.';
    for (size_t i = 0; i < name.length; i++)
        ok &= isalnum((unsigned char)name.data[i]) || (name.data[i] && strchr("_.-", name.data[i]));
    return ok;
}

static struct finding read_store(struct loader *loader, const struct reference *reference, const char *name)
{
    const char *directory = loader->sources->secret_directory;
    if (!directory)
        return (struct finding){"there is no secret store here", SECRET_MISSING};
    if (!is_store_name(slice_of(name)))
        return (struct finding){"no valid name of a stored secret", SECRET_REFUSED};
    struct finding finding = read_file(loader, reference, arena_printf(loader->scratch, "%s/%s", directory, name));
    if (finding.problem && finding.verdict == SECRET_NO_FILE)
        finding.problem = arena_printf(loader->scratch, "nothing is stored as %s: tollgate secret set %s", name, name);
    return finding;
}

static struct finding find_secret(struct loader *loader, const struct reference *reference)
{
    if (reference->environment)
        return read_environment(loader, reference, reference->environment);
    return reference->file ? read_file(loader, reference, reference->file)
                           : read_store(loader, reference, reference->store);
}

/* node: what holds the secret_key_ref. */
static bool has_one_place(struct loader *loader, const struct reference *reference, const struct node *node)
{
    const struct node *written = node_member(node, "secret_key_ref");
    int places = (reference->environment != NULL) + (reference->file != NULL) + (reference->store != NULL);
    if (places != 1 && written && written->kind == NODE_MAPPING && (places > 1 || written->count == 0))
        report(loader, SEVERITY_ERROR, written, "secret_key_ref: {env: NAME}",
               "\"secret_key_ref\" needs exactly one of env, file and store");
    return places == 1;
}

static void load_secret(struct loader *loader, const struct reference *reference, const struct node *node,
                        const char *owner)
{
    if (!has_one_place(loader, reference, node))
        return;
    struct finding finding = find_secret(loader, reference);
    if (!finding.problem)
        return;
    const struct node *written = node_member(node, "secret_key_ref");
    bool is_error = finding.verdict == SECRET_REFUSED;
    *reference->problem = arena_strdup(loader->arena, finding.problem);
    report(loader, is_error ? SEVERITY_ERROR : SEVERITY_WARNING, written ? written : node, NULL, "%s%s: %s", owner,
           is_error ? "" : " is unavailable", finding.problem);
}

/* None written: the variable that the provider's own libraries use. */
static void load_target_secret(struct loader *loader, struct target *target, const struct node *node)
{
    if (!node_member(node, "secret_key_ref") && target->provider) {
        if (target->provider->key_environment_count)
            target->secret_environment = target->provider->key_environment[0];
        else
            report(loader, SEVERITY_ERROR, node, "secret_key_ref: {env: NAME}", "target lacks \"secret_key_ref\"");
    }
    const struct reference reference = {target->secret_environment, target->secret_file, target->secret_store,
                                        &target->secret, &target->secret_problem};
    load_secret(loader, &reference, node,
                arena_printf(loader->scratch, "target \"%s\"", target->id ? target->id : "?"));
}

static void load_webhook_secret(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *webhook = node_member(node_member(root, "alerts"), "webhook");
    const struct reference reference = {settings->alerts.webhook_secret_environment,
                                        settings->alerts.webhook_secret_file, settings->alerts.webhook_secret_store,
                                        &settings->alerts.webhook_secret, &settings->alerts.webhook_secret_problem};
    if (node_member(webhook, "secret_key_ref"))
        load_secret(loader, &reference, webhook, "the webhook's key");
}

static void load_metrics_secret(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *metrics = node_member(node_member(root, "evidence"), "metrics");
    const struct reference reference = {settings->metrics.secret_environment, settings->metrics.secret_file,
                                        settings->metrics.secret_store, &settings->metrics.secret,
                                        &settings->metrics.secret_problem};
    if (node_member(metrics, "secret_key_ref"))
        load_secret(loader, &reference, metrics, "the token of metrics");
    else if (settings->metrics.enabled)
        report(loader, SEVERITY_ERROR, metrics, "secret_key_ref: {file: metrics.token}",
               "\"metrics\" lacks \"secret_key_ref\": without a token every user of this machine could read them");
}

void load_secrets(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct node *list = node_member(node_member(root, "providers"), "targets");
    const struct node *node =
        list && list->kind == NODE_SEQUENCE && list->count == settings->target_count ? list->first : NULL;
    for (size_t i = 0; node && i < settings->target_count; i++, node = node->next)
        if (node->kind == NODE_MAPPING)
            load_target_secret(loader, &settings->targets[i], node);
    load_webhook_secret(loader, root);
    load_metrics_secret(loader, root);
}

enum error config_store_secret(const char *directory, const char *name, struct slice value)
{
    if (!is_store_name(slice_of(name)) || check_secret(value).problem)
        return ERROR_REQUEST_INVALID;
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return ERROR_FILE_UNWRITABLE;
    char file[PATH_MAX];
    if (snprintf(file, sizeof file, "%s/%s", directory, name) >= (int)sizeof file)
        return ERROR_FILE_UNWRITABLE;
    return file_replace(file, value);
}
