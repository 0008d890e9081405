/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A period as a file: its rows, then what the ledger says of the same time, and the manifest that holds both against
 * each other. Called by control/ (on its threads) and by schedule.c.
 */
#include "evidence/export.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"

enum { FLUSH_BYTES = 64 << 10, ROW_BYTES_MAX = 128 << 10 /* 11 names of 255 bytes, escaped: at most 20 KiB */ };

static const struct format_row {
    const char *name, *suffix, *media_type;
    enum error (*fill)(struct export_file *file);
} formats[EXPORT_FORMAT_COUNT] = {
    [EXPORT_CSV] = {"csv", "csv", "text/csv; charset=utf-8; header=present", export_rows},
    [EXPORT_JSONL] = {"jsonl", "jsonl", "application/x-ndjson", export_rows},
    [EXPORT_FOCUS] = {"focus", "focus.csv", "text/csv; charset=utf-8; header=present", export_focus},
};

const char *export_format_name(enum export_format format)
{
    return formats[format].name;
}

const char *export_suffix(enum export_format format)
{
    return formats[format].suffix;
}

const char *export_media_type(enum export_format format)
{
    return formats[format].media_type;
}

bool export_parse_format(const char *text, enum export_format *ret_format)
{
    for (unsigned i = 0; i < EXPORT_FORMAT_COUNT; i++)
        if (!strcmp(text, formats[i].name)) {
            *ret_format = i;
            return true;
        }
    return false;
}

/* ---- rows on their way out ---- */

static bool flush(struct export_file *file)
{
    struct slice rows = buffer_contents(&file->out);
    if (!rows.length || file->is_broken)
        return !file->is_broken;
    digest_add(file->digest, rows);
    file->result->bytes += rows.length;
    file->is_broken = !file->write(file->context, rows);
    buffer_reset(&file->out, FLUSH_BYTES + ROW_BYTES_MAX);
    return !file->is_broken;
}

bool export_flush_full(struct export_file *file)
{
    return buffer_length(&file->out) < FLUSH_BYTES ? !file->is_broken : flush(file);
}

bool export_end_row(struct export_file *file)
{
    const atomic_bool *is_cancelled = file->order->is_cancelled;
    file->result->rows++;
    file->is_broken |= is_cancelled && atomic_load_explicit(is_cancelled, memory_order_relaxed);
    return export_flush_full(file);
}

/* ---- the ledger's side ---- */

static enum error reconcile(const struct export_order *order, struct export_result *result)
{
    const int64_t s = 1000000000, last = INT64_MAX / s;
    const int64_t until_s = order->period.until_s > last ? last : order->period.until_s;
    enum error error = wallet_sum_period(order->ledger, order->period.since_s * s, until_s * s, &result->ledger);
    const int64_t written_off = (int64_t)result->sums[MEASURE_written_off];
    const int64_t paid = (int64_t)result->sums[MEASURE_cost] - written_off;
    if (error)
        return error;
    result->paid_difference.nano = paid - result->ledger.posted.nano;
    result->written_off_difference.nano = written_off - result->ledger.written_off.nano;
    result->oldest_ms = journal_oldest_ms(order->journal);
    result->is_reconciled = !result->paid_difference.nano && !result->written_off_difference.nano;
    return ERROR_OK;
}

enum error export_run(const struct export_order *order, export_write *write, void *context,
                      struct export_result *ret_result)
{
    struct export_result result = {.written_ns = clock_wall_ns()};
    struct export_file file = {
        .order = order, .digest = digest_begin(), .write = write, .context = context, .result = &result};
    buffer_init(&file.out, FLUSH_BYTES + ROW_BYTES_MAX);
    result.has_ended = order->period.until_s <= result.written_ns / 1000000000;
    journal_flush(order->journal);
    enum error error = formats[order->format].fill(&file);
    if (!error && !flush(&file))
        error = ERROR_FILE_UNWRITABLE;
    if (!error)
        error = reconcile(order, &result);
    digest_end(file.digest, result.digest);
    buffer_done(&file.out);
    if (!error)
        *ret_result = result;
    return error;
}

/* ---- the manifest ---- */

static void write_sum(struct buffer *out, const char *name, uint64_t count, struct money amount)
{
    json_write_member(out, name);
    json_write_raw(out, "{");
    json_write_member_integer(out, "count", (int64_t)count);
    json_write_member_money(out, "amount", amount);
    json_write_raw(out, "}");
}

