/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book into memory at start: names first, then balances, words, schema, head and anchor. Rows that make no sense
 * are reported, never repaired.
 */
#include "wallet/internal.h"

#include <stdio.h>

struct load {
    struct wallet_ledger *ledger;
    enum error error;
    bool has_schema, has_head;
};

static bool refuse(struct load *load, enum error error)
{
    load->error = error;
    return false;
}

static bool load_name(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    struct wallet_ledger *ledger = load->ledger;
    char name[WALLET_NAME_MAX], budget[WALLET_BUDGET_NAME_MAX];
    uint32_t start;
    if (key.length != 5 || value.length < 1 || value.length > sizeof name || value.data[0] < '0' ||
        value.data[0] >= '0' + ACCOUNT_KINDS || book_key_number(key) != ledger->account_count)
        return refuse(load, ERROR_STORE_CORRUPT);
    snprintf(name, sizeof name, "%.*s", (int)(value.length - 1), value.data + 1);
    if (value.data[0] == '0' + ACCOUNT_BUDGET && !bucket_parse(name, budget, &start))
        return refuse(load, ERROR_STORE_CORRUPT);
    book_create(ledger, (enum account_kind)(value.data[0] - '0'), name);
    return true;
}

static bool load_balance(struct wallet_ledger *ledger, uint32_t number, struct slice value)
{
    return number < ledger->account_count && balance_parse(value, &ledger->accounts[number]->balance);
}

/* What the anchor knows already need not be written at the next one. */
static bool load_anchored(struct wallet_ledger *ledger, uint32_t number, struct slice value)
{
    struct balance anchored;
    if (number >= ledger->account_count || !balance_parse(value, &anchored))
        return false;
    struct account *account = ledger->accounts[number];
    if (account->is_unanchored && !memcmp(&anchored, &account->balance, sizeof anchored)) {
        account->is_unanchored = false;
        ledger->unanchored_count--;
    }
    return true;
}

static bool load_word(struct wallet_ledger *ledger, uint32_t number, struct slice value)
{
    char text[WORD_BYTES_MAX];
    if (value.length >= sizeof text || number == 0 || number > WORDS_MAX)
        return false;
    snprintf(text, sizeof text, "%.*s", SLICE_ARGUMENTS(value));
    book_add_word(ledger, number, text);
    return true;
}

static bool load_row(void *context, struct slice key, struct slice value)
{
    struct load *load = context;
    struct wallet_ledger *ledger = load->ledger;
    uint32_t number = key.length == 5 ? book_key_number(key) : 0;
    bool is_good = key.length == 5;
    switch (is_good ? key.data[0] : 0) {
    case 'a':
        is_good = load_balance(ledger, number, value);
        break;
    case 'e':
        is_good = slice_is(value, ledger->environment); /* dev's money is not prod's */
        break;
    case 'h':
        is_good = load->has_head = wallet_parse_head(value, &ledger->head);
        break;
    case 'k':
        is_good = anchor_parse(value, &ledger->anchor);
        break;
    case 's':
        is_good = load->has_schema = value.length == 4; /* its number: migrate.c */
        break;
    case 'w':
        is_good = load_word(ledger, number, value);
        break;
    case 'l': /* after the 'a' rows */
        is_good = load_anchored(ledger, number, value);
        break;
    case 'n':
        break;
    default:
        is_good = false;
    }
    return is_good || refuse(load, load->error ? load->error : ERROR_STORE_CORRUPT);
}

static bool keep_newest_id(void *context, struct slice key, struct slice value)
{
    struct wallet_ledger *ledger = context;
    (void)value;
    if (key.length == sizeof ledger->evicted_max.bytes)
        memcpy(ledger->evicted_max.bytes, key.data, key.length);
    return false;
}

enum error ledger_load(struct wallet_ledger *ledger, bool *ret_is_new)
{
    struct load load = {.ledger = ledger};
    unsigned char first[5], last[5];
    const struct slice none = {NULL, 0};
    struct store_table *book = ledger->tables.book;
    enum error error =
        store_scan(book, NULL, book_key(first, 'n', 0), book_key(last, 'n', UINT32_MAX), false, load_name, &load);
    if (!error && !load.error)
        error = store_scan(book, NULL, none, none, false, load_row, &load);
    error = error ? error : load.error;
    if (!error)
        error = store_scan(ledger->tables.ids, NULL, none, none, true, keep_newest_id, ledger);
    if (error)
        return error;
    if (load.has_head && (!load.has_schema || ledger->account_count < BASE_ACCOUNTS))
        return ERROR_STORE_CORRUPT;
    ledger->accounts_written = ledger->account_count;
    ledger->words_written = ledger->word_count;
    *ret_is_new = !load.has_head;
    return ERROR_OK;
}
