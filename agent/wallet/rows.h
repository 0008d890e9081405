/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the ledger on disk and their encoding: big endian, fixed width. Used inside wallet/ only. Hot rows stay
 * at or below 100 bytes, so that they lie inline in 512-byte pages (ledger.md); a change of layout is a new schema.
 *
 *   transfers  sequence → struct transfer                        the journal: immutable, hash-chained
 *   details    sequence → resolution and memo of a hold (of a linked one: its resolution), the note of FUND, ADJUST, or
 *              the job of a DEFER (rare, so it may take an overflow page)
 *   ids        id       → sequence                               idempotency
 *   jobs       sequence of a DEFER → id of its hold              while that is open; what else is to know: the journal
 *   book       'a' number → struct balance      'n' number → kind, name      'w' number → word of the memo dictionary
 *              'h' → head of the chain          's' → schema                 'e' → environment
 *              'k' → anchor                     'l' number → struct balance at the anchor
 */
#ifndef WALLET_ROWS_H
#define WALLET_ROWS_H

#include "wallet/wallet.h"

enum {
    TRANSFER_ROW_BYTES = 92,
    BALANCE_ROW_BYTES = 48,
    HEAD_ROW_BYTES = 40,
    ANCHOR_ROW_BYTES = 48,
    MEMO_ROW_BYTES = 65,
    MEMO_ROW_BYTES_1 = 57, /* schema 1: without program and project */
    LINK_ROW_BYTES = 9,
    JOB_DETAIL_BYTES_MAX = 11 + 31 + (WALLET_JOB_KEY_MAX - 1) + (WALLET_JOB_NOTE_MAX - 1),
    DETAIL_BYTES_MAX = JOB_DETAIL_BYTES_MAX,
    HASH_BYTES = 32,
    LEDGER_SCHEMA = WALLET_SCHEMA,
};

enum transfer_kind {
    TRANSFER_PENDING = 1,
    TRANSFER_POST,
    TRANSFER_VOID,
    TRANSFER_FUND,
    TRANSFER_ADJUST,
    TRANSFER_WRITE_OFF, /* directly follows the POST whose usage beat both hold and wallet */
    TRANSFER_DEFER,     /* an open hold is a job's from here on; moves no money */
    TRANSFER_KINDS
};

/* LINKED: counts the hold against a budget, moves no money. The linked PENDINGs of a hold directly follow it, its
 * linked POSTs or VOIDs directly follow its resolution (and the WRITE_OFF, when there is one), both in the order of the
 * request's budgets. They carry the hold's id, but do not take it. */
enum { TRANSFER_ALARM = 1, TRANSFER_UNENFORCED = 2, TRANSFER_LINKED = 4, TRANSFER_FLAGS = 7 };

enum account_kind {
    ACCOUNT_FUNDING,
    ACCOUNT_ADJUSTMENT,
    ACCOUNT_WRITE_OFF,
    ACCOUNT_WALLET,
    ACCOUNT_PROVIDER,
    ACCOUNT_BUDGET,    /* one bucket of a budget: "<name>.<minutes>" */
    ACCOUNT_ALLOWANCE, /* the other side of all buckets */
    ACCOUNT_KINDS
};

struct transfer {
    uint64_t sequence; /* from 1, without gaps */
    enum transfer_kind kind;
    enum wallet_basis basis;
    unsigned flags;
    struct id id; /* POST, VOID, WRITE_OFF and DEFER carry the id of their hold */
    int64_t time_ns, amount;
    uint32_t debit, credit;          /* accounts */
    uint64_t related;                /* POST, VOID, WRITE_OFF, DEFER: the hold */
    int64_t floor;                   /* PENDING; shares its place in the row with `related` */
    int64_t limit;                   /* linked PENDING: the budget's limit as asked; the same place */
    uint64_t previous;               /* transfer of the same wallet, 0: none */
    uint32_t first;                  /* linked PENDING: the window's first bucket; the place of `previous` */
    unsigned char chain[HASH_BYTES]; /* hash of the transfer before */
};

