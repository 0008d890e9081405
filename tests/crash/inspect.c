/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checking child: opens what a crash left and compares it with the history. What was acknowledged is there, once;
 * nothing is there that was not asked; amounts are what was asked for and granted; no hold is open but a job's, which
 * is found by its key; wallets and budgets are not overspent, and budgets show what was settled and what jobs hold; the
 * audit is clean.
 */
#include "tests/crash/work.h"

#include "base/check.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WALLETS_MAX = 4096, REPORT_MAX = 4096 };

struct found {
    struct history_entry *entry;
    unsigned pending, post, void_, fund, adjust, recovered, defer, expired;
    bool is_job;
    int64_t made_amount, settled_amount;
};

static struct found *found; /* by id */
static unsigned found_count;

static int compare_found(const void *key, const void *element)
{
    return memcmp(((const struct id *)key)->bytes, ((const struct found *)element)->entry->id.bytes, sizeof(struct id));
}

static int order_found(const void *a, const void *b)
{
    return compare_found(&((const struct found *)a)->entry->id, b);
}

static bool count_transfer(void *context, const struct wallet_transfer *transfer)
{
    (void)context;
    if (transfer->is_budget)
        return true; /* moves no money: check_budgets */
    struct found *there = bsearch(&transfer->id, found, found_count, sizeof *found, compare_found);
    if (!there) {
        violate(NULL, "a transfer that nobody asked for");
        return true;
    }
    unsigned *post = transfer->basis == BASIS_RECOVERED ? &there->recovered
                     : transfer->basis == BASIS_WORST   ? &there->expired
                                                        : &there->post;
    const struct {
        const char *kind;
        unsigned *count;
        int64_t *amount;
    } kinds[] = {
        {"pending", &there->pending, &there->made_amount},
        {"fund", &there->fund, &there->made_amount},
        {"adjust", &there->adjust, &there->made_amount},
        {"post", post, &there->settled_amount},
        {"defer", &there->defer, NULL},
        {"void", &there->void_, NULL},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(transfer->kind, kinds[i].kind)) {
            ++*kinds[i].count;
            if (kinds[i].amount)
                *kinds[i].amount = transfer->amount.nano;
            return true;
        }
    violate(there->entry, "a transfer of a kind that nobody asked for");
    return true;
}

static void check_found(const struct found *there)
{
    const struct history_entry *entry = there->entry;
    const unsigned made = there->pending + there->fund + there->adjust;
    const unsigned resolved = there->post + there->void_ + there->recovered + there->expired;
    const unsigned right = entry->kind == HISTORY_HOLD      ? there->pending
                           : entry->kind == HISTORY_FUNDING ? there->fund
                                                            : there->adjust;
    const struct {
        bool is_wrong;
        const char *what;
    } rules[] = {
        {entry->made == GRANTED && made == 0, "an acknowledged transfer is lost"},
        {entry->made == REFUSED && made != 0, "a refused transfer is there"},
        {made > 1, "a transfer is there twice"},
        {made != right, "a transfer became another kind"},
        {entry->settle == GRANTED && !there->post, "an acknowledged settle is lost"},
        {entry->void_ == GRANTED && !there->void_, "an acknowledged void is lost"},
        {there->post && entry->settle == NOT_ASKED, "a settle that nobody asked for"},
        {there->void_ && entry->void_ == NOT_ASKED, "a void that nobody asked for"},
        {there->pending && resolved + there->is_job != 1, "a hold is resolved never or twice"},
        {entry->defer == GRANTED && !there->defer, "an acknowledged job is lost"},
        {there->defer && entry->defer == NOT_ASKED, "a job that nobody asked for"},
        {there->defer > 1, "a hold became a job twice"},
        {there->defer && there->recovered, "a start settled the hold of a job"},
        {there->is_job && (!there->defer || entry->is_brief), "a job without its transfer, or past its deadline"},
        {there->expired && (!there->defer || !entry->is_brief), "a job was taken before its deadline"},
        {!there->pending && resolved, "a resolution without a hold"},
        {made && (there->made_amount > entry->amount || there->made_amount < entry->amount_min),
         "a transfer has another amount than was granted"},
        {there->post && there->settled_amount != entry->settled, "a settle has another amount than was asked"},
        {(there->recovered || there->expired) && there->settled_amount != there->made_amount,
         "a recovered hold or a late job was not charged whole"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].is_wrong)
            violate(entry, rules[i].what);
}

