/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a hold ends: by a settle (something was sent, it is charged) or a void (provably nothing was sent). Once only;
 * the same resolution asked for again gets the same answer. Runs on the ledger thread only.
 */
#include "wallet/internal.h"

#include "base/plant.h"

static struct money available_of(const struct wallet_ledger *ledger, uint32_t wallet)
{
    return (struct money){balance_available(&ledger->accounts[wallet]->balance)};
}

/* The hold's own resolution, and for a settle above hold and wallet the write-off that follows it. */
static enum error read_resolution(struct wallet_ledger *ledger, uint64_t resolution, struct transfer *ret_first,
                                  int64_t *ret_total)
{
    struct transfer next;
    enum error error = transfers_read(ledger, resolution, ret_first);
    if (error)
        return error;
    *ret_total = ret_first->amount;
    if (!(ret_first->flags & TRANSFER_ALARM) || resolution == ledger->head.sequence)
        return ERROR_OK;
    error = transfers_read(ledger, resolution + 1, &next);
    if (!error && next.kind == TRANSFER_WRITE_OFF && next.related == ret_first->related)
        *ret_total += next.amount;
    return error;
}

static bool is_same_settle(const struct wallet_ledger *ledger, const struct wallet_operation *operation,
                           const struct transfer *post, int64_t total)
{
    const char *provider = ledger->accounts[post->credit]->name;
    return operation->kind == WALLET_SETTLE && post->kind == TRANSFER_POST && total == operation->amount.nano &&
           post->basis == operation->basis && (!operation->provider[0] || !strcmp(operation->provider, provider));
}

/* There is no such open hold. */
static enum error repeat(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    struct transfer pending, first;
    uint64_t sequence, resolution;
    int64_t total;
    enum error error = transfers_find(ledger, operation->id, &sequence, &resolution);
    if (error)
        return error == ERROR_NOT_FOUND ? ERROR_TRANSFER_UNKNOWN : error;
    error = transfers_read(ledger, sequence, &pending);
    if (error)
        return error;
    if (pending.kind != TRANSFER_PENDING)
        return ERROR_TRANSFER_CONFLICT;
    if (!resolution)
        return ERROR_STORE_CORRUPT; /* neither open nor resolved */
    error = read_resolution(ledger, resolution, &first, &total);
    if (error)
        return error;
    operation->held.nano = pending.amount;
    operation->available = available_of(ledger, pending.debit);
    operation->alarm = (first.flags & TRANSFER_ALARM) != 0;
    operation->written_off.nano = total - first.amount;
    operation->time_ns = first.time_ns;
    if (is_same_settle(ledger, operation, &first, total) ||
        (operation->kind == WALLET_VOID && first.kind == TRANSFER_VOID)) {
        operation->is_repeat = true;
        return ERROR_OK;
    }
    return ERROR_TRANSFER_RESOLVED;
}

/* Both sides give the pending amount back. */
static void release(struct wallet_ledger *ledger, const struct hold *hold)
{
    struct account *wallet = ledger->accounts[hold->wallet], *counterparty = ledger->accounts[hold->counterparty];
    if (!PLANTED(PLANT_NO_REFUND))
        wallet->balance.debits_pending -= hold->amount;
    counterparty->balance.credits_pending -= hold->amount;
    book_mark(ledger, wallet);
    book_mark(ledger, counterparty);
}

/* In its budgets the hold ends as it did in the wallet, with what the wallet paid. After the write-off, if any. */
static void resolve_linked(struct wallet_ledger *ledger, const struct hold *hold, const struct transfer *main)
{
    const bool is_post = main->kind == TRANSFER_POST;
    for (unsigned i = 0; i < hold->linked_count && !PLANTED(PLANT_BUDGET_LEAKED); i++) {
        struct balance *bucket = &ledger->accounts[hold->linked[i]]->balance;
        struct balance *allowance = &ledger->accounts[hold->allowance]->balance;
        struct transfer transfer = {
            .kind = main->kind,
            .basis = main->basis,
            .flags = TRANSFER_LINKED | (main->flags & TRANSFER_ALARM),
            .id = hold->id,
            .amount = main->amount,
            .debit = hold->linked[i],
            .credit = hold->allowance,
            .related = hold->sequence + 1 + i,
        };
        bucket->debits_pending -= hold->amount;
        allowance->credits_pending -= hold->amount;
        bucket->debits_posted += is_post ? main->amount : 0;
        allowance->credits_posted += is_post ? main->amount : 0;
        transfers_add(ledger, &transfer, NULL, NULL);
    }
}

static void forget(struct wallet_ledger *ledger, struct hold *hold, uint64_t resolution, enum wallet_basis basis)
{
    transfers_remember_resolution(ledger, hold, resolution);
    if (PLANTED(PLANT_DOUBLE_POST) && basis != BASIS_RECOVERED) /* a start goes on until none is left */
        return;
    struct hold **holds = hold->job ? &ledger->deferred : &ledger->holds;
    if (hold->job)
        ledger_end_job(ledger, hold->job);
    holds_remove(holds, hold);
}

static void make_memo(struct wallet_ledger *ledger, const struct wallet_operation *operation, struct memo *ret_memo)
{
    const struct wallet_memo *memo = &operation->memo;
    *ret_memo = (struct memo){
        .model = book_word(ledger, memo->model),
        .provider = book_word(ledger, memo->provider),
        .group = book_word(ledger, memo->group),
        .program = book_word(ledger, memo->program),
        .project = book_word(ledger, memo->project),
        .pid = memo->pid,
        .tokens_input = memo->tokens_input,
        .tokens_cache_read = memo->tokens_cache_read,
        .tokens_cache_write = memo->tokens_cache_write,
        .tokens_output = memo->tokens_output,
    };
}

