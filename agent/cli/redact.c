/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/redact.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

enum { SECRET_BYTES_MIN = 6, SECRET_BYTES_MAX = 8192, NAMES_MAX = 20000 };

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

/* Without its quotes; NULL: no UTF-8, which no JSON holds. */
static const char *redact_json(const char *value)
{
    json_t *string = json_string(value);
    char *json = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
    const char *text = json ? text_format("%.*s", (int)strlen(json) - 2, json + 1) : NULL;
    json_decref(string);
    free(json);
    return text;
}

void redact_learn_secret(struct redact *redact, const char *value)
{
    if (!value || strlen(value) < SECRET_BYTES_MIN || strlen(value) > SECRET_BYTES_MAX)
        return;
    const char *url = api_encode(value), *base64 = redact_base64(value), *json = redact_json(value);
    text_append(&redact->secrets, text_format("%s", value));
    if (strcmp(url, value) != 0)
        text_append(&redact->secrets, url);
    if (strlen(base64) >= SECRET_BYTES_MIN)
        text_append(&redact->secrets, base64);
    if (json && strcmp(json, value) != 0)
        text_append(&redact->secrets, json);
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
        struct stat facts;
        int fd = openat(dirfd(entries), entry->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        bool is_file = fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
        ssize_t got = is_file ? read(fd, value, SECRET_BYTES_MAX) : -1;
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
    if (!name || !name[0] || strcmp(name, "/") == 0 || redact->names.count >= NAMES_MAX)
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

/* "\nqa" of a string in JSON is the word qa behind an end of line. */
static bool redact_is_escape(const char *text, const char *at)
{
    size_t backslashes = 0;
    while (at - backslashes > text && at[-1 - (ptrdiff_t)backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 1 && strchr("bfnrt", *at);
}

static bool redact_begins(const char *text, const char *at)
{
    return at == text ||
           (isalnum((unsigned char)at[-1]) ? redact_is_escape(text, at - 1) : !redact_is_escape(text, at));
}

/* "group 7", "group": "7", group="7", consumer_groups[0].name: 7: not each 7 is the group. */
static bool redact_is_told(const char *text, const char *at)
{
    static const char *const words[] = {"group", "wallet", "project", "name", ".id", "wallet_team_id"};
    const char *end = at;
    while (end > text && strchr(" :=\"", end[-1]))
        end--;
    for (size_t i = 0; end < at && i < sizeof words / sizeof *words; i++) {
        const size_t length = strlen(words[i]);
        if ((size_t)(end - text) >= length && memcmp(end - length, words[i], length) == 0)
            return true;
    }
    return false;
}

/* What is a word of JSON, or a number, as well. */
static bool redact_is_common(const char *name)
{
    return strspn(name, "0123456789.+-") == strlen(name) || strcmp(name, "true") == 0 || strcmp(name, "false") == 0 ||
           strcmp(name, "null") == 0;
}

/* A name is replaced as a whole word: a group "dev" is not the start of "device". */
static bool redact_is_name(const char *text, const char *at, const char *name)
{
    return redact_begins(text, at) && !isalnum((unsigned char)at[strlen(name)]) &&
           (!redact_is_common(name) || redact_is_told(text, at));
}

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
        if (is_name && !redact_is_name(text, at, what))
            continue;
        memcpy(to, from, (size_t)(at - from));
        to = stpcpy(to + (at - from), with);
        from = at + length;
    }
    memcpy(to, from, strlen(from) + 1);
    return result;
}

/* With another byte in the place of control characters: logs have a blank there, terminals and metrics this one. */
static const char *redact_blank(const char *name, char blank)
{
    char *text = text_format("%s", name);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = blank;
    return text;
}

/* Each as it is, and as JSON and metrics write it. */
static char *redact_name(char *text, const char *name, const char *with)
{
    const char *const plain[] = {name, redact_blank(name, ' '), redact_blank(name, '?')};
    for (size_t i = 0; i < sizeof plain / sizeof *plain && (i == 0 || strcmp(plain[i], name) != 0); i++) {
        const char *json = redact_json(plain[i]);
        if (json && strcmp(json, plain[i]) != 0)
            text = redact_replace(text, json, with, true);
        text = redact_replace(text, plain[i], with, true);
    }
    return text;
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

/* https://user:password@host/account: of an address the host stays, as of those among the settings. */
static char *redact_addresses(const char *text)
{
    char *result = text_allocate(2 * strlen(text) + 1), *to = result; /* a path of one byte becomes three */
    for (const char *at; (at = strstr(text, "://")); text = at) {
        at += 3;
        size_t length = strcspn(at, "/?#\"'\\ \t\r\n<>"), path = strcspn(at + length, "\"'\\ \t\r\n<>");
        const char *host = memrchr(at, '@', length);
        to = mempcpy(to, text, (size_t)(at - text));
        to = host ? stpcpy(to, "***") : to;
        host = host ? host : at;
        to = mempcpy(to, host, (size_t)(at + length - host));
        to = path > 1 ? stpcpy(to, "/***") : mempcpy(to, at + length, path);
        at += length + path;
    }
    memcpy(to, text, strlen(text) + 1);
    return result;
}

/* A finding about the policy quotes a line, with its comment, above a caret: neither is kept. */
static void redact_quotes(char *text)
{
    char *to = text;
    for (const char *line = text, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        next += *next == '\n';
        const char *caret = next + strspn(next, " \t");
        if (caret[0] == '^' && strchr("\n", caret[1])) {
            next = caret + 1 + (caret[1] == '\n');
            continue;
        }
        memmove(to, line, (size_t)(next - line));
        to += next - line;
    }
    *to = '\0';
}

char *redact_text(struct redact *redact, const char *text)
{
    char *result = text_format("%s", text);
    redact_quotes(result);
    redact_sort(&redact->secrets);
    for (size_t i = 0; i < redact->secrets.count; i++)
        result = redact_replace(result, redact->secrets.items[i], "***", false);
    redact_keys(result);
    result = redact_addresses(result);
    redact_sort(&redact->names);
    for (size_t i = 0; i < redact->names.count; i++)
        result = redact_name(result, redact->names.items[i], text_format("name-%zu", i + 1));
    return result;
}
