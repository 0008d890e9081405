/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's parts: opened in this order, closed in the other one; what one asks of another goes through here. */
#include "services.h"

#include "alerts.h"
#include "base/clock.h"
#include "events_file.h"
#include "evidence/evidence.h"
#include "harden.h"
#include "inherited.h"
#include "leaks.h"
#include "reconcile.h"
#include "refresh.h"
#include "stores.h"

/* ---- the ledger ---- */

static enum error open_ledger(struct agent *agent)
{
    enum error error = startup_open_ledger(agent->options, agent->settings, agent_ledger_stopped, agent, &agent->ledger,
                                           &agent->recovered);
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
    struct settings *settings = agent_retain_settings(context);
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
    struct settings *settings = agent_retain_settings(agent);
    bool is_dev = settings->environment == ENVIRONMENT_DEV;
    config_release(settings);
    return is_dev || redirects_has(agent->redirects, &address);
}

static bool has_place(void *context, uid_t uid, unsigned coming)
{
    struct settings *settings = agent_retain_settings(context);
    bool has_place = flow_has_places(settings, uid, coming + 1);
    config_release(settings);
    return has_place;
}

static enum error open_announcements(const struct agent_options *options, struct agent *agent)
{
    const struct identity_redirects asked = {
        .admits = admits, .may_call = may_call, .has_place = has_place, .context = agent};
    return startup_open_announcements(options, agent->settings, agent->identity, listener_port(agent->listener),
                                      &asked);
}

static void open_refresh(struct agent *agent)
{
    const struct refresh_options options = {.resolver = agent->resolver,
                                            .redirects = agent->redirects,
                                            .retain_settings = agent_retain_settings,
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
                                           .retain_settings = agent_retain_settings,
                                           .context = agent};
    return alerts_open(&options, &agent->alerts);
}

static void open_leaks(struct agent *agent)
{
    const struct leaks_options options = {agent->journal, agent_retain_settings, agent, agent->redirects,
                                          agent->identity};
    agent->leaks = leaks_open(&options);
}

static void open_exports(struct agent *agent)
{
    const struct export_schedule_options options = {.state = agent->options->state,
                                                    .journal = agent->journal,
                                                    .ledger = agent->ledger,
                                                    .has_events = reconcile_is_done(agent->reconcile),
                                                    .retain_settings = agent_retain_settings,
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
                                                  .retain_settings = agent_retain_settings,
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
                                            .retain_settings = agent_retain_settings,
                                            .find_timing = find_timing,
                                            .context = agent};
    agent->metrics = metrics_open(&sources);
}

enum error services_open(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    enum error error = open_ledger(agent);
    if (!error) { /* nobody else is here now */
        stores_drop_foreign(options->state);
        error = startup_open_journal(options, &agent->journal);
    }
    if (!error)
        agent->cache = startup_open_cache(options, agent->settings); /* forks, too: before there are threads */
    if (!error)
        error =
            startup_open_certificates(options, agent->settings, &agent->signer, &agent->names, &agent->certificates);
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
    inherited_close_rest();
    if (!error)
        error = startup_publish(options, agent->settings, &agent->map);
    if (!error)
        error = open_announcements(options, agent);
    if (!error)
        open_refresh(agent);
    if (!error)
        error = open_alerts(agent);
    if (!error)
        open_leaks(agent);
    if (!error)
        open_exports(agent);
    return error ? error : stores_write(options->state);
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

static void write_hardening(void *context, struct buffer *out)
{
    struct agent *agent = context;
    harden_write(agent->harden, out);
}

static const char *missing_hardening(void *context)
{
    struct agent *agent = context;
    return harden_missing(agent->harden);
}

static bool may_write(void *context, const char *path)
{
    struct agent *agent = context;
    return harden_may_write(agent->harden, path);
}

static bool is_export_failing(void *context, char text[EXPORT_FAILURE_MAX])
{
    struct agent *agent = context;
    return export_schedule_is_failing(agent->exports, text);
}

static size_t count_addresses(void *context)
{
    struct agent *agent = context;
    return redirects_count(agent->redirects);
}

static uint64_t count_missing_events(void *context)
{
    struct agent *agent = context;
    return events_file_count_missing(agent->events_file);
}

static size_t hand_over(void *context, bool is_over, int ret_fds[TOLLGATE_HANDED_MAX],
                        const char *ret_names[TOLLGATE_HANDED_MAX])
{
    struct agent *agent = context;
    struct listener *const listeners[INHERITED_COUNT] = {
        [INHERITED_TLS] = agent->listener, [INHERITED_BASE_URL] = agent->base_url_listener};
    size_t count = 0;
    for (unsigned i = 0; i < INHERITED_COUNT; i++) {
        int fd = listener_share(listeners[i], is_over);
        if (fd < 0)
            continue;
        ret_fds[count] = fd;
        ret_names[count++] = inherited_name((enum inherited)i);
    }
    atomic_store(&agent->is_handed_over, is_over);
    return count;
}

enum error services_open_control(struct agent *agent)
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
                                  .retain_settings = agent_retain_settings,
                                  .reload = agent_reload,
                                  .change_budgets = agent_change_budgets,
                                  .write_alerts = write_alerts,
                                  .write_leaks = write_leaks,
                                  .write_live = write_live,
                                  .write_exports = write_exports,
                                  .write_hardening = write_hardening,
                                  .missing_hardening = missing_hardening,
                                  .may_write = may_write,
                                  .is_export_failing = is_export_failing,
                                  .count_addresses = count_addresses,
                                  .count_missing_events = count_missing_events,
                                  .stop = agent_stop,
                                  .hand_over = hand_over,
                                  .manager = inherited_manager(agent->options->ready_fd >= 0),
                                  .context = agent};
    return control_open(&agent->control_services, &agent->control);
}

void services_close(struct agent *agent)
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
