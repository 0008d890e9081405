/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's parts: opened in this order, closed in the other one; what one asks of another goes through here. */
#include "services.h"

#include "alerts.h"
#include "base/clock.h"
#include "base/json.h"
#include "events_file.h"
#include "evidence/evidence.h"
#include "harden.h"
#include "inherited.h"
#include "leaks.h"
#include "manager.h"
#include "reconcile.h"
#include "refresh.h"
#include "stores.h"

#include <unistd.h>

/* ---- the ledger ---- */

static void job_expired(void *context, const struct wallet_payment *payment)
{
    const struct agent *agent = context;
    reconcile_job(agent->reconcile, payment);
}

static enum error open_ledger(struct agent *agent)
{
    const struct wallet_options calls = {.stopped = agent_ledger_stopped, .job_expired = job_expired, .context = agent};
    agent->reconcile = reconcile_new(agent->settings->environment);
    enum error error = startup_open_ledger(agent->options, agent->settings, &calls, &agent->ledger, &agent->recovered);
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

/* On the refresh thread, as publish_map. */
static bool is_map_stale(void *context)
{
    struct agent *agent = context;
    struct settings *settings = agent_retain_settings(agent);
    const uint32_t before = agent->map.flags;
    agent->map.flags = startup_map_flags(settings);
    config_release(settings);
    return agent->map.flags != before;
}

static enum error publish_map(void *context)
{
    struct agent *agent = context;
    bool is_others = owner_is_another(&agent->owner, agent->options->runtime);
    return is_others ? ERROR_OK : startup_write_map(&agent->map);
}

void services_keep_published(void *context)
{
    struct agent *agent = context;
    if (owner_is_another(&agent->owner, agent->options->runtime))
        return;
    startup_keep_map(&agent->map);
    startup_keep_trust(&agent->trust);
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

static enum error open_socket(struct agent *agent, enum inherited which)
{
    return doors_open(&agent->doors, which, agent->options->runtime, startup_is_shared(agent->settings));
}

static enum error open_announcements(struct agent *agent)
{
    enum error error = open_socket(agent, INHERITED_REDIRECT);
    if (error)
        return error;
    const struct identity_redirects asked = {.fd = agent->doors.fds[INHERITED_REDIRECT],
                                             .admits = admits,
                                             .may_call = may_call,
                                             .has_place = has_place,
                                             .context = agent};
    startup_open_announcements(agent->settings, agent->identity, listener_port(agent->listener), &asked);
    return ERROR_OK;
}

static void open_refresh(struct agent *agent)
{
    const struct refresh_options options = {.resolver = agent->resolver,
                                            .redirects = agent->redirects,
                                            .retain_settings = agent_retain_settings,
                                            .is_stale = is_map_stale,
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
    enum error error = owner_claim(&agent->owner, options->runtime, options->state, options->log_file != NULL);
    if (!error)
        error = open_ledger(agent);
    if (!error) { /* nobody else is here now */
        startup_sweep_words(options->state);
        stores_drop_foreign(options->state);
        error = startup_open_journal(options, &agent->journal);
    }
    if (!error)
        agent->cache = startup_open_cache(options, agent->settings); /* forks, too: before there are threads */
    if (!error)
        error = startup_open_certificates(options, agent->settings, &agent->signer, &agent->names, &agent->trust);
    if (!error)
        error = startup_open_identity(options, agent->settings, &agent->identity);
    if (error)
        return error;
    if (agent->settings->evidence.events_file)
        agent->events_file = events_file_open(agent->journal, agent->settings->evidence.events_file);
    agent->routing = routing_new();
    open_metrics(agent); /* before the first event */
    reconcile_start(agent->reconcile, agent->ledger, agent->journal);
    agent->ratelimit = startup_load_ratelimit(options);
    make_loops(agent);
    agent->redirects = startup_open_redirects(options, agent->settings);
    agent->map = STARTUP_MAP(.names = &agent->names, .redirects = agent->redirects);
    error = startup_open_listener(options, agent->settings, &agent->map, agent->trust.certificates,
                                  &agent->listener_handler, &agent->listener);
    if (!error)
        error = startup_open_base_url(options, agent->settings, &agent->listener_handler, agent->listener,
                                      &agent->base_url_listener);
    agent->map.base_url_port = listener_port(agent->base_url_listener);
    if (!error)
        error = startup_publish(options, agent->settings, &agent->map);
    if (!error)
        error = open_announcements(agent);
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

const char *services_describe_loss(enum services_loss loss)
{
    static const char *const texts[SERVICES_LOSSES] = {
        [SERVICES_LOST_ALERTS] = "alert commands cannot run: the process that runs them is gone",
        [SERVICES_LOST_NAMES] = "addresses of providers stay as they are: the process that asks for them is gone",
    };
    return texts[loss];
}

static size_t list_losses(void *context, const char *ret_losses[CONTROL_LOSSES_MAX])
{
    struct agent *agent = context;
    size_t count = 0;
    _Static_assert((int)SERVICES_LOSSES < (int)CONTROL_LOSSES_MAX, "control has room for all, and for the events");
    for (unsigned i = 0; i < SERVICES_LOSSES; i++)
        if (atomic_load(&agent->are_lost[i]))
            ret_losses[count++] = services_describe_loss(i);
    if (journal_is_failed(agent->journal))
        ret_losses[count++] = "events are not kept: their store has failed";
    return count;
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

/* A listening socket, which somebody else has, too, or not; -1: there is none. */
static int share_socket(struct agent *agent, enum inherited which, bool is_shared)
{
    struct listener *const listeners[INHERITED_COUNT] = {
        [INHERITED_TLS] = agent->listener, [INHERITED_BASE_URL] = agent->base_url_listener};
    return listeners[which] ? listener_share(listeners[which], is_shared) : agent->doors.fds[which];
}

static size_t hand_over(void *context, bool is_over, size_t count_max, int ret_fds[TOLLGATE_HANDED_MAX],
                        const char *ret_names[TOLLGATE_HANDED_MAX])
{
    struct agent *agent = context;
    size_t count = 0;
    for (unsigned i = 0; i < INHERITED_COUNT && count < count_max; i++) {
        int fd = share_socket(agent, (enum inherited)i, is_over);
        if (fd < 0)
            continue;
        ret_fds[count] = fd;
        ret_names[count++] = inherited_name((enum inherited)i);
    }
    atomic_store(&agent->is_handed_over, is_over);
    return count;
}

bool services_have_successor(const struct agent *agent)
{
    return atomic_load(&agent->is_handed_over) || inherited_is_managers() || manager_keeps();
}

void services_leave_sockets(struct agent *agent)
{
    for (unsigned i = 0; manager_keeps() && i < INHERITED_COUNT; i++)
        if (i != INHERITED_TLS || !inherited_is_managers())
            manager_keep(inherited_name((enum inherited)i), share_socket(agent, (enum inherited)i, true));
}

static bool write_draining(void *context, struct buffer *out)
{
    struct agent *agent = context;
    char time_text[CLOCK_TEXT_MAX];
    const int64_t since_ns = atomic_load(&agent->draining_since_ns);
    if (!since_ns || !out)
        return since_ns != 0;
    json_write_raw(out, "{");
    json_write_member_string(out, "since", clock_format(since_ns, time_text));
    json_write_member_integer(out, "connections", listener_connection_count(agent->listener));
    json_write_member_boolean(out, "has_successor", atomic_load(&agent->is_handed_over));
    json_write_raw(out, "}");
    return true;
}

enum error services_open_control(struct agent *agent)
{
    enum error error = open_socket(agent, INHERITED_ADMIN);
    if (!error)
        error = open_socket(agent, INHERITED_REPORT);
    inherited_close_rest();
    if (error)
        return error;
    agent->control_services =
        (struct control_services){.runtime = agent->options->runtime,
                                  .admin_fd = agent->doors.fds[INHERITED_ADMIN],
                                  .report_fd = agent->doors.fds[INHERITED_REPORT],
                                  .state = agent->options->state,
                                  .port = listener_port(agent->listener),
                                  .base_url_port = listener_port(agent->base_url_listener),
                                  .started_wall_ns = clock_wall_ns(),
                                  .ready_ms = (uint32_t)((clock_monotonic_ns() - agent->begun_ns) / 1000000),
                                  .recovered = agent->recovered,
                                  .ledger = agent->ledger,
                                  .journal = agent->journal,
                                  .certificates = agent->trust.certificates,
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
                                  .admits = admits,
                                  .keep_published = services_keep_published,
                                  .write_pending = agent_write_pending,
                                  .is_export_failing = is_export_failing,
                                  .list_losses = list_losses,
                                  .count_addresses = count_addresses,
                                  .count_missing_events = count_missing_events,
                                  .stop = agent_stop,
                                  .hand_over = hand_over,
                                  .write_draining = write_draining,
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
    doors_close(&agent->doors, agent->options->runtime,
                services_have_successor(agent) || owner_is_another(&agent->owner, agent->options->runtime));
    certificates_free(agent->trust.certificates);
    metrics_close(agent->metrics);
    reconcile_stop(agent->reconcile);
    events_file_close(agent->events_file);
    if (agent->journal)
        journal_close(agent->journal);
    alerts_close(agent->alerts);
    wallet_close(agent->ledger);
    reconcile_free(agent->reconcile);
    redirects_free(agent->redirects);
    startup_free_map(&agent->map);
    startup_free_names(&agent->names);
    config_release(agent->settings);
    owner_release(&agent->owner); /* last: whoever waits for it may open what we had */
}
