/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of wallet/ share. All of struct wallet_ledger belongs to the ledger thread, except what is marked.
 *
 *   submit → mailbox → thread.c (batch) → operate.c (decides, moves money in memory) → transfers.c (rows of the batch)
 *                                      → commit.c (one transaction) → published copy → replies
 */
#ifndef WALLET_INTERNAL_H
#define WALLET_INTERNAL_H

#include "base/hash.h"
#include "store/store.h"
#include "wallet/rows.h"

#include <stdatomic.h>

enum {
    BATCH_MAX = 512, /* operations in one transaction: bounds its locks and the time of a reply */
    OPERATION_ROWS_MAX = 2 + WALLET_BUDGETS_MAX,    /* a settle with a write-off and its linked ones */
    OPERATION_TOUCHED_MAX = 5 + WALLET_BUDGETS_MAX, /* wallet, two providers, write-off, allowance, buckets */
    ROWS_MAX = 2 * BATCH_MAX,                       /* a batch ends early rather than outgrow these two */
    TOUCHED_MAX = 5 * BATCH_MAX,
    WORDS_MAX = 10000,              /* the memo dictionary; further words become word 0 */
    WORD_BYTES_MAX = 64,            /* as in struct wallet_memo */
    RECENT_MAX = 4096,              /* ids kept in memory; at least a batch */
    ANCHOR_EVERY = 10000,           /* transfers that a start may have to verify again */
    ANCHOR_ACCOUNTS_MAX = 50000,    /* that changed since the anchor: the locks of one transaction */
    CHECKPOINT_EVERY = 2000,        /* transfers between two looks at the size of the log */
    LOW_CHECKPOINT_EVERY = 200,     /* the same while the disk is full */
    CHECKPOINT_LOG_BYTES = 8 << 20, /* recovery takes about 13 ms per MiB */
    LINGER_NS = 5000000,            /* a settle that nobody waits for may wait this long for company */
    LINGER_OPERATIONS_MAX = 256,
    COMMIT_TRIES_MAX = 10,
    JOBS_MAX = 100000, /* open at once: some 60 MB, and what a start reads one by one */
};

enum { ENVIRONMENT_MAX = 16 };
enum { BASE_ACCOUNTS = 3 }; /* funding, adjustment, write-off: numbers 0, 1, 2 in every ledger */

struct account {
    uint32_t number;
    enum account_kind kind;
    char name[WALLET_NAME_MAX];
    char label[WALLET_NAME_MAX + 2]; /* kind and name: the key of the hash */
    struct balance balance;
    bool is_touched;    /* in this batch */
    bool is_unanchored; /* differs from its row at the anchor */
    UT_hash_handle hh;
};

struct hold {
    struct id id;
    uint64_t sequence;
    uint32_t wallet, counterparty;
    int64_t amount, floor;
    int64_t made_ns; /* monotonic; 0 in a verification */
    bool is_unenforced;
    struct job *job; /* it is deferred; else NULL */
    unsigned linked_count;
    uint32_t linked[WALLET_BUDGETS_MAX]; /* buckets; their PENDINGs are the next sequences */
    uint32_t allowance;
    UT_hash_handle hh; /* in the order in which they were made */
};

/* What a deferred hold waits for. The ledger thread makes and frees it; other threads read it under the publish lock,
 * from the commit of its DEFER to that of its end. Nothing that they read changes meanwhile. */
struct job {
    uint64_t sequence; /* of the DEFER */
    struct id hold;
    uint32_t wallet;
    int64_t held, deadline_s;
    int64_t made_ns;              /* wall clock: of the DEFER */
    int64_t due_ns;               /* monotonic, of the ledger thread; 0 in a verification */
    bool is_written, is_ended;    /* its row is on disk; it ends with this batch */
    bool is_changed;              /* by this batch */
    struct job *next_changed;     /* of this batch */
    UT_hash_handle hh, published; /* by label */
    char text[]; /* its label, "provider/key" (a provider has no "/"), and after the NUL the caller's note */
};

