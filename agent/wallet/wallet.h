/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: accounts, immutable transfers, one writer thread, batches. A wallet is never overspent and no crash
 * loses or invents money (ledger.md). Loops submit operations; the ledger thread runs everything that waits in one
 * transaction, commits it to disk, and posts each operation back. Balances live in memory, checked against the
 * journal at start.
 */
#ifndef WALLET_WALLET_H
#define WALLET_WALLET_H

#include "base/error.h"
#include "base/histogram.h"
#include "base/id.h"
#include "base/mailbox.h"
#include "base/money.h"

#include <stdio.h>

enum { WALLET_SCHEMA = 3 }; /* of what is on disk; older ones are migrated when a ledger is opened */
enum { WALLET_NAME_MAX = 64, WALLET_NOTE_MAX = 120, WALLET_BUDGET_NAME_MAX = 48, WALLET_BUDGETS_MAX = 8 };

struct wallet_ledger;

enum wallet_operation_kind {
    /* Asked again with the same id and content, an operation answers as the first time; with other content
       TRANSFER_CONFLICT (a hold that was resolved otherwise: TRANSFER_RESOLVED). A RESERVE whose hold is resolved
       answers TRANSFER_RESOLVED too: its money is spent or returned, so nothing may be sent on it. */
    WALLET_RESERVE, /* PENDING: holds `amount` of `wallet` and counts it against every budget named, all or nothing;
                       WALLET_EXHAUSTED when available < amount, or when balance is 0; BUDGET_EXHAUSTED when a limit
                       would be passed, or is 0 (which: refused_by); DISK_LOW when the store has little room */
    WALLET_SETTLE, /* POST: of hold `id`, `amount` is charged to `provider`, the rest returns; above the hold: posted up
                      to what is available, the rest to write-off, ret_alarm set */
    WALLET_VOID,   /* VOID: nothing was sent; the whole hold `id` returns */
    WALLET_DEFER, /* hold `id` becomes a job's (a background response, a batch): it stays open until a SETTLE or VOID of
                     the hold, or until the job's deadline, across restarts. `job` says which; the same provider and
                     key again with the same hold answer as the first time (whose note and deadline stay), with
                     another TRANSFER_CONFLICT, as another job for the same hold; TRANSFER_UNKNOWN, TRANSFER_RESOLVED;
                     OVERLOADED when 100,000 jobs are open. Not refused on a full disk */
    WALLET_FUND,  /* from the funding account to the wallet (created when new and `create`) */
    WALLET_ADJUST, /* an operator's correction, either sign, never below 0 */
};

/* How a charge was known; stored with the transfer. */
enum wallet_basis { BASIS_EXACT, BASIS_PARTIAL, BASIS_ESTIMATE, BASIS_WORST, BASIS_RECOVERED, BASIS_NONE };

/* The report dimensions of a settle: the second row of the same transaction, from which events can be re-derived. */
struct wallet_memo {
    char model[64], provider[32], group[64], program[64], project[64];
    uint64_t tokens_input, tokens_cache_read, tokens_cache_write, tokens_output;
    uint32_t pid;
};

/* A budget that a hold is counted against. Its window is a run of buckets, each numbered by when it starts (minutes
 * since 1970, UTC): a fixed window is one bucket (first = last), a rolling one is several. What is held now goes to
 * `last`. Buckets of a budget move only forward: when it was ever counted in a later one (the clock stepped back), the
 * later one is taken and `first` moves as far. Each bucket is an account of the ledger, so its use survives crashes and
 * can be recomputed. */
struct wallet_budget {
    char name[WALLET_BUDGET_NAME_MAX]; /* as wallet names */
    uint32_t first, last;
    struct money limit; /* of all buckets together; MONEY_MAX: counted, never refused (a soft budget) */
};

/* A job: work that a provider does after its answer. Past the deadline its hold is settled whole (BASIS_WORST, with
 * WALLET_NOTE_HOLD_EXPIRED). While the ledger is open what is left is counted by the monotonic clock, so that a wall
 * clock that jumps ends no job early or late; what passed while it was closed counts by the wall clock, at the next
 * open (defer.c). limits.hold_deadline_s is not for jobs. */
