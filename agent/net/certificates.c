/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private CA as a whole: which pairs exist, when one more is needed. The signer loads and adds pairs, with their
 * keys, at its start; the agent loads what the signer can sign with, without keys. Called by main and signer.c.
 */
#include "net/authority.h"

#include "base/check.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* "dev CA alice@host" for …/tollgate/dev/ca: people meet it in certificate lists and must see whose it is. */
static void certificates_set_owner(struct certificates *certificates)
{
    char path[4096], host[256] = "localhost";
    snprintf(path, sizeof path, "%s", certificates->directory);
    for (size_t length = strlen(path); length > 1 && path[length - 1] == '/';)
        path[--length] = 0;
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
    slash = strrchr(path, '/');
    gethostname(host, sizeof host - 1);
    const struct passwd *user = getpwuid(geteuid());
    int length = snprintf(certificates->owner, 41, "%.12s CA %.16s@%s", slash ? slash + 1 : path,
                          user ? user->pw_name : "user", host);
    check(length > 0);
    for (char *c = certificates->owner; *c; c++) {
        if (!isprint((unsigned char)*c))
            *c = '?';
    }
}

static void certificates_add(struct certificates *certificates, struct pair *pair)
{
    struct pair **pairs = realloc(certificates->pairs, (certificates->pair_count + 1) * sizeof(struct pair *));
    check(pairs != NULL);
    unsigned at = certificates->pair_count++;
    for (; at > 0 && pairs[at - 1]->number > pair->number; at--)
        pairs[at] = pairs[at - 1];
    pairs[at] = pair;
    certificates->pairs = pairs;
}

/* "pair-007" → 7; 0 for any other name. */
static unsigned certificates_parse_number(const char *name)
{
    if (strncmp(name, "pair-", 5) != 0 || strlen(name) < 8 || strlen(name) > 14)
        return 0;
    char *end;
    unsigned long number = strtoul(name + 5, &end, 10);
    return *end || !isdigit((unsigned char)name[5]) ? 0 : (unsigned)number;
}

/* What a crash left while a pair was made. */
static void certificates_remove_unfinished(const char *directory, const char *name)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return;
    DIR *stream = opendir(path);
    if (!stream)
        return;
    for (const struct dirent *entry; (entry = readdir(stream));)
        unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
    rmdir(path);
}

static enum error certificates_load(struct certificates *certificates)
{
    DIR *stream = opendir(certificates->directory);
    if (!stream)
        return ERROR_FILE_UNREADABLE;
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (strncmp(entry->d_name, "new-", 4) == 0)
            certificates_remove_unfinished(certificates->directory, entry->d_name);
        unsigned number = certificates_parse_number(entry->d_name);
        if (number == 0)
            continue;
        if (number > certificates->number_last)
            certificates->number_last = number;
        struct pair *pair;
        if (certificates->pair_count < SIGNER_PAIRS_MAX &&
            pair_load(certificates->directory, number, true, &pair) == ERROR_OK)
            certificates_add(certificates, pair);
        else
            certificates->damaged_count++; /* never reused, never deleted: somebody may want to look */
    }
    closedir(stream);
    return ERROR_OK;
}

/* True when some pair will still sign the name for a while. */
static bool certificates_cover(const struct certificates *certificates, const char *name, int64_t now_s)
{
    for (unsigned i = certificates->pair_count; i > 0; i--) {
        const struct pair *pair = certificates->pairs[i - 1];
        if (pair_is_living(pair, now_s) && pair->not_after_s - now_s >= 86400 * PAIR_RENEWAL_DAYS &&
            pair_permits(pair, name))
            return true;
    }
    return false;
}

static bool certificates_is_name(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > 253 || name[0] == '.' || name[length - 1] == '.')
        return false;
    for (; *name; name++) {
        if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) && !strchr("-._", *name))
            return false;
    }
    return true;
}

static enum error certificates_create_pair(struct certificates *certificates, const char *const *names, size_t count)
{
    struct pair *pair;
    enum error error =
        pair_create(certificates->directory, certificates->owner, certificates->number_last + 1, names, count, &pair);
    if (error != ERROR_OK)
        return error;
    certificates->number_last++;
    certificates_add(certificates, pair);
    return ERROR_OK;
}

