/* SPDX-License-Identifier: Apache-2.0 */
/* See agent.h: a table of contents of the running agent. The details of start-up live in startup.c. */
#include "agent.h"

#include "base/check.h"
#include "base/clock.h"
#include "control/control.h"
#include "flow/flow.h"
#include "startup.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { LOOPS_MAX = 16, LOOPS_DEFAULT_MAX = 4 };

struct loop_thread {
    struct agent *agent;
    struct loop *loop;
    struct flow_worker *worker;
    pthread_t thread;
    struct task drain, abort;
    bool is_running;
};

struct agent {
    const struct agent_options *options;
    pthread_mutex_t reload_lock;   /* one reload at a time; settings_lock may be taken while holding it */
    pthread_mutex_t settings_lock; /* leaf */
    struct settings *settings;
    struct startup_names names;
    struct wallet_ledger *ledger;
    struct journal *journal;
    struct identity *identity;
    struct routing *routing;
    struct certificates *certificates;
    struct listener *listener;
    struct control *control;
    struct control_services control_services;
    struct flow_services flow_services;
    struct flow_workers workers;
    struct listener_handler listener_handler;
    struct loop_thread loops[LOOPS_MAX];
    unsigned loop_count;
    pthread_mutex_t drain_lock; /* leaf */
    pthread_cond_t drained;
    unsigned loops_drained;
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

static enum error reload_settings(struct agent *agent, struct buffer *text)
{
    struct settings *fresh = NULL;
    enum error error = startup_load_settings(agent->options, &fresh, text);
    if (!error && fresh->environment != agent->settings->environment)
        error = ERROR_SETTINGS_INVALID;
    if (!error && !startup_has_same_names(&agent->names, fresh) &&
        !buffer_append(text, SLICE_LITERAL("governed host names changed: they take effect when the agent restarts\n")))
        error = ERROR_NO_MEMORY;
    if (error) {
        config_release(fresh);
        log_event(EVENT_SETTINGS_REFUSED, NULL, "%s", agent->options->policy_file);
        return error;
    }
    startup_seed_wallets(agent->ledger, fresh);
    pthread_mutex_lock(&agent->settings_lock);
    struct settings *old = agent->settings;
    agent->settings = fresh;
    pthread_mutex_unlock(&agent->settings_lock);
    log_event(EVENT_SETTINGS_LOADED, NULL, "%s digest %.12s", fresh->file, fresh->digest);
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

static void stop(void *context)
{
    (void)context;
    kill(getpid(), SIGTERM);
}

/* ---- loops ---- */

static void *run_loop(void *argument)
{
    struct loop_thread *thread = argument;
    loop_run(thread->loop);
    return NULL;
}

static void loop_drained(void *context)
{
    struct agent *agent = context;
    pthread_mutex_lock(&agent->drain_lock);
    agent->loops_drained++;
    pthread_cond_signal(&agent->drained);
    pthread_mutex_unlock(&agent->drain_lock);
}

static void drain_loop(struct task *task)
{
    struct loop_thread *thread = list_entry(task, struct loop_thread, drain);
    flow_worker_drain(thread->worker, loop_drained, thread->agent);
}

static void abort_loop(struct task *task)
{
    flow_worker_abort(list_entry(task, struct loop_thread, abort)->worker);
}

static unsigned choose_loop_count(const struct settings *settings)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned count = settings->limits.loops;
    if (!count)
        count = cores < 1 ? 1 : cores > LOOPS_DEFAULT_MAX ? LOOPS_DEFAULT_MAX : (unsigned)cores;
    return count > LOOPS_MAX ? LOOPS_MAX : count;
}

static void make_loops(struct agent *agent)
{
    agent->flow_services = (struct flow_services){.ledger = agent->ledger,
                                                  .journal = agent->journal,
                                                  .identity = agent->identity,
                                                  .routing = agent->routing,
                                                  .retain_settings = retain_settings,
                                                  .context = agent};
    agent->loop_count = choose_loop_count(agent->settings);
    for (unsigned i = 0; i < agent->loop_count; i++) {
        struct loop_thread *thread = &agent->loops[i];
        thread->agent = agent;
        thread->loop = loop_new();
        thread->worker = flow_worker_new(thread->loop, &agent->flow_services);
        thread->drain.run = drain_loop;
        thread->abort.run = abort_loop;
        agent->workers.rows[i] = thread->worker;
    }
    agent->workers.count = agent->loop_count;
}

static void start_loops(struct agent *agent)
{
    for (unsigned i = 0; i < agent->loop_count; i++) {
        listener_join(agent->listener, agent->loops[i].loop);
        check(pthread_create(&agent->loops[i].thread, NULL, run_loop, &agent->loops[i]) == 0);
        agent->loops[i].is_running = true;
    }
}

/* Waits until every loop is drained, at most so long; true when they are. */
static bool wait_drained(struct agent *agent, uint32_t timeout_ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&agent->drain_lock);
    int outcome = 0;
    while (agent->loops_drained < agent->loop_count && outcome == 0)
        outcome = pthread_cond_timedwait(&agent->drained, &agent->drain_lock, &deadline);
    bool is_drained = agent->loops_drained == agent->loop_count;
    pthread_mutex_unlock(&agent->drain_lock);
    return is_drained;
}

