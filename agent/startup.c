/* SPDX-License-Identifier: Apache-2.0 */
/* See startup.h: process hygiene, settings, and the services that need a few words to open. */
#include "startup.h"

#include "base/check.h"
#include "directories.h"
#include "harden.h"
#include "manager.h"
#include "prices/prices.h"
#include "stores.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static bool make_directory(const char *path, mode_t mode)
{
    char partial[512];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof partial)
        return false;
    memcpy(partial, path, length + 1);
    for (char *slash = partial + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        if (mkdir(partial, 0755) != 0 && errno != EEXIST)
            return false;
    }
    struct stat facts;
    if (mkdir(path, mode) != 0 && errno != EEXIST)
        return false;
    return lstat(path, &facts) == 0 && S_ISDIR(facts.st_mode) && facts.st_uid == geteuid() && chmod(path, mode) == 0;
}

/* Keys and prompts pass through this process: no core dump, no reading by other processes of the user. */
static void keep_private(void)
{
    const struct rlimit no_core = {0, 0};
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_CORE, &no_core);
#ifndef TOLLGATE_SANITIZED /* LeakSanitizer must be able to trace us */
    prctl(PR_SET_DUMPABLE, 0);
#endif
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* With too few, stores and sockets fail one after the other, wherever it happens to be. */
static bool has_descriptors(void)
{
    enum { DESCRIPTORS_MIN = 128 }; /* idle with 16 loops: 108; the others are for calls */
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= DESCRIPTORS_MIN)
        return true;
    fprintf(stderr, "tollgated: %llu descriptors are too few, an agent needs %d: raise the limit (ulimit -n %d)\n",
            (unsigned long long)files.rlim_cur, DESCRIPTORS_MIN, DESCRIPTORS_MIN);
    return false;
}

bool startup_is_shared(const struct settings *settings)
{
    return settings->environment == ENVIRONMENT_PROD;
}

void startup_print_problems(const struct config_problems *problems, struct buffer *text)
{
    char *printed = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&printed, &length);
    check(stream != NULL);
    config_print_problems(problems, stream);
    fclose(stream);
    if (!buffer_append(text, (struct slice){printed, length}))
        length = 0; /* the text is for people: what does not fit is left out */
    free(printed);
}

enum error startup_load_settings(const struct agent_options *options, struct settings **ret_settings,
                                 struct buffer *text)
{
    char secrets[512], budgets[512];
    snprintf(secrets, sizeof secrets, "%s/secrets", options->state);
    snprintf(budgets, sizeof budgets, "%s/budgets.yaml", options->state);
    const struct config_sources sources = {.policy_file = options->policy_file,
                                           .providers_file = options->providers_file,
                                           .prices_file = options->prices_file,
                                           .secret_directory = secrets,
                                           .budgets_file = budgets,
                                           .environment = options->environment};
    struct config_problems problems;
    config_problems_init(&problems);
    enum error error = config_load(&sources, &problems, ret_settings);
    if (!error)
        prices_warn_unknown(*ret_settings, &problems);
    startup_print_problems(&problems, text);
    config_problems_done(&problems);
    return error;
}

/* No reason not to start: the machine may have been booted without a disk that is for backups. */
static void warn_of_directories(const struct settings *settings)
{
    struct config_problems problems;
    config_problems_init(&problems);
    directories_check(settings, settings, NULL, &problems);
    config_print_problems(&problems, stderr);
    for (size_t i = 0; i < problems.count; i++)
        log_event(EVENT_SETTINGS_WARNING, NULL, "%s (%s)", problems.rows[i].message, problems.rows[i].hint);
    config_problems_done(&problems);
}

