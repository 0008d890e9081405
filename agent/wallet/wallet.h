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
#include "base/id.h"
#include "base/mailbox.h"
#include "base/money.h"

enum { WALLET_NAME_MAX = 64, WALLET_NOTE_MAX = 120 };

struct wallet_ledger;

enum wallet_operation_kind {
    /* Asked again with the same id and content, an operation answers as the first time; with other content
       TRANSFER_CONFLICT (a hold that was resolved otherwise: TRANSFER_RESOLVED). A RESERVE whose hold is resolved
       answers TRANSFER_RESOLVED too: its money is spent or returned, so nothing may be sent on it. */
    WALLET_RESERVE, /* PENDING: holds `amount` of `wallet`; WALLET_EXHAUSTED when available < amount, or when balance is
                       0 */
    WALLET_SETTLE, /* POST: of hold `id`, `amount` is charged to `provider`, the rest returns; above the hold: posted up
                      to what is available, the rest to write-off, ret_alarm set */
    WALLET_VOID,   /* VOID: nothing was sent; the whole hold `id` returns */
    WALLET_FUND,   /* from the funding account to the wallet (created when new and `create`) */
    WALLET_ADJUST, /* an operator's correction, either sign, never below 0 */
};

/* How a charge was known; stored with the transfer. */
enum wallet_basis { BASIS_EXACT, BASIS_PARTIAL, BASIS_ESTIMATE, BASIS_WORST, BASIS_RECOVERED, BASIS_NONE };

/* The report dimensions of a settle: the second row of the same transaction, from which events can be re-derived. */
struct wallet_memo {
    char model[64], provider[32], group[64];
    uint64_t tokens_input, tokens_cache_read, tokens_cache_write, tokens_output;
    uint32_t pid;
};

/* Embedded in the caller's object; must live until `done` runs. The caller fills the upper part. */
struct wallet_operation {
    struct task task; /* internal while submitted */
    enum wallet_operation_kind kind;
    struct id id; /* of the transfer (RESERVE, FUND, ADJUST: its idempotency) or of the hold it resolves */
    char wallet[WALLET_NAME_MAX]; /* "team_product_dev": the environment is the ledger's */
    char provider[32];            /* SETTLE: who is paid */
    struct money amount;
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
    struct mailbox *reply_to;   /* NULL: no answer wanted (fire and forget; the ledger frees with `done`) */
    void (*done)(
        struct wallet_operation *operation); /* on the reply mailbox's thread; on the ledger thread when NULL */
    /* results */
    enum error error;
    struct money available; /* of the wallet, after */
    struct money held;      /* RESERVE/SETTLE/VOID: the hold's amount */
    bool alarm;             /* SETTLE above the hold */
    uint64_t batch_size;    /* how many shared the commit */
};

struct wallet_options {
    const char *directory;         /* STATE/ledger */
    const char *environment;       /* dev | prod: part of every account name */
    bool settle_recovered_in_full; /* prod: open holds settle whole at start; dev: at their floor */
};

/* available = funded − spent − held. funded: all that came in, upward adjustments too; spent: all that went out. */
struct wallet_facts {
    char wallet[WALLET_NAME_MAX];
    struct money available, held, spent, funded;
    uint64_t transfers; /* that touched it */
};

/* Opens the store, verifies the journal against the accounts, resolves open holds, starts the ledger thread.
 * *ret_recovered counts the holds it resolved. The journal is verified from the last anchor on (at most some 10,000
 * transfers; none after a clean close). Forks: open before starting threads. Errors: as store_open, STORE_SCHEMA,
 * STORE_CORRUPT when an invariant fails or the ledger is another environment's. */
enum error wallet_open(const struct wallet_options *options, struct wallet_ledger **ret_ledger,
                       unsigned *ret_recovered) MUST_USE;
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

/* The transfers of one wallet (NULL: all), newest first, at most `max` visits. */
struct wallet_transfer {
    uint64_t sequence;
    const char *kind; /* pending post void fund adjust write-off */
    struct id id;
    int64_t time_ns; /* wall clock */
    char wallet[WALLET_NAME_MAX];
    char counterparty[WALLET_NAME_MAX];
    struct money amount;
    enum wallet_basis basis;
    char note[WALLET_NOTE_MAX];
};
typedef bool wallet_visit(void *context, const struct wallet_transfer *transfer);
enum error wallet_history(struct wallet_ledger *ledger, const char *wallet, size_t max, wallet_visit *visit,
                          void *context) MUST_USE;

/* Recomputes everything from the journal and checks the invariants of ledger.md. Prints one line per invariant into
 * `report` (NUL-terminated, truncated to size). ERROR_STORE_CORRUPT when one does not hold. Works on a closed ledger's
 * directory: opens it itself. NOT_FOUND when there is none, ENVIRONMENT_BUSY while an agent runs on it. */
enum error wallet_audit(const char *directory, char *report, size_t report_bytes) MUST_USE;

const char *wallet_basis_name(enum wallet_basis basis); /* exact partial estimate worst recovered none */

/* Counters since start, any thread. */
struct wallet_statistics {
    uint64_t operations, batches, refusals;
    int64_t commit_ns_total;
    bool is_stopped;
};
void wallet_get_statistics(struct wallet_ledger *ledger, struct wallet_statistics *ret_statistics);

#endif
