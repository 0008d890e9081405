/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy says: struct settings and its parts, each a row or a table of config/settings_table.def. Part of
 * config/config.h, which others include. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/arena.h"
#include "base/secret.h"
#include "config/catalogue.h"

#include <sys/types.h>

enum environment { ENVIRONMENT_DEV, ENVIRONMENT_PROD, ENVIRONMENT_COUNT };
enum { ATTEMPTS_MAX = 3 }; /* at one request, whatever the settings say */
enum unlisted { UNLISTED_INHERIT, UNLISTED_ROUTE, UNLISTED_BLOCK, UNLISTED_PASS, UNLISTED_METER };
enum unknown_price { UNKNOWN_PRICE_CEILING, UNKNOWN_PRICE_BLOCK };
enum strategy {
    STRATEGY_INHERIT, /* of a group, project or model group: as the level above says */
    STRATEGY_USAGE_BASED,
    STRATEGY_ORDERED,
    STRATEGY_WEIGHTED,
    STRATEGY_ROUND_ROBIN,
    STRATEGY_LOWEST_COST,
    STRATEGY_LOWEST_LATENCY,
    STRATEGY_LEAST_BUSY,
    STRATEGY_STICKY
};
enum cross_dialect { CROSS_DIALECT_INHERIT, CROSS_DIALECT_LAST_RESORT, CROSS_DIALECT_EQUAL, CROSS_DIALECT_NEVER };
enum keys_rule { KEYS_ANY, KEYS_PLACEHOLDER_ONLY };
enum client_gone_rule { CLIENT_GONE_ABORT, CLIENT_GONE_DRAIN };

/* IPv6 in network order, or ::ffff:a.b.c.d. */
struct config_address {
    uint8_t bytes[16];
};

/* Where something was written, so that later checks can still point at it. */
struct config_place {
    unsigned line, column;   /* 1-based; 0: the file as a whole */
    const char *source_line; /* shortened around the column; NULL when there is none to show */
    unsigned caret;          /* column within source_line; 0: the line is not to be shown */
};

struct target {
    const char *id;
    const struct provider *provider;
    const char *model;
    const char *base_url; /* the provider's unless overridden */
    const char *ca_file;
    bool local;
    const char *secret_environment, *secret_file, *secret_store; /* secret_key_ref: one of them */
    struct secret *secret;                                       /* NULL: missing, the target is unavailable */
    const char *secret_problem;                                  /* why, without the value; NULL when present */
    struct price_set pricing;
    uint64_t limit_requests_per_minute, limit_tokens_per_minute; /* 0: none */
    uint32_t weight;
    struct money max_price; /* a request whose bound is dearer does not go here */
    bool has_max_price;
    const char **data_policy; /* what it keeps to: "eu", "zero_retention" … (targets[].data_policy) */
    size_t data_policy_count;
    uint32_t timeout_ms;
    unsigned index; /* position in settings.targets */
    unsigned line;  /* in the policy file */
    struct config_place model_place;
};

/* A name that stands for some targets: a request for this model goes to one of them. */
struct model_group {
    const char *name;
    const char **target_ids; /* as written */
    const struct target **targets;
    size_t target_count;
    enum strategy strategy; /* STRATEGY_INHERIT: as routing says */
};

/* How a group's or a project's calls are routed; what is INHERIT comes from providers.routing. */
struct routing_override {
    enum strategy strategy;
    enum unlisted on_unlisted_model;
    enum cross_dialect cross_dialect;
    struct model_group *model_groups; /* before those of providers.routing */
    size_t model_group_count;
};

/* projects[]: routing per workflow. A project's override goes before its group's. */
struct project {
    const char *name; /* may end in '*' */
    struct routing_override routing;
};

/* 0: no limit. */
struct rate_limits {
    uint64_t requests_per_minute, tokens_per_minute, requests_per_day, tokens_per_day;
};