/* A second signal cuts the drain short. */
static bool is_second_signal(void)
{
    const struct timespec no_wait = {0};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    return sigtimedwait(&signals, NULL, &no_wait) > 0;
}

static void drain_loops(struct agent *agent)
{
    enum { SLICE_MS = 100, ABORT_MS = 10000 };
    listener_stop(agent->listener);
    for (unsigned i = 0; i < agent->loop_count; i++)
        mailbox_post(loop_mailbox(agent->loops[i].loop), &agent->loops[i].drain);
    bool is_drained = false;
    for (uint32_t waited = 0; !is_drained && waited < agent->settings->limits.drain_timeout_ms; waited += SLICE_MS) {
        is_drained = wait_drained(agent, SLICE_MS);
        if (!is_drained && is_second_signal())
            break;
    }
    if (is_drained)
        return;
    for (unsigned i = 0; i < agent->loop_count; i++)
        mailbox_post(loop_mailbox(agent->loops[i].loop), &agent->loops[i].abort);
    if (!wait_drained(agent, ABORT_MS))
        log_event(EVENT_AGENT_FAILED, NULL, "exchanges still open after the drain: settled at the next start");
}

static void join_loops(struct agent *agent)
{
    for (unsigned i = 0; i < agent->loop_count; i++)
        if (agent->loops[i].is_running) {
            loop_stop(agent->loops[i].loop);
            pthread_join(agent->loops[i].thread, NULL);
        }
}

/* ---- open, run, close ---- */

static enum error open_services(struct agent *agent)
{
    const struct agent_options *options = agent->options;
    enum error error = startup_open_ledger(options, agent->settings, &agent->ledger);
    if (!error)
        error = startup_open_journal(options, &agent->journal);
    if (!error)
        error = startup_open_certificates(options, agent->settings, &agent->names, &agent->certificates);
    if (!error)
        error = startup_open_identity(options, agent->settings, &agent->identity);
    if (error)
        return error;
    startup_seed_wallets(agent->ledger, agent->settings);
    agent->routing = routing_new();
    make_loops(agent);
    agent->listener_handler = flow_listener_handler(&agent->workers);
    return startup_open_listener(options, agent->settings, &agent->names, agent->certificates, &agent->listener_handler,
                                 &agent->listener);
}

static enum error open_control(struct agent *agent)
{
    agent->control_services = (struct control_services){.runtime = agent->options->runtime,
                                                        .state = agent->options->state,
                                                        .port = listener_port(agent->listener),
                                                        .started_wall_ns = clock_wall_ns(),
                                                        .ledger = agent->ledger,
                                                        .journal = agent->journal,
                                                        .certificates = agent->certificates,
                                                        .retain_settings = retain_settings,
                                                        .reload = reload,
                                                        .stop = stop,
                                                        .context = agent};
    return control_open(&agent->control_services, &agent->control);
}

static void close_services(struct agent *agent)
{
    control_close(agent->control);
    if (agent->listener)
        listener_close(agent->listener);
    for (unsigned i = 0; i < agent->loop_count; i++) {
        flow_worker_free(agent->loops[i].worker);
        loop_free(agent->loops[i].loop);
    }
    routing_free(agent->routing);
    if (agent->identity)
        identity_close(agent->identity);
    certificates_free(agent->certificates);
    if (agent->journal)
        journal_close(agent->journal);
    wallet_close(agent->ledger);
    startup_free_names(&agent->names);
    config_release(agent->settings);
}

static void serve_until_stopped(struct agent *agent)
{
    sigset_t signals;
    startup_block_signals(&signals);
    for (;;) {
        int number = 0;
        if (sigwait(&signals, &number) != 0)
            continue;
        if (number != SIGHUP)
            break;
        struct buffer text;
        buffer_init(&text, 1 << 20);
        enum error ignored = reload(agent, &text); /* logged there */
        (void)ignored;
        buffer_done(&text);
    }
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
    start_loops(agent);
    log_event(EVENT_AGENT_STARTED, NULL, "%s, port %u, policy %s",
              config_environment_name(agent->settings->environment), (unsigned)listener_port(agent->listener),
              agent->settings->file);
    startup_announce(agent->options->ready_fd);
    serve_until_stopped(agent);
    log_event(EVENT_AGENT_STOPPING, NULL, "draining");
    control_close(agent->control); /* first: a `run` that finds no report socket waits for the next agent */
    agent->control = NULL;
    drain_loops(agent);
    join_loops(agent);
    return EX_OK;
}

int agent_run(const struct agent_options *options)
{
    struct agent *agent = calloc(1, sizeof *agent);
    check(agent != NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&agent->drained, &attributes);
    pthread_mutex_init(&agent->drain_lock, NULL);
    pthread_mutex_init(&agent->reload_lock, NULL);
    pthread_mutex_init(&agent->settings_lock, NULL);
    agent->options = options;
    sigset_t signals;
    startup_block_signals(&signals);
    int code = startup_prepare(options, &agent->settings);
    if (code == EX_OK) {
        code = run_services(agent);
        close_services(agent);
        log_event(EVENT_AGENT_STOPPED, NULL, "exit %d", code);
    }
    free(agent);
    return code;
}
