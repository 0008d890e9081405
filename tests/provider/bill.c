/* SPDX-License-Identifier: Apache-2.0 */
/* Rows, file and totals of the bill; see bill.h. Called by connections when an exchange ends and by control.c. Rows are
 * kept as text: nobody reads them but tests, and a row is formatted once.
 */
#include "tests/provider/bill.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const end_names[] = {"completed", "client", "fault", "shutdown"};
static const char *const usage_names[] = {"exact", "none", "zero"};

bool bill_open(struct bill *bill, const char *path)
{
    pthread_mutex_init(&bill->lock, NULL);
    bill->fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    return !path || bill->fd >= 0;
}

void bill_close(struct bill *bill)
{
    bill_flush(bill);
    if (bill->fd >= 0)
        close(bill->fd);
    buffer_free(&bill->unwritten);
    buffer_free(&bill->kept);
    pthread_mutex_destroy(&bill->lock);
}

static void totals_add(struct bill_totals *totals, const char *model, int status, const struct usage *usage)
{
    size_t i = 0;
    totals->rows++;
    usage_add(usage, &totals->usage);
    while (i < BILL_STATUSES_MAX - 1 && totals->statuses[i].rows && totals->statuses[i].status != status)
        i++;
    totals->statuses[i].status = status;
    totals->statuses[i].rows++;
    for (i = 0; i < BILL_MODELS_MAX - 1 && totals->models[i].rows; i++)
        if (strcmp(totals->models[i].model, model) == 0)
            break;
    if (!totals->models[i].rows)
        memcpy(totals->models[i].model, model, strnlen(model, sizeof totals->models[i].model - 1));
    totals->models[i].rows++;
    usage_add(usage, &totals->models[i].usage);
}

static void string_format(const char *name, const char *value, struct buffer *out)
{
    buffer_format(out, ",\"%s\":\"", name);
    buffer_add_escaped(out, value, strlen(value));
    buffer_add(out, "\"");
}

static void row_format(const struct exchange *exchange, const struct usage *usage, enum bill_end end,
                       const char *answer_digest, struct buffer *out)
{
    const struct request *request = exchange->request;
    buffer_format(out, "{\"sequence\":%" PRIu64 ",\"time\":%lld.%06ld,\"connection\":%" PRIu64 ",\"request\":%" PRIu32,
                  exchange->sequence, (long long)exchange->arrived.tv_sec, exchange->arrived.tv_nsec / 1000,
                  exchange->connection, exchange->connection_request);
    string_format("method", llhttp_method_name((llhttp_method_t)request->method), out);
    string_format("path", request->target, out);
    string_format("dialect", exchange->dialect->name, out);
    string_format("endpoint", exchange->endpoint ? exchange->endpoint->name : "", out);
    string_format("model", exchange->prompt.model, out);
    string_format("key", exchange->key_digest, out);
    string_format("tag", request->tag, out);
    string_format("request_id", request->request_id, out);
    buffer_format(out, ",\"stream\":%s,\"status\":%d,\"usage\":", exchange->stream ? "true" : "false",
                  exchange->status);
    usage_format(usage, out);
    string_format("usage_sent", usage_names[exchange->behaviour.fault.usage], out);
    buffer_format(out,
                  ",\"request_bytes\":%zu,\"answer_bytes\":%" PRIu64 ",\"wire_bytes\":%" PRIu64 ",\"events\":%" PRIu32,
                  request->body.length, exchange->answer_bytes, exchange->wire_bytes, exchange->events);
    string_format("request_sha256", exchange->request_digest, out);
    string_format("answer_sha256", answer_digest, out);
    string_format("ended", end_names[end], out);
    buffer_format(out, ",\"completed\":%s}\n", end == BILL_COMPLETED ? "true" : "false");
}

/* A job's work is billed when it is done, whoever asked for it and by whatever calls; its row says so. */
static void job_format(const struct exchange *exchange, const struct finished_job *job, struct buffer *out)
{
    buffer_format(out, "{\"sequence\":%" PRIu64 ",\"time\":%lld.%06ld", exchange->sequence,
                  (long long)exchange->arrived.tv_sec, exchange->arrived.tv_nsec / 1000);
    string_format("job", job->id, out);
    string_format("dialect", exchange->dialect->name, out);
    string_format("endpoint", "job", out);
    string_format("method", "", out);
    string_format("path", "", out);
    string_format("model", job->model, out);
    string_format("tag", exchange->request->tag, out);
    buffer_format(out, ",\"requests\":%" PRIu32 ",\"status\":200,\"usage\":", job->requests);
    usage_format(&job->usage, out);
    string_format("ended", end_names[BILL_COMPLETED], out);
    buffer_add(out, ",\"completed\":true}\n");
}