/* The buckets of one budget, ascending. */
struct bucket {
    uint32_t start, account;
};
struct bucket_list {
    char name[WALLET_BUDGET_NAME_MAX];
    struct bucket *buckets;
    uint32_t count, capacity;
    UT_hash_handle hh;
};

struct word {
    uint32_t number;
    char text[WORD_BYTES_MAX];
    UT_hash_handle hh;
};

/* An id among the last RECENT_MAX. */
struct recent {
    struct id id;
    uint64_t sequence, resolution;
    UT_hash_handle hh;
};

struct batch_row {
    unsigned char transfer[TRANSFER_ROW_BYTES];
    struct detail detail;
};

/* What other threads may know of an account. */
struct published {
    enum account_kind kind;
    char name[WALLET_NAME_MAX];
    struct balance balance;
    UT_hash_handle hh; /* wallets only */
};

/* When the transfers of a run of SPAN_TRANSFERS were made: the earliest and the latest. */
enum { SPAN_TRANSFERS = 1024 };
struct time_span {
    int64_t earliest_ns, latest_ns;
};

struct tables {
    struct store *store;
    struct store_table *transfers, *details, *ids, *jobs, *book;
};

struct wallet_ledger {
    struct tables tables;
    struct wallet_options options; /* its strings are copies */
    char environment[ENVIRONMENT_MAX];

    struct account **accounts, *accounts_by_label;
    uint32_t account_count, account_capacity, accounts_written; /* names on disk */
    uint32_t unanchored_count;
    struct bucket_list *budgets;
    struct hold *holds, *deferred; /* open: those of this life, those of jobs */
    struct job *jobs, *changed_jobs;
    int64_t jobs_due_ns; /* monotonic: none is due before */
    struct word *words;
    uint32_t word_count, words_written; /* numbers from 1 */
    struct recent *recent_by_id, recents[RECENT_MAX];
    uint64_t recent_count;
    struct id evicted_max; /* no id above it is on disk without being recent */

    struct head head;       /* with the rows of this batch */
    struct anchor anchor;   /* as on disk */
    bool wants_anchor;      /* at the end */
    bool has_unenforced;    /* some wallet may be below 0 */
    int64_t now_ns;         /* wall clock of the batch */
    struct batch_row *rows; /* ROWS_MAX */
    uint64_t rows_first;    /* sequence of rows[0] */
    unsigned row_count;
    struct account **touched; /* TOUCHED_MAX */
    unsigned touched_count;
    enum error broken; /* an operation met a store error: nothing of the batch may be committed */
    uint64_t transfers_at_checkpoint, transfers_at_verification;
    int64_t swept_ns; /* monotonic */

    /* any thread */
    struct mailbox mailbox;
    struct task stop;
    pthread_t thread, chores;
    atomic_bool is_stopped;
    atomic_bool is_disk_low; /* set and cleared by the chores thread: no new holds */
    atomic_ullong operations, batches, refusals, recovered, expired, sequence;
    struct histogram commits; /* the ledger thread observes */

    pthread_mutex_t publish_lock;                     /* a leaf lock */
    struct published **published, *published_wallets; /* by account number */
    uint32_t published_count, published_capacity;
    struct bucket_list *published_budgets;
    struct job *published_jobs, **jobs_by_deadline; /* by label; sorted, as many as there are */
    uint32_t jobs_by_deadline_capacity;

    pthread_mutex_t spans_lock; /* a leaf lock */
    struct time_span *spans;    /* of the journal's first span_count × SPAN_TRANSFERS transfers, see sums.c */
    uint32_t span_count, span_capacity;

    pthread_mutex_t chores_lock; /* a leaf lock */
    pthread_cond_t chores_wanted;
    int chores_event_fd; /* wakes the chores thread */
    bool wants_checkpoint, wants_plan, wants_end;

    /* upkeep.c */
    atomic_ullong low_water_bytes;
    atomic_uint hold_deadline_s;
    struct wallet_upkeep upkeep; /* what concerns backups, under chores_lock */
    char backup_failure[256];    /* likewise; "": the last one went well */
    atomic_llong backup_due_ns;  /* monotonic; INT64_MAX: never. Set by the chores thread */
};

