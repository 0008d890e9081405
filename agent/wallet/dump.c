/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logical dump: one JSON object per line, for people, for other programs and for replay.c. Amounts are decimal
 * strings in USD. What the chain of hashes covers is there byte for byte ("detail"); the readable members beside it
 * are for readers. Memory does not grow with the journal.
 *
 *   {"ledger":{"schema":3,"environment":"dev"}}
 *   {"account":3,"kind":"wallet","name":"team","debits_pending":"0", … ,"transfers":12,"last":40}
 *   {"word":1,"text":"gpt-5.4-nano"}
 *   {"transfer":1,"kind":"fund","basis":"none","id":"…","time_ns":…,"amount":"5","debit":0,"credit":3, … ,"hash":"…"}
 *   {"job":31,"id":"…","provider":"openai","key":"resp_…","note":"…","deadline_s":…}   (of a DEFER whose hold is open)
 *   {"sums":{"accounts":4,"transfers":40,"jobs":1,"pending":"0","posted":"5","hash":"…"}}
 */
#include "wallet/backup.h"

#include "base/clock.h"
#include "base/json.h"

#include <errno.h>
#include <stdio.h>

enum { LOOK_EVERY = 256, HEX_MAX = 2 * DETAIL_BYTES_MAX + 1, NANO = 1000000000 };

const char *const dump_account_kinds[ACCOUNT_KINDS] = {"funding",  "adjustment", "write-off", "wallet",
                                                       "provider", "budget",     "allowance"};

struct dump {
    const struct tables *tables;
    FILE *out;
    struct buffer line;
    int64_t end_ns;
    bool is_late;
    enum error error;
    uint64_t accounts, transfers, jobs;
    __int128 pending, posted; /* all debits */
    unsigned char hash[HASH_BYTES];
};

static void begin(struct dump *dump)
{
    buffer_reset(&dump->line, DUMP_LINE_BYTES_MAX);
    json_write_raw(&dump->line, "{");
}

/* False when the dump must end. */
static bool end(struct dump *dump)
{
    json_write_raw(&dump->line, "}\n");
    struct slice line = buffer_contents(&dump->line);
    if (fwrite(line.data, 1, line.length, dump->out) != line.length)
        dump->error = ERROR_FILE_UNWRITABLE;
    return dump->error == ERROR_OK;
}

static void write_money(struct dump *dump, const char *name, int64_t nano)
{
    char text[MONEY_TEXT_MAX];
    json_write_member_string(&dump->line, name, money_format((struct money){nano}, text));
}

/* A sum over all accounts may be larger than any of them. */
static void write_sum(struct dump *dump, const char *name, __int128 nano)
{
    char text[MONEY_TEXT_MAX + 16];
    unsigned long long whole = (unsigned long long)(nano / NANO), part = (unsigned long long)(nano % NANO);
    int length = snprintf(text, sizeof text, "%llu.%09llu", whole, part);
    while (text[length - 1] == '0')
        length--;
    text[text[length - 1] == '.' ? length - 1 : length] = '\0';
    json_write_member_string(&dump->line, name, text);
}

static void write_hex(struct dump *dump, const char *name, struct slice bytes)
{
    char text[HEX_MAX];
    size_t length = bytes.length < DETAIL_BYTES_MAX ? bytes.length : DETAIL_BYTES_MAX;
    text[0] = '\0';
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)bytes.data[i]);
    json_write_member_string(&dump->line, name, text);
}

static void write_number(struct dump *dump, const char *name, uint64_t number)
{
    json_write_member_integer(&dump->line, name, (int64_t)number);
}

/* ---- the book ---- */

static enum error write_head(struct dump *dump)
{
    unsigned char key[5], schema[4], environment[64];
    size_t schema_bytes, length;
    struct store_table *book = dump->tables->book;
    enum error error = store_get(book, NULL, book_key(key, 's', 0), schema, sizeof schema, &schema_bytes);
    error = error ? error : store_get(book, NULL, book_key(key, 'e', 0), environment, sizeof environment - 1, &length);
    if (error)
        return error == ERROR_NOT_FOUND ? ERROR_STORE_CORRUPT : error;
    environment[length] = '\0';
    begin(dump);
    json_write_raw(&dump->line, "\"ledger\":{");
    write_number(dump, "schema", schema_bytes == sizeof schema ? schema[3] : 0);
    json_write_member_string(&dump->line, "environment", (const char *)environment);
    json_write_raw(&dump->line, "}");
    return end(dump) ? ERROR_OK : dump->error;
}

