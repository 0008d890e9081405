/* SPDX-License-Identifier: Apache-2.0 */
/* What the provider catalogue and the price list say: providers, what their endpoints speak, what is billed and at
 * which price. Part of config/config.h, which others include. */
#ifndef CONFIG_CATALOGUE_H
#define CONFIG_CATALOGUE_H

#include "base/money.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dialect_kind { DIALECT_OPENAI, DIALECT_ANTHROPIC, DIALECT_GEMINI, DIALECT_COUNT };
/* What an endpoint speaks: whose requests and answers have the same members. Translation goes from one to another. */
enum api {
    API_NONE,        /* not read: passed as it is */
    API_CHAT,        /* OpenAI Chat Completions, and all that are compatible */
    API_RESPONSES,   /* OpenAI Responses */
    API_MESSAGES,    /* Anthropic Messages */
    API_GENERATE,    /* Gemini generateContent */
    API_COMPLETIONS, /* OpenAI legacy completions */
    API_EMBEDDINGS,  /* OpenAI embeddings */
    API_OTHER,       /* metered, of its provider alone: images, audio, Gemini's embeddings … */
    API_COUNT
};
enum key_header { KEY_HEADER_AUTHORIZATION, KEY_HEADER_X_API_KEY, KEY_HEADER_X_GOOG_API_KEY, KEY_HEADER_API_KEY };

enum bucket {
#define BUCKET(name, side) BUCKET_##name,
#include "config/buckets.def"
#undef BUCKET
    BUCKET_COUNT
};
enum bucket_side { SIDE_PROMPT, SIDE_OUTPUT, SIDE_UNIT };
struct bucket_row {
    const char *name;
    enum bucket_side side;
};
extern const struct bucket_row bucket_rows[BUCKET_COUNT];

/* How many of each: by name, or as a row of buckets.def. */
struct usage {
    union {
        struct {
#define BUCKET(name, side) uint64_t name;
#include "config/buckets.def"
#undef BUCKET
        };
        uint64_t of[BUCKET_COUNT];
    };
};

/* What one costs: pico-USD per token or unit; USD per million of them in the file. `has` bits say which were written.
 */
struct price_set {
    union {
        struct {
#define BUCKET(name, side) struct price name;
#include "config/buckets.def"
#undef BUCKET
        };
        struct price of[BUCKET_COUNT];
    };
    union {
        struct {
#define BUCKET(name, side) bool has_##name;
#include "config/buckets.def"
#undef BUCKET
        };
        bool has[BUCKET_COUNT];
    };
};

struct price_tier {
    uint64_t above_tokens; /* applies to the whole prompt when it has more tokens than this */
    struct price_set prices;
};

/* One model of the price list (policies/prices.yaml). */
struct price_row {
    const char *family; /* openai, anthropic, google … = provider.price_family */
    const char *model;
    struct price_set prices;
    struct price_tier *tiers; /* ascending */
    size_t tier_count;
    struct price_set fast;                      /* priority service tier; has_* false when none */
    uint64_t context_tokens, output_tokens_max; /* 0 unknown */
};

struct model_alias {
    const char *alias, *model;
};

/* "OPENAI_BASE_URL", "/v1": what `tollgate run --base-url` sets, after http://127.0.0.1:PORT/PROVIDER. */
struct base_url_variable {
    const char *name, *suffix; /* suffix: NULL or as a path */
};

/* One row of the catalogue (policies/providers.yaml, or --providers FILE). */
struct provider {
    const char *id;
    enum dialect_kind dialect;
    const char **hosts; /* lower case; full names only */
    size_t host_count;
    /* "*.openai.azure.com": names that only the policy knows. Each one that capture.hosts or the base_url of a target
     * of this provider says becomes a row of its own after the catalogue's: the same id, that host, https://HOST. */
    const char **host_patterns;
    size_t host_pattern_count;
    const char *base_url; /* https://api.openai.com, no trailing slash; NULL: all its targets say their own */
    const char *ca_file;  /* absolute, NULL: system roots */
    bool local;           /* may resolve to loopback or private addresses */
    enum key_header key_header;
    const char *price_family;
    const char *api_prefix;      /* "/v1": what stands before an endpoint's own path ("/chat/completions"); or "" */
    bool speaks_responses;       /* openai: it has the Responses API, too; others get such calls translated to chat */
    bool limits_by_max_tokens;   /* openai: its limit of the output is max_tokens, not max_completion_tokens */
    struct model_alias *aliases; /* other names of models, for their prices */
    size_t alias_count;
    const char **key_environment; /* variables that `tollgate run` fills with the placeholder key */
    size_t key_environment_count;
    struct base_url_variable *base_url_environment;
    size_t base_url_environment_count;
    bool bills_aborted_in_full;
    bool bills_flex_in_full; /* its flex tier is no cheaper */
};

#endif
