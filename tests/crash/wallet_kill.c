/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 against the ledger: `wallet_kill DIRECTORY CYCLES SEED`. A child works on a ledger, this process kills it at
 * a random moment (every fifth cycle during recovery too), a second child opens what is left and compares it with what
 * was asked and what was acknowledged: all that was acknowledged is there, nothing else is, no hold is open, and the
 * audit is clean. What was asked and answered is kept in memory shared with the children. Called by wallet-kill.sh.
 */
#include "base/check.h"
#include "base/clock.h"
#include "wallet/wallet.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ENTRIES_MAX = 1 << 17,
    IN_FLIGHT_MAX = 64,
    CYCLES_PER_LEDGER = 20, /* then a fresh one: a check reads the whole journal */
    WORK_US_MAX = 40000,
    RECOVERY_US_MAX = 25000,
};

enum state { NOT_ASKED, ASKED, GRANTED, REFUSED };

/* One hold, or one funding: what was asked for it and what was answered. */
struct entry {
    struct id id;
    int64_t amount, settled; /* settled: asked for */
    bool is_funding;
    _Atomic enum state made, settle, void_;
};

struct shared {
    atomic_uint count;
    atomic_bool is_ready;
    atomic_uint violations;
    struct entry entries[ENTRIES_MAX];
};

static struct shared *shared;
static uint64_t random_state;

