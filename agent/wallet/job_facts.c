/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The jobs as other threads see them: found by provider and key, listed by deadline. They are the ledger thread's own
 * rows, not copies: nothing of a job changes but that it ends, and it is freed when it is no longer seen. Only what is
 * committed is here. The list is kept sorted, so that who holds the lock copies what was asked for and sorts nothing.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/grow.h"

#include <stdio.h>
#include <stdlib.h>

static int order(const struct job *a, const struct job *b)
{
    if (a->deadline_s != b->deadline_s)
        return a->deadline_s < b->deadline_s ? -1 : 1;
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static int order_pointers(const void *a, const void *b)
{
    return order(*(struct job *const *)a, *(struct job *const *)b);
}

/* Where it is, or would be. */
static uint32_t place_of(const struct wallet_ledger *ledger, uint32_t count, const struct job *job)
{
    uint32_t first = 0, last = count;
    while (first < last) {
        uint32_t middle = first + (last - first) / 2;
        if (order(ledger->jobs_by_deadline[middle], job) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    return first;
}

static uint32_t count_of(const struct wallet_ledger *ledger)
{
    return HASH_CNT(published, ledger->published_jobs);
}

static void add(struct wallet_ledger *ledger, struct job *job, bool is_sorted)
{
    const uint32_t count = count_of(ledger), place = is_sorted ? place_of(ledger, count, job) : count;
    ledger->jobs_by_deadline =
        grow_array(ledger->jobs_by_deadline, &ledger->jobs_by_deadline_capacity, count, sizeof(struct job *));
    struct job **slot = ledger->jobs_by_deadline + place;
    memmove(slot + 1, slot, (count - place) * sizeof *slot);
    *slot = job;
    HASH_ADD_KEYPTR(published, ledger->published_jobs, job->text, strlen(job->text), job);
    job->is_written = true;
}

static void remove_job(struct wallet_ledger *ledger, struct job *job)
{
    const uint32_t count = count_of(ledger), place = place_of(ledger, count, job);
    check(place < count && ledger->jobs_by_deadline[place] == job);
    struct job **slot = ledger->jobs_by_deadline + place;
    memmove(slot, slot + 1, (count - place - 1) * sizeof *slot);
    HASH_DELETE(published, ledger->published_jobs, job);
}

void jobs_publish(struct wallet_ledger *ledger)
{
    struct job *next;
    /* Ends first: a key may have ended and begun again in one batch. */
    for (struct job *job = ledger->changed_jobs; job; job = job->next_changed)
        if (job->is_ended && job->is_written)
            remove_job(ledger, job);
    for (struct job *job = ledger->changed_jobs; job; job = next) {
        next = job->next_changed;
        job->is_changed = false;
        if (job->is_ended)
            free(job);
        else
            add(ledger, job, true);
    }
    ledger->changed_jobs = NULL;
}

void jobs_publish_all(struct wallet_ledger *ledger)
{
    for (struct job *job = ledger->jobs; job; job = job->hh.next)
        add(ledger, job, false);
    if (ledger->jobs_by_deadline)
        qsort(ledger->jobs_by_deadline, count_of(ledger), sizeof(struct job *), order_pointers);
}

void jobs_unpublish(struct wallet_ledger *ledger)
{
    HASH_CLEAR(published, ledger->published_jobs);
    free(ledger->jobs_by_deadline);
    ledger->jobs_by_deadline = NULL;
}

/* ---- for everybody ---- */

static struct wallet_job describe(const struct wallet_ledger *ledger, const struct job *job)
{
    struct wallet_job facts = {.deadline_s = job->deadline_s, .hold = job->hold, .held = {job->held}};
    const char *key = strchr(job->text, '/') + 1;
    snprintf(facts.provider, sizeof facts.provider, "%.*s", (int)(key - 1 - job->text), job->text);
    snprintf(facts.key, sizeof facts.key, "%s", key);
    snprintf(facts.note, sizeof facts.note, "%s", key + strlen(key) + 1);
    memcpy(facts.wallet, ledger->published[job->wallet]->name, sizeof facts.wallet);
    return facts;
}

enum error wallet_find_job(struct wallet_ledger *ledger, const char *provider, const char *key,
                           struct wallet_job *ret_job)
{
    char label[32 + WALLET_JOB_KEY_MAX];
    const struct job *job = NULL;
    int length = snprintf(label, sizeof label, "%s/%s", provider, key);
    if (length < 0 || (size_t)length >= sizeof label)
        return ERROR_NOT_FOUND;
    pthread_mutex_lock(&ledger->publish_lock);
    HASH_FIND(published, ledger->published_jobs, label, (size_t)length, job);
    if (job)
        *ret_job = describe(ledger, job);
    pthread_mutex_unlock(&ledger->publish_lock);
    return job ? ERROR_OK : ERROR_NOT_FOUND;
}

size_t wallet_list_jobs(struct wallet_ledger *ledger, struct wallet_job *jobs, size_t max)
{
    pthread_mutex_lock(&ledger->publish_lock);
    const size_t count = count_of(ledger);
    for (size_t i = 0; i < count && i < max; i++)
        jobs[i] = describe(ledger, ledger->jobs_by_deadline[i]);
    pthread_mutex_unlock(&ledger->publish_lock);
    return count;
}