/* ---- policies.rules: in order; each that matches acts, `allow` and `block` end the walk ---- */
enum rule_action { RULE_BLOCK, RULE_ALLOW, RULE_LIMIT, RULE_REDACT, RULE_FLAG };
/* What is looked for in the input. */
enum {
    DETECT_EMAIL = 1 << 0,
    DETECT_PHONE = 1 << 1,
    DETECT_CARD = 1 << 2, /* 13 to 19 digits, Luhn */
    DETECT_IBAN = 1 << 3, /* mod 97 */
    DETECT_API_KEY = 1 << 4,
    DETECT_PRIVATE_KEY = 1 << 5,
    DETECT_COUNT = 6
};
struct pattern; /* base/pattern.h */

struct policy_rule {
    const char *id;      /* in errors, events and `why`; unique */
    const char *message; /* to the program, after ours; NULL: none */
    enum rule_action action;
    /* when: all that are given must match; a list matches when one of it does; of detect, keywords and patterns, which
     * look into the text, one finding is enough */
    const char **groups, **projects, **models, **endpoints; /* names, or prefixes ending in '*' */
    size_t group_count, project_count, model_count, endpoint_count;
    uint32_t from_minute, to_minute; /* of the day; from > to: over midnight */
    bool has_hours;
    unsigned days; /* bit 0: Monday; 0: all */
    const struct zone *zone;
    uint64_t output_tokens_above; /* asked for; 0: any. A request that names no limit asks for the model's most */
    uint64_t input_bytes_above;   /* of the body; 0: any */
    unsigned detect;              /* DETECT_…: one of them is in the input; with RULE_REDACT what is replaced */
    const char **keywords;        /* one of them is in the input, whatever its case */
    size_t keyword_count;
    struct pattern **patterns; /* one of them matches in the input */
    const char **pattern_texts;
    size_t pattern_count;
    uint64_t output_tokens_max; /* RULE_LIMIT */
};

struct consumer_group {
    const char *name;
    const char *api_key; /* kt_cg_…: names the group, is no secret */
    const char *wallet;  /* wallet_team_id */
    uid_t *uids;
    size_t uid_count;                             /* 0: any admitted uid */
    const char **allowed_models, **denied_models; /* exact, or prefix ending in '*' */
    size_t allowed_model_count, denied_model_count;
    uint64_t output_tokens_max; /* max_output_tokens, 0: none */
    enum keys_rule keys;
    bool is_default;
    struct rate_limits rate_limits;
    struct routing_override routing;
    const char **data_policy; /* a target must keep to all of these */
    size_t data_policy_count;
};

struct wallet_seed {
    const char *id;
    struct money credit;      /* granted once, when the wallet is first seen */
    struct money low_balance; /* warn below it; has_low_balance false: alerts.low_balance_percent of what came in */
    bool has_low_balance;
};

enum budget_period { BUDGET_HOURLY, BUDGET_DAILY, BUDGET_WEEKLY, BUDGET_MONTHLY, BUDGET_ROLLING };
enum budget_origin { BUDGET_OF_POLICY, BUDGET_OF_OPERATOR, BUDGET_OF_DEFAULT };
enum { BUDGETS_MAX = 64, BUDGETS_OF_A_CALL_MAX = 8, BUDGET_ID_MAX = 47, BUDGET_ALERTS_MAX = 16, MONTHS = 12 };

