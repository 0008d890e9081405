/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent does once, at start: process hygiene, directories, opening each service with what the settings say,
 * the governed names' addresses, the port, the map file. Called by agent.c only.
 */
#ifndef STARTUP_H
#define STARTUP_H

#include "agent.h"
#include "base/buffer.h"
#include "cache/cache.h"
#include "helper.h"
#include "identity/identity.h"
#include "journal/journal.h"
#include "net/net.h"
#include "ratelimit/ratelimit.h"
#include "redirects.h"
#include "wallet/wallet.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* The governed names, each with its loopback address: the same for ever in one state directory. */
struct startup_names {
    struct listener_names by_address;
    struct listener_name *rows; /* what by_address points to */
    const char **names;         /* ascending by name */
    uint32_t *addresses;        /* of names[i], host order */
    char *text;
    size_t count;
};

/* The port of governed connections: what programs ask for, and what a redirected connection is passed on to. */
enum { STARTUP_GOVERNED_PORT = 443 };

/* What is in the map file; `names` and `redirects` are set by the caller, base_url_port before
 * startup_publish, the rest by map.c. Initialized by STARTUP_MAP. */
struct startup_map {
    const struct startup_names *names;
    struct redirects *redirects;
    char path[600];
    mode_t mode;
    uint32_t network, redirect_network, generation;
    uint32_t flags;               /* TOLLGATE_MAP_… */
    uint16_t port, base_url_port; /* the latter 0: none */
    pthread_mutex_t lock;         /* leaf; of the file, and of what follows */
    char *file;                   /* as it was written last; NULL: not yet */
    size_t file_bytes;
    struct stat facts; /* of the file then */
    bool is_lost;      /* it could not be put back, which is said once */
};
#define STARTUP_MAP(...) ((struct startup_map){.lock = PTHREAD_MUTEX_INITIALIZER, __VA_ARGS__})

/* What makes programs trust the agent. */
struct startup_trust {
    struct certificates *certificates;
    const char *directory; /* of the published files */
    mode_t mode;
    atomic_bool is_lost; /* they could not be put back, which is said once */
};

/* Hygiene, log, settings. EX_OK or the exit code; problems are printed to standard error. */
int startup_prepare(const struct agent_options *options, struct settings **ret_settings);
/* May this version use the state directory? EX_OK, or the exit code; says which store was written by which newer
 * version. Changes nothing. */
int startup_check_stores(const char *state, bool has_log);
/* Whoever starts an agent keeps its words in STATE/start-PID.err (shim/launch/start.c), and may be killed: this removes
 * what such a one has left. The words of this agent itself become STATE/agent.stderr. */
void startup_sweep_words(const char *state);
/* Loads the policy; problems and warnings are appended to `text` as config_print_problems prints them. */
enum error startup_load_settings(const struct agent_options *options, struct settings **ret_settings,
                                 struct buffer *text) MUST_USE;
void startup_print_problems(const struct config_problems *problems, struct buffer *text);
/* `calls`: stopped, job_expired, context; the rest is from options and settings. *ret_recovered: how many holds the
 * start has settled. */
enum error startup_open_ledger(const struct agent_options *options, const struct settings *settings,
                               const struct wallet_options *calls, struct wallet_ledger **ret_ledger,
                               unsigned *ret_recovered) MUST_USE;
/* What changed settings say of how the ledger is looked after. */
void startup_set_upkeep(const struct agent_options *options, const struct settings *settings,
                        struct wallet_ledger *ledger);
enum error startup_open_journal(const struct agent_options *options, struct journal **ret_journal) MUST_USE;
/* Decides the names and forks the process that has the CA's keys: while there is one thread, before strangers are
 * heard. False: it could not be forked. */
bool startup_open_signer(const struct agent_options *options, const struct settings *settings,
                         struct startup_names *names, struct helper *ret_signer) MUST_USE;
