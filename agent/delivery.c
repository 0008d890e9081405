/* SPDX-License-Identifier: Apache-2.0 */
/* See delivery.h. One lock over a short table; channels work outside of it on alerts that stay until they have ended.
 */
#include "delivery.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "upstream/upstream.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ALERTS_MAX = 128, COMMAND_TRIES_MAX = 3, BACKOFF_FIRST_MS = 500, BACKOFF_MAX_MS = 60000, WHY_BYTES = 256 };

enum progress { WAITING, RUNNING, DONE, FAILED };

struct row {
    struct alert alert;
    struct {
        enum progress progress;
        unsigned tries;
        int64_t due_ms;
    } channels[ALERT_CHANNELS];
    bool is_collected;
};

struct channel_thread {
    struct delivery *delivery;
    unsigned channel;
    pthread_t thread;
};

struct delivery {
    struct delivery_services services;
    pthread_mutex_t lock; /* guards rows and count; leaf */
    pthread_cond_t changed;
    atomic_bool is_closing;
    struct row *rows[ALERTS_MAX]; /* oldest first */
    unsigned count;
    struct channel_thread threads[ALERT_CHANNELS];
};

/* ---- the channels ---- */

static bool wants_command(const struct settings *settings)
{
    return settings->alerts.command != NULL;
}

static unsigned command_tries(const struct settings *settings)
{
    (void)settings;
    return COMMAND_TRIES_MAX;
}

static enum error give_to_command(struct delivery *delivery, const struct settings *settings, const struct alert *alert,
                                  char *why)
{
    char id[ID_TEXT_MAX], texts[5][ALERT_SUBJECT_MAX + 32];
    const char *subject = strchr(alert->subject, ':');
    const char *variables[] = {texts[0], texts[1], texts[2], texts[3], texts[4], NULL};
    snprintf(texts[0], sizeof texts[0], "TOLLGATE_ALERT_ID=%s", id_format(alert->id, id));
    snprintf(texts[1], sizeof texts[1], "TOLLGATE_ALERT_KIND=%s", alert->kind);
    snprintf(texts[2], sizeof texts[2], "TOLLGATE_ALERT_SUBJECT=%s", subject ? subject + 1 : alert->subject);
    snprintf(texts[3], sizeof texts[3], "TOLLGATE_ALERT_THRESHOLD=%s", alert->threshold);
    snprintf(texts[4], sizeof texts[4], "TOLLGATE_ALERT_ENVIRONMENT=%s",
             config_environment_name(settings->environment));
    return notify_run(delivery->services.notify, settings->alerts.command, variables,
                      (struct slice){alert->json, alert->json_bytes}, settings->alerts.command_timeout_ms, why,
                      WHY_BYTES);
}

static bool wants_webhook(const struct settings *settings)
{
    return settings->alerts.webhook_url != NULL;
}

static unsigned webhook_tries(const struct settings *settings)
{
    return settings->alerts.webhook_tries_max ? settings->alerts.webhook_tries_max : 1;
}

/* Never unsigned where a signature was asked for: the receiver could not tell it from a forgery. */
static enum error give_to_webhook(struct delivery *delivery, const struct settings *settings, const struct alert *alert,
                                  char *why)
{
    char id[ID_TEXT_MAX];
    int status;
    if (!settings->alerts.webhook_secret && settings->alerts.webhook_secret_problem) {
        snprintf(why, WHY_BYTES, "its secret: %s", settings->alerts.webhook_secret_problem);
        return ERROR_NO_SECRET;
    }
    const struct upstream_webhook webhook = {.url = settings->alerts.webhook_url,
                                             .ca_file = settings->alerts.webhook_ca_file,
                                             .local = settings->alerts.webhook_local,
                                             .body = {alert->json, alert->json_bytes},
                                             .delivery = id_format(alert->id, id),
                                             .secret = settings->alerts.webhook_secret,
                                             .time_s = clock_wall_ns() / 1000000000,
                                             .timeout_ms = settings->alerts.webhook_timeout_ms,
                                             .is_cancelled = &delivery->is_closing};
    return upstream_post_webhook(&webhook, &status, why, WHY_BYTES);
}