int startup_prepare(const struct agent_options *options, struct settings **ret_settings)
{
    keep_private();
    if (!has_descriptors())
        return EX_CONFIG;
    struct buffer text;
    buffer_init(&text, 4 << 20);
    enum error error = startup_load_settings(options, ret_settings, &text);
    struct slice problems = buffer_contents(&text);
    if (problems.length)
        fwrite(problems.data, 1, problems.length, stderr);
    buffer_done(&text);
    if (error)
        return startup_exit_code(error);
    mode_t runtime_mode = startup_is_shared(*ret_settings) ? 0755 : 0700;
    if (!make_directory(options->state, 0700) || !make_directory(options->runtime, runtime_mode)) {
        fprintf(stderr, "tollgated: %s or %s cannot be used: it must be a directory of this user\n", options->state,
                options->runtime);
        config_release(*ret_settings);
        return EX_CANTCREAT;
    }
    if (log_open(options->log_file, options->log_level)) {
        fprintf(stderr, "tollgated: the log %s cannot be written\n", options->log_file);
        config_release(*ret_settings);
        return EX_CANTCREAT;
    }
    int code = startup_check_stores(options->state, options->log_file != NULL);
    if (code != EX_OK) {
        config_release(*ret_settings);
        return code;
    }
    warn_of_directories(*ret_settings);
    return EX_OK;
}

int startup_check_stores(const char *state, bool has_log)
{
    enum { TEXT_BYTES_MAX = 16384 };
    struct buffer text;
    buffer_init(&text, TEXT_BYTES_MAX);
    enum error error = stores_check(state, &text);
    struct slice lines = buffer_contents(&text);
    if (error) {
        fprintf(stderr, "tollgate: " SLICE_FORMAT, SLICE_ARGUMENTS(lines));
        if (has_log)
            log_event(EVENT_AGENT_FAILED, NULL, SLICE_FORMAT, SLICE_ARGUMENTS(lines));
    }
    buffer_done(&text);
    return error ? startup_exit_code(error) : EX_OK;
}

static bool is_own_stderr(int directory, const char *name)
{
    struct stat own, named;
    return fstat(STDERR_FILENO, &own) == 0 && fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           own.st_dev == named.st_dev && own.st_ino == named.st_ino;
}

void startup_sweep_words(const char *state)
{
    DIR *entries = opendir(state);
    if (!entries)
        return;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        int pid, length = 0;
        if (sscanf(entry->d_name, "start-%d.err%n", &pid, &length) != 1 || !length || entry->d_name[length] || pid < 1)
            continue;
        if (kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        if (is_own_stderr(dirfd(entries), entry->d_name))
            renameat(dirfd(entries), entry->d_name, dirfd(entries), "agent.stderr");
        else
            unlinkat(dirfd(entries), entry->d_name, 0);
    }
    closedir(entries);
}

/* From a thread of the ledger. */
static void ledger_noted(void *context, enum wallet_note note, const char *text)
{
    static const enum event_kind events[] = {
        [WALLET_NOTE_BACKUP_MADE] = EVENT_BACKUP_MADE,   [WALLET_NOTE_BACKUP_FAILED] = EVENT_BACKUP_FAILED,
        [WALLET_NOTE_DISK_LOW] = EVENT_DISK_LOW,         [WALLET_NOTE_DISK_WELL] = EVENT_DISK_WELL,
        [WALLET_NOTE_HOLD_EXPIRED] = EVENT_HOLD_EXPIRED, [WALLET_NOTE_MIGRATED] = EVENT_LEDGER_MIGRATED,
    };
    (void)context;
    check((size_t)note < sizeof events / sizeof *events);
    log_event(events[note], NULL, "%s", text);
}

static struct wallet_upkeep describe_upkeep(const struct agent_options *options, const struct settings *settings,
                                            char own_backups[512])
{
    snprintf(own_backups, 512, "%s/backups", options->state);
    return (struct wallet_upkeep){
        .low_water_bytes = settings->limits.disk_low_water_bytes,
        .hold_deadline_s = settings->limits.hold_deadline_s,
        .backup_directory = settings->backups.directory ? settings->backups.directory : own_backups,
        .backup_fallback = own_backups,
        .backup_every_s = settings->backups.every_hours * 3600,
        .backups_kept = settings->backups.kept,
    };
}