static bool write_account(void *context, struct slice key, struct slice value)
{
    struct dump *dump = context;
    unsigned char balance_key[5], row[BALANCE_ROW_BYTES];
    struct balance balance;
    size_t length;
    char name[WALLET_NAME_MAX];
    uint32_t number = key.length == 5 ? book_key_number(key) : 0;
    unsigned kind = value.length ? (unsigned)(value.data[0] - '0') : ACCOUNT_KINDS;
    dump->error = store_get(dump->tables->book, NULL, book_key(balance_key, 'a', number), row, sizeof row, &length);
    if (dump->error == ERROR_NOT_FOUND || kind >= ACCOUNT_KINDS || value.length > sizeof name ||
        (!dump->error && !balance_parse(row_slice(row, length), &balance)))
        dump->error = ERROR_STORE_CORRUPT;
    if (dump->error)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)(value.length - 1), value.data + 1);
    begin(dump);
    write_number(dump, "account", number);
    json_write_member_string(&dump->line, "kind", dump_account_kinds[kind]);
    json_write_member_string(&dump->line, "name", name);
    write_money(dump, "debits_pending", balance.debits_pending);
    write_money(dump, "debits_posted", balance.debits_posted);
    write_money(dump, "credits_pending", balance.credits_pending);
    write_money(dump, "credits_posted", balance.credits_posted);
    write_number(dump, "transfers", balance.transfers);
    write_number(dump, "last", balance.last);
    dump->accounts++;
    dump->pending += balance.debits_pending;
    dump->posted += balance.debits_posted;
    return end(dump);
}

static bool write_word(void *context, struct slice key, struct slice value)
{
    struct dump *dump = context;
    char text[WORD_BYTES_MAX];
    begin(dump);
    write_number(dump, "word", key.length == 5 ? book_key_number(key) : 0);
    json_write_member(&dump->line, "text");
    word_clean(value, text); /* older versions kept any bytes */
    json_write_string(&dump->line, slice_of(text));
    return end(dump);
}

static enum error write_book(struct dump *dump, char what, store_visit *visit)
{
    unsigned char first[5], last[5];
    enum error error = store_scan(dump->tables->book, NULL, book_key(first, what, 0), book_key(last, what, UINT32_MAX),
                                  false, visit, dump);
    return error ? error : dump->error;
}

/* ---- the journal ---- */

static struct slice read_detail(struct dump *dump, const struct transfer *transfer,
                                unsigned char bytes[DETAIL_BYTES_MAX])
{
    size_t length = 0;
    if (transfer_has_detail(transfer->kind)) {
        const struct row_key key =
            row_key_of(transfer_resolves(transfer->kind) ? transfer->related : transfer->sequence);
        enum error error = store_get(dump->tables->details, NULL, row_slice(key.bytes, sizeof key.bytes), bytes,
                                     DETAIL_BYTES_MAX, &length);
        dump->error = error == ERROR_NOT_FOUND ? ERROR_STORE_CORRUPT : error;
    }
    return row_slice(bytes, dump->error ? 0 : length);
}

static void write_pending(struct dump *dump, const struct transfer *transfer)
{
    if (transfer_is_linked(transfer)) {
        write_money(dump, "limit", transfer->limit);
        write_number(dump, "first", transfer->first);
    } else {
        write_money(dump, "floor", transfer->floor);
    }
}