static void write_ledger(struct buffer *out, const struct wallet_sums *ledger)
{
    json_write_member(out, "ledger");
    json_write_raw(out, "{");
    write_sum(out, "posts", ledger->posts, ledger->posted);
    write_sum(out, "write_offs", ledger->write_offs, ledger->written_off);
    write_sum(out, "adjustments", ledger->adjustments, ledger->adjusted);
    write_sum(out, "fundings", ledger->fundings, ledger->funded);
    json_write_member_money(out, "recovered", ledger->recovered);
    json_write_raw(out, "}");
}

/* Why there may be a difference. */
static void explain(const struct export_order *order, const struct export_result *result, char text[128])
{
    char oldest[CLOCK_TEXT_MAX];
    text[0] = '\0';
    if (!result->has_ended)
        snprintf(text, 128, "; the period has not ended, calls may be under way");
    else if (order->format != EXPORT_FOCUS && result->oldest_ms != INT64_MAX &&
             result->oldest_ms / 1000 > order->period.since_s)
        snprintf(text, 128, "; the oldest event that is kept is of %s",
                 clock_format(result->oldest_ms * 1000000, oldest));
}

/* In words, which side lacks how much. */
static void write_problem(struct buffer *out, const struct export_order *order, const struct export_result *result)
{
    char paid[MONEY_TEXT_MAX], written_off[MONEY_TEXT_MAX], why[128], text[384];
    const int64_t a = result->paid_difference.nano, b = result->written_off_difference.nano;
    money_format((struct money){a < 0 ? -a : a}, paid);
    money_format((struct money){b < 0 ? -b : b}, written_off);
    explain(order, result, why);
    snprintf(text, sizeof text, "the rows have %s USD %s than wallets paid, %s USD %s than was written off%s", paid,
             a < 0 ? "less" : "more", written_off, b < 0 ? "less" : "more", why);
    json_write_member_string(out, "problem", result->is_reconciled ? NULL : text);
}

static void write_reconciliation(struct buffer *out, const struct export_order *order,
                                 const struct export_result *result)
{
    const uint64_t cost = result->sums[MEASURE_cost], written_off = result->sums[MEASURE_written_off];
    json_write_member(out, "reconciliation");
    json_write_raw(out, "{");
    json_write_member_money(out, "cost", (struct money){(int64_t)cost});
    json_write_member_money(out, "written_off", (struct money){(int64_t)written_off});
    json_write_member_money(out, "paid", (struct money){(int64_t)(cost - written_off)});
    json_write_member_money(out, "difference", result->paid_difference);
    json_write_member_money(out, "written_off_difference", result->written_off_difference);
    write_problem(out, order, result);
    json_write_raw(out, "}");
    json_write_member_boolean(out, "reconciled", result->is_reconciled);
}

static void write_period(struct buffer *out, const struct export_order *order, bool has_ended)
{
    char since[PERIOD_TEXT_MAX], until[PERIOD_TEXT_MAX];
    json_write_member(out, "period");
    json_write_raw(out, "{");
    json_write_member_string(out, "since", period_format(order->period.zone, order->period.since_s, since));
    json_write_member_string(out, "until", period_format(order->period.zone, order->period.until_s, until));
    json_write_member_string(out, "timezone", order->period.zone_name);
    json_write_member_boolean(out, "has_ended", has_ended);
    json_write_raw(out, "}");
}

void export_write_manifest(const struct export_order *order, const struct export_result *result, const char *file,
                           struct buffer *out)
{
    char digest[DIGEST_TEXT_MAX], written[CLOCK_TEXT_MAX];
    json_write_raw(out, "{");
    json_write_member_string(out, "file", file);
    json_write_member_string(out, "format", export_format_name(order->format));
    json_write_member_string(out, "environment", config_environment_name(order->settings->environment));
    json_write_member_string(out, "currency", "USD");
    write_period(out, order, result->has_ended);
    json_write_member_integer(out, "rows", (int64_t)result->rows);
    json_write_member_integer(out, "bytes", (int64_t)result->bytes);
    json_write_member_string(out, "sha256", digest_format(result->digest, digest));
    json_write_member(out, "sums");
    json_write_raw(out, "{");
    report_write_measures(out, result->sums);
    json_write_raw(out, "}");
    write_ledger(out, &result->ledger);
    write_reconciliation(out, order, result);
    json_write_member_string(out, "written", clock_format(result->written_ns, written));
    json_write_member_string(out, "version", TOLLGATE_VERSION);
    json_write_raw(out, "}");
}