void startup_set_upkeep(const struct agent_options *options, const struct settings *settings,
                        struct wallet_ledger *ledger)
{
    char own_backups[512];
    const struct wallet_upkeep upkeep = describe_upkeep(options, settings, own_backups);
    wallet_set_upkeep(ledger, &upkeep);
}

enum error startup_open_ledger(const struct agent_options *options, const struct settings *settings,
                               const struct wallet_options *calls, struct wallet_ledger **ret_ledger,
                               unsigned *ret_recovered)
{
    char directory[512], backups[512];
    struct wallet_options wallet_options = *calls;
    snprintf(directory, sizeof directory, "%s/ledger", options->state);
    wallet_options.directory = directory;
    wallet_options.must_exist = stores_has(options->state, "ledger");
    wallet_options.environment = config_environment_name(settings->environment);
    wallet_options.settle_recovered_in_full = settings->environment == ENVIRONMENT_PROD;
    wallet_options.upkeep = describe_upkeep(options, settings, backups);
    wallet_options.noted = ledger_noted;
    unsigned recovered = 0;
    enum error error = wallet_open(&wallet_options, ret_ledger, &recovered);
    if (error)
        return error;
    if (recovered)
        log_event(EVENT_HOLDS_RECOVERED, NULL, "%u", recovered);
    *ret_recovered = recovered;
    return ERROR_OK;
}

enum error startup_open_journal(const struct agent_options *options, struct journal **ret_journal)
{
    char directory[512];
    snprintf(directory, sizeof directory, "%s/aux", options->state);
    return journal_open(directory, ret_journal);
}

static void run_looker(const void *context)
{
    (void)context;
    harden_looker();
    identity_look(HELPER_FD);
}

bool startup_open_lookers(const struct settings *settings, struct helper ret_lookers[STARTUP_LOOKERS])
{
    if (!settings->agent.hardening)
        return true;
    for (unsigned i = 0; i < STARTUP_LOOKERS; i++)
        if (!helper_open(&ret_lookers[i], "tollgate-looks", run_looker, NULL))
            return false;
    identity_use_lookers(ret_lookers[0].fd, ret_lookers[1].fd);
    return true;
}

void startup_close_lookers(struct helper lookers[STARTUP_LOOKERS])
{
    for (unsigned i = 0; i < STARTUP_LOOKERS; i++)
        if (lookers[i].fd > 0)
            helper_end(&lookers[i]);
}

enum error startup_open_identity(const struct agent_options *options, const struct settings *settings,
                                 struct identity **ret_identity)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", options->runtime, TOLLGATE_FILE_IDENTITY);
    return identity_open(path, startup_is_shared(settings) ? 0666 : 0600, ret_identity);
}

void startup_open_announcements(const struct settings *settings, struct identity *identity, uint16_t port,
                                const struct identity_redirects *asked)
{
    const struct identity_redirects redirects = {.fd = asked->fd,
                                                 .network = settings->capture.network,
                                                 .redirect_network = settings->capture.redirect_network,
                                                 .network_mask = 0xffff0000,
                                                 .port = STARTUP_GOVERNED_PORT,
                                                 .agent_port = port,
                                                 .admits = asked->admits,
                                                 .may_call = asked->may_call,
                                                 .has_place = asked->has_place,
                                                 .context = asked->context};
    identity_listen(identity, &redirects);
}

/* ---- wallets ---- */

static struct money find_credit(const struct settings *settings, const char *wallet)
{
    for (size_t i = 0; i < settings->wallet_count; i++)
        if (!strcmp(settings->wallets[i].id, wallet))
            return settings->wallets[i].credit;
    return settings->cost_tracking.default_credit;
}

