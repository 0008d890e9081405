/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that are missing, written again from the ledger. The ledger is the truth of what was paid; events are written
 * after it, without waiting for the disk: a kill loses the last of them, a damaged aux/ all. At start every payment
 * since the last end in order is looked for among the lines of events, and one that no line has paid for gets an event:
 * of holds that the start has settled, as nobody knows what came of those calls, and of others from the memo that their
 * settle left in the ledger. So events sum to what wallets paid, always. A job that passes its deadline while the agent
 * runs gets its event at once. Called by services.c.
 */
#include "reconcile.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    AT_ONCE_MAX = 2000, /* payments that a start waits for; more are looked for by a thread */
    EVENT_BYTES_MAX = 8192,
    HOLD_ATTEMPT_FIRST = 1, /* ids of holds: the first attempt's */
};

struct paid {
    UT_hash_handle hh;
    struct id hold;
};

struct reconcile {
    struct wallet_ledger *ledger;
    struct journal *journal;
    enum environment environment;
    pthread_mutex_t lock; /* of is_started alone: while it is true the journal is open. The ledger's thread asks */
    bool is_started;
    uint64_t mark, last; /* payments after the one, up to the other */
    int64_t first_ms;    /* the oldest of them was paid */
    unsigned long count, written;
    struct paid *paid; /* what lines say */
    pthread_t thread;
    bool has_thread;
    atomic_bool is_stopping, is_done;
};

/* ---- what lines say ---- */

static void add_paid(struct reconcile *reconcile, struct id hold)
{
    struct paid *paid;
    HASH_FIND(hh, reconcile->paid, &hold, sizeof hold, paid);
    if (paid)
        return;
    paid = calloc(1, sizeof *paid);
    check(paid != NULL);
    paid->hold = hold;
    HASH_ADD(hh, reconcile->paid, hold, sizeof paid->hold, paid);
}

static bool visit_line(void *context, struct id id, const struct journal_line *line, struct slice json)
{
    struct reconcile *reconcile = context;
    struct id hold;
    (void)json;
    if (line->of[MEASURE_cost]) {
        add_paid(reconcile, id); /* of one that was written again, the event's id is the hold's */
        add_paid(reconcile, id_with_attempt(id_without_attempt(id), line->attempt + HOLD_ATTEMPT_FIRST));
        if (line->paid_for && id_parse(slice_of(line->paid_for), &hold))
            add_paid(reconcile, hold);
    }
    return !atomic_load(&reconcile->is_stopping);
}

static void forget_paid(struct reconcile *reconcile)
{
    struct paid *paid, *next;
    HASH_ITER(hh, reconcile->paid, paid, next)
    {
        HASH_DEL(reconcile->paid, paid); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        free(paid);
    }
}

/* ---- events ---- */

static void write_names(struct buffer *out, const struct reconcile *reconcile, const struct wallet_payment *payment)
{
    json_write_member_string(out, "environment", config_environment_name(reconcile->environment));
    if (payment->memo.pid)
        json_write_member_integer(out, "pid", payment->memo.pid);
    json_write_member_string(out, "executable", payment->memo.program);
    json_write_member_string(out, "project", payment->memo.project);
    json_write_member_string(out, "group", payment->memo.group);
    json_write_member_string(out, "wallet", payment->wallet);
    json_write_member_string(out, "model", payment->memo.model);
    json_write_member_string(out, "provider", payment->provider);
}

/* Where an answer was, or was not, the end of the call: the ledger has settled by itself, or by what a settle told it.
 */
struct words {
    const char *outcome, *error, *detail, *usage_source;
};

static const struct words *find_words(const struct wallet_payment *payment)
{
    static const struct words recovered = {"failed", "recovered",
                                           "the agent ended while this call was open; tollgate wallet adjust corrects "
                                           "its charge",
                                           "recovered"},
                              expired = {"failed", "expired",
                                         "nobody saw the end of this work before its deadline: what was held for it is "
                                         "the charge; tollgate wallet adjust corrects it",
                                         "recovered"},
                              lost = {"answered", NULL, "the event was lost, this is what the ledger knows",
                                      "provider"};
    if (payment->basis == BASIS_RECOVERED)
        return &recovered;
    if (payment->memo.provider[0])
        return &lost;
    return payment->basis == BASIS_WORST ? &expired : &recovered;
}