struct balance {
    int64_t debits_pending, debits_posted, credits_pending, credits_posted;
    uint64_t transfers, last; /* that touched the account: how many, the newest */
};

struct head {
    uint64_t sequence;
    unsigned char hash[HASH_BYTES];
};

/* A place up to which the journal is known to agree with the accounts. `first`: the oldest transfer that a reader needs
 * to know which holds were open there. */
struct anchor {
    struct head head;
    uint64_t first;
};

struct memo {
    uint64_t resolution; /* the POST or VOID */
    uint32_t model, provider, group, pid, program, project;
    uint64_t tokens_input, tokens_cache_read, tokens_cache_write, tokens_output;
};

/* The second row of a transfer. For a resolution its key is the hold, so that a hold can only ever have one. */
struct detail {
    uint64_t key;
    unsigned char bytes[DETAIL_BYTES_MAX];
    size_t length; /* 0: none */
};

struct row_key {
    unsigned char bytes[8];
};

struct row_key row_key_of(uint64_t sequence);
uint64_t row_key_parse(struct slice key);
static inline struct slice row_slice(const void *bytes, size_t length)
{
    return (struct slice){bytes, length};
}
/* 'a', 'n', 'w', 'l' and a number. Returns the slice of `key`. */
struct slice book_key(unsigned char key[5], char what, uint32_t number);
uint32_t book_key_number(struct slice key);

/* parse_: false when the row has another length or holds an unknown kind. */
void transfer_format(const struct transfer *transfer, unsigned char row[TRANSFER_ROW_BYTES]);
bool transfer_parse(struct slice key, struct slice row, struct transfer *ret_transfer);
void balance_format(const struct balance *balance, unsigned char row[BALANCE_ROW_BYTES]);
bool balance_parse(struct slice row, struct balance *ret_balance);
void head_format(const struct head *head, unsigned char row[HEAD_ROW_BYTES]);
bool wallet_parse_head(struct slice row, struct head *ret_head);
void anchor_format(const struct anchor *anchor, unsigned char row[ANCHOR_ROW_BYTES]);
bool anchor_parse(struct slice row, struct anchor *ret_anchor);
void memo_format(const struct memo *memo, struct detail *ret_detail);
bool memo_parse(struct slice row, struct memo *ret_memo);
void link_format(uint64_t resolution, struct detail *ret_detail); /* of a linked hold */
void note_format(const char *note, struct detail *ret_detail);
/* provider, key, note and deadline_s; the rest of a wallet_job is the hold's. Its strings fit. */
void job_format(const struct wallet_job *job, struct detail *ret_detail);
bool job_parse(struct slice row, struct wallet_job *ret_job);
/* The resolution in a detail row of a hold, linked or not; 0 when it is no such row. */
uint64_t detail_resolution(struct slice row);
/* The note in a detail row; "" when it is no such row. */
void detail_note(struct slice row, char note[WALLET_NOTE_MAX]);

/* What the next transfer carries: covers the key, the row and its detail. */
void transfer_hash(uint64_t sequence, struct slice row, struct slice detail, unsigned char ret_hash[HASH_BYTES]);

bool transfer_has_detail(enum transfer_kind kind);
/* The others carry their hold's. */
static inline bool transfer_takes_id(enum transfer_kind kind, unsigned flags)
{
    return !(flags & TRANSFER_LINKED) && (kind == TRANSFER_PENDING || kind == TRANSFER_FUND || kind == TRANSFER_ADJUST);
}
static inline bool transfer_is_linked(const struct transfer *transfer)
{
    return (transfer->flags & TRANSFER_LINKED) != 0;
}
static inline bool transfer_resolves(enum transfer_kind kind)
{
    return kind == TRANSFER_POST || kind == TRANSFER_VOID;
}
const char *transfer_kind_name(enum transfer_kind kind);

#endif
