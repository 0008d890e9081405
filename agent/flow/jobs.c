/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: a background response or a batch goes on at the provider after its answer. Its hold becomes the job's
 * (ledger.md, job accounts), and is settled by the answer of a later call that asks after the job and finds it ended;
 * past its deadline the ledger takes it whole. Called by authorize's neighbours: route, reserve, settle.
 */
#include "flow/exchange.h"

#include "base/clock.h"

#include <inttypes.h>
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

/* The note of a job: target, model, service tier, group, and the tokens that the group's limits count for it since
 * when (seconds of the wall clock), each on a line of its own; older ones, and long ones, have the first three. */
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
    job->group = next_line(exchange, &rest);
    if (sscanf(next_line(exchange, &rest), "%" SCNu64 " %" SCNd64, &job->limit_tokens, &job->limit_since_s) != 2)
        job->limit_tokens = 0;
    job->target = config_find_target(exchange->settings, target);
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
    const enum endpoint_kind kind = exchange->endpoint->kind;
    if (kind != ENDPOINT_JOB && !endpoint_is_free(kind)) /* free: what it was asked, that it be deleted */
        return OUTCOME_NEXT;
    job->id = find_id(exchange);
    if (!job->id || !exchange->worker->services->ledger || !find_job(exchange, job)) {
        job->id = kind == ENDPOINT_JOB ? job->id : NULL;
        return OUTCOME_NEXT;
    }
    read_note(exchange, job);
    /* A job is its wallet's, and its group's, also where that has another wallet by now; to others it is not there. */
    if (strcmp(job->job.wallet, exchange->principal.wallet) != 0 &&
        strcmp(job->group, exchange->principal.group.group->name) != 0)
        return exchange_fail(exchange, ERROR_NOT_FOUND, "%s: wallet %s has no such job", job->id,
                             exchange->principal.wallet);
    job->is_known = kind == ENDPOINT_JOB;
    if (job->target)
        routing_remember(exchange->worker->services->routing, route_hash(job->id), job->target);
    return OUTCOME_NEXT;
}

/* ---- from hold to job, from job to charge ---- */

static bool write_note(const struct exchange *exchange, const struct attempt *attempt, struct wallet_job *job)
{
    const bool is_batch = attempt->rendition->facts.batch.requests != 0;
    const size_t bytes = sizeof job->note;
    const int length = snprintf(job->note, bytes, "%s\n%s\n%s", attempt->target ? attempt->target->id : "",
                                attempt->model, is_batch ? "batch" : exchange->relay.meter.service_tier);
    if (length < 0 || (size_t)length >= bytes)
        return false;
    const size_t room = bytes - (size_t)length;
    const int more =
        snprintf(job->note + length, room, "\n%s\n%" PRIu64 " %" PRId64, exchange->principal.group.group->name,
                 exchange->limits.tokens, exchange->started_wall_ns / 1000000000);
    if (more < 0 || (size_t)more >= room)
        job->note[length] = '\0';
    return true;
}

/* A response that nobody asked for in the background is no job, whatever its answer says. */
static bool may_be_job(const struct rendition *rendition)
{
    return rendition->endpoint->api != API_RESPONSES || rendition->facts.is_background;
}

bool job_defer(struct exchange *exchange, struct attempt *attempt)
{
    const struct meter *meter = &exchange->relay.meter;
    struct wallet_operation *operation = &attempt->resolve;
    if (!exchange->relay.is_started || attempt != exchange_attempt(exchange) || attempt->status != 200 ||
        meter->job != JOB_PENDING || !may_be_job(attempt->rendition) || !meter->answer_id[0] ||
        strlen(meter->answer_id) >= WALLET_JOB_KEY_MAX)
        return false;
    operation->kind = WALLET_DEFER;
    snprintf(operation->job.provider, sizeof operation->job.provider, "%s", attempt->provider->id);
    snprintf(operation->job.key, sizeof operation->job.key, "%s", meter->answer_id);
    if (!write_note(exchange, attempt, &operation->job))
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
        exchange->relay.meter.job != JOB_DONE || attempt->result.error || exchange->error ||
        strcmp(attempt->provider->id, job->job.provider) != 0)
        return false; /* a list of results that was cut says too little, and another provider nothing */
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

