/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: a background response or a batch goes on at the provider after its answer. Its hold becomes the job's
 * (ledger.md, job accounts), and is settled by the answer of a later call that asks after the job and finds it ended;
 * past its deadline the ledger takes it whole. Called by authorize's neighbours: route, reserve, settle.
 */
#include "flow/exchange.h"

#include "base/clock.h"

#include <pthread.h>

/* ---- which job a call asks after ---- */

/* "/v1/responses/resp_1/cancel": the segment behind the mark. */
static const char *find_id(struct exchange *exchange)
{
    static const char *const marks[] = {"/responses/", "/batches/"};
    struct slice path = exchange->request->path;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *at = memmem(path.data, path.length, marks[i], strlen(marks[i]));
        if (!at)
            continue;
        struct slice id = slice_from(path, (size_t)(at - path.data) + strlen(marks[i]));
        const char *end = memchr(id.data, '/', id.length);
        if (end)
            id.length = (size_t)(end - id.data);
        if (id.length && id.length < WALLET_JOB_KEY_MAX)
            return arena_copy(exchange->arena, id).data;
    }
    return NULL;
}

/* The note of a job: target, model and service tier, each on a line of its own. */
static const char *next_line(struct exchange *exchange, const char **rest)
{
    const char *from = *rest, *end = strchrnul(from, '\n');
    *rest = *end ? end + 1 : end;
    return arena_copy(exchange->arena, (struct slice){from, (size_t)(end - from)}).data;
}

static void read_note(struct exchange *exchange, struct job_reference *job)
{
    const char *rest = job->job.note;
    const char *target = next_line(exchange, &rest);
    job->model = next_line(exchange, &rest);
    job->service_tier = next_line(exchange, &rest);
    job->target = config_find_target(exchange->settings, target);
    if (job->target)
        routing_remember(exchange->worker->services->routing, route_hash(job->id), job->target);
}

/* A job is known by the provider that was called, or by any whose target took the call. */
static bool find_job(struct exchange *exchange, struct job_reference *job)
{
    const struct settings *settings = exchange->settings;
    struct wallet_ledger *ledger = exchange->worker->services->ledger;
    if (wallet_find_job(ledger, exchange->provider->id, job->id, &job->job) == ERROR_OK)
        return true;
    for (size_t i = 0; i < settings->provider_count; i++)
        if (settings->providers[i].dialect == exchange->dialect->kind &&
            wallet_find_job(ledger, settings->providers[i].id, job->id, &job->job) == ERROR_OK)
            return true;
    return false;
}

enum outcome job_find(struct exchange *exchange)
{
    struct job_reference *job = &exchange->job;
    if (exchange->endpoint->kind != ENDPOINT_JOB)
        return OUTCOME_NEXT;
    job->id = find_id(exchange);
    if (!job->id || !exchange->worker->services->ledger || !find_job(exchange, job))
        return OUTCOME_NEXT;
    if (strcmp(job->job.wallet, exchange->principal.wallet) != 0) /* others' are not even there */
        return exchange_fail(exchange, ERROR_NOT_FOUND, "%s: wallet %s has no such job", job->id,
                             exchange->principal.wallet);
    job->is_known = true;
    read_note(exchange, job);
    return OUTCOME_NEXT;
}

/* ---- from hold to job, from job to charge ---- */

bool job_defer(struct exchange *exchange, struct attempt *attempt)
{
    const struct meter *meter = &exchange->relay.meter;
    struct wallet_operation *operation = &attempt->resolve;
    if (!exchange->relay.is_started || attempt != exchange_attempt(exchange) || attempt->status != 200 ||
        meter->job != JOB_PENDING || !meter->answer_id[0] || strlen(meter->answer_id) >= WALLET_JOB_KEY_MAX)
        return false;
    operation->kind = WALLET_DEFER;
    snprintf(operation->job.provider, sizeof operation->job.provider, "%s", attempt->provider->id);
    snprintf(operation->job.key, sizeof operation->job.key, "%s", meter->answer_id);
    int length = snprintf(operation->job.note, sizeof operation->job.note, "%s\n%s\n%s",
                          attempt->target ? attempt->target->id : "", attempt->model,
                          attempt->rendition->facts.batch.requests ? "batch" : meter->service_tier);
    if (length < 0 || (size_t)length >= sizeof operation->job.note)
        return false;
    attempt->usage = (struct usage){0};
    operation->job.deadline_s =
        clock_wall_ns() / 1000000000 + (int64_t)exchange->settings->cost_tracking.job_deadline_s;
    attempt->is_deferred = true;
    attempt->charge = MONEY_ZERO;
    attempt->basis = BASIS_NONE;
    attempt->usage_source = USAGE_NONE;
    return true;
}

