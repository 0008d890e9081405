/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The governed names, each with its loopback address (kept in STATE/addresses, so that a program's cached answer stays
 * right across restarts), and their certificates. Part of startup.h.
 */
#include "startup.h"

#include "base/check.h"
#include "harden.h"
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES_MAX = 20000, NETWORK_MASK_BITS = 16 };

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All governed names, sorted, each once; strings belong to the settings. */
static const char **collect_names(const struct settings *settings, size_t *ret_count)
{
    size_t count = 0, room = settings->capture.host_count;
    for (size_t i = 0; i < settings->provider_count; i++)
        room += settings->providers[i].host_count;
    const char **names = calloc(room + 1, sizeof *names);
    check(names != NULL);
    for (size_t i = 0; i < settings->capture.host_count; i++)
        names[count++] = settings->capture.hosts[i];
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].host_count; j++)
            names[count++] = settings->providers[i].hosts[j];
    qsort(names, count, sizeof *names, compare_names);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(names[kept - 1], names[i]))
            names[kept++] = names[i];
    *ret_count = kept;
    return names;
}

bool startup_has_same_names(const struct startup_names *names, const struct settings *settings)
{
    size_t count;
    const char **fresh = collect_names(settings, &count);
    bool is_same = count == names->count;
    for (size_t i = 0; is_same && i < count; i++)
        is_same = !strcmp(fresh[i], names->names[i]);
    free(fresh);
    return is_same;
}

/* Reads STATE/addresses ("NAME HOST-PART" lines) into the rows; returns the highest host part seen. */
static uint32_t read_addresses(const char *path, struct startup_names *names, uint32_t *host_parts)
{
    uint32_t highest = 0;
    char line[400], name[300];
    unsigned part;
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%299s %u", name, &part) != 2 || part == 0 || part >= 1u << NETWORK_MASK_BITS)
            continue;
        highest = part > highest ? part : highest;
        const char *key = name;
        const char **place = bsearch(&key, names->names, names->count, sizeof *names->names, compare_names);
        if (place)
            host_parts[place - names->names] = part;
    }
    if (file)
        fclose(file);
    return highest;
}

/* New names get the next host parts; the file only grows, so that a name that comes back finds its address. */
static enum error append_addresses(const char *path, struct startup_names *names, uint32_t *host_parts,
                                   uint32_t highest)
{
    FILE *file = NULL;
    for (size_t i = 0; i < names->count; i++) {
        if (host_parts[i])
            continue;
        do
            highest++;
        while ((highest & 0xff) == 0 || (highest & 0xff) == 0xff);
        if (highest >= 1u << NETWORK_MASK_BITS)
            break;
        host_parts[i] = highest;
        if (!file && !(file = fopen(path, "ae")))
            return ERROR_FILE_UNWRITABLE;
        fprintf(file, "%s %u\n", names->names[i], (unsigned)highest);
    }
    bool is_written = !file || (fflush(file) == 0 && fsync(fileno(file)) == 0);
    if (file)
        is_written = fclose(file) == 0 && is_written;
    return is_written && highest < 1u << NETWORK_MASK_BITS ? ERROR_OK : ERROR_FILE_UNWRITABLE;
}

static int compare_addresses(const void *a, const void *b)
{
    const struct listener_name *left = a, *right = b;
    return (left->address > right->address) - (left->address < right->address);
}

/* Copies the names: they must outlive the settings snapshot they came from. */
static void own_names(struct startup_names *names)
{
    size_t bytes = 1;
    for (size_t i = 0; i < names->count; i++)
        bytes += strlen(names->names[i]) + 1;
    char *place = names->text = calloc(1, bytes);
    check(place != NULL);
    for (size_t i = 0; i < names->count; i++) {
        size_t size = strlen(names->names[i]) + 1;
        names->names[i] = memcpy(place, names->names[i], size);
        place += size;
    }
}

static enum error assign_addresses(const struct agent_options *options, const struct settings *settings,
                                   struct startup_names *names)
{
    char path[600];
    snprintf(path, sizeof path, "%s/addresses", options->state);
    uint32_t *host_parts = calloc(names->count + 1, sizeof *host_parts);
    names->rows = calloc(names->count + 1, sizeof *names->rows);
    check(host_parts != NULL && names->rows != NULL);
    uint32_t highest = read_addresses(path, names, host_parts);
    enum error error = append_addresses(path, names, host_parts, highest);
    for (size_t i = 0; i < names->count; i++) {
        host_parts[i] |= settings->capture.network;
        names->rows[i] = (struct listener_name){host_parts[i], names->names[i]};
    }
    qsort(names->rows, names->count, sizeof *names->rows, compare_addresses);
    names->by_address = (struct listener_names){names->rows, names->count, names->names};
    names->addresses = host_parts;
    return error;
}

/* ---- the signer ---- */

struct signer_work {
    char directory[600];
    const char *const *names;
    size_t name_count;
    bool is_hardened;
};

static void find_authority(const struct agent_options *options, char directory[600])
{
    snprintf(directory, 600, "%s/ca", options->state);
}

static void run_signer(const void *context)
{
    const struct signer_work *work = context;
    (void)!mkdir(work->directory, 0700); /* before its place is all that may be written to */
    if (work->is_hardened)
        harden_helper(work->directory);
    certificates_sign(HELPER_FD, work->directory, work->names, work->name_count);
}

bool startup_open_signer(const struct agent_options *options, const struct settings *settings,
                         struct startup_names *names, struct helper *ret_signer)
{
    names->names = collect_names(settings, &names->count);
    own_names(names);
    struct signer_work work = {
        .names = names->names, .name_count = names->count, .is_hardened = settings->agent.hardening};
    find_authority(options, work.directory);
    return helper_open(ret_signer, "tollgate-signer", run_signer, &work);
}

enum error startup_open_certificates(const struct agent_options *options, const struct settings *settings,
                                     const struct helper *signer, struct startup_names *names,
                                     struct startup_trust *ret_trust)
{
    char directory[600];
    enum error error = names->count > NAMES_MAX ? ERROR_SETTINGS_INVALID : assign_addresses(options, settings, names);
    if (error)
        return error;
    find_authority(options, directory);
    ret_trust->directory = options->runtime;
    ret_trust->mode = settings->environment == ENVIRONMENT_PROD ? 0644 : 0600;
    error = certificates_open(directory, signer->fd, &ret_trust->certificates);
    return error ? error : certificates_publish(ret_trust->certificates, ret_trust->directory, ret_trust->mode);
}

void startup_keep_trust(struct startup_trust *trust)
{
    bool was_spoilt;
    bool is_lost =
        certificates_keep_published(trust->certificates, trust->directory, trust->mode, &was_spoilt) != ERROR_OK;
    bool was_lost = atomic_exchange(&trust->is_lost, is_lost);
    if (was_spoilt && !(is_lost && was_lost))
        log_event(EVENT_TRUST_CHANGED, NULL, "ca.pem, bundle.pem or cacerts.jks in %s: %s", trust->directory,
                  is_lost ? "cannot be written again; calls of programs that start fail" : "written again");
}

void startup_free_names(struct startup_names *names)
{
    free(names->names);
    free(names->rows);
    free(names->addresses);
    free(names->text);
}