void job_settle_limits(const struct exchange *exchange, uint64_t tokens_used)
{
    const struct job_reference *job = &exchange->job;
    const int64_t now_ns = clock_monotonic_ns(), age_s = clock_wall_ns() / 1000000000 - job->limit_since_s;
    const bool is_known = job->limit_tokens && age_s >= 0 && age_s < now_ns / 1000000000;
    ratelimit_settle(exchange->worker->services->ratelimit,
                     job->group[0] ? job->group : exchange->principal.group.group->name,
                     is_known ? now_ns - age_s * 1000000000 : now_ns, is_known ? job->limit_tokens : 0, tokens_used);
}

/* OpenAI's batches name a file: what is in it was read when it was uploaded. */
enum outcome job_find_batch(struct exchange *exchange)
{
    struct request_facts *facts = &exchange->rendition.facts;
    struct batch_facts *batch = &facts->batch;
    if (batch->input_file[0] && !batch->requests) {
        char file[sizeof batch->input_file];
        snprintf(file, sizeof file, "%s", batch->input_file);
        if (!job_find_file(file, exchange->principal.wallet, batch) && exchange->settings->cost_tracking.enabled)
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

/* An upload costs nothing: no wallet may push out the others' with it. */
enum { FILES_MAX = 1024, FILES_PER_WALLET_MAX = 64 };

static struct {
    pthread_mutex_t lock;
    struct file_row {
        char id[128], wallet[WALLET_NAME_MAX];
        struct batch_facts batch;
        uint64_t last_used; /* 0: free */
        bool is_extra;      /* beyond its wallet's share: gives way first */
    } rows[FILES_MAX];
    uint64_t clock;
} files = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_of(const struct file_row *row, const char *wallet)
{
    return row->last_used && strcmp(row->wallet, wallet) == 0;
}

bool job_find_file(const char *id, const char *wallet, struct batch_facts *ret_batch)
{
    struct file_row *found = NULL;
    pthread_mutex_lock(&files.lock);
    for (size_t i = 0; i < FILES_MAX; i++)
        if (files.rows[i].last_used && strcmp(files.rows[i].id, id) == 0 && (!found || is_of(&files.rows[i], wallet)))
            found = &files.rows[i];
    if (found) {
        *ret_batch = found->batch;
        found->last_used = ++files.clock;
    }
    pthread_mutex_unlock(&files.lock);
    return found != NULL;
}

/* Assumes the lock: the wallet's row of that id, else a free one, else the oldest of its own when it has its share,
 * else the oldest of who has more than that, else the oldest. */
static struct file_row *find_place(const char *id, const char *wallet)
{
    struct file_row *oldest = &files.rows[0], *own = NULL, *extra = NULL;
    size_t count = 0;
    for (size_t i = 0; i < FILES_MAX; i++) {
        struct file_row *row = &files.rows[i];
        oldest = row->last_used < oldest->last_used ? row : oldest;
        if (row->last_used && row->is_extra)
            extra = !extra || row->last_used < extra->last_used ? row : extra;
        if (!is_of(row, wallet))
            continue;
        if (strcmp(row->id, id) == 0)
            return row;
        own = !own || row->last_used < own->last_used ? row : own;
        count++;
    }
    const bool has_share = count >= FILES_PER_WALLET_MAX;
    struct file_row *place = !oldest->last_used ? oldest : has_share ? own : extra ? extra : oldest;
    if (place != own)
        place->is_extra = has_share;
    return place;
}

void job_remember_file(const char *id, const char *wallet, const struct batch_facts *batch)
{
    if (strlen(id) >= sizeof files.rows[0].id)
        return;
    pthread_mutex_lock(&files.lock);
    struct file_row *row = find_place(id, wallet);
    row->batch = *batch;
    row->last_used = ++files.clock;
    snprintf(row->id, sizeof row->id, "%s", id);
    snprintf(row->wallet, sizeof row->wallet, "%s", wallet);
    pthread_mutex_unlock(&files.lock);
}