static const struct channel {
    const char *name;
    bool (*is_wanted)(const struct settings *settings);
    unsigned (*tries_max)(const struct settings *settings);
    enum error (*give)(struct delivery *delivery, const struct settings *settings, const struct alert *alert,
                       char *why);
} channels[ALERT_CHANNELS] = {{"command", wants_command, command_tries, give_to_command},
                              {"webhook", wants_webhook, webhook_tries, give_to_webhook}};

/* ---- the threads ---- */

static int64_t now_ms(void)
{
    return clock_monotonic_ns() / 1000000;
}

/* Under the lock. NULL: none is due; *ret_due_ms is when the next one will be. */
static struct row *find_due(const struct delivery *delivery, unsigned channel, int64_t *ret_due_ms)
{
    enum { IDLE_MS = 60000 };
    const int64_t now = now_ms();
    *ret_due_ms = now + IDLE_MS;
    for (unsigned i = 0; i < delivery->count; i++) {
        struct row *row = delivery->rows[i];
        if (row->channels[channel].progress != WAITING)
            continue;
        if (row->channels[channel].due_ms <= now)
            return row;
        if (row->channels[channel].due_ms < *ret_due_ms)
            *ret_due_ms = row->channels[channel].due_ms;
    }
    return NULL;
}

/* Under the lock. */
static void wait_until(struct delivery *delivery, int64_t due_ms)
{
    const struct timespec due = {due_ms / 1000, (long)(due_ms % 1000) * 1000000};
    pthread_cond_timedwait(&delivery->changed, &delivery->lock, &due);
}

static int64_t backoff_ms(unsigned tries)
{
    return tries > 7 ? BACKOFF_MAX_MS : BACKOFF_FIRST_MS << (tries - 1);
}

static enum progress try_once(struct delivery *delivery, unsigned channel, const struct row *row)
{
    struct settings *settings = delivery->services.retain_settings(delivery->services.context);
    const struct channel *way = &channels[channel];
    char why[WHY_BYTES] = "";
    enum progress progress = DONE; /* also when a reload has taken the channel away meanwhile */
    if (way->is_wanted(settings) && way->give(delivery, settings, &row->alert, why)) {
        bool is_last = row->channels[channel].tries + 1 >= way->tries_max(settings);
        progress = is_last ? FAILED : WAITING;
        if (!atomic_load(&delivery->is_closing))
            log_event(EVENT_ALERT_UNDELIVERED, row->alert.subject, "%s: %s; %s", way->name, why,
                      is_last ? "given up until the next start" : "it is tried again");
    }
    config_release(settings);
    return progress;
}

static void *run_channel(void *argument)
{
    const struct channel_thread *self = argument;
    struct delivery *delivery = self->delivery;
    const unsigned channel = self->channel;
    pthread_mutex_lock(&delivery->lock);
    while (!atomic_load(&delivery->is_closing)) {
        int64_t due_ms;
        struct row *row = find_due(delivery, channel, &due_ms);
        if (!row) {
            wait_until(delivery, due_ms);
            continue;
        }
        row->channels[channel].progress = RUNNING;
        pthread_mutex_unlock(&delivery->lock);
        enum progress progress = try_once(delivery, channel, row);
        pthread_mutex_lock(&delivery->lock);
        row->channels[channel].progress = progress;
        row->channels[channel].due_ms = now_ms() + backoff_ms(++row->channels[channel].tries);
        pthread_cond_broadcast(&delivery->changed);
    }
    pthread_mutex_unlock(&delivery->lock);
    return NULL;
}

/* ---- the table ---- */

static enum progress sum_up(const struct row *row)
{
    enum progress sum = DONE;
    for (unsigned i = 0; i < ALERT_CHANNELS; i++) {
        if (row->channels[i].progress == WAITING || row->channels[i].progress == RUNNING)
            return WAITING;
        if (row->channels[i].progress == FAILED)
            sum = FAILED;
    }
    return sum;
}

static bool has_ended(const struct row *row)
{
    return sum_up(row) == FAILED || (sum_up(row) == DONE && row->is_collected);
}

bool delivery_has_room(struct delivery *delivery)
{
    pthread_mutex_lock(&delivery->lock);
    bool has_room = delivery->count < ALERTS_MAX;
    for (unsigned i = 0; i < delivery->count && !has_room; i++)
        has_room = has_ended(delivery->rows[i]);
    pthread_mutex_unlock(&delivery->lock);
    return has_room;
}