/* Drops the older half, so that dropping is rare. */
static void kept_trim(struct buffer *kept)
{
    if (kept->length < BILL_KEPT_BYTES_MAX)
        return;
    const char *middle = memchr(kept->data + kept->length / 2, '\n', kept->length - kept->length / 2);
    if (!middle)
        return;
    size_t dropped = (size_t)(middle + 1 - kept->data);
    memmove(kept->data, kept->data + dropped, kept->length - dropped);
    kept->length -= dropped;
}

void bill_add(struct bill *bill, const struct exchange *exchange, enum bill_end end, const char *answer_digest)
{
    struct usage usage;
    usage_bill(exchange, end == BILL_COMPLETED, &usage);
    pthread_mutex_lock(&bill->lock);
    size_t before = bill->kept.length;
    if (exchange->finished.id[0]) {
        job_format(exchange, &exchange->finished, &bill->kept);
        bill->totals.completed++;
        totals_add(&bill->totals, exchange->finished.model, 200, &exchange->finished.usage);
    }
    row_format(exchange, &usage, end, answer_digest, &bill->kept);
    if (bill->fd >= 0)
        buffer_append(&bill->unwritten, bill->kept.data + before, bill->kept.length - before);
    bill->totals.completed += end == BILL_COMPLETED;
    bill->totals.answer_bytes += exchange->answer_bytes;
    totals_add(&bill->totals, exchange->prompt.model, exchange->status, &usage);
    kept_trim(&bill->kept);
    pthread_mutex_unlock(&bill->lock);
}

void bill_flush(struct bill *bill)
{
    if (bill->fd < 0)
        return;
    pthread_mutex_lock(&bill->lock);
    size_t written = 0;
    while (written < bill->unwritten.length) {
        ssize_t count = write(bill->fd, bill->unwritten.data + written, bill->unwritten.length - written);
        if (count < 0 && errno != EINTR) {
            perror("provider: bill");
            abort();
        }
        if (count > 0)
            written += (size_t)count;
    }
    buffer_reset(&bill->unwritten, 1u << 20);
    pthread_mutex_unlock(&bill->lock);
}

void bill_reset(struct bill *bill)
{
    pthread_mutex_lock(&bill->lock);
    bill->kept.length = 0;
    bill->totals = (struct bill_totals){0};
    pthread_mutex_unlock(&bill->lock);
}

void bill_format_rows(struct bill *bill, const char *tag, struct buffer *out)
{
    char wanted[128];
    int wanted_length = snprintf(wanted, sizeof wanted, "\"tag\":\"%s\"", tag ? tag : "");
    bool first = true;
    buffer_add(out, "[");
    pthread_mutex_lock(&bill->lock);
    for (size_t at = 0; at < bill->kept.length;) {
        const char *row = bill->kept.data + at;
        size_t length = (size_t)((const char *)memchr(row, '\n', bill->kept.length - at) - row);
        if (!tag || memmem(row, length, wanted, (size_t)wanted_length)) {
            buffer_add(out, first ? "\n" : ",\n");
            buffer_append(out, row, length);
            first = false;
        }
        at += length + 1;
    }
    pthread_mutex_unlock(&bill->lock);
    buffer_add(out, "\n]\n");
}

void bill_format_summary(struct bill *bill, struct buffer *out)
{
    pthread_mutex_lock(&bill->lock);
    const struct bill_totals *totals = &bill->totals;
    buffer_format(out, "{\"rows\":%" PRIu64 ",\"completed\":%" PRIu64 ",\"answer_bytes\":%" PRIu64 ",\"usage\":",
                  totals->rows, totals->completed, totals->answer_bytes);
    usage_format(&totals->usage, out);
    buffer_add(out, ",\"statuses\":{");
    for (size_t i = 0; i < BILL_STATUSES_MAX && totals->statuses[i].rows; i++)
        buffer_format(out, "%s\"%d\":%" PRIu64, i ? "," : "", totals->statuses[i].status, totals->statuses[i].rows);
    buffer_add(out, "},\"models\":{");
    for (size_t i = 0; i < BILL_MODELS_MAX && totals->models[i].rows; i++) {
        buffer_format(out, "%s\"%s\":{\"rows\":%" PRIu64 ",\"usage\":", i ? "," : "", totals->models[i].model,
                      totals->models[i].rows);
        usage_format(&totals->models[i].usage, out);
        buffer_add(out, "}");
    }
    buffer_add(out, "}}\n");
    pthread_mutex_unlock(&bill->lock);
}
