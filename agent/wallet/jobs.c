/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs in memory, by provider and key, and the holds that they keep open. A live ledger has one set, a verification
 * builds its own. No money, no disk, no clock here.
 */
#include "wallet/internal.h"

#include "base/check.h"

#include <stdlib.h>

enum { LABEL_MAX = 32 + WALLET_JOB_KEY_MAX };

static size_t label_of(const char *provider, const char *key, char label[LABEL_MAX])
{
    const size_t provider_bytes = strnlen(provider, 31), key_bytes = strnlen(key, WALLET_JOB_KEY_MAX - 1);
    memcpy(label, provider, provider_bytes);
    label[provider_bytes] = '/';
    memcpy(label + provider_bytes + 1, key, key_bytes);
    label[provider_bytes + 1 + key_bytes] = '\0';
    return provider_bytes + 1 + key_bytes;
}

struct job *jobs_find(struct job *jobs, const char *provider, const char *key)
{
    char label[LABEL_MAX];
    struct job *job;
    const size_t length = label_of(provider, key, label);
    HASH_FIND(hh, jobs, label, length, job);
    return job;
}

struct job *jobs_add(struct job **jobs, struct hold *hold, const struct transfer *defer, const struct wallet_job *job)
{
    char label[LABEL_MAX];
    const size_t label_bytes = label_of(job->provider, job->key, label);
    const size_t note_bytes = strnlen(job->note, WALLET_JOB_NOTE_MAX - 1);
    if (jobs_find(*jobs, job->provider, job->key))
        return NULL;
    struct job *added = calloc(1, sizeof *added + label_bytes + 1 + note_bytes + 1);
    check(added != NULL);
    added->sequence = defer->sequence;
    added->made_ns = defer->time_ns;
    added->hold = hold->id;
    added->wallet = hold->wallet;
    added->held = hold->amount;
    added->deadline_s = job->deadline_s;
    memcpy(added->text, label, label_bytes);
    memcpy(added->text + label_bytes + 1, job->note, note_bytes);
    HASH_ADD_KEYPTR(hh, *jobs, added->text, label_bytes, added);
    hold->job = added;
    return added;
}

void jobs_remove(struct job **jobs, struct job *job)
{
    HASH_DEL(*jobs, job); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
}

void jobs_free(struct job **jobs)
{
    while (*jobs) {
        struct job *job = *jobs;
        jobs_remove(jobs, job); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        free(job);
    }
}

void jobs_move_hold(struct hold **holds, struct hold **deferred, struct hold *hold)
{
    HASH_DEL(*holds, hold); /* NOLINT(clang-analyzer-unix.Malloc): it is not freed */
    HASH_ADD(hh, *deferred, id, sizeof hold->id, hold);
}
