/* SPDX-License-Identifier: Apache-2.0 */
/* See agent.h: settings and their reload, life and end of the running agent; its parts are in services.c, the details
 * of start-up in startup.c. */
#include "services.h"

#include "base/check.h"
#include "base/clock.h"
#include "harden.h"
#include "manager.h"
#include "notify.h"
#include "refresh.h"
#include "resolver.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* ---- settings ---- */

struct settings *agent_retain_settings(void *context)
{
    struct agent *agent = context;
    pthread_mutex_lock(&agent->settings_lock);
    struct settings *settings = config_retain(agent->settings);
    pthread_mutex_unlock(&agent->settings_lock);
    return settings;
}

static bool has_same_base_url(const struct settings *a, const struct settings *b)
{
    return a->capture.base_urls == b->capture.base_urls && a->capture.base_url_port == b->capture.base_url_port;
}

/* What the process gave up at its start it cannot take back. */
static enum error check_writable(const struct agent *agent, const struct settings *fresh, struct buffer *text)
{
    const struct {
        const char *key, *directory;
    } rows[] = {{"evidence.exports.directory", fresh->evidence.exports.directory},
                {"backups.directory", fresh->backups.directory}};
    if (fresh->agent.hardening != agent->settings->agent.hardening &&
        !buffer_append(text, SLICE_LITERAL("agent.hardening changed: it takes effect when the agent restarts\n")))
        return ERROR_NO_MEMORY;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[PATH_MAX + 160];
        if (!rows[i].directory || harden_may_write(agent->harden, rows[i].directory))
            continue;
        int length = snprintf(line, sizeof line,
                              "%s: the running agent may not write to %s (agent.hardening): restart it to use this "
                              "directory\n",
                              rows[i].key, rows[i].directory);
        bool is_said = buffer_append(text, (struct slice){line, (size_t)length < sizeof line ? (size_t)length : 0});
        return is_said ? ERROR_SETTINGS_INVALID : ERROR_NO_MEMORY;
    }
    return ERROR_OK;
}

static enum error reload_settings(struct agent *agent, struct buffer *text)
{
    struct settings *fresh = NULL;
    enum error error = startup_load_settings(agent->options, &fresh, text);
    if (!error && fresh->environment != agent->settings->environment)
        error = ERROR_SETTINGS_INVALID;
    if (!error && !startup_has_same_names(&agent->names, fresh) &&
        !buffer_append(text, SLICE_LITERAL("governed host names changed: they take effect when the agent restarts\n")))
        error = ERROR_NO_MEMORY;
    if (!error && !has_same_base_url(agent->settings, fresh) &&
        !buffer_append(text, SLICE_LITERAL("capture.base_urls changed: it takes effect when the agent restarts\n")))
        error = ERROR_NO_MEMORY;
    if (!error)
        error = check_writable(agent, fresh, text);
    if (error) {
        config_release(fresh);
        log_event(EVENT_SETTINGS_REFUSED, NULL, "%s", agent->options->policy_file);
        return error;
    }
    startup_seed_wallets(agent->ledger, fresh);
    cache_set_limits(agent->cache, fresh->cache.max_entries, fresh->cache.bytes_max);
    pthread_mutex_lock(&agent->settings_lock);
    struct settings *old = agent->settings;
    agent->settings = fresh;
    pthread_mutex_unlock(&agent->settings_lock);
    log_event(EVENT_SETTINGS_LOADED, NULL, "%s digest %.12s", fresh->file, fresh->digest);
    if (agent->refresh)
        refresh_wake(agent->refresh);
    config_release(old);
    return ERROR_OK;
}

/* SIGHUP comes to the main thread, the control API's reload to a call's: without the lock one would release the
 * settings that the other still compares and logs. */
enum error agent_reload(void *context, struct buffer *text)
{
    struct agent *agent = context;
    pthread_mutex_lock(&agent->reload_lock);
    enum error error = reload_settings(agent, text);
    pthread_mutex_unlock(&agent->reload_lock);
    return error;
}