enum { WALLET_JOB_KEY_MAX = 128, WALLET_JOB_NOTE_MAX = 256 };
struct wallet_job {
    char provider[32];
    char key[WALLET_JOB_KEY_MAX];   /* the provider's id: "resp_…", "batch_…"; ASCII that can be seen */
    char note[WALLET_JOB_NOTE_MAX]; /* the caller's own, e.g. target and model: what it needs to price the job */
    int64_t deadline_s;             /* wall clock, above 0; one that has passed is at once due */
    /* filled by the ledger */
    struct id hold;
    char wallet[WALLET_NAME_MAX];
    struct money held;
};

/* Embedded in the caller's object; must live until `done` runs. The caller fills the upper part. */
struct wallet_operation {
    struct task task; /* internal while submitted */
    enum wallet_operation_kind kind;
    struct id id; /* of the transfer (RESERVE, FUND, ADJUST: its idempotency) or of the hold it resolves */
    char wallet[WALLET_NAME_MAX]; /* "team_product_dev": the environment is the ledger's */
    char provider[32];            /* SETTLE: who is paid */
    struct money amount;
    struct money amount_min; /* RESERVE: less than `amount` will do, down to this: what wallet and budgets can pay is
                                granted (`held`). 0: all of `amount` or nothing */
    struct wallet_budget budgets[WALLET_BUDGETS_MAX]; /* RESERVE */
    unsigned budget_count;
    struct money floor; /* RESERVE: the part of the hold that the input alone may cost; stored with the
                           hold, what a dev recovery settles */
    bool is_unenforced; /* RESERVE: cost_tracking.wallet_enforcement is off: granted even when the wallet
                           lacks the money (available may go below 0); such holds are marked in the row,
                           so that invariant 2 is checked for wallets that never had one */
    enum wallet_basis basis;
    bool bytes_were_sent;       /* VOID with bytes sent is refused: INTERNAL */
    bool create;                /* FUND: the wallet may be new */
    char note[WALLET_NOTE_MAX]; /* FUND, ADJUST: who and why; printed by history */
    struct wallet_memo memo;    /* SETTLE */
    struct wallet_job job;      /* DEFER: provider, key, note, deadline_s */
    struct mailbox *reply_to;   /* NULL: no answer wanted (fire and forget; the ledger frees with `done`) */
    void (*done)(
        struct wallet_operation *operation); /* on the reply mailbox's thread; on the ledger thread when NULL */
    /* results */
    enum error error;
    struct money available;   /* of the wallet, after */
    struct money held;        /* RESERVE/SETTLE/VOID/DEFER: the hold's amount */
    int refused_by;           /* BUDGET_EXHAUSTED: index into budgets; else -1 */
    struct money left;        /* BUDGET_EXHAUSTED: what that budget has left, never below 0 */
    bool alarm;               /* SETTLE above the hold */
    struct money written_off; /* SETTLE: of the amount, what no wallet could pay */
    int64_t time_ns;          /* SETTLE: wall clock of the transfer that settled the hold, TRANSFER_RESOLVED too */
    bool is_repeat;           /* SETTLE, VOID: it was resolved before, by an order with the same content */
    uint64_t batch_size;      /* how many shared the commit */
};

enum wallet_note {
    WALLET_NOTE_BACKUP_MADE,
    WALLET_NOTE_BACKUP_FAILED,
    WALLET_NOTE_DISK_LOW,
    WALLET_NOTE_DISK_WELL,
    WALLET_NOTE_HOLD_EXPIRED,
    WALLET_NOTE_MIGRATED
};

/* What a wallet paid for a call or a job. */
struct wallet_payment {
    uint64_t sequence;
    struct id hold;
    int64_t time_ns;
    char wallet[WALLET_NAME_MAX], provider[WALLET_NAME_MAX];
    struct money paid, written_off;
    enum wallet_basis basis;
    struct wallet_memo memo; /* empty where the ledger settled by itself, or it was not asked for */
};

/* How the ledger is looked after; another may be given while it is open. All may be 0 or NULL. */
struct wallet_upkeep {
    uint64_t low_water_bytes;              /* with less free space new holds answer DISK_LOW; settles go on */
    uint32_t hold_deadline_s;              /* a hold older than this is settled whole (BASIS_WORST, alarm); 0: never */
    const char *backup_directory;          /* where daily backups go; made, with those above it, when it is not there */
    const char *backup_fallback;           /* where one goes that could not be made there; NULL: nowhere */
    uint32_t backup_every_s, backups_kept; /* 0: no backups; kept in each of the two directories */
};

