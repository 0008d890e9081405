/* SPDX-License-Identifier: Apache-2.0 */
/* See agent.h: a table of contents of the running agent. The details of start-up live in startup.c. */
#include "agent.h"

#include "alerts.h"
#include "base/check.h"
#include "base/clock.h"
#include "control/control.h"
#include "events_file.h"
#include "evidence/evidence.h"
#include "leaks.h"
#include "loops.h"
#include "notify.h"
#include "reconcile.h"
#include "refresh.h"
#include "startup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

struct agent {
    const struct agent_options *options;
    int64_t begun_ns;
    pthread_mutex_t reload_lock;   /* one reload at a time; settings_lock may be taken while holding it */
    pthread_mutex_t settings_lock; /* leaf */
    struct settings *settings;
    struct startup_names names;
    struct startup_map map;
    struct notify *notify;
    struct resolver *resolver;
    struct redirects *redirects;
    struct refresh *refresh;
    struct wallet_ledger *ledger;
    unsigned recovered;
    struct reconcile *reconcile;
    struct events_file *events_file;
    atomic_bool is_ledger_stopped;
    struct journal *journal;
    struct metrics *metrics;
    struct identity *identity;
    struct routing *routing;
    struct ratelimit *ratelimit;
    struct cache *cache;
    struct certificates *certificates;
    struct listener *listener, *base_url_listener; /* the latter may be NULL */
    struct alerts *alerts;
    struct leaks *leaks;
    struct export_schedule *exports;
    struct control *control;
    struct control_services control_services;
    struct flow_services flow_services;
    struct loops *loops;
    struct listener_handler listener_handler;
};

/* ---- settings ---- */

static struct settings *retain_settings(void *context)
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
static enum error reload(void *context, struct buffer *text)
{
    struct agent *agent = context;
    pthread_mutex_lock(&agent->reload_lock);
    enum error error = reload_settings(agent, text);
    pthread_mutex_unlock(&agent->reload_lock);
    return error;
}

/* The file is changed first, since a reload reads it; a reload that fails leaves the old settings and the old file. */
static enum error change_budgets(void *context, struct slice row, const char *unset_id, struct buffer *text)
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

static void stop(void *context)
{
    (void)context;
    kill(getpid(), SIGTERM);
}

/* From a thread of the ledger: main hears of it as of any other reason to stop. */
static void ledger_stopped(void *context, const char *why)
{
    struct agent *agent = context;
    log_event(EVENT_LEDGER_FAILED, NULL, "%s; new requests are refused, running ones may end, then the agent exits",
              why);
    atomic_store(&agent->is_ledger_stopped, true);
    kill(getpid(), STARTUP_SIGNAL_LEDGER);
}

/* ---- open, run, close ---- */

static enum error open_ledger(struct agent *agent)
{
    enum error error =
        startup_open_ledger(agent->options, agent->settings, ledger_stopped, agent, &agent->ledger, &agent->recovered);
    if (error)
        return error;
    startup_seed_wallets(agent->ledger, agent->settings);
    return ERROR_OK;
}

/* ---- addresses of providers ---- */

static bool find_original(void *context, uint32_t address, struct sockaddr_in6 *ret_original)
{
    struct agent *agent = context;
    struct config_address original;
    if (!redirects_find(agent->redirects, address, &original))
        return false;
    *ret_original = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(STARTUP_GOVERNED_PORT)};
    memcpy(&ret_original->sin6_addr, original.bytes, sizeof original.bytes);
    return true;
}

/* The loops run when the leak detector is open. */
static void passed_on(void *context, const struct identity_peer *peer, const struct sockaddr_in6 *original,
                      const char *server_name)
{
    struct agent *agent = context;
    leaks_note_passed(agent->leaks, peer, original, server_name);
}

static enum error publish_map(void *context)
{
    struct agent *agent = context;
    return startup_write_map(&agent->map);
}

static bool admits(void *context, uid_t uid)
{
    struct settings *settings = retain_settings(context);
    bool is_admitted = flow_is_admitted(settings, uid);
    config_release(settings);
    return is_admitted;
}