/* Under the lock: the oldest that has ended goes. */
static void make_room(struct delivery *delivery)
{
    unsigned i = 0;
    if (delivery->count < ALERTS_MAX)
        return;
    while (i < delivery->count && !has_ended(delivery->rows[i]))
        i++;
    check(i < delivery->count);
    free(delivery->rows[i]);
    delivery->count--;
    memmove(&delivery->rows[i], &delivery->rows[i + 1], (delivery->count - i) * sizeof *delivery->rows);
}

void delivery_add(struct delivery *delivery, const struct alert *alert)
{
    struct settings *settings = delivery->services.retain_settings(delivery->services.context);
    struct row *row = calloc(1, sizeof *row);
    check(row != NULL);
    row->alert = *alert;
    for (unsigned i = 0; i < ALERT_CHANNELS; i++)
        row->channels[i].progress = channels[i].is_wanted(settings) ? WAITING : DONE;
    config_release(settings);
    pthread_mutex_lock(&delivery->lock);
    make_room(delivery);
    delivery->rows[delivery->count++] = row;
    pthread_cond_broadcast(&delivery->changed);
    pthread_mutex_unlock(&delivery->lock);
}

void delivery_collect(struct delivery *delivery, void (*visit)(void *context, const struct alert *alert), void *context)
{
    pthread_mutex_lock(&delivery->lock);
    for (unsigned i = 0; i < delivery->count; i++) {
        struct row *row = delivery->rows[i];
        if (row->is_collected || sum_up(row) != DONE)
            continue;
        row->is_collected = true;
        visit(context, &row->alert);
    }
    pthread_mutex_unlock(&delivery->lock);
}

void delivery_write(struct delivery *delivery, struct buffer *out)
{
    static const char *const words[] = {[WAITING] = "pending", [DONE] = "done", [FAILED] = "failed"};
    json_write_raw(out, "[");
    pthread_mutex_lock(&delivery->lock);
    for (unsigned i = 0; i < delivery->count; i++) {
        const struct row *row = delivery->rows[i];
        check(buffer_append_format(out, "%s%.*s,\"delivery\":\"%s\"}", i ? "," : "", (int)row->alert.json_bytes - 1,
                                   row->alert.json, words[sum_up(row)]));
    }
    pthread_mutex_unlock(&delivery->lock);
    json_write_raw(out, "]");
}

struct delivery *delivery_open(const struct delivery_services *services)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    pthread_condattr_t attributes;
    check(delivery != NULL);
    delivery->services = *services;
    pthread_mutex_init(&delivery->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&delivery->changed, &attributes);
    for (unsigned i = 0; i < ALERT_CHANNELS; i++) {
        delivery->threads[i].delivery = delivery;
        delivery->threads[i].channel = i;
        check(pthread_create(&delivery->threads[i].thread, NULL, run_channel, &delivery->threads[i]) == 0);
    }
    return delivery;
}

/* Under the lock. */
static bool is_busy(const struct delivery *delivery)
{
    for (unsigned i = 0; i < delivery->count; i++)
        for (unsigned j = 0; j < ALERT_CHANNELS; j++) {
            enum progress progress = delivery->rows[i]->channels[j].progress;
            if (progress == RUNNING || (progress == WAITING && delivery->rows[i]->channels[j].tries == 0))
                return true;
        }
    return false;
}

void delivery_wait(struct delivery *delivery, uint32_t timeout_ms)
{
    enum { SLICE_MS = 100 };
    const int64_t due_ms = now_ms() + timeout_ms;
    pthread_mutex_lock(&delivery->lock);
    while (is_busy(delivery) && now_ms() < due_ms)
        wait_until(delivery, now_ms() + SLICE_MS);
    pthread_mutex_unlock(&delivery->lock);
}

void delivery_close(struct delivery *delivery)
{
    if (!delivery)
        return;
    atomic_store(&delivery->is_closing, true);
    notify_cancel(delivery->services.notify);
    pthread_mutex_lock(&delivery->lock);
    pthread_cond_broadcast(&delivery->changed);
    pthread_mutex_unlock(&delivery->lock);
    for (unsigned i = 0; i < ALERT_CHANNELS; i++)
        pthread_join(delivery->threads[i].thread, NULL);
    for (unsigned i = 0; i < delivery->count; i++)
        free(delivery->rows[i]);
    pthread_cond_destroy(&delivery->changed);
    pthread_mutex_destroy(&delivery->lock);
    free(delivery);
}