struct wallet_options {
    const char *directory;         /* STATE/ledger */
    const char *environment;       /* dev | prod: part of every account name */
    bool settle_recovered_in_full; /* prod: open holds settle whole at start; dev: at their floor */
    /* The rest may be 0 or NULL. */
    bool must_exist; /* there was a ledger before: STORE_CORRUPT where there is none now, instead of a new one */
    struct wallet_upkeep upkeep;
    /* The ledger has stopped (fail-stop); `why` in words, valid during the call. Once, from a thread of the ledger;
     * must not call it back. */
    void (*stopped)(void *context, const char *why);
    /* Something an administrator should read: a backup made or failed, disk low or well again, a hold past its
     * deadline. From a thread of the ledger. */
    void (*noted)(void *context, enum wallet_note note, const char *text);
    /* A job passed its deadline: what that cost is on disk, and no call will tell of it. Sequence and memo are empty.
     * From a thread of the ledger, or from wallet_open; must not call it back. */
    void (*job_expired)(void *context, const struct wallet_payment *payment);
    void *context;
};

/* available = funded − spent − held. funded: all that came in, upward adjustments too; spent: all that went out. */
struct wallet_facts {
    char wallet[WALLET_NAME_MAX];
    struct money available, held, spent, funded;
    uint64_t transfers; /* that touched it */
};

/* Opens the store, verifies the journal against the accounts, resolves open holds but those of jobs, then those of jobs
 * that are past their deadline, starts the ledger thread. *ret_recovered counts the former. The journal is verified
 * from the last anchor on (at most some 10,000 transfers; none after a clean close). Forks: open before starting
 * threads. Errors: as store_open, STORE_SCHEMA, STORE_CORRUPT when an invariant fails, a table of its schema is
 * missing, or the ledger is another environment's. */
enum error wallet_open(const struct wallet_options *options, struct wallet_ledger **ret_ledger,
                       unsigned *ret_recovered) MUST_USE;
/* Why the last wallet_open of this thread failed: which file, and what is wrong with it; "" when nothing is known. */
const char *wallet_failure(void);
/* Runs what is queued, checkpoints, closes. NULL is fine. */
void wallet_close(struct wallet_ledger *ledger);

/* From any thread; never fails, never blocks: the outcome is in operation->error when done runs, after the commit. A
 * SETTLE or VOID may wait up to 5 ms for a RESERVE to share its flush. After a fail-stop everything answers
 * LEDGER_STOPPED. */
void wallet_submit(struct wallet_ledger *ledger, struct wallet_operation *operation);
/* Submits and waits; for tools and control, never from a loop. */
void wallet_run(struct wallet_ledger *ledger, struct wallet_operation *operation);

/* A consistent copy of the balances, any thread. Returns how many there are; fills at most `max`. */
size_t wallet_list(struct wallet_ledger *ledger, struct wallet_facts *facts, size_t max);
enum error wallet_find(struct wallet_ledger *ledger, const char *wallet, struct wallet_facts *ret_facts) MUST_USE;

/* The job of a provider's id; NOT_FOUND when there is none, or it has ended. Any thread. */
enum error wallet_find_job(struct wallet_ledger *ledger, const char *provider, const char *key,
                           struct wallet_job *ret_job) MUST_USE;
/* Open jobs, oldest deadline first; returns how many there are, fills at most `max`. */
size_t wallet_list_jobs(struct wallet_ledger *ledger, struct wallet_job *jobs, size_t max);

/* What a budget has used: first and last as in a reserve (corrected the same way, and returned). Zeroes when it was
 * never counted. Any thread. */
struct wallet_budget_facts {
    uint32_t first, last;
    struct money spent, held;
};
void wallet_find_budget(struct wallet_ledger *ledger, const char *name, uint32_t first, uint32_t last,
                        struct wallet_budget_facts *ret_facts);

/* The transfers of one wallet (NULL: all, those of budgets too), newest first, at most `max` visits. */
struct wallet_transfer {
    uint64_t sequence;
    const char *kind; /* pending post void fund adjust write-off defer */
    bool is_budget;   /* it moves no money: it counts the hold before it against a budget (wallet: its bucket) */
    struct id id;
    int64_t time_ns; /* wall clock */
    char wallet[WALLET_NAME_MAX];
    char counterparty[WALLET_NAME_MAX];
    struct money amount;
    enum wallet_basis basis;
    char note[WALLET_NOTE_MAX]; /* of a defer: the job's key, cut when it is longer */
};
typedef bool wallet_visit(void *context, const struct wallet_transfer *transfer);
enum error wallet_history(struct wallet_ledger *ledger, const char *wallet, size_t max, wallet_visit *visit,
                          void *context) MUST_USE;