static void write_words(struct buffer *out, const struct wallet_payment *payment)
{
    const struct words *words = find_words(payment);
    json_write_member_integer(out, "status", 0);
    json_write_member_string(out, "outcome", words->outcome);
    json_write_member_string(out, "error", words->error);
    json_write_member_string(out, "error_detail", words->detail);
    json_write_member_string(out, "source", "ledger");
    json_write_member_string(out, "usage_source", words->usage_source);
    json_write_member_string(out, "basis", wallet_basis_name(payment->basis));
}

static void write_tokens(struct buffer *out, const struct wallet_memo *memo)
{
    json_write_member(out, "tokens");
    json_write_raw(out, "{");
    json_write_member_integer(out, "input", (int64_t)memo->tokens_input);
    json_write_member_integer(out, "cache_read", (int64_t)memo->tokens_cache_read);
    json_write_member_integer(out, "cache_write", (int64_t)memo->tokens_cache_write);
    json_write_member_integer(out, "output", (int64_t)memo->tokens_output);
    json_write_raw(out, "}");
}

static void write_attempt(struct buffer *out, const struct wallet_payment *payment, struct money cost, const char *time)
{
    json_write_member(out, "attempts");
    json_write_raw(out, "[{");
    json_write_member_string(out, "provider", payment->provider);
    json_write_member_string(out, "model", payment->memo.model);
    json_write_member_money(out, "charge", cost);
    json_write_member_string(out, "basis", wallet_basis_name(payment->basis));
    json_write_member_boolean(out, "bytes_sent", true);
    json_write_member_string(out, "settled", time);
    if (payment->written_off.nano)
        json_write_member_money(out, "written_off", payment->written_off);
    json_write_raw(out, "}]");
}

static void write_event(const struct reconcile *reconcile, const struct wallet_payment *payment, struct buffer *out)
{
    char id[ID_TEXT_MAX], time_text[CLOCK_TEXT_MAX];
    struct money cost = payment->paid;
    check(money_add(payment->paid, payment->written_off, &cost) == ERROR_OK);
    clock_format(payment->time_ns, time_text);
    json_write_raw(out, "{");
    json_write_member_string(out, "id", id_format(payment->hold, id));
    json_write_member_string(out, "time", time_text);
    write_names(out, reconcile, payment);
    write_words(out, payment);
    write_tokens(out, &payment->memo);
    json_write_member_money(out, "charge", cost);
    write_attempt(out, payment, cost, time_text);
    json_write_raw(out, ",\"steps\":[]");
    json_write_member_string(out, "version", TOLLGATE_VERSION);
    json_write_raw(out, "}");
}

/* ---- payments ---- */

static bool count_payment(void *context, const struct wallet_payment *payment)
{
    struct reconcile *reconcile = context;
    int64_t ms = payment->time_ns / 1000000;
    reconcile->count++;
    if (ms < reconcile->first_ms)
        reconcile->first_ms = ms;
    return true;
}

static void append_event(const struct reconcile *reconcile, const struct wallet_payment *payment)
{
    struct buffer out;
    buffer_init(&out, EVENT_BYTES_MAX);
    write_event(reconcile, payment, &out);
    journal_append_event(reconcile->journal, payment->hold, buffer_contents(&out));
    buffer_done(&out);
}

static bool visit_payment(void *context, const struct wallet_payment *payment)
{
    enum { FLUSH_EVERY = 2000 }; /* the journal's queue is bounded */
    struct reconcile *reconcile = context;
    const struct paid *paid;
    if (payment->sequence > reconcile->last)
        return false;
    HASH_FIND(hh, reconcile->paid, &payment->hold, sizeof payment->hold, paid);
    if (paid || (!payment->paid.nano && !payment->written_off.nano))
        return !atomic_load(&reconcile->is_stopping);
    append_event(reconcile, payment);
    if (++reconcile->written % FLUSH_EVERY == 0)
        journal_flush(reconcile->journal);
    return !atomic_load(&reconcile->is_stopping);
}