/* What the wallet pays of `amount`: all within the hold; above it what is available; all when nothing is enforced. */
static int64_t payable(const struct wallet_ledger *ledger, const struct hold *hold, int64_t amount)
{
    int64_t available = available_of(ledger, hold->wallet).nano;
    if (amount <= hold->amount || hold->is_unenforced)
        return amount;
    int64_t extra = amount - hold->amount;
    return hold->amount + (available <= 0 ? 0 : extra < available ? extra : available);
}

/* The rest, which neither hold nor wallet could pay: the provider has earned it all the same. */
static void write_off(struct wallet_ledger *ledger, const struct transfer *post, int64_t amount)
{
    struct transfer transfer = {
        .kind = TRANSFER_WRITE_OFF,
        .basis = post->basis,
        .flags = TRANSFER_ALARM,
        .id = post->id,
        .amount = amount,
        .debit = ACCOUNT_WRITE_OFF,
        .credit = post->credit,
        .related = post->related,
    };
    ledger->accounts[ACCOUNT_WRITE_OFF]->balance.debits_posted += amount;
    ledger->accounts[post->credit]->balance.credits_posted += amount;
    transfers_add(ledger, &transfer, NULL, NULL);
}

static void charge(struct wallet_ledger *ledger, struct wallet_operation *operation, struct hold *hold,
                   struct account *provider)
{
    int64_t paid = payable(ledger, hold, operation->amount.nano);
    struct memo memo;
    struct transfer post = {
        .kind = TRANSFER_POST,
        .basis = operation->basis,
        .flags = (operation->amount.nano > hold->amount ? TRANSFER_ALARM : 0u) |
                 (hold->is_unenforced ? TRANSFER_UNENFORCED : 0u),
        .id = hold->id,
        .amount = paid,
        .debit = hold->wallet,
        .credit = provider->number,
        .related = hold->sequence,
    };
    release(ledger, hold);
    ledger->accounts[hold->wallet]->balance.debits_posted += paid;
    provider->balance.credits_posted += paid;
    make_memo(ledger, operation, &memo);
    uint64_t sequence = transfers_add(ledger, &post, &memo, NULL);
    if (paid < operation->amount.nano && !PLANTED(PLANT_WRITE_OFF_LOST))
        write_off(ledger, &post, operation->amount.nano - paid);
    resolve_linked(ledger, hold, &post);
    operation->alarm = operation->amount.nano > hold->amount;
    operation->written_off.nano = operation->amount.nano - paid;
    operation->time_ns = post.time_ns;
    forget(ledger, hold, sequence, post.basis);
}

/* Refused before anything moves when a sum could overflow; the hold then stays open. Within the hold none can: it is
 * part of what is pending. */
static bool has_room(const struct wallet_ledger *ledger, const struct hold *hold, const struct account *provider,
                     int64_t amount)
{
    const int64_t extra = amount > hold->amount ? amount - hold->amount : 0;
    const int64_t paid_by_provider = provider && provider->number == hold->counterparty ? extra : amount;
    int64_t sum;
    if (!account_can_debit(ledger->accounts[hold->wallet], extra) ||
        !account_can_debit(ledger->accounts[ACCOUNT_WRITE_OFF], extra) ||
        !account_can_credit(provider, paid_by_provider))
        return false;
    for (unsigned i = 0; i < hold->linked_count; i++)
        if (!account_can_debit(ledger->accounts[hold->linked[i]], extra))
            return false;
    return hold->linked_count == 0 || (!__builtin_mul_overflow(extra, hold->linked_count, &sum) &&
                                       account_can_credit(ledger->accounts[hold->allowance], sum));
}

enum error ledger_settle(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    struct hold *hold = ledger_find_hold(ledger, operation->id);
    if (operation->amount.nano < 0)
        return ERROR_AMOUNT_INVALID;
    if (!hold)
        return repeat(ledger, operation);
    const char *name = operation->provider[0] ? operation->provider : ledger->accounts[hold->counterparty]->name;
    if ((unsigned)operation->basis > BASIS_NONE ||
        (operation->provider[0] && !book_name_is_valid(name, sizeof operation->provider)))
        return ERROR_REQUEST_INVALID;
    if (!has_room(ledger, hold, book_find(ledger, ACCOUNT_PROVIDER, name), operation->amount.nano))
        return ERROR_AMOUNT_OVERFLOW;
    uint32_t wallet = hold->wallet;
    operation->held.nano = hold->amount;
    charge(ledger, operation, hold, book_get(ledger, ACCOUNT_PROVIDER, name));
    operation->available = available_of(ledger, wallet);
    return ERROR_OK;
}

enum error ledger_void(struct wallet_ledger *ledger, struct wallet_operation *operation)
{
    struct hold *hold = ledger_find_hold(ledger, operation->id);
    if (operation->bytes_were_sent && !PLANTED(PLANT_VOID_AFTER_DISPATCH))
        return ERROR_INTERNAL; /* what was sent may be billed: it settles, never voids */
    if (!hold)
        return repeat(ledger, operation);
    struct memo memo = {0};
    struct transfer transfer = {
        .kind = TRANSFER_VOID,
        .basis = BASIS_NONE,
        .id = hold->id,
        .amount = hold->amount,
        .debit = hold->wallet,
        .credit = hold->counterparty,
        .related = hold->sequence,
    };
    uint32_t wallet = hold->wallet;
    operation->held.nano = hold->amount;
    release(ledger, hold);
    uint64_t sequence = transfers_add(ledger, &transfer, &memo, NULL);
    resolve_linked(ledger, hold, &transfer);
    forget(ledger, hold, sequence, transfer.basis);
    operation->available = available_of(ledger, wallet);
    return ERROR_OK;
}