/* The transfers that pay for calls, in their order, after number `after`: a post with what was written off behind it.
 * *ret_last: the newest transfer of all. Any thread; stops when `visit` returns false. */
typedef bool wallet_visit_payment(void *context, const struct wallet_payment *payment);
enum error wallet_scan_payments(struct wallet_ledger *ledger, uint64_t after, bool with_memo,
                                wallet_visit_payment *visit, void *context, uint64_t *ret_last) MUST_USE;

/* What the journal's transfers of [from_ns, until_ns) (wall clock) sum up to, whatever their order: those of budgets
 * left out. The first call reads all of the journal, later ones
 * what is new and of that time. Not from a loop. */
struct wallet_sums {
    uint64_t posts, write_offs, adjustments, fundings; /* how many */
    struct money posted;                               /* what wallets paid to providers */
    struct money recovered;   /* of it, settled at a start, since the call's end is not known */
    struct money written_off; /* what providers bill that no wallet could pay */
    struct money adjusted;    /* by operators; below 0: taken */
    struct money funded;
};
enum error wallet_sum_period(struct wallet_ledger *ledger, int64_t from_ns, int64_t until_ns,
                             struct wallet_sums *ret_sums) MUST_USE;

/* Recomputes everything from the journal and checks the invariants of ledger.md. Prints one line per invariant into
 * `report` (NUL-terminated, truncated to size). ERROR_STORE_CORRUPT when one does not hold. Works on a closed ledger's
 * directory: opens it itself. NOT_FOUND when there is none, ENVIRONMENT_BUSY while an agent runs on it. */
enum error wallet_audit(const char *directory, char *report, size_t report_bytes) MUST_USE;

/* A copy of the ledger in `directory` (which must not exist), made while it works, opened once and audited, with its
 * logical dump (ledger.jsonl) beside it; log files that neither it nor a recovery needs are removed. Blocks; not from a
 * loop. On failure nothing is left, and why (NUL-terminated) says what happened. */
enum error wallet_backup(struct wallet_ledger *ledger, const char *directory, char *why, size_t why_bytes) MUST_USE;
/* Puts a backup in the place of the ledger in STATE/ledger; what was there is moved to STATE/ledger.before-TIME, never
 * deleted. `from`: a directory of wallet_backup, or a dump file, which is replayed and must come to the same chain of
 * hashes and, written again, to the same text (of schemas 1 and 2: but for the sums). ENVIRONMENT_BUSY while an agent
 * runs, NOT_FOUND, STORE_CORRUPT (the backup fails its audit), REQUEST_INVALID (it is another environment's; nothing
 * was changed). why: how far the backup goes, and where what was there is now. */
enum error wallet_restore(const char *from, const char *directory, const char *environment, char *why,
                          size_t why_bytes) MUST_USE;
/* The logical dump of a closed ledger: JSON lines, one per account, then one per transfer in order, one per open
 * job, then the sums. */
enum error wallet_dump(const char *directory, FILE *out) MUST_USE;

const char *wallet_basis_name(enum wallet_basis basis); /* exact partial estimate worst recovered none */

/* From now on, any thread: what is due is found anew. */
void wallet_set_upkeep(struct wallet_ledger *ledger, const struct wallet_upkeep *upkeep);
/* Of the daily backups, any thread. */
struct wallet_backups {
    int64_t due_s;     /* until the next; -1: none is due */
    char failure[256]; /* why the last one could not be made where it belongs; "": it could, or there was none yet */
};
void wallet_find_backups(struct wallet_ledger *ledger, struct wallet_backups *ret_backups);

/* Counters since start, any thread. */
struct wallet_statistics {
    uint64_t operations, batches, refusals, recovered;
    uint64_t expired;             /* holds and jobs that the ledger settled itself while it was open */
    uint64_t sequence;            /* of the newest transfer on disk */
    struct histogram_sum commits; /* how long they took; batches that changed nothing have none */
    bool is_stopped, is_disk_low;
};
void wallet_get_statistics(struct wallet_ledger *ledger, struct wallet_statistics *ret_statistics);

#endif