/* One row of budgets[]. */
struct budget {
    const char *id; /* at most BUDGET_ID_MAX bytes: it is an account's name in the ledger */
    struct budget_scope {
        const char *wallet, *group, *provider, *model, *project; /* NULL: any; a last '*' stands for any ending */
    } scope;                                                     /* all that are given must match */
    struct money amount, by_month[MONTHS];                       /* by_month: of a monthly budget; 0 blocks */
    bool has_amount, has_month[MONTHS];                          /* a month without its own has `amount` */
    enum budget_period period;
    uint32_t rolling_minutes; /* BUDGET_ROLLING, whole hours */
    const char *time_zone;    /* as written: "UTC", "Europe/Berlin" */
    const struct zone *zone;  /* base/zone.h; never NULL in settings */
    const uint32_t *alerts;   /* percent of the limit, ascending, 1 to 1000 */
    size_t alert_count;       /* at most BUDGET_ALERTS_MAX */
    bool is_hard;
    enum budget_origin origin; /* the policy file, `tollgate budget set`, or the default of dev */
    struct config_place place;
};

enum exports_schedule { EXPORTS_DAILY, EXPORTS_WEEKLY, EXPORTS_MONTHLY };
enum { EXPORTS_CSV = 1 << 0, EXPORTS_JSONL = 1 << 1, EXPORTS_FOCUS = 1 << 2 };
enum replay_rule { REPLAY_AT_ONCE, REPLAY_PACED };
enum hold_rule { HOLD_BOUND, HOLD_LEARNED };