/* Of development anybody's address, for whoever announces by a means of his own; prod calls providers alone. */
static bool may_call(void *context, const uint8_t original[16])
{
    struct agent *agent = context;
    struct config_address address;
    memcpy(address.bytes, original, sizeof address.bytes);
    struct settings *settings = retain_settings(agent);
    bool is_dev = settings->environment == ENVIRONMENT_DEV;
    config_release(settings);
    return is_dev || redirects_has(agent->redirects, &address);
}

static void open_refresh(struct agent *agent)
{
    const struct refresh_options options = {.resolver = agent->resolver,
                                            .redirects = agent->redirects,
                                            .retain_settings = retain_settings,
                                            .publish = publish_map,
                                            .context = agent};
    agent->refresh = refresh_open(&options);
}

/* After every store is open: their recovery is tried in a forked child, and a thread that holds a lock of the allocator
 * at that moment would hold it in the child for ever. */
static enum error open_alerts(struct agent *agent)
{
    const struct alerts_options options = {.state = agent->options->state,
                                           .environment = agent->settings->environment,
                                           .ledger = agent->ledger,
                                           .notify = agent->notify,
                                           .retain_settings = retain_settings,
                                           .context = agent};
    return alerts_open(&options, &agent->alerts);
}

static void open_leaks(struct agent *agent)
{
    const struct leaks_options options = {agent->journal, retain_settings, agent, agent->redirects, agent->identity};
    agent->leaks = leaks_open(&options);
}

static void open_exports(struct agent *agent)
{
    const struct export_schedule_options options = {.state = agent->options->state,
                                                    .journal = agent->journal,
                                                    .ledger = agent->ledger,
                                                    .has_events = reconcile_is_done(agent->reconcile),
                                                    .retain_settings = retain_settings,
                                                    .context = agent};
    agent->exports = export_schedule_open(&options);
}

static void make_loops(struct agent *agent)
{
    agent->flow_services = (struct flow_services){.ledger = agent->ledger,
                                                  .journal = agent->journal,
                                                  .identity = agent->identity,
                                                  .routing = agent->routing,
                                                  .ratelimit = agent->ratelimit,
                                                  .cache = agent->cache,
                                                  .retain_settings = retain_settings,
                                                  .find_original = find_original,
                                                  .passed_on = passed_on,
                                                  .context = agent};
    agent->loops = loops_new(agent->settings, &agent->flow_services);
    agent->listener_handler = flow_listener_handler(loops_workers(agent->loops));
}

static const char *find_timing(void *context, unsigned row, struct histogram_sum *ret_sum)
{
    struct agent *agent = context;
    return flow_find_timing(loops_workers(agent->loops), row, ret_sum);
}

static void open_metrics(struct agent *agent)
{
    const struct metrics_sources sources = {.ledger = agent->ledger,
                                            .journal = agent->journal,
                                            .routing = agent->routing,
                                            .cache = agent->cache,
                                            .retain_settings = retain_settings,
                                            .find_timing = find_timing,
                                            .context = agent};
    agent->metrics = metrics_open(&sources);
}

static enum error open_services(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    enum error error = open_ledger(agent);
    if (!error)
        error = startup_open_journal(options, &agent->journal);
    if (!error)
        agent->cache = startup_open_cache(options, agent->settings); /* forks, too: before there are threads */
    if (!error)
        error = startup_open_certificates(options, agent->settings, &agent->names, &agent->certificates);
    if (!error)
        error = startup_open_identity(options, agent->settings, &agent->identity);
    if (error)
        return error;
    if (agent->settings->evidence.events_file)
        agent->events_file = events_file_open(agent->journal, agent->settings->evidence.events_file);
    agent->routing = routing_new();
    open_metrics(agent); /* before the first event */
    agent->reconcile = reconcile_start(agent->ledger, agent->journal, agent->settings->environment);
    agent->ratelimit = startup_load_ratelimit(options);
    make_loops(agent);
    agent->redirects = startup_open_redirects(options, agent->settings);
    agent->map = (struct startup_map){.names = &agent->names, .redirects = agent->redirects};
    error = startup_open_listener(options, agent->settings, &agent->map, agent->certificates, &agent->listener_handler,
                                  &agent->listener);
    if (!error)
        error = startup_open_base_url(options, agent->settings, &agent->listener_handler, agent->listener,
                                      &agent->base_url_listener);
    agent->map.base_url_port = listener_port(agent->base_url_listener);
    if (!error)
        error = startup_publish(options, agent->settings, &agent->map);
    if (!error)
        error = startup_open_announcements(options, agent->settings, agent->identity, listener_port(agent->listener),
                                           admits, may_call, agent);
    if (!error)
        open_refresh(agent);
    if (!error)
        error = open_alerts(agent);
    if (!error)
        open_leaks(agent);
    if (!error)
        open_exports(agent);
    return error;
}

