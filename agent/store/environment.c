/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an environment is tuned, opened and recovered. Called by store.c alone. Recovery runs in a child process first:
 * Berkeley DB's recovery of damaged files may loop, panic or crash, and the agent must be able to say so.
 */
#include "store/internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RECOVERY_SECONDS_MAX = 120 };

/* What differs between the kinds (ledger.md, "Berkeley DB, as measured"). The lock table must hold the pages of one
 * whole batch of the ledger, and of an anchor: 512 operations touch about 400 pages, 50,000 accounts 9,000. The ledger
 * writes at the ends of its tables and hardly reads, so a small cache is a fast one: with 8 MiB of 512-byte pages the
 * hash chains grow long (measured: 25 µs a pair in batches of 128 with 8 MiB, 19 with 2). A row above a quarter of a
 * page gets pages of its own: an event of 1.35 KB on pages of 4 KiB was a third of the CPU of an answer from the cache;
 * rows with random keys on pages of 16 KiB are dearer than on 4. */
static const struct tuning {
    uint32_t cache_bytes, log_file_bytes, log_buffer_bytes, locks_max, page_bytes;
    bool is_disposable;
} tunings[] = {
    [STORE_LEDGER] = {2 << 20, 2 << 20, 256 << 10, 40000, 512, false},
    [STORE_AUX] = {2 << 20, 4 << 20, 256 << 10, 10000, 4096, true},
    [STORE_SEQUENCE] = {2 << 20, 4 << 20, 256 << 10, 10000, 16384, true},
    [STORE_COPY] = {2 << 20, 2 << 20, 256 << 10, 40000, 512, false},
};

uint32_t store_page_bytes(const struct store *store)
{
    return tunings[store->kind].page_bytes;
}

static void note_message(const DB_ENV *env, const char *prefix, const char *message)
{
    (void)prefix;
    struct store *store = env->app_private;
    if (!store->message[0] || !strstr(message, "PANIC")) /* what came before says which file, and why */
        snprintf(store->message, sizeof store->message, "%s", message);
}

static void drop_message(const DB_ENV *env, const char *message)
{
    (void)env;
    (void)message;
}

static void note_event(DB_ENV *env, uint32_t event, void *info)
{
    struct store *store = env->app_private;
    if (event == DB_EVENT_PANIC && info && !store->panic)
        store->panic = *(const int *)info;
    if (event == DB_EVENT_PANIC || event == DB_EVENT_WRITE_FAILED)
        store_fail(store, "Berkeley DB gave up", store->message, store->panic);
}

static int tune(DB_ENV *env, const struct store *store)
{
    const struct tuning *tuning = &tunings[store->kind];
    bool is_ledger = store->kind == STORE_LEDGER;
    int result = env->set_cachesize(env, 0, tuning->cache_bytes, 1);
    result = result ? result : env->set_lg_max(env, tuning->log_file_bytes);
    result = result ? result : env->set_lg_bsize(env, tuning->log_buffer_bytes);
    result = result ? result : env->set_lk_max_locks(env, tuning->locks_max);
    result = result ? result : env->set_lk_max_objects(env, tuning->locks_max);
    result = result ? result : env->set_lk_max_lockers(env, 1000);
    /* Those are bounds; what is taken at once is little (40,000 locks made 3 MB resident in an idle agent). */
    result = result ? result : env->set_lk_tablesize(env, 1009);
    result = result ? result : env->set_memory_init(env, DB_MEM_LOCK, 500);
    result = result ? result : env->set_memory_init(env, DB_MEM_LOCKOBJECT, 500);
    result = result ? result : env->set_memory_init(env, DB_MEM_LOCKER, 50);
    /* The victim is whoever wrote least: a reader, which scans again from where it was. */
    result = result ? result : env->set_lk_detect(env, DB_LOCK_MINWRITE);
    /* A log file of zeros from the start: syncing it then never has to write its size, which halves a commit
     * (measured: 113 µs against 208 on ext4). */
    result = result ? result : env->log_set_config(env, DB_LOG_ZERO, is_ledger);
    result = result ? result : env->log_set_config(env, DB_LOG_AUTO_REMOVE, tuning->is_disposable);
    return result || is_ledger ? result : env->set_flags(env, DB_TXN_WRITE_NOSYNC, 1);
}