struct settings {
    const char *file;         /* the policy file */
    const char *budgets_file; /* where `tollgate budget set` writes, there or not; NULL: nowhere */
    char digest[65];          /* SHA-256 (hex) of the policy file's bytes, followed by those of budgets_file when it has
                                 rows: `cat POLICY BUDGETS | sha256sum` */
    enum environment environment;
    const char *pack_name, *pack_version;
    struct {
        bool enabled;
        uint32_t ttl_seconds, max_entries;
        uint64_t bytes_max;                           /* on disk, as compressed */
        enum replay_rule replay;                      /* of streams */
        uint32_t temperature_max_milli;               /* a request above it is not cached */
        const char **never_models, **never_endpoints; /* names, or prefixes ending in '*' */
        size_t never_model_count, never_endpoint_count;
    } cache;
    struct provider *providers;
    size_t provider_count;
    struct target *targets;
    size_t target_count;
    struct {
        enum strategy strategy;
        enum unlisted on_unlisted_model; /* ROUTE BLOCK PASS */
        enum cross_dialect cross_dialect;
        struct model_group *model_groups;
        size_t model_group_count;
        bool fallback;         /* another target when one fails before its first byte */
        uint32_t attempts_max; /* in all: 1 to ATTEMPTS_MAX */
        uint32_t latency_samples_min;
        uint64_t translated_output_tokens; /* limit of a translated request that names none, where one is required */
        struct {
            bool enabled;
            uint32_t failures;      /* in a row that open it */
            uint32_t error_percent; /* of the window that opens it, once it has samples_min; 0: not looked at */
            uint32_t samples_min, window_s;
            uint32_t open_s; /* before it is probed */
            uint32_t probes; /* successful ones that close it; as many at once at most */
        } breaker;
    } routing;
    struct project *projects;
    size_t project_count;
    struct policy_rule *rules;
    size_t rule_count;
    struct consumer_group *groups;
    size_t group_count;
    struct wallet_seed *wallets;
    size_t wallet_count;
    struct budget *budgets; /* hard ones first, else in the order of the files; at most BUDGETS_MAX, of which at most
                               BUDGETS_OF_A_CALL_MAX can count one call */
    size_t budget_count;
    struct {
        bool log;
        const char **command; /* fixed argv, NULL-terminated; the alert is JSON on its standard input. NULL: none */
        size_t command_count;
        uint32_t command_timeout_ms;
        const char *webhook_url, *webhook_ca_file; /* NULL: none */
        bool webhook_local;                        /* may be at a loopback or private address, and speak plain http */
        struct secret *webhook_secret;             /* signs; NULL: unsigned, or webhook_secret_problem says why */
        const char *webhook_secret_environment, *webhook_secret_file, *webhook_secret_store, *webhook_secret_problem;
        uint32_t webhook_timeout_ms, webhook_tries_max;
        uint32_t low_balance_percent; /* of what came in; 0: no warning */
        uint32_t days_left;           /* warn when the wallet lasts less than this at the pace of the last day; 0: no */
    } alerts;
    struct {
        const char *directory; /* NULL: STATE/backups */
        struct config_place place;
        uint32_t every_hours, kept;
    } backups;
    struct {
        bool hardening; /* harden.h */
    } agent;
    struct { /* evidence.metrics */
        bool enabled;
        uint32_t port;         /* of 127.0.0.1 */
        struct secret *secret; /* NULL: nobody gets in; secret_problem says why */
        const char *secret_environment, *secret_file, *secret_store, *secret_problem;
    } metrics;
    struct {
        uint32_t events_days, sums_days; /* 0: for ever */
        const char *events_file;         /* NULL: none */
        struct {
            bool is_enabled;
            enum exports_schedule schedule;
            unsigned formats;      /* bits EXPORTS_… */
            const char *directory; /* NULL: STATE/exports */
            struct config_place place;
            const struct zone *zone; /* where windows begin */
            uint32_t kept;           /* windows */
        } exports;
    } evidence;
    struct {
        bool enabled, wallet_enforcement;
        enum hold_rule hold;
        bool cheaper_target;       /* when money is short: another target of this environment that it can pay */
        uint32_t job_deadline_s;   /* background responses and batches: taken whole when older */
        bool clamp;                /* max_tokens down to what wallet and budgets can pay */
        uint64_t clamp_tokens_min; /* never below */
        enum unknown_price unknown_price;
        struct money default_credit; /* dev: what an unseeded wallet starts with; prod: 0 */
    } cost_tracking;
    struct {
        const char **hosts; /* further governed names */
        size_t host_count;
        uint32_t network;                 /* 127.77.0.0 in host order, /16 */
        uint32_t redirect_network;        /* 127.78.0.0, likewise: stands for addresses of providers */
        struct config_address *addresses; /* of providers, besides what DNS says */
        size_t address_count;
        uint32_t refresh_s;               /* how often DNS is asked; 0: never */
        uint32_t hello_timeout_ms;        /* of silence, then the original server is called */
        enum unlisted unlisted_provider;  /* BLOCK PASS METER: a governed host with no target of its provider */
        enum unlisted unmetered_endpoint; /* BLOCK PASS METER: a call whose format is not metered */
        bool base_urls;                   /* a plain HTTP port on 127.0.0.1 */
        uint32_t base_url_port;           /* 0: a free one */
        bool strict;                      /* what cannot be governed is not executed */
        uint32_t leak_check_seconds;      /* 0: never */
    } capture;
    struct {
        uid_t *uids;
        size_t uid_count;
        gid_t *gids;
        size_t gid_count;
        uid_t *readers;
        size_t reader_count;
    } access;
    struct {
        uint32_t head_bytes_max, body_bytes_max, fields_max, request_line_bytes_max, json_depth_max;
        uint32_t head_timeout_ms, body_idle_timeout_ms, keepalive_timeout_ms, upstream_connect_timeout_ms,
            upstream_timeout_ms;
        uint32_t connections_per_uid_max, connections_max;
        uint32_t stream_buffer_bytes_max;   /* per side; full means stop reading the other side */
        uint32_t buffered_answer_bytes_max; /* JSON answers up to this get cost headers */
        uint32_t drain_timeout_ms;          /* SIGTERM */
        uint32_t loops;                     /* 0: min(cores, 4) */
        uint64_t disk_low_water_bytes;      /* less free space: no new paid requests */
        uint32_t hold_deadline_s;           /* an older hold is settled whole */
        uint32_t drains_max;                /* answers read to their end after the client left */
    } limits;
    enum client_gone_rule client_gone;
    const struct price_row *prices;
    size_t price_count;
    const char *prices_as_of; /* date of the price list */
    struct arena *arena;
    int references; /* atomic */
};

#endif