/* Before the others: what is still open, and as whose. */
static void find_job(struct wallet_ledger *ledger, struct found *there)
{
    char key[WALLET_JOB_KEY_MAX];
    struct wallet_job job;
    history_name_job(there->entry, key);
    if (there->entry->kind != HISTORY_HOLD || wallet_find_job(ledger, "openai", key, &job))
        return;
    there->is_job = true;
    if (memcmp(&job.hold, &there->entry->id, sizeof job.hold) != 0 || job.held.nano != there->made_amount)
        violate(there->entry, "a job holds something else than it was given");
}

static void check_jobs(struct wallet_ledger *ledger)
{
    size_t open = 0;
    for (unsigned i = 0; i < found_count; i++) {
        find_job(ledger, &found[i]);
        open += found[i].is_job;
    }
    if (wallet_list_jobs(ledger, NULL, 0) != open)
        violate(NULL, "a job that nobody knows");
}

static void check_wallets(struct wallet_ledger *ledger)
{
    struct wallet_facts *facts = calloc(WALLETS_MAX, sizeof *facts);
    check(facts != NULL);
    size_t count = wallet_list(ledger, facts, WALLETS_MAX);
    int64_t held = 0;
    for (unsigned i = 0; i < found_count; i++)
        held -= found[i].is_job ? found[i].made_amount : 0;
    for (size_t i = 0; i < count && i < WALLETS_MAX; i++) {
        held += facts[i].held.nano;
        if (facts[i].available.nano < 0)
            violate(NULL, "a wallet is overspent");
    }
    if (held != 0)
        violate(NULL, "wallets hold something else than the open jobs");
    free(facts);
}

/* Of the bucket that is counted in now: what its holds were settled at, no more than its limit. */
static void check_budget(struct wallet_ledger *ledger, unsigned budget)
{
    struct wallet_budget_facts facts = {0};
    char name[WALLET_BUDGET_NAME_MAX];
    int64_t spent = 0, held = 0;
    for (unsigned i = 0; i < found_count; i++)
        if (found[i].entry->bucket == history->bucket && found[i].entry->budgets >> budget & 1) {
            spent += found[i].settled_amount;
            held += found[i].is_job ? found[i].made_amount : 0;
        }
    history_name_budget(budget, name);
    wallet_find_budget(ledger, name, history->bucket, history->bucket, &facts);
    if (facts.held.nano != held)
        violate(NULL, "a budget holds something else than its open jobs");
    if (facts.spent.nano != spent)
        violate(NULL, "a budget shows another use than its holds");
    if (facts.spent.nano > history_limit_of(budget).nano - facts.held.nano)
        violate(NULL, "a hard budget is overspent");
}

static void compare(struct wallet_ledger *ledger)
{
    unsigned count = atomic_load(&history->count);
    found = calloc(count + 1, sizeof *found);
    check(found != NULL);
    found_count = count;
    for (unsigned i = 0; i < count; i++)
        found[i].entry = &history->entries[i]; /* sorted here: this process may be killed too */
    qsort(found, count, sizeof *found, order_found);
    if (wallet_history(ledger, NULL, SIZE_MAX, count_transfer, NULL))
        violate(NULL, "the journal cannot be read");
    check_jobs(ledger);
    for (unsigned i = 0; i < count; i++)
        check_found(&found[i]);
    check_wallets(ledger);
    for (unsigned i = 0; i < HISTORY_BUDGETS; i++)
        check_budget(ledger, i);
    free(found);
}

void inspect(const char *directory)
{
    struct wallet_options options = work_options;
    struct wallet_ledger *ledger;
    char report[REPORT_MAX];
    unsigned recovered;
    options.directory = directory;
    enum error error = wallet_open(&options, &ledger, &recovered);
    if (error) {
        violate(NULL, error_row(error)->text);
        violate(NULL, "the ledger could not be opened");
        fprintf(stderr, "store: %s\n", store_failure(NULL));
        return;
    }
    compare(ledger);
    wallet_close(ledger);
    if (wallet_audit(directory, report, sizeof report)) {
        violate(NULL, "the audit found faults:");
        fputs(report, stderr);
    }
}
