/* SPDX-License-Identifier: Apache-2.0 */
/* See agent.h: settings and their reload, life and end of the running agent; its parts are in services.c, the details
 * of start-up in startup.c. */
#include "services.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/stderr.h"
#include "directories.h"
#include "harden.h"
#include "manager.h"
#include "notify.h"
#include "refresh.h"
#include "resolver.h"

#include <errno.h>
#include <poll.h>
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

/* ---- settings that only a start puts in force ---- */

static void compare_with_start(struct agent *agent, const struct settings *settings, config_differs_function *differs,
                               struct buffer *out)
{
    config_fixed_compare(agent->fixed, settings, differs, out);
    if (!startup_has_same_names(&agent->names, settings))
        differs(out, "governed host names", "those of the start", "others");
}

/* For people: what does not fit is left out. The log has it for whoever reloads by SIGHUP. */
static void tell_pending(void *context, const char *key, const char *before, const char *after)
{
    log_event(EVENT_SETTINGS_WARNING, NULL, "%s: %s -> %s takes effect at the next restart", key, before, after);
    (void)!buffer_append_format(context, "%s: %s -> %s takes effect at the next restart (tollgate restart)\n", key,
                                before, after);
}

static void write_pending(void *context, const char *key, const char *before, const char *after)
{
    struct buffer *out = context;
    json_write_raw(out, out->data[out->end - 1] == '[' ? "{" : ",{");
    json_write_member_string(out, "key", key);
    json_write_member_string(out, "before", before);
    json_write_member_string(out, "after", after);
    json_write_raw(out, "}");
}

void agent_write_pending(void *context, struct buffer *out)
{
    struct agent *agent = context;
    struct settings *settings = agent_retain_settings(agent);
    json_write_raw(out, "[");
    compare_with_start(agent, settings, write_pending, out);
    json_write_raw(out, "]");
    config_release(settings);
}

/* ---- reload ---- */

static enum error load_changed(struct agent *agent, struct settings **ret_fresh, struct buffer *text)
{
    struct config_problems problems;
    struct settings *fresh = NULL;
    enum error error = startup_load_settings(agent->options, &fresh, text);
    if (error)
        return error;
    if (fresh->environment != agent->settings->environment)
        error = ERROR_SETTINGS_INVALID;
    config_problems_init(&problems);
    directories_check(fresh, agent->settings, agent->harden, &problems);
    startup_print_problems(&problems, text);
    if (problems.error_count)
        error = ERROR_SETTINGS_INVALID;
    config_problems_done(&problems);
    if (error)
        config_release(fresh);
    else
        *ret_fresh = fresh;
    return error;
}

/* What the parts do not ask the snapshot for. */
static void put_in_force(struct agent *agent, const struct settings *fresh)
{
    startup_seed_wallets(agent->ledger, fresh);
    cache_set_limits(agent->cache, fresh->cache.max_entries, fresh->cache.bytes_max);
    startup_set_upkeep(agent->options, fresh, agent->ledger);
    struct listener *const listeners[] = {agent->listener, agent->base_url_listener};
    for (size_t i = 0; i < sizeof listeners / sizeof *listeners; i++)
        listener_set_bounds(listeners[i], fresh->limits.connections_max, fresh->limits.stream_buffer_bytes_max,
                            fresh->limits.head_timeout_ms);
}

static enum error reload_settings(struct agent *agent, struct buffer *text)
{
    struct settings *fresh = NULL;
    enum error error = load_changed(agent, &fresh, text);
    if (error) {
        log_event(EVENT_SETTINGS_REFUSED, NULL, "%s", agent->options->policy_file);
        return error;
    }
    compare_with_start(agent, fresh, tell_pending, text);
    put_in_force(agent, fresh);
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
    log_look(); /* whatever becomes of the policy: programs that rotate logs ask by SIGHUP */
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
    if (!helper_is_alive(&agent->signer) || !certificates_can_sign(agent->trust.certificates))
        return "signs certificates";
    for (unsigned i = 0; i < STARTUP_LOOKERS; i++)
        if (agent->lookers[i].fd > 0 && !helper_is_alive(&agent->lookers[i]))
            return "looks into other processes";
    return NULL;
}

/* What the agent can go on without, as no money passes through it. Neither can be made anew from here: the one
 * executes, which this process cannot, and both are forked while there is one thread and no key. */
static void note_lost_helpers(struct agent *agent)
{
    const bool are_alive[SERVICES_LOSSES] = {[SERVICES_LOST_ALERTS] = notify_is_alive(agent->notify),
                                             [SERVICES_LOST_NAMES] = resolver_is_alive(agent->resolver)};
    for (unsigned i = 0; i < SERVICES_LOSSES; i++)
        if (!are_alive[i] && !atomic_exchange(&agent->are_lost[i], true))
            log_event(EVENT_HELPER_LOST, NULL, "%s; tollgate restart", services_describe_loss(i));
}