static void write_flags(struct dump *dump, const struct transfer *transfer)
{
    static const struct {
        unsigned flag;
        const char *name;
    } rows[] = {{TRANSFER_ALARM, "alarm"}, {TRANSFER_UNENFORCED, "unenforced"}, {TRANSFER_LINKED, "linked"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (transfer->flags & rows[i].flag)
            json_write_member_boolean(&dump->line, rows[i].name, true);
}

static void write_detail(struct dump *dump, struct slice detail)
{
    char note[WALLET_NOTE_MAX];
    if (!detail.length)
        return;
    write_hex(dump, "detail", detail);
    detail_note(detail, note);
    if (note[0])
        json_write_member_string(&dump->line, "note", note);
}

static void write_members(struct dump *dump, const struct transfer *transfer, struct slice detail)
{
    char id[ID_TEXT_MAX];
    write_number(dump, "transfer", transfer->sequence);
    json_write_member_string(&dump->line, "kind", transfer_kind_name(transfer->kind));
    json_write_member_string(&dump->line, "basis", wallet_basis_name(transfer->basis));
    json_write_member_string(&dump->line, "id", id_format(transfer->id, id));
    json_write_member_integer(&dump->line, "time_ns", transfer->time_ns);
    write_money(dump, "amount", transfer->amount);
    write_number(dump, "debit", transfer->debit);
    write_number(dump, "credit", transfer->credit);
    write_flags(dump, transfer);
    if (transfer->kind == TRANSFER_PENDING)
        write_pending(dump, transfer);
    else
        write_number(dump, "related", transfer->related);
    if (transfer->previous)
        write_number(dump, "previous", transfer->previous);
    write_detail(dump, detail);
    write_hex(dump, "hash", row_slice(dump->hash, HASH_BYTES));
}

static bool write_transfer(void *context, struct slice key, struct slice row)
{
    struct dump *dump = context;
    struct transfer transfer;
    unsigned char bytes[DETAIL_BYTES_MAX];
    if (!transfer_parse(key, row, &transfer)) {
        dump->error = ERROR_STORE_CORRUPT;
        return false;
    }
    struct slice detail = read_detail(dump, &transfer, bytes);
    if (dump->error)
        return false;
    transfer_hash(transfer.sequence, row, detail, dump->hash);
    begin(dump);
    write_members(dump, &transfer, detail);
    bool goes_on = end(dump);
    if (++dump->transfers % LOOK_EVERY == 0 && dump->end_ns && clock_monotonic_ns() > dump->end_ns)
        dump->is_late = true;
    return goes_on && !dump->is_late;
}

static enum error write_journal(struct dump *dump)
{
    const struct slice none = {NULL, 0};
    enum error error = store_scan(dump->tables->transfers, NULL, none, none, false, write_transfer, dump);
    return error ? error : dump->error;
}

/* ---- what is open for long ---- */

static bool write_job(void *context, struct slice key, struct slice value)
{
    struct dump *dump = context;
    unsigned char bytes[DETAIL_BYTES_MAX];
    struct wallet_job job;
    struct id hold;
    char id[ID_TEXT_MAX];
    size_t length;
    enum error error = store_get(dump->tables->details, NULL, key, bytes, sizeof bytes, &length);
    if (error == ERROR_NOT_FOUND || value.length != sizeof hold ||
        (!error && !job_parse(row_slice(bytes, length), &job)))
        error = ERROR_STORE_CORRUPT;
    dump->error = error;
    if (error)
        return false;
    memcpy(&hold, value.data, sizeof hold);
    begin(dump);
    write_number(dump, "job", row_key_parse(key));
    json_write_member_string(&dump->line, "id", id_format(hold, id));
    json_write_member_string(&dump->line, "provider", job.provider);
    json_write_member_string(&dump->line, "key", job.key);
    json_write_member_string(&dump->line, "note", job.note);
    json_write_member_integer(&dump->line, "deadline_s", job.deadline_s);
    dump->jobs++;
    return end(dump);
}

static enum error write_jobs(struct dump *dump)
{
    enum error error = tables_scan_jobs(dump->tables, write_job, dump);
    return error ? error : dump->error;
}

static bool write_sums(struct dump *dump)
{
    begin(dump);
    json_write_raw(&dump->line, "\"sums\":{");
    write_number(dump, "accounts", dump->accounts);
    write_number(dump, "transfers", dump->transfers);
    write_number(dump, "jobs", dump->jobs);
    write_sum(dump, "pending", dump->pending);
    write_sum(dump, "posted", dump->posted);
    write_hex(dump, "hash", row_slice(dump->hash, HASH_BYTES));
    json_write_raw(&dump->line, "}");
    return end(dump);
}

/* A reader must not take a part for the whole. */
static void write_end(struct dump *dump, enum error error)
{
    begin(dump);
    json_write_member_string(&dump->line, "incomplete", error ? error_row(error)->text : "it took too long");
    end(dump);
}

enum error dump_write(const struct tables *tables, int64_t end_ns, FILE *out)
{
    struct dump dump = {.tables = tables, .out = out, .end_ns = end_ns};
    buffer_init(&dump.line, DUMP_LINE_BYTES_MAX);
    enum error error = write_head(&dump);
    error = error ? error : write_book(&dump, 'n', write_account);
    error = error ? error : write_book(&dump, 'w', write_word);
    error = error ? error : write_journal(&dump);
    error = error || dump.is_late ? error : write_jobs(&dump);
    if (error || dump.is_late)
        write_end(&dump, error);
    else if (!write_sums(&dump))
        error = dump.error;
    if (!error && (fflush(out) != 0 || ferror(out)))
        error = ERROR_FILE_UNWRITABLE;
    buffer_done(&dump.line);
    return error;
}

enum error wallet_dump(const char *directory, FILE *out)
{
    struct tables tables;
    enum error error = tables_open_closed(directory, &tables);
    if (error)
        return error;
    error = dump_write(&tables, 0, out);
    tables_close(&tables);
    return error;
}