/* book.c: accounts and words; memory only, commit.c writes what is new or touched */
bool book_name_is_valid(const char *name, size_t bytes_max);
struct account *book_find(struct wallet_ledger *ledger, enum account_kind kind, const char *name);
struct account *book_create(struct wallet_ledger *ledger, enum account_kind kind, const char *name);
struct account *book_get(struct wallet_ledger *ledger, enum account_kind kind, const char *name); /* creates */
void book_mark(struct wallet_ledger *ledger, struct account *account); /* its balance is part of this batch */
/* Whole characters of valid UTF-8 alone, '?' for other bytes, never longer: a dump is JSON, and must come to the same
 * words again. */
void word_clean(struct slice text, char clean[WORD_BYTES_MAX]);
uint32_t book_word(struct wallet_ledger *ledger, const char *name);
void book_add_word(struct wallet_ledger *ledger, uint32_t number, const char *text);
void book_free(struct wallet_ledger *ledger);
static inline int64_t balance_available(const struct balance *balance)
{
    return balance->credits_posted - balance->debits_posted - balance->debits_pending;
}
/* No sum over one side of an account may overflow, so that `available` never does. NULL: an account yet to be made. */
static inline bool balance_has_room(int64_t pending, int64_t posted, int64_t amount)
{
    int64_t sum;
    return !__builtin_add_overflow(pending, posted, &sum) && !__builtin_add_overflow(sum, amount, &sum);
}
static inline bool account_can_debit(const struct account *account, int64_t amount)
{
    return !account || balance_has_room(account->balance.debits_pending, account->balance.debits_posted, amount);
}
static inline bool account_can_credit(const struct account *account, int64_t amount)
{
    return !account || balance_has_room(account->balance.credits_pending, account->balance.credits_posted, amount);
}
/* "wallet/team/dev", "provider/openai", "funding" */
enum { ACCOUNT_TEXT_MAX = WALLET_NAME_MAX + 32 };
char *account_format(enum account_kind kind, const char *name, const char *environment, char text[ACCOUNT_TEXT_MAX]);

/* budgets.c: which buckets a budget has; the ledger thread has one set of lists, the published copy another */
bool budget_name_is_valid(const char *name);
char *bucket_format(const char *budget, uint32_t start, char text[WALLET_NAME_MAX]);
bool bucket_parse(const char *text, char ret_budget[WALLET_BUDGET_NAME_MAX], uint32_t *ret_start);
void buckets_add(struct bucket_list **lists, const char *budget, uint32_t start, uint32_t account);
struct bucket_list *buckets_find(struct bucket_list *lists, const char *budget); /* NULL: never counted */
/* A window that begins in the past of the budget moves forward. list: or NULL. */
void buckets_correct(const struct bucket_list *list, uint32_t *first, uint32_t *last);
/* The newest bucket at or before `last` and at or after `first`, then the one before it: *index counts down from
 * list->count. NULL: no more. */
const struct bucket *buckets_next(const struct bucket_list *list, uint32_t first, uint32_t last, uint32_t *index);
void buckets_free(struct bucket_list **lists);

/* transfers.c: appends to the batch and looks back */
/* Fills sequence, time, chain and previous, and the resolution; returns the sequence. memo and note: or NULL. */
uint64_t transfers_add(struct wallet_ledger *ledger, struct transfer *transfer, struct memo *memo, const char *note);
/* The same, of a DEFER. */
uint64_t transfers_add_defer(struct wallet_ledger *ledger, struct transfer *transfer, const struct wallet_job *job);
enum error transfers_read(struct wallet_ledger *ledger, uint64_t sequence, struct transfer *ret_transfer) MUST_USE;
/* NOT_FOUND, or the transfer that took this id and, for a hold, its resolution (0: open). */
enum error transfers_find(struct wallet_ledger *ledger, struct id id, uint64_t *ret_sequence,
                          uint64_t *ret_resolution) MUST_USE;
void transfers_remember(struct wallet_ledger *ledger, struct id id, uint64_t sequence);
void transfers_remember_resolution(struct wallet_ledger *ledger, const struct hold *hold, uint64_t resolution);
void transfers_forget(struct wallet_ledger *ledger);