static void serve_until_stopped(struct agent *agent)
{
    static const struct timespec minute = {60, 0};
    sigset_t signals;
    startup_block_signals(&signals);
    note_lost_helpers(agent);
    while (!atomic_load(&agent->is_ledger_stopped) && !agent->missing_helper) {
        int number = sigtimedwait(&signals, NULL, &minute);
        if (number < 0 && errno == EAGAIN) {
            startup_save_ratelimit(agent->options, agent->ratelimit);
            if (is_clock_steady(agent))
                trim_journal(agent);
        }
        services_keep_published(agent); /* also for who asks no `run`: children of governed programs */
        if (number < 0 || number == SIGCHLD) {
            agent->missing_helper = find_missing_helper(agent);
            note_lost_helpers(agent);
        }
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

/* With an agent to come after us questions are answered, and supervisors asked to wait, until it takes over. Otherwise
 * nobody is to be found from now on: a `run` waits for our end, and starts another agent. */
static void close_doors(struct agent *agent)
{
    enum { COMING_MS = 100 }; /* whom we have just acknowledged connects at once */
    const bool has_successor = services_have_successor(agent);
    if (has_successor) {
        identity_put_off(agent->identity);
        poll(NULL, 0, COMING_MS);
    } else {
        control_close(agent->control);
        agent->control = NULL;
        identity_unlisten(agent->identity);
        doors_close(&agent->doors, agent->options->runtime, owner_is_another(&agent->owner, agent->options->runtime));
    }
    listener_stop(agent->listener);
    listener_stop(agent->base_url_listener);
    if (has_successor)
        loops_settle(agent->listener);
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
    atomic_store(&agent->draining_since_ns, clock_wall_ns());
    owner_note_end(&agent->owner);
    close_doors(agent);
    if (!loops_drain(agent->loops, agent->listener, drain_timeout_ms, startup_is_second_signal)) {
        log_event(EVENT_AGENT_FAILED, NULL, "exchanges still open after the drain: settled at the next start, exit %d",
                  EX_SOFTWARE);
        _exit(EX_SOFTWARE); /* what they hold cannot be freed under them; a kill is what the ledger is made for */
    }
    control_close(agent->control); /* before the loops, which its calls may ask */
    agent->control = NULL;
    manager_watch_stop(agent->manager_watch);
    loops_join(agent->loops);
}

/* In the log, and for who waits for the agent to be ready. What the ledger knows may be nothing, as the row's hint. */
static void tell_failure(const struct agent *agent, enum error error)
{
    const struct error_row *row = error_row(error);
    const char *why = wallet_failure();
    char text[1024];
    snprintf(text, sizeof text, "%s%s%s%s%s%s", row->text, why[0] ? ": " : "", why, row->hint[0] ? " (" : "", row->hint,
             row->hint[0] ? ")" : "");
    log_event(EVENT_AGENT_FAILED, NULL, "%s", text);
    if (agent->options->log_file)
        fprintf(stderr, "tollgate: %s\n", text);
}

static int run_services(struct agent *agent)
{
    enum error error = services_open(agent);
    if (!error)
        error = services_open_control(agent);
    if (error) {
        tell_failure(agent, error);
        return startup_exit_code(error);
    }
    loops_start(agent->loops, agent->listener, agent->base_url_listener);
    struct settings *settings = agent_retain_settings(agent);
    log_event(EVENT_AGENT_STARTED, NULL, "%s, port %u, policy %s, ready in %u ms, %u holds recovered",
              config_environment_name(settings->environment), (unsigned)listener_port(agent->listener), settings->file,
              agent->control_services.ready_ms, agent->recovered);
    config_release(settings);
    services_leave_sockets(agent);
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
    agent->resolver = resolver_open(agent->settings->agent.hardening);
    agent->fixed = config_fixed_new(agent->settings);
    const struct harden_options hardening = {options->state, options->runtime, options->log_file, agent->settings};
    agent->harden = harden_process(&hardening);
    int code = run_services(agent);
    services_close(agent);
    helper_end(&agent->signer);
    resolver_close(agent->resolver);
    startup_close_lookers(agent->lookers);
    harden_free(agent->harden);
    config_fixed_free(agent->fixed);
    return code;
}

int agent_run(const struct agent_options *options)
{
    signal(SIGCHLD, SIG_DFL); /* whoever ignored it would hear of no helper's end */
    stderr_take();
    struct agent *agent = calloc(1, sizeof *agent);
    check(agent != NULL);
    pthread_mutex_init(&agent->reload_lock, NULL);
    pthread_mutex_init(&agent->settings_lock, NULL);
    agent->options = options;
    doors_init(&agent->doors);
    owner_init(&agent->owner);
    agent->begun_ns = agent->steady_since_ns = clock_monotonic_ns();
    agent->clock_offset_ns = clock_wall_ns() - agent->begun_ns;
    agent->notify = notify_open(); /* first: it must know no secret, as it is as free as the user */
    sigset_t signals;
    startup_block_signals(&signals);
    int code = startup_prepare(options, &agent->settings);
    if (code == EX_OK) {
        code = run_guarded(agent);
        log_event(EVENT_AGENT_STOPPED, NULL, "exit %d", code);
    }
    notify_close(agent->notify);
    free(agent);
    return code;
}