static void write_alerts(void *context, struct buffer *out)
{
    struct agent *agent = context;
    alerts_write(agent->alerts, out);
}

static void write_leaks(void *context, struct buffer *out)
{
    struct agent *agent = context;
    leaks_write(agent->leaks, out);
}

static void write_live(void *context, struct buffer *out)
{
    struct agent *agent = context;
    flow_write_live(loops_workers(agent->loops), out);
}

static void write_exports(void *context, struct buffer *out)
{
    struct agent *agent = context;
    export_schedule_write(agent->exports, out);
}

static size_t count_addresses(void *context)
{
    struct agent *agent = context;
    return redirects_count(agent->redirects);
}

static enum error open_control(struct agent *agent)
{
    agent->control_services =
        (struct control_services){.runtime = agent->options->runtime,
                                  .state = agent->options->state,
                                  .port = listener_port(agent->listener),
                                  .base_url_port = listener_port(agent->base_url_listener),
                                  .started_wall_ns = clock_wall_ns(),
                                  .ready_ms = (uint32_t)((clock_monotonic_ns() - agent->begun_ns) / 1000000),
                                  .recovered = agent->recovered,
                                  .ledger = agent->ledger,
                                  .journal = agent->journal,
                                  .certificates = agent->certificates,
                                  .routing = agent->routing,
                                  .cache = agent->cache,
                                  .metrics = agent->metrics,
                                  .retain_settings = retain_settings,
                                  .reload = reload,
                                  .change_budgets = change_budgets,
                                  .write_alerts = write_alerts,
                                  .write_leaks = write_leaks,
                                  .write_live = write_live,
                                  .write_exports = write_exports,
                                  .count_addresses = count_addresses,
                                  .stop = stop,
                                  .context = agent};
    return control_open(&agent->control_services, &agent->control);
}

static void close_services(struct agent *agent)
{
    control_close(agent->control);
    export_schedule_close(agent->exports);
    leaks_close(agent->leaks);
    refresh_close(agent->refresh);
    listener_close(agent->base_url_listener);
    listener_close(agent->listener);
    loops_free(agent->loops);
    routing_free(agent->routing);
    startup_save_ratelimit(agent->options, agent->ratelimit);
    ratelimit_free(agent->ratelimit);
    cache_close(agent->cache);
    if (agent->identity)
        identity_close(agent->identity);
    certificates_free(agent->certificates);
    metrics_close(agent->metrics);
    reconcile_close(agent->reconcile);
    events_file_close(agent->events_file);
    if (agent->journal)
        journal_close(agent->journal);
    alerts_close(agent->alerts);
    wallet_close(agent->ledger);
    redirects_free(agent->redirects);
    startup_free_names(&agent->names);
    config_release(agent->settings);
}