static uint64_t next_random(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static void violate(const struct entry *entry, const char *what)
{
    char text[ID_TEXT_MAX] = "-";
    if (entry)
        id_format(entry->id, text);
    fprintf(stderr, "violation: %s (%s)\n", what, text);
    atomic_fetch_add(&shared->violations, 1);
}

/* ---- the working child ---- */

struct job {
    struct wallet_operation operation;
    struct entry *entry;
    _Atomic enum state *answer;
    bool may_fail;
};

static struct job jobs[IN_FLIGHT_MAX];
static atomic_uint waiting;

/* On the ledger thread: the answer is in shared memory the moment it is given. */
static void note_answer(struct wallet_operation *operation)
{
    struct job *job = (struct job *)(void *)operation;
    if (operation->error == ERROR_OK)
        atomic_store(job->answer, GRANTED);
    else if (atomic_load(job->answer) == ASKED)
        atomic_store(job->answer, REFUSED);
    atomic_fetch_sub(&waiting, 1);
}

static void submit(struct wallet_ledger *ledger, struct job *job, struct entry *entry, _Atomic enum state *answer)
{
    enum state state = atomic_load(answer);
    job->entry = entry;
    job->answer = answer;
    if (state == NOT_ASKED)
        atomic_store(answer, ASKED);
    job->operation.id = entry->id;
    job->operation.done = note_answer;
    atomic_fetch_add(&waiting, 1);
    wallet_submit(ledger, &job->operation);
}

static struct entry *new_entry(int64_t amount, bool is_funding)
{
    unsigned index = atomic_load(&shared->count);
    struct entry *entry = &shared->entries[index];
    entry->id = id_new();
    entry->amount = amount;
    entry->is_funding = is_funding;
    atomic_store(&entry->made, ASKED);
    atomic_store(&shared->count, index + 1);
    return entry;
}

static void ask_new(struct wallet_ledger *ledger, struct job *job)
{
    const bool is_funding = next_random(8) == 0;
    struct entry *entry = new_entry((int64_t)next_random(is_funding ? 600 : 100) + is_funding, is_funding);
    job->operation = (struct wallet_operation){
        .kind = is_funding ? WALLET_FUND : WALLET_RESERVE, .amount = {entry->amount}, .create = true, .note = "kill"};
    snprintf(job->operation.wallet, sizeof job->operation.wallet, "w%u", (unsigned)next_random(3));
    if (next_random(2))
        strcpy(job->operation.provider, "openai");
    submit(ledger, job, entry, &entry->made);
}

static void ask_resolution(struct wallet_ledger *ledger, struct job *job, struct entry *entry)
{
    bool is_void = next_random(6) == 0;
    if (!is_void && atomic_load(&entry->settle) == NOT_ASKED)
        entry->settled = (int64_t)next_random((uint64_t)entry->amount + 1); /* asked again: the same */
    job->operation = (struct wallet_operation){.kind = is_void ? WALLET_VOID : WALLET_SETTLE,
                                               .amount = {is_void ? 0 : entry->settled},
                                               .provider = "openai",
                                               .memo = {.model = "gpt-4o-mini", .provider = "openai"}};
    submit(ledger, job, entry, is_void ? &entry->void_ : &entry->settle);
}

/* A void after bytes were sent must be refused, whatever else goes on. */
static void ask_forbidden(struct wallet_ledger *ledger, const struct entry *entry)
{
    struct wallet_operation operation = {.kind = WALLET_VOID, .id = entry->id, .bytes_were_sent = true};
    wallet_run(ledger, &operation);
    if (operation.error == ERROR_OK)
        violate(entry, "a hold was voided although bytes were sent");
}

static enum error run_now(struct wallet_ledger *ledger, const char *wallet, enum wallet_operation_kind kind,
                          int64_t amount)
{
    struct entry *entry = new_entry(amount, kind == WALLET_FUND);
    struct wallet_operation operation = {
        .kind = kind, .id = entry->id, .amount = {amount}, .create = true, .note = "kill"};
    snprintf(operation.wallet, sizeof operation.wallet, "%s", wallet);
    wallet_run(ledger, &operation);
    atomic_store(&entry->made, operation.error ? REFUSED : GRANTED);
    return operation.error;
}

/* With nothing left, not even a hold of 0 is granted. */
static void ask_for_nothing(struct wallet_ledger *ledger)
{
    char wallet[WALLET_NAME_MAX];
    snprintf(wallet, sizeof wallet, "empty-%u", atomic_load(&shared->count)); /* a new one in each cycle */
    if (run_now(ledger, wallet, WALLET_FUND, 1) || run_now(ledger, wallet, WALLET_RESERVE, 1))
        violate(NULL, "a wallet with 1 refused a hold of 1");
    if (run_now(ledger, wallet, WALLET_RESERVE, 0) == ERROR_OK)
        violate(NULL, "an empty wallet granted a hold of 0");
}

static void work_round(struct wallet_ledger *ledger, unsigned first)
{
    unsigned jobs_wanted = 1 + (unsigned)next_random(IN_FLIGHT_MAX);
    for (unsigned i = 0; i < jobs_wanted; i++) {
        unsigned count = atomic_load(&shared->count);
        struct entry *entry = count > first ? &shared->entries[first + next_random(count - first)] : NULL;
        if (!entry || entry->is_funding || atomic_load(&entry->made) != GRANTED || next_random(2))
            ask_new(ledger, &jobs[i]);
        else
            ask_resolution(ledger, &jobs[i], entry);
    }
    while (atomic_load(&waiting))
        usleep(50);
    struct entry *entry = &shared->entries[first + next_random(atomic_load(&shared->count) - first)];
    if (!entry->is_funding && entry->made == GRANTED && entry->settle == NOT_ASKED && entry->void_ == NOT_ASKED)
        ask_forbidden(ledger, entry);
}

static void work(const char *directory)
{
    const struct wallet_options options = {
        .directory = directory, .environment = "prod", .settle_recovered_in_full = true};
    struct wallet_ledger *ledger;
    unsigned recovered;
    if (wallet_open(&options, &ledger, &recovered)) {
        violate(NULL, "the ledger could not be opened");
        return;
    }
    unsigned first = atomic_load(&shared->count);
    atomic_store(&shared->is_ready, true);
    ask_for_nothing(ledger);
    while (atomic_load(&shared->count) + IN_FLIGHT_MAX + 1 < ENTRIES_MAX)
        work_round(ledger, first);
    wallet_close(ledger);
}

/* ---- the checking child ---- */

struct found {
    struct entry *entry;
    unsigned pending, post, void_, fund, recovered;
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
    struct found *there = bsearch(&transfer->id, found, found_count, sizeof *found, compare_found);
    if (!there) {
        violate(NULL, "a transfer that nobody asked for");
        return true;
    }
    bool is_recovered = transfer->basis == BASIS_RECOVERED, is_post = !strcmp(transfer->kind, "post");
    int64_t wanted = is_post && !is_recovered ? there->entry->settled : there->entry->amount;
    if (transfer->amount.nano != wanted)
        violate(there->entry, "a transfer has another amount than was asked");
    if (!strcmp(transfer->kind, "pending"))
        there->pending++;
    if (!strcmp(transfer->kind, "fund"))
        there->fund++;
    if (!strcmp(transfer->kind, "void"))
        there->void_++;
    if (is_post)
        ++*(is_recovered ? &there->recovered : &there->post);
    return true;
}

static void check_found(const struct found *there)
{
    const struct entry *entry = there->entry;
    const unsigned made = there->pending + there->fund, resolved = there->post + there->void_ + there->recovered;
    const struct {
        bool is_wrong;
        const char *what;
    } rules[] = {
        {entry->made == GRANTED && made == 0, "an acknowledged transfer is lost"},
        {entry->made == REFUSED && made != 0, "a refused transfer is there"},
        {made > 1, "a transfer is there twice"},
        {entry->settle == GRANTED && !there->post, "an acknowledged settle is lost"},
        {entry->void_ == GRANTED && !there->void_, "an acknowledged void is lost"},
        {there->post && entry->settle == NOT_ASKED, "a settle that nobody asked for"},
        {there->void_ && entry->void_ == NOT_ASKED, "a void that nobody asked for"},
        {there->pending && resolved != 1, "a hold is resolved never or twice"},
        {!there->pending && resolved, "a resolution without a hold"},
        {entry->is_funding && there->pending, "a funding became a hold"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].is_wrong)
            violate(entry, rules[i].what);
}

static void check_wallets(struct wallet_ledger *ledger)
{
    struct wallet_facts facts[256];
    size_t count = wallet_list(ledger, facts, 256);
    for (size_t i = 0; i < count && i < 256; i++) {
        if (facts[i].held.nano != 0)
            violate(NULL, "a hold survived the restart unresolved");
        if (facts[i].available.nano < 0)
            violate(NULL, "a wallet is overspent");
    }
}

static void check_ledger(const char *directory)
{
    const struct wallet_options options = {
        .directory = directory, .environment = "prod", .settle_recovered_in_full = true};
    struct wallet_ledger *ledger;
    unsigned recovered, count = atomic_load(&shared->count);
    char report[2048];
    if (wallet_open(&options, &ledger, &recovered)) {
        violate(NULL, "the ledger could not be opened");
        return;
    }
    found = calloc(count + 1, sizeof *found);
    check(found != NULL);
    found_count = count;
    for (unsigned i = 0; i < count; i++)
        found[i].entry = &shared->entries[i]; /* sorted here: this process may be killed too */
    qsort(found, count, sizeof *found, order_found);
    if (wallet_history(ledger, NULL, SIZE_MAX, count_transfer, NULL))
        violate(NULL, "the journal cannot be read");
    for (unsigned i = 0; i < count; i++)
        check_found(&found[i]);
    check_wallets(ledger);
    free(found);
    wallet_close(ledger);
    if (wallet_audit(directory, report, sizeof report)) {
        violate(NULL, "the audit found faults:");
        fputs(report, stderr);
    }
}

/* ---- the parent ---- */

static pid_t start(void (*run)(const char *), const char *directory)
{
    fflush(NULL);
    pid_t child = fork();
    check(child >= 0);
    if (child == 0) {
        random_state ^= (uint64_t)getpid() << 20;
        run(directory);
        _exit(0);
    }
    return child;
}

static void finish(pid_t child, bool is_expected_to_die)
{
    int status;
    check(waitpid(child, &status, 0) == child);
    if (!is_expected_to_die && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        violate(NULL, "a child crashed by itself");
    if (is_expected_to_die && WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        violate(NULL, "the working child crashed by itself");
}

/* Kills some time after `start`, or after the child was ready. */
static void kill_later(pid_t child, bool waits_until_ready, unsigned us_max)
{
    for (unsigned i = 0; waits_until_ready && !atomic_load(&shared->is_ready) && i < 100000; i++)
        usleep(100);
    usleep((useconds_t)next_random(us_max));
    kill(child, SIGKILL);
    finish(child, true);
}

static void run_cycle(const char *directory, unsigned cycle)
{
    atomic_store(&shared->is_ready, false);
    kill_later(start(work, directory), next_random(5) != 0, WORK_US_MAX);
    for (unsigned i = 0; cycle % 5 == 4 && i < 3; i++)
        kill_later(start(check_ledger, directory), false, RECOVERY_US_MAX);
    finish(start(check_ledger, directory), false);
}

static void empty(const char *directory)
{
    char command[4200];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    check(system(command) == 0);
    atomic_store(&shared->count, 0);
    memset(shared->entries, 0, sizeof shared->entries);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: wallet_kill DIRECTORY CYCLES SEED\n");
        return 64;
    }
    const unsigned cycles = (unsigned)strtoul(argv[2], NULL, 10);
    char directory[4096];
    snprintf(directory, sizeof directory, "%s/ledger", argv[1]);
    random_state = strtoull(argv[3], NULL, 10) * 2 + 1;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(shared != MAP_FAILED);
    unsigned done = 0;
    unsigned long operations = 0;
    for (; done < cycles && !atomic_load(&shared->violations); done++) {
        if (done % CYCLES_PER_LEDGER == 0) {
            operations += atomic_load(&shared->count);
            empty(directory);
        }
        run_cycle(directory, done);
    }
    operations += atomic_load(&shared->count);
    printf("%lu transfers asked for\nfigure kill_cycles %u cycles\nfigure violations %u violations\n", operations, done,
           atomic_load(&shared->violations));
    return atomic_load(&shared->violations) ? 1 : 0;
}
