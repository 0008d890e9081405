/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dump, line by line, into empty tables: the rows as they were, so that the chain of hashes comes out the same. Each
 * line says its hash, so a changed one is found where it is. What the rows mean is not judged here: the audit that
 * follows does. The dump is hostile input.
 */
#include "wallet/backup.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_PER_COMMIT = 256, HEX_MAX = 2 * DETAIL_BYTES_MAX + 1, ACCOUNTS_MAX = 1 << 24 };

enum section {
    SECTION_NONE,
    SECTION_HEAD,
    SECTION_ACCOUNTS,
    SECTION_WORDS,
    SECTION_TRANSFERS,
    SECTION_JOBS,
    SECTION_SUMS
};

struct replay {
    const struct tables *tables;
    struct store_transaction *transaction;
    unsigned rows; /* in the transaction */
    enum section section;
    uint64_t line, accounts, words, jobs;
    __int128 pending, posted; /* all debits */
    struct head head;
    enum error error;
    char *why;
    size_t why_bytes;
};

static void note_fault(struct replay *replay, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An expression that is false, so that the compiler sees that nothing goes on. */
#define FAULT(replay, ...) (note_fault((replay), __VA_ARGS__), false)

static void note_fault(struct replay *replay, const char *format, ...)
{
    char text[160];
    va_list arguments;
    if (replay->error)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(replay->why, replay->why_bytes, "line %llu: %s", (unsigned long long)replay->line, text);
    replay->error = ERROR_STORE_CORRUPT;
}

static bool is_stored(struct replay *replay, enum error error)
{
    if (!error)
        return true;
    if (!replay->error)
        snprintf(replay->why, replay->why_bytes, "writing: %s", store_failure(replay->tables->store));
    replay->error = error;
    return false;
}

/* ---- members ---- */

static bool get_number(struct replay *replay, const struct json_value *value, const char *name, uint64_t max,
                       uint64_t *ret_number)
{
    int64_t number = 0;
    if (value->kind == JSON_KIND_ABSENT || !json_get_integer(value, &number) || (uint64_t)number > max)
        return FAULT(replay, "\"%s\" is missing or no such number", name);
    *ret_number = (uint64_t)number;
    return true;
}

static bool get_account(struct replay *replay, const struct json_value *value, const char *name, uint32_t *ret_number)
{
    uint64_t number;
    if (!get_number(replay, value, name, replay->accounts - 1, &number))
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static bool get_money(struct replay *replay, const struct json_value *value, const char *name, int64_t *ret_nano)
{
    char text[MONEY_TEXT_MAX];
    struct money money;
    if (!json_get_string(value, text, sizeof text) || money_parse(slice_of(text), &money))
        return FAULT(replay, "\"%s\" is missing or no amount", name);
    *ret_nano = money.nano;
    return true;
}

static bool get_name(struct replay *replay, const struct json_value *value, const char *name,
                     const char *(*name_of)(unsigned), unsigned first, unsigned count, unsigned *ret_index)
{
    for (unsigned i = first; i < count; i++)
        if (json_string_is(value, name_of(i))) {
            *ret_index = i;
            return true;
        }
    return FAULT(replay, "\"%s\" is missing or unknown", name);
}

static const char *account_kind_of(unsigned kind)
{
    return dump_account_kinds[kind];
}

static const char *transfer_kind_of(unsigned kind)
{
    return transfer_kind_name((enum transfer_kind)kind);
}

static const char *basis_of(unsigned basis)
{
    return wallet_basis_name((enum wallet_basis)basis);
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Absent: length 0. */
static bool get_hex(struct replay *replay, const struct json_value *value, const char *name, unsigned char *bytes,
                    size_t bytes_max, size_t *ret_length)
{
    char text[HEX_MAX] = "";
    if (value->kind != JSON_KIND_ABSENT && !json_get_string(value, text, sizeof text))
        return FAULT(replay, "\"%s\" is no string of hexadecimal digits", name);
    size_t length = strlen(text);
    if (length % 2 || length / 2 > bytes_max)
        return FAULT(replay, "\"%s\" has a wrong length", name);
    for (size_t i = 0; i < length; i += 2) {
        int high = digit_of(text[i]), low = digit_of(text[i + 1]);
        if (high < 0 || low < 0)
            return FAULT(replay, "\"%s\" is no string of hexadecimal digits", name);
        bytes[i / 2] = (unsigned char)(high << 4 | low);
    }
    *ret_length = length / 2;
    return true;
}

/* ---- rows ---- */

static bool put(struct replay *replay, struct store_table *table, struct slice key, struct slice value)
{
    if (!replay->transaction && !is_stored(replay, store_begin(replay->tables->store, &replay->transaction)))
        return false;
    replay->rows++;
    return is_stored(replay, store_put(table, replay->transaction, key, value));
}

static bool put_book(struct replay *replay, char what, uint32_t number, struct slice value)
{
    unsigned char key[5];
    return put(replay, replay->tables->book, book_key(key, what, number), value);
}

static bool commit(struct replay *replay)
{
    struct store_transaction *transaction = replay->transaction;
    replay->transaction = NULL;
    replay->rows = 0;
    return !transaction || is_stored(replay, store_commit(transaction));
}

/* ---- lines, each after the ones it may follow ---- */

static bool enter(struct replay *replay, enum section section, enum section oldest)
{
    if (replay->section < oldest || replay->section > section)
        return FAULT(replay, "it is not where it belongs");
    replay->section = section;
    return true;
}

static bool read_head(struct replay *replay, struct slice line)
{
    struct json_value schema, environment;
    const struct json_query queries[] = {{"ledger.schema", &schema}, {"ledger.environment", &environment}};
    char name[16];
    uint64_t number;
    if (replay->section != SECTION_NONE)
        return FAULT(replay, "a second head");
    replay->section = SECTION_HEAD;
    if (json_scan(line, 4, queries, 2, NULL) || !get_number(replay, &schema, "schema", 255, &number))
        return FAULT(replay, "the head is unreadable");
    if (number == 0 || number > LEDGER_SCHEMA) {
        note_fault(replay, "its schema is %llu, known are 1 to %d", (unsigned long long)number, LEDGER_SCHEMA);
        replay->error = ERROR_STORE_SCHEMA;
        return false;
    }
    if (!json_get_string(&environment, name, sizeof name) || !name[0])
        return FAULT(replay, "\"environment\" is missing or too long");
    const unsigned char row[4] = {0, 0, 0, (unsigned char)number};
    return put_book(replay, 's', 0, row_slice(row, sizeof row)) && put_book(replay, 'e', 0, slice_of(name));
}

static bool read_account(struct replay *replay, struct slice line)
{
    struct json_value number, kind, name, amounts[4], transfers, last;
    static const char *const amount_names[] = {"debits_pending", "debits_posted", "credits_pending", "credits_posted"};
    const struct json_query queries[] = {{"account", &number},
                                         {"kind", &kind},
                                         {"name", &name},
                                         {amount_names[0], &amounts[0]},
                                         {amount_names[1], &amounts[1]},
                                         {amount_names[2], &amounts[2]},
                                         {amount_names[3], &amounts[3]},
                                         {"transfers", &transfers},
                                         {"last", &last}};
    struct balance balance = {0};
    int64_t *places[] = {&balance.debits_pending, &balance.debits_posted, &balance.credits_pending,
                         &balance.credits_posted};
    unsigned char row[BALANCE_ROW_BYTES];
    char text[1 + WALLET_NAME_MAX];
    uint64_t value;
    unsigned index;
    if (json_scan(line, 4, queries, sizeof queries / sizeof *queries, NULL) ||
        !enter(replay, SECTION_ACCOUNTS, SECTION_HEAD) || !get_number(replay, &number, "account", ACCOUNTS_MAX, &value))
        return FAULT(replay, "the account is unreadable");
    if (value != replay->accounts)
        return FAULT(replay, "account %llu is missing", (unsigned long long)replay->accounts);
    if (!get_name(replay, &kind, "kind", account_kind_of, 0, ACCOUNT_KINDS, &index))
        return false;
    if (!json_get_string(&name, text + 1, sizeof text - 1))
        return FAULT(replay, "\"name\" is missing or too long");
    for (size_t i = 0; i < 4; i++)
        if (!get_money(replay, &amounts[i], amount_names[i], places[i]))
            return false;
    if (!get_number(replay, &transfers, "transfers", INT64_MAX, &balance.transfers) ||
        !get_number(replay, &last, "last", INT64_MAX, &balance.last))
        return false;
    text[0] = (char)('0' + index);
    replay->pending += balance.debits_pending;
    replay->posted += balance.debits_posted;
    balance_format(&balance, row);
    replay->accounts++;
    return put_book(replay, 'n', (uint32_t)value, slice_of(text)) &&
           put_book(replay, 'a', (uint32_t)value, row_slice(row, sizeof row));
}

static bool read_word(struct replay *replay, struct slice line)
{
    struct json_value number, text;
    const struct json_query queries[] = {{"word", &number}, {"text", &text}};
    char word[WORD_BYTES_MAX];
    uint64_t value;
    if (json_scan(line, 4, queries, 2, NULL) || !enter(replay, SECTION_WORDS, SECTION_ACCOUNTS) ||
        !get_number(replay, &number, "word", WORDS_MAX, &value))
        return FAULT(replay, "the word is unreadable");
    if (value != replay->words + 1)
        return FAULT(replay, "word %llu is missing", (unsigned long long)(replay->words + 1));
    if (!json_get_string(&text, word, sizeof word))
        return FAULT(replay, "\"text\" is missing or too long");
    replay->words = value;
    return put_book(replay, 'w', (uint32_t)value, slice_of(word));
}

/* ---- a transfer ---- */

enum field {
    FIELD_TRANSFER,
    FIELD_KIND,
    FIELD_BASIS,
    FIELD_ID,
    FIELD_TIME,
    FIELD_AMOUNT,
    FIELD_DEBIT,
    FIELD_CREDIT,
    FIELD_ALARM,
    FIELD_UNENFORCED,
    FIELD_LINKED,
    FIELD_FLOOR,
    FIELD_LIMIT,
    FIELD_FIRST,
    FIELD_RELATED,
    FIELD_PREVIOUS,
    FIELD_DETAIL,
    FIELD_HASH,
    FIELD_COUNT
};
static const char *const field_names[FIELD_COUNT] = {"transfer", "kind",   "basis",   "id",         "time_ns", "amount",
                                                     "debit",    "credit", "alarm",   "unenforced", "linked",  "floor",
                                                     "limit",    "first",  "related", "previous",   "detail",  "hash"};

static bool read_pending(struct replay *replay, const struct json_value *values, struct transfer *transfer)
{
    uint64_t first = 0;
    if (!transfer_is_linked(transfer))
        return get_money(replay, &values[FIELD_FLOOR], "floor", &transfer->floor);
    if (!get_money(replay, &values[FIELD_LIMIT], "limit", &transfer->limit) ||
        !get_number(replay, &values[FIELD_FIRST], "first", UINT32_MAX, &first))
        return false;
    transfer->first = (uint32_t)first;
    return true;
}

static bool read_base(struct replay *replay, const struct json_value *values, struct transfer *transfer)
{
    char id[ID_TEXT_MAX];
    unsigned kind, basis;
    int64_t time_ns;
    if (!get_name(replay, &values[FIELD_KIND], "kind", transfer_kind_of, TRANSFER_PENDING, TRANSFER_KINDS, &kind) ||
        !get_name(replay, &values[FIELD_BASIS], "basis", basis_of, 0, BASIS_NONE + 1, &basis))
        return false;
    if (!json_get_string(&values[FIELD_ID], id, sizeof id) || !id_parse(slice_of(id), &transfer->id))
        return FAULT(replay, "\"id\" is missing or no id");
    if (!json_get_integer(&values[FIELD_TIME], &time_ns))
        return FAULT(replay, "\"time_ns\" is missing or no such number");
    transfer->kind = (enum transfer_kind)kind;
    transfer->basis = (enum wallet_basis)basis;
    transfer->time_ns = time_ns;
    transfer->flags = (values[FIELD_ALARM].kind == JSON_KIND_TRUE ? TRANSFER_ALARM : 0U) |
                      (values[FIELD_UNENFORCED].kind == JSON_KIND_TRUE ? TRANSFER_UNENFORCED : 0U) |
                      (values[FIELD_LINKED].kind == JSON_KIND_TRUE ? TRANSFER_LINKED : 0U);
    return get_money(replay, &values[FIELD_AMOUNT], "amount", &transfer->amount) &&
           get_account(replay, &values[FIELD_DEBIT], "debit", &transfer->debit) &&
           get_account(replay, &values[FIELD_CREDIT], "credit", &transfer->credit);
}

static bool parse_transfer(struct replay *replay, const struct json_value *values, struct transfer *transfer)
{
    uint64_t sequence;
    if (!get_number(replay, &values[FIELD_TRANSFER], "transfer", INT64_MAX, &sequence))
        return false;
    if (sequence != replay->head.sequence + 1)
        return FAULT(replay, "transfer %llu is missing", (unsigned long long)(replay->head.sequence + 1));
    transfer->sequence = sequence;
    memcpy(transfer->chain, replay->head.hash, HASH_BYTES);
    if (!read_base(replay, values, transfer))
        return false;
    if (values[FIELD_PREVIOUS].kind != JSON_KIND_ABSENT &&
        !get_number(replay, &values[FIELD_PREVIOUS], "previous", INT64_MAX, &transfer->previous))
        return false;
    return transfer->kind == TRANSFER_PENDING
               ? read_pending(replay, values, transfer)
               : get_number(replay, &values[FIELD_RELATED], "related", INT64_MAX, &transfer->related);
}

static bool put_transfer(struct replay *replay, const struct transfer *transfer, struct slice row, struct slice detail)
{
    const struct tables *tables = replay->tables;
    const struct row_key key = row_key_of(transfer->sequence);
    const struct row_key detail_key =
        row_key_of(transfer_resolves(transfer->kind) ? transfer->related : transfer->sequence);
    bool takes_id = transfer_takes_id(transfer->kind, transfer->flags);
    return put(replay, tables->transfers, row_slice(key.bytes, sizeof key.bytes), row) &&
           (!detail.length ||
            put(replay, tables->details, row_slice(detail_key.bytes, sizeof detail_key.bytes), detail)) &&
           (!takes_id || put(replay, tables->ids, row_slice(transfer->id.bytes, sizeof transfer->id.bytes),
                             row_slice(key.bytes, sizeof key.bytes)));
}

static bool read_transfer(struct replay *replay, struct slice line)
{
    struct json_value values[FIELD_COUNT];
    struct json_query queries[FIELD_COUNT];
    struct transfer transfer = {0};
    unsigned char row[TRANSFER_ROW_BYTES], detail[DETAIL_BYTES_MAX], hash[HASH_BYTES];
    size_t detail_bytes, hash_bytes;
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        queries[i] = (struct json_query){field_names[i], &values[i]};
    if (json_scan(line, 4, queries, FIELD_COUNT, NULL) || !enter(replay, SECTION_TRANSFERS, SECTION_ACCOUNTS))
        return FAULT(replay, "the transfer is unreadable");
    if (!parse_transfer(replay, values, &transfer) ||
        !get_hex(replay, &values[FIELD_DETAIL], "detail", detail, sizeof detail, &detail_bytes) ||
        !get_hex(replay, &values[FIELD_HASH], "hash", hash, sizeof hash, &hash_bytes))
        return false;
    const struct slice row_bytes = row_slice(row, sizeof row), detail_slice = row_slice(detail, detail_bytes);
    transfer_format(&transfer, row);
    replay->head.sequence = transfer.sequence;
    transfer_hash(transfer.sequence, row_bytes, detail_slice, replay->head.hash);
    if (hash_bytes != HASH_BYTES || memcmp(hash, replay->head.hash, HASH_BYTES) != 0)
        return FAULT(replay, "transfer %llu, or one before it, was changed: its hash is another",
                     (unsigned long long)transfer.sequence);
    return put_transfer(replay, &transfer, row_bytes, detail_slice);
}

/* Whether that DEFER is there, and its hold open, is for the audit to say; what else the line has is for readers. */
static bool read_job(struct replay *replay, struct slice line)
{
    struct json_value job, id_value;
    const struct json_query queries[] = {{"job", &job}, {"id", &id_value}};
    char text[ID_TEXT_MAX];
    struct id id;
    uint64_t sequence;
    if (json_scan(line, 4, queries, 2, NULL) || !enter(replay, SECTION_JOBS, SECTION_ACCOUNTS) ||
        !get_number(replay, &job, "job", INT64_MAX, &sequence))
        return FAULT(replay, "the job is unreadable");
    if (!json_get_string(&id_value, text, sizeof text) || !id_parse(slice_of(text), &id))
        return FAULT(replay, "\"id\" is missing or no id");
    const struct row_key key = row_key_of(sequence);
    replay->jobs++;
    return put(replay, replay->tables->jobs, row_slice(key.bytes, sizeof key.bytes), row_slice(id.bytes, sizeof id));
}

/* Sums that do not fit in 64 bits are not looked at. */
static bool is_sum(struct replay *replay, const struct json_value *value, const char *name, __int128 wanted)
{
    int64_t nano;
    return wanted > INT64_MAX || (get_money(replay, value, name, &nano) && nano == wanted);
}

static bool read_sums(struct replay *replay, struct slice line)
{
    struct json_value accounts, transfers, jobs, pending, posted, hash_value;
    const struct json_query queries[] = {{"sums.accounts", &accounts}, {"sums.transfers", &transfers},
                                         {"sums.jobs", &jobs},         {"sums.pending", &pending},
                                         {"sums.posted", &posted},     {"sums.hash", &hash_value}};
    unsigned char hash[HASH_BYTES], row[HEAD_ROW_BYTES];
    uint64_t account_count, transfer_count, job_count = 0; /* schemas 1 and 2 have no jobs */
    size_t hash_bytes;
    if (json_scan(line, 4, queries, sizeof queries / sizeof *queries, NULL) ||
        !enter(replay, SECTION_SUMS, SECTION_ACCOUNTS) ||
        !get_number(replay, &accounts, "accounts", INT64_MAX, &account_count) ||
        !get_number(replay, &transfers, "transfers", INT64_MAX, &transfer_count) ||
        (jobs.kind != JSON_KIND_ABSENT && !get_number(replay, &jobs, "jobs", INT64_MAX, &job_count)) ||
        !get_hex(replay, &hash_value, "hash", hash, sizeof hash, &hash_bytes))
        return FAULT(replay, "the sums are unreadable");
    if (account_count != replay->accounts || job_count != replay->jobs || transfer_count != replay->head.sequence ||
        hash_bytes != HASH_BYTES || memcmp(hash, replay->head.hash, HASH_BYTES) != 0 ||
        !is_sum(replay, &pending, "pending", replay->pending) || !is_sum(replay, &posted, "posted", replay->posted))
        return FAULT(replay, "the sums are of another ledger: lines are missing");
    head_format(&replay->head, row);
    return put_book(replay, 'h', 0, row_slice(row, sizeof row));
}

static bool read_line(struct replay *replay, struct slice line)
{
    static const struct {
        const char *member;
        bool (*read)(struct replay *, struct slice);
    } rows[] = {{"transfer", read_transfer}, {"account", read_account}, {"word", read_word},
                {"job", read_job},           {"ledger", read_head},     {"sums", read_sums}};
    enum { ROWS = sizeof rows / sizeof *rows };
    struct json_value values[ROWS];
    struct json_query queries[ROWS];
    struct json_problem problem;
    for (unsigned i = 0; i < ROWS; i++)
        queries[i] = (struct json_query){rows[i].member, &values[i]};
    if (json_scan(line, 4, queries, ROWS, &problem))
        return FAULT(replay, "no JSON: %s", problem.message);
    for (unsigned i = 0; i < ROWS; i++)
        if (values[i].kind != JSON_KIND_ABSENT)
            return rows[i].read(replay, line) && (replay->rows < ROWS_PER_COMMIT || commit(replay));
    return FAULT(replay, "it is none of ledger, account, word, transfer, job, sums");
}

static bool read_lines(struct replay *replay, FILE *in)
{
    char *line = malloc(DUMP_LINE_BYTES_MAX);
    bool goes_on = line || is_stored(replay, ERROR_NO_MEMORY);
    while (goes_on && fgets(line, DUMP_LINE_BYTES_MAX, in)) {
        struct slice text = slice_of(line);
        replay->line++;
        if (replay->section == SECTION_SUMS)
            goes_on = FAULT(replay, "something follows the sums");
        else if (text.length == 0 || text.data[text.length - 1] != '\n')
            goes_on = FAULT(replay, "it is cut off or too long");
        else
            goes_on = read_line(replay, (struct slice){text.data, text.length - 1});
    }
    free(line);
    if (goes_on && ferror(in)) {
        snprintf(replay->why, replay->why_bytes, "it cannot be read");
        replay->error = ERROR_FILE_UNREADABLE;
    }
    return goes_on && !replay->error;
}

enum error replay_read(const struct tables *tables, FILE *in, char *why, size_t why_bytes)
{
    struct replay replay = {.tables = tables, .why = why, .why_bytes = why_bytes};
    if (read_lines(&replay, in) && replay.section != SECTION_SUMS) {
        replay.line++;
        note_fault(&replay, "the dump is not complete: its sums are missing");
    }
    if (!replay.error)
        commit(&replay);
    store_abort(replay.transaction);
    return replay.error;
}