/* Forks those that look into other processes for an agent that restricts itself (identity_use_lookers), likewise. */
enum { STARTUP_LOOKERS = 2 };
bool startup_open_lookers(const struct settings *settings, struct helper ret_lookers[STARTUP_LOOKERS]) MUST_USE;
void startup_close_lookers(struct helper lookers[STARTUP_LOOKERS]);
/* Also decides the names' addresses. */
enum error startup_open_certificates(const struct agent_options *options, const struct settings *settings,
                                     const struct helper *signer, struct startup_names *names,
                                     struct startup_trust *ret_trust) MUST_USE;
/* Puts back what makes programs trust the agent, where it is not as it was written: their calls fail without it.
 * Logged. Any thread. */
void startup_keep_trust(struct startup_trust *trust);
enum error startup_open_identity(const struct agent_options *options, const struct settings *settings,
                                 struct identity **ret_identity) MUST_USE;
/* Others may enter the runtime directory only where the policy lets others use the agent. */
bool startup_is_shared(const struct settings *settings);
/* Answers supervisors; `port` is the agent's. Of `asked` the socket, the functions and their context count. */
void startup_open_announcements(const struct settings *settings, struct identity *identity, uint16_t port,
                                const struct identity_redirects *asked);
/* map.c: the addresses of providers as the policy and the last run knew them. */
struct redirects *startup_open_redirects(const struct agent_options *options, const struct settings *settings);
/* map.c: opens the listener on the environment's port. */
enum error startup_open_listener(const struct agent_options *options, const struct settings *settings,
                                 struct startup_map *map, struct certificates *certificates,
                                 const struct listener_handler *handler, struct listener **ret_listener) MUST_USE;
/* map.c: writes down the ports that were opened: STATE/port, and the map. */
enum error startup_publish(const struct agent_options *options, const struct settings *settings,
                           struct startup_map *map) MUST_USE;
uint32_t startup_map_flags(const struct settings *settings);
/* map.c: the file that keeps a port for the next start; 0: there is none. */
uint16_t startup_read_port(const char *path);
enum error startup_write_port(const char *path, uint16_t port) MUST_USE;
/* map.c: opens the listener on its port, else (0: at once) on a free one. */
enum error startup_open_port(struct listener_options *listener, const struct listener_handler *handler,
                             struct certificates *certificates, const struct listener_names *names,
                             struct listener **ret_listener) MUST_USE;
/* base_url.c: the port of base URLs, if the settings want it; else *ret_listener stays as it is. `beside`: the TLS
 * port's listener, closed after it. */
enum error startup_open_base_url(const struct agent_options *options, const struct settings *settings,
                                 const struct listener_handler *handler, struct listener *beside,
                                 struct listener **ret_listener) MUST_USE;
/* Writes it again, with the next generation, for programs that start from now on. One thread at a time. */
enum error startup_write_map(struct startup_map *map) MUST_USE;
/* Puts the file back as it was written last, where it has gone, or has been changed: programs that start without it are
 * not governed. A look at it when nothing has happened. Logged. Any thread. */
void startup_keep_map(struct startup_map *map);
void startup_free_map(struct startup_map *map);
/* Each group's wallet gets its starting credit once. */
void startup_seed_wallets(struct wallet_ledger *ledger, const struct settings *settings);
/* Never fails: without a disk the cache is in memory. */
struct cache *startup_open_cache(const struct agent_options *options, const struct settings *settings);
/* The day's counts of rate limits, kept in the state directory. */
struct ratelimit *startup_load_ratelimit(const struct agent_options *options);
void startup_save_ratelimit(const struct agent_options *options, struct ratelimit *ratelimit);
bool startup_has_same_names(const struct startup_names *names, const struct settings *settings);
void startup_free_names(struct startup_names *names);
/* "ready" to the launcher, READY=1 to the service manager (sd_notify protocol). */
void startup_announce(int ready_fd);
/* The ledger's thread tells main that it has stopped. */
#define STARTUP_SIGNAL_LEDGER SIGUSR1
/* Blocks SIGTERM, SIGINT, SIGHUP and the ledger's for this and later threads. */
void startup_block_signals(sigset_t *ret_signals);
/* A second signal has come: it cuts the drain short. */
bool startup_is_second_signal(void);
/* The operator's rows as they are in force, back into their file. */
void startup_restore_budgets(const struct settings *settings);
int startup_exit_code(enum error error);

#endif