void startup_seed_wallets(struct wallet_ledger *ledger, const struct settings *settings)
{
    for (size_t i = 0; i < settings->group_count; i++) {
        const char *wallet = settings->groups[i].wallet;
        struct wallet_facts facts;
        struct wallet_operation operation = {
            .kind = WALLET_FUND, .amount = find_credit(settings, wallet), .create = true};
        if (operation.amount.nano <= 0 || wallet_find(ledger, wallet, &facts) == ERROR_OK)
            continue;
        operation.id = id_new();
        snprintf(operation.wallet, sizeof operation.wallet, "%s", wallet);
        snprintf(operation.note, sizeof operation.note, "starting credit of the policy");
        wallet_run(ledger, &operation);
        if (operation.error)
            log_event(EVENT_SETTINGS_WARNING, wallet, "no starting credit: %s", error_row(operation.error)->text);
    }
}

/* ---- the outside ---- */

void startup_announce(int ready_fd)
{
    if (ready_fd >= 0) {
        ssize_t ignored = write(ready_fd, "ready\n", 6);
        (void)ignored;
        close(ready_fd);
    }
    manager_tell("READY=1");
}

void startup_block_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGHUP);
    sigaddset(ret_signals, STARTUP_SIGNAL_LEDGER);
    sigaddset(ret_signals, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
}

bool startup_is_second_signal(void)
{
    const struct timespec no_wait = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return sigtimedwait(&signals, NULL, &no_wait) > 0;
}

void startup_restore_budgets(const struct settings *settings)
{
    struct budget *rows = calloc(settings->budget_count + 1, sizeof *rows);
    size_t count = 0;
    check(rows != NULL);
    for (size_t i = 0; i < settings->budget_count; i++)
        if (settings->budgets[i].origin == BUDGET_OF_OPERATOR)
            rows[count++] = settings->budgets[i];
    if (config_write_budgets(settings->budgets_file, rows, count))
        log_event(EVENT_SETTINGS_WARNING, NULL, "%s could not be put back as it was", settings->budgets_file);
    free(rows);
}

int startup_exit_code(enum error error)
{
    static const struct {
        enum error error;
        int code;
    } codes[] = {
        {ERROR_SETTINGS_INVALID, EX_DATAERR},
        {ERROR_ENVIRONMENT_BUSY, EX_TEMPFAIL},
        {ERROR_STORE_IO, EX_IOERR},
        {ERROR_STORE_CORRUPT, EX_DATAERR},
        {ERROR_STORE_SCHEMA, EX_CONFIG},
        {ERROR_FILE_UNREADABLE, EX_NOINPUT},
        {ERROR_FILE_UNWRITABLE, EX_CANTCREAT},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].error == error)
            return codes[i].code;
    return EX_SOFTWARE;
}

static void cache_noted(void *context, const char *text)
{
    (void)context;
    log_event(EVENT_CACHE_FAILED, NULL, "%s", text);
}

struct cache *startup_open_cache(const struct agent_options *options, const struct settings *settings)
{
    char directory[512];
    snprintf(directory, sizeof directory, "%s/cache", options->state);
    const struct cache_options cache_options = {.directory = directory,
                                                .entries_max = settings->cache.max_entries,
                                                .bytes_max = settings->cache.bytes_max,
                                                .noted = cache_noted};
    return cache_open(&cache_options);
}

static void find_ratelimit_file(const struct agent_options *options, char path[512])
{
    snprintf(path, 512, "%s/rate-limits", options->state);
}

struct ratelimit *startup_load_ratelimit(const struct agent_options *options)
{
    struct ratelimit *ratelimit = ratelimit_new();
    char path[512];
    find_ratelimit_file(options, path);
    ratelimit_load(ratelimit, path);
    return ratelimit;
}

void startup_save_ratelimit(const struct agent_options *options, struct ratelimit *ratelimit)
{
    char path[512];
    if (!ratelimit)
        return;
    find_ratelimit_file(options, path);
    if (ratelimit_save(ratelimit, path))
        log_event(EVENT_AGENT_FAILED, NULL, "%s cannot be written: a restart forgets today's rate limits", path);
}