/* holds.c */
struct hold *holds_add(struct hold **holds, const struct transfer *pending);
/* The next budget it is counted against. */
void holds_link(struct hold *hold, const struct transfer *pending);
struct hold *holds_find(struct hold *holds, struct id id);
void holds_remove(struct hold **holds, struct hold *hold);
void holds_free(struct hold **holds);
uint64_t holds_oldest(const struct hold *holds); /* 0: none */

/* jobs.c: in memory; a live ledger has one set, a verification builds its own */
/* Its text is filled; `job` belongs to hold->job. NULL: that provider and key have one already. */
struct job *jobs_add(struct job **jobs, struct hold *hold, const struct transfer *defer, const struct wallet_job *job);
struct job *jobs_find(struct job *jobs, const char *provider, const char *key);
void jobs_remove(struct job **jobs, struct job *job);
void jobs_free(struct job **jobs);
/* The hold of a job goes from one set to the other. */
void jobs_move_hold(struct hold **holds, struct hold **deferred, struct hold *hold);

/* defer.c */
enum error ledger_defer(struct wallet_ledger *ledger, struct wallet_operation *operation) MUST_USE;
/* With its hold. */
void ledger_end_job(struct wallet_ledger *ledger, struct job *job);
/* At start: the jobs of the verification; their deadlines count from now on. */
void ledger_take_jobs(struct wallet_ledger *ledger, struct job *jobs);

/* sweep.c: deadlines */
void ledger_sweep(struct wallet_ledger *ledger); /* on the ledger thread, at most each second */
/* At start: what passed its deadline meanwhile. */
enum error ledger_expire_jobs(struct wallet_ledger *ledger) MUST_USE;

/* operate.c, reserve.c, resolve.c */
/* An open one, deferred or not. */
static inline struct hold *ledger_find_hold(struct wallet_ledger *ledger, struct id id)
{
    struct hold *hold = holds_find(ledger->holds, id);
    return hold || !ledger->deferred ? hold : holds_find(ledger->deferred, id);
}
void ledger_operate(struct wallet_ledger *ledger, struct wallet_operation *operation);
/* What this id did before. NOT_FOUND: nothing. OK: *ret_transfer, and *ret_resolution when it was a hold. */
enum error ledger_find_earlier(struct wallet_ledger *ledger, const struct wallet_operation *operation,
                               struct transfer *ret_transfer, uint64_t *ret_resolution) MUST_USE;
enum error ledger_reserve(struct wallet_ledger *ledger, struct wallet_operation *operation) MUST_USE;
enum error ledger_settle(struct wallet_ledger *ledger, struct wallet_operation *operation) MUST_USE;
enum error ledger_void(struct wallet_ledger *ledger, struct wallet_operation *operation) MUST_USE;

/* facts.c: the copy for other threads, of the accounts that this batch changed or made */
/* A copy of an account as published; false: there is none of that number. Any thread. */
bool ledger_copy_account(struct wallet_ledger *ledger, uint32_t number, struct published *ret_published);
void ledger_publish(struct wallet_ledger *ledger);
void ledger_unpublish(struct wallet_ledger *ledger);

/* job_facts.c: the jobs that other threads see. Their changes of a batch that was committed; under the publish lock. */
void jobs_publish(struct wallet_ledger *ledger);
void jobs_publish_all(struct wallet_ledger *ledger); /* at start */
void jobs_unpublish(struct wallet_ledger *ledger);

/* commit.c: one transaction with everything the batch changed; then the batch is empty */
enum error ledger_commit(struct wallet_ledger *ledger) MUST_USE;

/* migrate.c */
enum error ledger_put_schema(struct wallet_ledger *ledger) MUST_USE; /* of a new ledger, or one that has migrated */
/* 0: none yet. STORE_SCHEMA: a newer one. */
enum error ledger_read_schema(const struct tables *tables, unsigned *ret_schema) MUST_USE;
/* Whose it is. STORE_CORRUPT when it does not say. */
enum error ledger_read_environment(const struct tables *tables, char ret_environment[ENVIRONMENT_MAX]) MUST_USE;
/* To LEDGER_SCHEMA, with a backup before; *ret_from is what it was. Killed on the way it runs again. */
enum error ledger_migrate(struct wallet_ledger *ledger, unsigned *ret_from) MUST_USE;
/* backup.c: a copy of the ledger as it was, in <directory>.schema-N-TIME. Before the threads are started. */
enum error ledger_backup_before_migration(struct wallet_ledger *ledger, unsigned schema) MUST_USE;