/* What the meter knows of a job that has ended (dialect.h): NONE, nothing was done; an estimate of nothing, what was
 * done is not said, and its hold is the estimate. */
static void price_job(struct exchange *exchange, struct attempt *attempt)
{
    static const struct usage nothing;
    bool is_unsaid = attempt->usage_source == USAGE_ESTIMATED && memcmp(&attempt->usage, &nothing, sizeof nothing) == 0;
    attempt->basis = BASIS_EXACT;
    attempt->charge = MONEY_ZERO;
    if (attempt->usage_source == USAGE_NONE)
        return;
    if (is_unsaid || !attempt->is_priced) {
        attempt->basis = BASIS_WORST;
        attempt->charge = attempt->hold;
        return;
    }
    attempt->basis = attempt->usage_source == USAGE_PROVIDER ? BASIS_EXACT : BASIS_ESTIMATE;
    settle_compute_charge(exchange, attempt);
}

bool job_settle(struct exchange *exchange, struct attempt *attempt)
{
    const struct job_reference *job = &exchange->job;
    struct wallet_operation *operation = &attempt->resolve;
    if (!job->is_known || !exchange->relay.is_started || attempt->status != 200 ||
        exchange->relay.meter.job != JOB_DONE || attempt->result.error || exchange->error)
        return false; /* a list of results that was cut says too little */
    attempt->is_priced = prices_find(exchange->settings, attempt->provider, job->model, NULL,
                                     job->target ? &job->target->pricing : NULL, &attempt->bound.quote) == ERROR_OK;
    attempt->hold = job->job.held;
    attempt->model = job->model;
    price_job(exchange, attempt);
    operation->kind = WALLET_SETTLE;
    operation->id = job->job.hold;
    snprintf(operation->wallet, sizeof operation->wallet, "%s", job->job.wallet);
    snprintf(operation->provider, sizeof operation->provider, "%s", job->job.provider);
    operation->amount = attempt->charge;
    operation->basis = attempt->basis;
    attempt->is_resolved = attempt->is_job_end = true;
    return true;
}

/* OpenAI's batches name a file: what is in it was read when it was uploaded. */
enum outcome job_find_batch(struct exchange *exchange)
{
    struct request_facts *facts = &exchange->rendition.facts;
    struct batch_facts *batch = &facts->batch;
    if (batch->input_file[0] && !batch->requests) {
        char file[sizeof batch->input_file];
        snprintf(file, sizeof file, "%s", batch->input_file);
        if (!job_find_file(file, batch) && exchange->settings->cost_tracking.enabled)
            return exchange_fail(exchange, ERROR_BATCH_UNKNOWN, "%s: %s", file, error_row(ERROR_BATCH_UNKNOWN)->text);
        snprintf(batch->input_file, sizeof batch->input_file, "%s", file);
    }
    if (!batch->requests || exchange->endpoint->kind != ENDPOINT_METERED)
        return OUTCOME_NEXT;
    if (batch->has_models)
        return exchange_fail(exchange, ERROR_BATCH_MIXED, "%s", error_row(ERROR_BATCH_MIXED)->text);
    snprintf(facts->model, sizeof facts->model, "%s", batch->model);
    return OUTCOME_NEXT;
}

/* ---- what uploaded files hold ---- */

enum { FILES_MAX = 1024 };

static struct {
    pthread_mutex_t lock;
    struct file_row {
        char id[128];
        struct batch_facts batch;
        uint64_t last_used; /* 0: free */
    } rows[FILES_MAX];
    uint64_t clock;
} files = {.lock = PTHREAD_MUTEX_INITIALIZER};

bool job_find_file(const char *id, struct batch_facts *ret_batch)
{
    bool is_found = false;
    pthread_mutex_lock(&files.lock);
    for (size_t i = 0; i < FILES_MAX && !is_found; i++)
        if (files.rows[i].last_used && strcmp(files.rows[i].id, id) == 0) {
            *ret_batch = files.rows[i].batch;
            files.rows[i].last_used = ++files.clock;
            is_found = true;
        }
    pthread_mutex_unlock(&files.lock);
    return is_found;
}

void job_remember_file(const char *id, const struct batch_facts *batch)
{
    if (strlen(id) >= sizeof files.rows[0].id)
        return;
    pthread_mutex_lock(&files.lock);
    struct file_row *row = &files.rows[0];
    for (size_t i = 1; i < FILES_MAX; i++)
        if (files.rows[i].last_used < row->last_used)
            row = &files.rows[i];
    row->batch = *batch;
    row->last_used = ++files.clock;
    memcpy(row->id, id, strlen(id) + 1);
    pthread_mutex_unlock(&files.lock);
}