/* The file is changed first, since a reload reads it; a reload that fails leaves the old settings and the old file. */
enum error agent_change_budgets(void *context, struct slice row, const char *unset_id, struct buffer *text)
{
    struct agent *agent = context;
    struct config_problems problems;
    config_problems_init(&problems);
    pthread_mutex_lock(&agent->reload_lock);
    enum error error =
        unset_id ? config_unset_budget(agent->settings, unset_id) : config_set_budget(agent->settings, row, &problems);
    startup_print_problems(&problems, text);
    if (!error) {
        error = reload_settings(agent, text);
        if (error)
            startup_restore_budgets(agent->settings);
    }
    pthread_mutex_unlock(&agent->reload_lock);
    config_problems_done(&problems);
    return error;
}

/* ---- reasons to stop ---- */

void agent_stop(void *context)
{
    (void)context;
    kill(getpid(), SIGTERM);
}

/* From a thread of the ledger: main hears of it as of any other reason to stop. */
void agent_ledger_stopped(void *context, const char *why)
{
    struct agent *agent = context;
    log_event(EVENT_LEDGER_FAILED, NULL, "%s; new requests are refused, running ones may end, then the agent exits",
              why);
    atomic_store(&agent->is_ledger_stopped, true);
    kill(getpid(), STARTUP_SIGNAL_LEDGER);
}

/* ---- run ---- */

/* A clock that was set, or is still being set after a boot, must not say that everything is old. */
static bool is_clock_steady(struct agent *agent)
{
    const int64_t s = 1000000000, step_ns = 60 * s, steady_ns = 600 * s;
    const int64_t now_ns = clock_monotonic_ns(), offset_ns = clock_wall_ns() - now_ns;
    const int64_t moved_ns = offset_ns - agent->clock_offset_ns;
    if (moved_ns > step_ns || moved_ns < -step_ns)
        agent->steady_since_ns = now_ns;
    agent->clock_offset_ns = offset_ns;
    return now_ns - agent->steady_since_ns >= steady_ns;
}

/* Once a minute, a bounded part: what evidence.keep_… no longer wants. Whole slots, so that their sums stay true. */
static void trim_journal(struct agent *agent)
{
    enum { DAY_S = 86400, ROUNDS_MAX = 20 };
    struct settings *settings = agent_retain_settings(agent);
    const int64_t now_s = clock_wall_ns() / 1000000000 / JOURNAL_SLOT_S * JOURNAL_SLOT_S;
    const int64_t events_s =
        settings->evidence.events_days ? now_s - (int64_t)settings->evidence.events_days * DAY_S : 0;
    const int64_t sums_s = settings->evidence.sums_days ? now_s - (int64_t)settings->evidence.sums_days * DAY_S : 0;
    config_release(settings);
    for (unsigned i = 0; i < ROUNDS_MAX && journal_trim(agent->journal, events_s * 1000, sums_s); i++)
        ;
}

/* NULL: none is missing. */
static const char *find_missing_helper(struct agent *agent)
{
    if (!helper_is_alive(&agent->signer) || !certificates_can_sign(agent->certificates))
        return "signs certificates";
    for (unsigned i = 0; i < STARTUP_LOOKERS; i++)
        if (agent->lookers[i].fd > 0 && !helper_is_alive(&agent->lookers[i]))
            return "looks into other processes";
    return NULL;
}

static void serve_until_stopped(struct agent *agent)
{
    static const struct timespec minute = {60, 0};
    sigset_t signals;
    startup_block_signals(&signals);
    while (!atomic_load(&agent->is_ledger_stopped) && !agent->missing_helper) {
        int number = sigtimedwait(&signals, NULL, &minute);
        if (number < 0 && errno == EAGAIN) {
            startup_save_ratelimit(agent->options, agent->ratelimit);
            if (is_clock_steady(agent))
                trim_journal(agent);
        }
        if (number < 0 || number == SIGCHLD)
            agent->missing_helper = find_missing_helper(agent);
        if (number < 0)
            continue;
        if (number == SIGTERM || number == SIGINT)
            break;
        if (number != SIGHUP)
            continue; /* STARTUP_SIGNAL_LEDGER and SIGCHLD: the flags say whether it was ours */
        struct buffer text;
        buffer_init(&text, 1 << 20);
        enum error ignored = agent_reload(agent, &text); /* logged there */
        (void)ignored;
        buffer_done(&text);
    }
}