/* Once a minute, a bounded part: what evidence.keep_… no longer wants. Whole slots, so that their sums stay true. */
static void trim_journal(struct agent *agent)
{
    enum { DAY_S = 86400, ROUNDS_MAX = 20 };
    struct settings *settings = retain_settings(agent);
    const int64_t now_s = clock_wall_ns() / 1000000000 / JOURNAL_SLOT_S * JOURNAL_SLOT_S;
    const int64_t events_s =
        settings->evidence.events_days ? now_s - (int64_t)settings->evidence.events_days * DAY_S : 0;
    const int64_t sums_s = settings->evidence.sums_days ? now_s - (int64_t)settings->evidence.sums_days * DAY_S : 0;
    config_release(settings);
    for (unsigned i = 0; i < ROUNDS_MAX && journal_trim(agent->journal, events_s * 1000, sums_s); i++)
        ;
}

static void serve_until_stopped(struct agent *agent)
{
    static const struct timespec minute = {60, 0};
    sigset_t signals;
    startup_block_signals(&signals);
    while (!atomic_load(&agent->is_ledger_stopped)) {
        int number = sigtimedwait(&signals, NULL, &minute);
        if (number < 0 && errno == EAGAIN) {
            startup_save_ratelimit(agent->options, agent->ratelimit);
            trim_journal(agent);
        }
        if (number < 0)
            continue;
        if (number == SIGTERM || number == SIGINT)
            break;
        if (number != SIGHUP)
            continue; /* STARTUP_SIGNAL_LEDGER: the flag says whether it was ours */
        struct buffer text;
        buffer_init(&text, 1 << 20);
        enum error ignored = reload(agent, &text); /* logged there */
        (void)ignored;
        buffer_done(&text);
    }
}

static void stop_services(struct agent *agent)
{
    struct settings *settings = retain_settings(agent); /* a reload may still be under way */
    const uint32_t drain_timeout_ms = settings->limits.drain_timeout_ms;
    config_release(settings);
    log_event(EVENT_AGENT_STOPPING, NULL,
              "running calls, and what is passed on, may go on for %u ms; a second signal ends them now",
              drain_timeout_ms);
    control_close(agent->control); /* first: a `run` that finds no report socket waits for the next agent */
    agent->control = NULL;
    listener_stop(agent->listener);
    listener_stop(agent->base_url_listener);
    if (!loops_drain(agent->loops, agent->listener, drain_timeout_ms, startup_is_second_signal))
        log_event(EVENT_AGENT_FAILED, NULL, "exchanges still open after the drain: settled at the next start");
    loops_join(agent->loops);
}

static int run_services(struct agent *agent)
{
    enum error error = open_services(agent);
    if (!error)
        error = open_control(agent);
    if (error) {
        log_event(EVENT_AGENT_FAILED, NULL, "%s (%s)", error_row(error)->text, error_row(error)->hint);
        return startup_exit_code(error);
    }
    loops_start(agent->loops, agent->listener, agent->base_url_listener);
    struct settings *settings = retain_settings(agent);
    log_event(EVENT_AGENT_STARTED, NULL, "%s, port %u, policy %s, ready in %u ms, %u holds recovered",
              config_environment_name(settings->environment), (unsigned)listener_port(agent->listener), settings->file,
              agent->control_services.ready_ms, agent->recovered);
    config_release(settings);
    startup_announce(agent->options->ready_fd);
    serve_until_stopped(agent);
    stop_services(agent);
    return atomic_load(&agent->is_ledger_stopped) ? EX_IOERR : EX_OK;
}

int agent_run(const struct agent_options *options)
{
    struct agent *agent = calloc(1, sizeof *agent);
    check(agent != NULL);
    pthread_mutex_init(&agent->reload_lock, NULL);
    pthread_mutex_init(&agent->settings_lock, NULL);
    agent->options = options;
    agent->begun_ns = clock_monotonic_ns();
    agent->notify = notify_open(); /* first: they must know no secret, and fork before there are threads */
    agent->resolver = resolver_open();
    sigset_t signals;
    startup_block_signals(&signals);
    int code = startup_prepare(options, &agent->settings);
    if (code == EX_OK) {
        code = run_services(agent);
        close_services(agent);
        log_event(EVENT_AGENT_STOPPED, NULL, "exit %d", code);
    }
    notify_close(agent->notify);
    resolver_close(agent->resolver);
    free(agent);
    return code;
}
