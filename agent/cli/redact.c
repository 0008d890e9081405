/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/redact.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { SECRET_BYTES_MIN = 6, SECRET_BYTES_MAX = 8192, NAME_BYTES_MIN = 3, NAMES_MAX = 20000 };

/* ---- what is secret ---- */

static const char *redact_base64(const char *value)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(value), used = 0;
    char *text = text_allocate(length / 3 * 4 + 5);
    for (size_t i = 0; i + 2 < length; i += 3) { /* what the padding would change is left out */
        unsigned three = (unsigned)(unsigned char)value[i] << 16 | (unsigned)(unsigned char)value[i + 1] << 8 |
                         (unsigned char)value[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6)
            text[used++] = digits[three >> shift & 63];
    }
    return text;
}

void redact_learn_secret(struct redact *redact, const char *value)
{
    if (!value || strlen(value) < SECRET_BYTES_MIN || strlen(value) > SECRET_BYTES_MAX)
        return;
    const char *url = api_encode(value), *base64 = redact_base64(value);
    json_t *string = json_string(value); /* NULL: not UTF-8 */
    char *json = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    json_decref(string);
    text_append(&redact->secrets, text_format("%s", value));
    if (strcmp(url, value) != 0)
        text_append(&redact->secrets, url);
    if (strlen(base64) >= SECRET_BYTES_MIN)
        text_append(&redact->secrets, base64);
    if (json && strncmp(json + 1, value, strlen(value)) != 0)
        text_append(&redact->secrets, text_format("%.*s", (int)strlen(json) - 2, json + 1));
    free(json);
}

static bool redact_is_secret_variable(const char *name)
{
    static const char *const words[] = {"KEY",    "TOKEN",      "SECRET", "PASSWORD",
                                        "PASSWD", "CREDENTIAL", "COOKIE", "WEBHOOK"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

void redact_learn_environment(struct redact *redact)
{
    for (char **entry = environ; *entry; entry++) {
        const char *value = strchr(*entry, '=');
        if (value && redact_is_secret_variable(text_format("%.*s", (int)(value - *entry), *entry)))
            redact_learn_secret(redact, value + 1);
    }
}

void redact_learn_store(struct redact *redact, const char *state)
{
    DIR *entries = opendir(text_format("%s/secrets", state));
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        char *value = text_allocate(SECRET_BYTES_MAX + 1);
        int fd = openat(dirfd(entries), entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        ssize_t got = fd >= 0 ? read(fd, value, SECRET_BYTES_MAX) : -1;
        if (fd >= 0)
            close(fd);
        value[got > 0 ? got : 0] = '\0';
        value[strcspn(value, "\r\n")] = '\0';
        redact_learn_secret(redact, value);
    }
    if (entries)
        closedir(entries);
}

/* ---- private names ---- */

void redact_learn_name(struct redact *redact, const char *name)
{
    if (!name || strlen(name) < NAME_BYTES_MIN || redact->names.count >= NAMES_MAX)
        return;
    for (size_t i = 0; i < redact->names.count; i++)
        if (strcmp(redact->names.items[i], name) == 0)
            return;
    text_append(&redact->names, text_format("%s", name));
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as jansson reads */
void redact_learn_names(struct redact *redact, const json_t *document)
{
    static const char *const members[] = {"group",  "wallet", "project", "executable", "directory",
                                          "policy", "state",  "runtime", "requested"};
    const char *key;
    json_t *value;
    for (size_t i = 0; i < json_array_size(document); i++)
        redact_learn_names(redact, json_array_get(document, i));
    if (!json_is_object(document))
        return;
    json_object_foreach((json_t *)(uintptr_t)document, key, value)
    {
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            if (strcmp(key, members[i]) == 0)
                redact_learn_name(redact, json_string_value(value));
        redact_learn_names(redact, value);
    }
}

/* ---- the texts ---- */

static int redact_compare(const void *a, const void *b)
{
    size_t left = strlen(*(const char *const *)a), right = strlen(*(const char *const *)b);
    return (left < right) - (left > right);
}

static void redact_sort(struct text_list *list)
{
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, redact_compare);
}

/* Of whole words only where `is_name`: a group "dev" is not the start of "device". */
static char *redact_replace(char *text, const char *what, const char *with, bool is_name)
{
    size_t length = strlen(what), count = 0;
    for (const char *at = text; (at = strstr(at, what)); at += length)
        count++;
    if (count == 0)
        return text;
    char *result = text_allocate(strlen(text) + count * strlen(with) + 1), *to = result;
    const char *from = text;
    for (const char *at = text; (at = strstr(at, what)); at += length) {
        bool begins = at == text || !isalnum((unsigned char)at[-1]);
        if (is_name && (!begins || isalnum((unsigned char)at[length])))
            continue;
        memcpy(to, from, (size_t)(at - from));
        to = stpcpy(to + (at - from), with);
        from = at + length;
    }
    memcpy(to, from, strlen(from) + 1);
    return result;
}

/* Everything of a key that begins so. */
static void redact_keys(char *text)
{
    static const char *const starts[] = {TOLLGATE_KEY_PREFIX, "sk-", "Bearer ", "bearer ", "AIza", "xai-", "gsk_"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        for (char *at = text; (at = strstr(at, starts[i]));) {
            bool begins = at == text || !isalnum((unsigned char)at[-1]);
            at += strlen(starts[i]);
            for (char *rest = at; begins && (isalnum((unsigned char)*rest) || (*rest && strchr("._~+/-=", *rest)));
                 rest++)
                *rest = '*';
        }
}

/* https://user:password@host */
static void redact_addresses(char *text)
{
    for (char *at = text; (at = strstr(at, "://"));) {
        at += 3;
        size_t length = strcspn(at, "/?#\"' \t\r\n<>");
        const char *end = memrchr(at, '@', length);
        for (char *byte = at; end && byte < end; byte++)
            *byte = '*';
    }
}

char *redact_text(struct redact *redact, const char *text)
{
    char *result = text_format("%s", text);
    redact_sort(&redact->secrets);
    for (size_t i = 0; i < redact->secrets.count; i++)
        result = redact_replace(result, redact->secrets.items[i], "***", false);
    redact_keys(result);
    redact_addresses(result);
    redact_sort(&redact->names);
    for (size_t i = 0; i < redact->names.count; i++)
        result = redact_replace(result, redact->names.items[i], text_format("name-%zu", i + 1), true);
    return result;
}