/* thread.c */
void ledger_start_threads(struct wallet_ledger *ledger);
void ledger_stop_threads(struct wallet_ledger *ledger);
bool ledger_has_room(const struct wallet_ledger *ledger); /* in the batch, for one more operation */
/* On the ledger thread: what there is to commit, and a look at the log. */
enum error ledger_commit_batch(struct wallet_ledger *ledger) MUST_USE;
/* Fail-stop, from any thread; tells options.stopped, once. */
void ledger_stop(struct wallet_ledger *ledger, enum error why);
/* Tells options.noted, from any thread. */
void ledger_note(struct wallet_ledger *ledger, enum wallet_note note, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* chores.c */
void chores_start(struct wallet_ledger *ledger);
void chores_stop(struct wallet_ledger *ledger);
void chores_want_checkpoint(struct wallet_ledger *ledger);
void chores_want_plan(struct wallet_ledger *ledger); /* when a backup is due is found anew */

/* upkeep.c: copies it; any thread. What concerns backups is read by backup.h's functions. */
void upkeep_store(struct wallet_ledger *ledger, const struct wallet_upkeep *upkeep);
void upkeep_free(struct wallet_ledger *ledger);

/* tables.c: STORE_CORRUPT when one is missing, STORE_SCHEMA; store_failure(NULL) says which, and why */
/* Of a working ledger, made when there is none; must_exist: there was one here before. */
enum error tables_open(const char *directory, bool must_exist, struct tables *ret_tables) MUST_USE;
/* To read: makes no table, NOT_FOUND when there is no ledger. */
enum error tables_open_closed(const char *directory, struct tables *ret_tables) MUST_USE;
/* All rows of `jobs`; none of an older schema that is only read. */
enum error tables_scan_jobs(const struct tables *tables, store_visit *visit, void *context) MUST_USE;
void tables_close(struct tables *tables);

/* load.c: the book into memory. Returns STORE_CORRUPT, STORE_SCHEMA. *ret_is_new: there was none. */
enum error ledger_load(struct wallet_ledger *ledger, bool *ret_is_new) MUST_USE;

/* verify.c: recomputes the journal from `anchor` on (zeroed: from the beginning) and compares it with the stored rows.
 * It shares no code with operate.c on purpose. */
enum invariant {
    INVARIANT_BALANCED,      /* 1 */
    INVARIANT_NOT_OVERSPENT, /* 2 */
    INVARIANT_HOLDS,         /* 3 */
    INVARIANT_WITHIN_HOLD,   /* 4 */
    INVARIANT_ACCOUNTS,      /* 5 */
    INVARIANT_CHAIN,         /* 6 */
    INVARIANT_BUDGETS,       /* 7 */
    INVARIANT_JOBS,          /* 8 */
    INVARIANT_COUNT
};
struct finding {
    uint64_t violations;
    char first[160]; /* the first of them, in words */
};
struct verification {
    struct finding findings[INVARIANT_COUNT];
    uint64_t transfers;
    struct hold *holds, *deferred; /* that are open; the caller frees or takes them */
    struct job *jobs;              /* of the deferred ones; as they */
    struct head head;              /* as recomputed */
    bool has_unenforced;
    __int128 totals[4]; /* debits and credits, pending and posted */
};
enum error ledger_verify(const struct tables *tables, bool from_anchor, bool with_ids,
                         struct verification *ret_verification) MUST_USE;
void verification_free(struct verification *verification);
bool verification_is_clean(const struct verification *verification);
/* Test builds: the cheap invariants after each batch, all of them every 10,000 transfers. Panics. */
void ledger_check_batch(struct wallet_ledger *ledger);

#endif