static void stop_services(struct agent *agent)
{
    struct settings *settings = agent_retain_settings(agent); /* a reload may still be under way */
    const uint32_t drain_timeout_ms = settings->limits.drain_timeout_ms;
    config_release(settings);
    log_event(EVENT_AGENT_STOPPING, NULL,
              "running calls, and what is passed on, may go on for %u ms; a second signal ends them now",
              drain_timeout_ms);
    manager_tell("STOPPING=1");
    control_close(agent->control); /* first: a `run` that finds no report socket waits for the next agent */
    agent->control = NULL;
    identity_unlisten(agent->identity);
    listener_stop(agent->listener);
    listener_stop(agent->base_url_listener);
    if (atomic_load(&agent->is_handed_over))
        loops_settle(agent->listener);
    if (!loops_drain(agent->loops, agent->listener, drain_timeout_ms, startup_is_second_signal)) {
        log_event(EVENT_AGENT_FAILED, NULL, "exchanges still open after the drain: settled at the next start, exit %d",
                  EX_SOFTWARE);
        _exit(EX_SOFTWARE); /* what they hold cannot be freed under them; a kill is what the ledger is made for */
    }
    manager_watch_stop(agent->manager_watch);
    loops_join(agent->loops);
}

static int run_services(struct agent *agent)
{
    enum error error = services_open(agent);
    if (!error)
        error = services_open_control(agent);
    if (error) {
        log_event(EVENT_AGENT_FAILED, NULL, "%s (%s)", error_row(error)->text, error_row(error)->hint);
        return startup_exit_code(error);
    }
    loops_start(agent->loops, agent->listener, agent->base_url_listener);
    struct settings *settings = agent_retain_settings(agent);
    log_event(EVENT_AGENT_STARTED, NULL, "%s, port %u, policy %s, ready in %u ms, %u holds recovered",
              config_environment_name(settings->environment), (unsigned)listener_port(agent->listener), settings->file,
              agent->control_services.ready_ms, agent->recovered);
    config_release(settings);
    agent->manager_watch = manager_watch_start(agent->loops);
    startup_announce(agent->options->ready_fd);
    serve_until_stopped(agent);
    if (agent->missing_helper)
        log_event(EVENT_AGENT_FAILED, NULL, "the process that %s is gone: the agent must start again",
                  agent->missing_helper);
    stop_services(agent);
    if (agent->missing_helper)
        return EX_SOFTWARE;
    return atomic_load(&agent->is_ledger_stopped) ? EX_IOERR : EX_OK;
}

/* In this order: the helpers fork while there is one thread and no key of a CA, and the process gives up what it can
 * before it opens a service. */
static int run_guarded(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    if (!startup_open_signer(options, agent->settings, &agent->names, &agent->signer) ||
        !startup_open_lookers(agent->settings, agent->lookers)) {
        log_event(EVENT_AGENT_FAILED, NULL,
                  "the processes that sign certificates and look into others cannot be started");
        startup_free_names(&agent->names);
        config_release(agent->settings);
        return EX_OSERR;
    }
    const struct harden_options hardening = {options->state, options->runtime, agent->settings};
    agent->harden = harden_process(&hardening);
    int code = run_services(agent);
    services_close(agent);
    helper_end(&agent->signer);
    startup_close_lookers(agent->lookers);
    harden_free(agent->harden);
    return code;
}

int agent_run(const struct agent_options *options)
{
    struct agent *agent = calloc(1, sizeof *agent);
    check(agent != NULL);
    pthread_mutex_init(&agent->reload_lock, NULL);
    pthread_mutex_init(&agent->settings_lock, NULL);
    agent->options = options;
    agent->begun_ns = agent->steady_since_ns = clock_monotonic_ns();
    agent->clock_offset_ns = clock_wall_ns() - agent->begun_ns;
    agent->notify = notify_open(); /* first: they must know no secret, and fork before there are threads */
    agent->resolver = resolver_open();
    sigset_t signals;
    startup_block_signals(&signals);
    int code = startup_prepare(options, &agent->settings);
    if (code == EX_OK) {
        code = run_guarded(agent);
        log_event(EVENT_AGENT_STOPPED, NULL, "exit %d", code);
    }
    notify_close(agent->notify);
    resolver_close(agent->resolver);
    free(agent);
    return code;
}