int store_environment_open(struct store *store)
{
    DB_ENV *env;
    int result = db_env_create(&env, 0);
    if (result)
        return result;
    env->app_private = store;
    env->set_errcall(env, note_message);
    env->set_msgcall(env, drop_message);
    result = env->set_event_notify(env, note_event);
    result = result ? result : tune(env, store);
    /* The checkpoint that a copy was made after says nothing about the pages copied before it. */
    uint32_t recovery = store->kind == STORE_COPY ? DB_RECOVER_FATAL : DB_RECOVER;
    /* Private: no region files, so that nothing but the log and the tables is there to be wrong after a crash. */
    result = result ? result
                    : env->open(env, store->directory,
                                DB_CREATE | DB_INIT_TXN | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL | DB_PRIVATE |
                                    DB_THREAD | recovery,
                                0600);
    if (result)
        (void)env->close(env, 0);
    store->env = result ? NULL : env;
    return result;
}

/* After a failure even closing would read and write: the process is about to end, or goes on without this store. A copy
 * that failed is thrown away, but its memory must not be lost each day. */
void store_environment_close(struct store *store)
{
    if (!store->env)
        return;
    if (!store_is_failed(store))
        (void)!store->env->txn_checkpoint(store->env, 0, 0, 0);
    if (!store_is_failed(store) || store->kind == STORE_COPY)
        (void)!store->env->close(store->env, 0);
    store->env = NULL;
}

/* What the child writes into the pipe. */
struct recovery {
    int result; /* Berkeley DB's */
    char message[STORE_FAILURE_MAX];
};

/* The lock file's descriptor is shared: while this child lives nobody else can open the environment. It dies with its
 * parent. */
static _Noreturn void recover_in_child(struct store *store, int result_fd, pid_t parent)
{
    const struct rlimit no_core = {0, 0}, cpu = {RECOVERY_SECONDS_MAX, RECOVERY_SECONDS_MAX + 1};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGALRM, SIG_DFL);
    setrlimit(RLIMIT_CORE, &no_core);
    setrlimit(RLIMIT_CPU, &cpu);
    alarm(RECOVERY_SECONDS_MAX);
    struct recovery recovery = {.result = store_environment_open(store)};
    if (recovery.result == DB_RUNRECOVERY && (store->result || store->panic))
        recovery.result = store->result ? store->result : store->panic;
    if (!recovery.result && store_is_failed(store))
        recovery.result = store->result ? store->result : EIO;
    const char *message = store->message[0] ? store->message : db_strerror(recovery.result);
    snprintf(recovery.message, sizeof recovery.message, "%s", store_is_failed(store) ? store->failure : message);
    store_environment_close(store);
    ssize_t ignored = write(result_fd, &recovery, sizeof recovery);
    (void)ignored;
    _exit(0);
}

/* Sent from outside, or for what the system has too little of (SIGKILL: memory, SIGXFSZ: ulimit -f). Others are what
 * damaged files make of recovery: it crashes, or runs until the alarm. */
static bool is_system_signal(int number)
{
    static const int numbers[] = {SIGKILL, SIGXFSZ, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (number == numbers[i])
            return true;
    return false;
}

/* Without an answer. `status` is -1 where SIGCHLD is ignored, and the child's end is lost. */
static bool is_ended_by_system(int status, char *why, size_t why_bytes)
{
    const int number = status != -1 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (is_system_signal(number))
        snprintf(why, why_bytes, "recovery was ended by signal %d (%s); no file is known to be damaged", number,
                 sigdescr_np(number));
    else
        snprintf(why, why_bytes, "recovery failed: it crashed or ran too long%s%s", number ? ": " : "",
                 number ? sigdescr_np(number) : "");
    return is_system_signal(number);
}

/* Known by what the pipe says, not by the exit status: that is lost where SIGCHLD is ignored. */
bool store_try_recovery(struct store *store, char *why, size_t why_bytes, int *ret_result)
{
    int ends[2], status = -1;
    struct recovery recovery;
    pid_t parent = getpid(), child = pipe(ends) == 0 ? fork() : -1;
    if (child < 0) {
        *ret_result = errno;
        snprintf(why, why_bytes, "recovery could not be started: %s", strerrordesc_np(*ret_result));
        return false;
    }
    if (child == 0) {
        close(ends[0]);
        recover_in_child(store, ends[1], parent);
    }
    close(ends[1]);
    ssize_t length;
    do
        length = read(ends[0], &recovery, sizeof recovery);
    while (length < 0 && errno == EINTR);
    close(ends[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (length != (ssize_t)sizeof recovery) {
        *ret_result = is_ended_by_system(status, why, why_bytes) ? EINTR : DB_RUNRECOVERY;
        return false;
    }
    if (recovery.result == 0)
        return true;
    snprintf(why, why_bytes, "recovery failed: %.200s", recovery.message);
    *ret_result = recovery.result;
    return false;
}