static enum error certificates_add_names(struct certificates *certificates, const char *const *names, size_t name_count)
{
    enum error error = ERROR_OK;
    int64_t now_s = authority_now_s();
    const char *missing[PAIR_NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < name_count && error == ERROR_OK; i++) {
        if (!certificates_is_name(names[i]))
            error = ERROR_SETTINGS_INVALID;
        else if (!certificates_cover(certificates, names[i], now_s))
            missing[count++] = names[i];
        if (error == ERROR_OK && count == PAIR_NAMES_MAX) {
            error = certificates_create_pair(certificates, missing, count);
            count = 0;
        }
    }
    if (error == ERROR_OK && count > 0)
        error = certificates_create_pair(certificates, missing, count);
    return error;
}

static struct certificates *certificates_new(const char *directory)
{
    struct certificates *certificates = calloc(1, sizeof *certificates);
    check(certificates != NULL);
    certificates->directory = strdup(directory);
    check(certificates->directory != NULL);
    check(pthread_mutex_init(&certificates->lock, NULL) == 0);
    check(pthread_mutex_init(&certificates->publish_lock, NULL) == 0);
    certificates->signer_fd = -1;
    certificates_set_owner(certificates);
    return certificates;
}

enum error certificates_prepare(const char *directory, const char *const *names, size_t name_count,
                                struct certificates **ret_certificates)
{
    if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        return ERROR_FILE_UNWRITABLE;
    if (chmod(directory, 0700) != 0)
        return ERROR_FILE_UNWRITABLE;
    struct certificates *certificates = certificates_new(directory);
    enum error error = certificates_load(certificates);
    if (error == ERROR_OK)
        error = certificates_add_names(certificates, names, name_count);
    if (error != ERROR_OK)
        certificates_free(certificates);
    else
        *ret_certificates = certificates;
    return error;
}

static enum error certificates_load_from_signer(struct certificates *certificates)
{
    struct signer_pairs pairs;
    if (!signer_read_pairs(certificates->signer_fd, &pairs))
        return ERROR_SYSTEM;
    enum error error = (enum error)pairs.error;
    certificates->damaged_count = pairs.damaged_count;
    for (unsigned i = 0; error == ERROR_OK && i < pairs.count; i++) {
        struct pair *pair;
        error = pair_load(certificates->directory, pairs.numbers[i], false, &pair);
        if (error == ERROR_OK)
            certificates_add(certificates, pair);
    }
    signer_limit_patience(certificates->signer_fd);
    return error;
}

enum error certificates_open(const char *directory, int signer_fd, struct certificates **ret_certificates)
{
    struct certificates *certificates = certificates_new(directory);
    unsigned char keys[TICKET_KEY_BYTES];
    enum error error = RAND_bytes(keys, sizeof keys) == 1 ? ERROR_OK : ERROR_INTERNAL;
    certificates->ticket_keys = secret_new((struct slice){(const char *)keys, sizeof keys});
    certificates->signer_fd = signer_fd;
    OPENSSL_cleanse(keys, sizeof keys);
    if (error == ERROR_OK)
        error = certificates_load_from_signer(certificates);
    if (error != ERROR_OK)
        certificates_free(certificates);
    else
        *ret_certificates = certificates;
    return error;
}

bool certificates_can_sign(struct certificates *certificates)
{
    pthread_mutex_lock(&certificates->lock);
    bool can_sign = !certificates->is_signer_gone;
    pthread_mutex_unlock(&certificates->lock);
    return can_sign;
}

void certificates_free(struct certificates *certificates)
{
    if (!certificates)
        return;
    contexts_done(certificates);
    for (unsigned i = 0; i < certificates->pair_count; i++)
        pair_free(certificates->pairs[i]);
    free(certificates->pairs);
    secret_free(certificates->ticket_keys);
    pthread_mutex_destroy(&certificates->publish_lock);
    pthread_mutex_destroy(&certificates->lock);
    free(certificates->directory);
    free(certificates);
}

const char *certificates_describe(struct certificates *certificates, struct arena *arena)
{
    const char *text = "";
    pthread_mutex_lock(&certificates->lock);
    for (unsigned i = 0; i < certificates->pair_count; i++) {
        const struct pair *pair = certificates->pairs[i];
        time_t not_after = (time_t)pair->not_after_s;
        struct tm tm;
        char date[16];
        strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&not_after, &tm));
        text = arena_printf(arena, "%s%spair %u: %zu name%s, %s %s", text, i ? "\n" : "", pair->number,
                            pair->name_count, pair->name_count == 1 ? "" : "s",
                            pair_is_living(pair, authority_now_s()) ? "expires" : "expired", date);
    }
    if (certificates->damaged_count)
        text = arena_printf(arena, "%s%s%u damaged pair%s ignored", text, *text ? "\n" : "",
                            certificates->damaged_count, certificates->damaged_count == 1 ? "" : "s");
    pthread_mutex_unlock(&certificates->lock);
    return text;
}
