/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accounts and the words of the memo dictionary, in memory: the authority of the ledger thread. Accounts are never
 * removed and their names never change, so a number always means the same account.
 */
#include "wallet/internal.h"

#include "base/check.h"
#include "base/grow.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

bool book_name_is_valid(const char *name, size_t bytes_max)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t length = strnlen(name, bytes_max);
    return length > 0 && length < bytes_max && strspn(name, allowed) == length;
}

/* By hand: printing took 4 % of all that a reserve and its settle cost. */
static size_t label_of(enum account_kind kind, const char *name, char label[WALLET_NAME_MAX + 2])
{
    const size_t length = strnlen(name, WALLET_NAME_MAX - 1);
    label[0] = (char)('0' + (int)kind);
    memcpy(label + 1, name, length);
    label[1 + length] = '\0';
    return 1 + length;
}

struct account *book_find(struct wallet_ledger *ledger, enum account_kind kind, const char *name)
{
    char label[WALLET_NAME_MAX + 2];
    struct account *account;
    size_t length = label_of(kind, name, label);
    HASH_FIND(hh, ledger->accounts_by_label, label, length, account);
    return account;
}

struct account *book_create(struct wallet_ledger *ledger, enum account_kind kind, const char *name)
{
    char budget[WALLET_BUDGET_NAME_MAX];
    uint32_t start;
    ledger->accounts =
        grow_array(ledger->accounts, &ledger->account_capacity, ledger->account_count, sizeof(struct account *));
    struct account *account = calloc(1, sizeof *account);
    check(account != NULL);
    account->number = ledger->account_count;
    account->kind = kind;
    snprintf(account->name, sizeof account->name, "%s", name);
    size_t length = label_of(kind, name, account->label);
    HASH_ADD_KEYPTR(hh, ledger->accounts_by_label, account->label, length, account);
    ledger->accounts[ledger->account_count++] = account;
    account->is_unanchored = true;
    ledger->unanchored_count++;
    if (kind == ACCOUNT_BUDGET && bucket_parse(name, budget, &start))
        buckets_add(&ledger->budgets, budget, start, account->number);
    return account;
}

struct account *book_get(struct wallet_ledger *ledger, enum account_kind kind, const char *name)
{
    struct account *account = book_find(ledger, kind, name);
    return account ? account : book_create(ledger, kind, name);
}

void book_mark(struct wallet_ledger *ledger, struct account *account)
{
    if (account->is_touched)
        return;
    ledger->unanchored_count += !account->is_unanchored;
    account->is_unanchored = true;
    check(ledger->touched_count < TOUCHED_MAX);
    account->is_touched = true;
    ledger->touched[ledger->touched_count++] = account;
}

void book_add_word(struct wallet_ledger *ledger, uint32_t number, const char *text)
{
    struct word *word = calloc(1, sizeof *word);
    check(word != NULL);
    word->number = number;
    snprintf(word->text, sizeof word->text, "%s", text);
    HASH_ADD_STR(ledger->words, text, word);
    if (ledger->word_count < number)
        ledger->word_count = number;
}

void word_clean(struct slice text, char clean[WORD_BYTES_MAX])
{
    const char *at = text.data, *end = at + (text.length < WORD_BYTES_MAX ? text.length : WORD_BYTES_MAX - 1);
    char *out = clean;
    while (at < end) {
        const size_t length = (unsigned char)*at < 0x80 ? 1 : json_utf8_length(at, end);
        if (length)
            memcpy(out, at, length);
        else
            *out = '?';
        out += length ? length : 1;
        at += length ? length : 1;
    }
    *out = '\0';
}

/* Names come from clients (models): past the bound they are all word 0, so that nobody can fill the memory. */
uint32_t book_word(struct wallet_ledger *ledger, const char *name)
{
    struct word *word;
    char text[WORD_BYTES_MAX];
    word_clean(slice_of(name), text);
    if (!text[0])
        return 0;
    HASH_FIND_STR(ledger->words, text, word);
    if (word)
        return word->number;
    if (ledger->word_count >= WORDS_MAX)
        return 0;
    book_add_word(ledger, ledger->word_count + 1, text);
    return ledger->word_count;
}

void book_free(struct wallet_ledger *ledger)
{
    struct word *word, *next;
    HASH_ITER(hh, ledger->words, word, next)
    {
        HASH_DEL(ledger->words, word); /* NOLINT(clang-analyzer-unix.Malloc): uthash keeps no freed element */
        free(word);
    }
    buckets_free(&ledger->budgets);
    HASH_CLEAR(hh, ledger->accounts_by_label);
    for (uint32_t i = 0; i < ledger->account_count; i++)
        free(ledger->accounts[i]);
    free(ledger->accounts);
}

char *account_format(enum account_kind kind, const char *name, const char *environment, char text[ACCOUNT_TEXT_MAX])
{
    static const char *const kinds[] = {"funding",  "adjustment", "write-off", "wallet",
                                        "provider", "budget",     "allowance"};
    bool is_wallet = kind == ACCOUNT_WALLET;
    bool is_named = is_wallet || kind == ACCOUNT_PROVIDER || kind == ACCOUNT_BUDGET;
    snprintf(text, ACCOUNT_TEXT_MAX, "%s%s%.*s%s%.15s", kinds[kind], is_named ? "/" : "", WALLET_NAME_MAX - 1,
             is_named ? name : "", is_wallet && environment[0] ? "/" : "", is_wallet ? environment : "");
    return text;
}