static void run(struct reconcile *reconcile)
{
    uint64_t ignored;
    enum error error =
        journal_scan_lines(reconcile->journal, reconcile->first_ms, INT64_MAX / 2, visit_line, reconcile);
    if (!error)
        error = wallet_scan_payments(reconcile->ledger, reconcile->mark, true, visit_payment, reconcile, &ignored);
    forget_paid(reconcile);
    if (reconcile->written) {
        journal_flush(reconcile->journal);
        log_event(EVENT_EVENTS_RESTORED, NULL, "%lu of %lu payments since the last orderly end", reconcile->written,
                  reconcile->count);
    }
    if (error || atomic_load(&reconcile->is_stopping)) {
        journal_note_gap(reconcile->journal);
        if (error)
            log_event(EVENT_JOURNAL_FAILED, NULL, "events cannot be compared with the ledger: %s",
                      error_row(error)->text);
        return;
    }
    journal_set_mark(reconcile->journal, reconcile->last);
}

static void *thread_main(void *context)
{
    struct reconcile *reconcile = context;
    run(reconcile);
    atomic_store(&reconcile->is_done, true);
    return NULL;
}

const atomic_bool *reconcile_is_done(const struct reconcile *reconcile)
{
    return &reconcile->is_done;
}

struct reconcile *reconcile_new(enum environment environment)
{
    struct reconcile *reconcile = calloc(1, sizeof *reconcile);
    check(reconcile != NULL);
    *reconcile = (struct reconcile){.environment = environment, .first_ms = INT64_MAX};
    check(pthread_mutex_init(&reconcile->lock, NULL) == 0);
    return reconcile;
}

void reconcile_free(struct reconcile *reconcile)
{
    if (!reconcile)
        return;
    pthread_mutex_destroy(&reconcile->lock);
    free(reconcile);
}

static void set_started(struct reconcile *reconcile, bool is_started)
{
    pthread_mutex_lock(&reconcile->lock);
    reconcile->is_started = is_started;
    pthread_mutex_unlock(&reconcile->lock);
}

/* A job that expires between the count and the flag is found by the next start: reconcile_stop sets no mark then. */
void reconcile_start(struct reconcile *reconcile, struct wallet_ledger *ledger, struct journal *journal)
{
    reconcile->ledger = ledger;
    reconcile->journal = journal;
    reconcile->mark = journal_get_mark(journal);
    if (wallet_scan_payments(ledger, reconcile->mark, false, count_payment, reconcile, &reconcile->last)) {
        log_event(EVENT_JOURNAL_FAILED, NULL, "the ledger's history cannot be read: events are not compared with it");
        journal_note_gap(journal);
    } else if (reconcile->count <= AT_ONCE_MAX) {
        run(reconcile);
    } else {
        sigset_t all, old;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old); /* signals are the main thread's business */
        check(pthread_create(&reconcile->thread, NULL, thread_main, reconcile) == 0);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        reconcile->has_thread = true;
    }
    if (!reconcile->has_thread)
        atomic_store(&reconcile->is_done, true);
    set_started(reconcile, true);
}

void reconcile_job(struct reconcile *reconcile, const struct wallet_payment *payment)
{
    pthread_mutex_lock(&reconcile->lock);
    if (reconcile->is_started)
        append_event(reconcile, payment);
    pthread_mutex_unlock(&reconcile->lock);
}

/* What the ledger settled by itself, a hold past its deadline, an exchange may have told of or not: then the next start
 * looks. */
void reconcile_stop(struct reconcile *reconcile)
{
    struct wallet_statistics statistics;
    if (!reconcile || !reconcile->journal)
        return;
    set_started(reconcile, false);
    atomic_store(&reconcile->is_stopping, true);
    if (reconcile->has_thread)
        pthread_join(reconcile->thread, NULL);
    journal_flush(reconcile->journal);
    wallet_get_statistics(reconcile->ledger, &statistics);
    if (!statistics.expired)
        journal_set_mark(reconcile->journal, statistics.sequence);
}
