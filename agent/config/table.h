/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings table: every key of the policy, the provider catalogue and the price list is a row of
 * settings_table.def. From a row come its parsing, its default, its line of REFERENCE.md and its part of the JSON
 * schema; nothing else in the program knows a key's name. To add a setting, add a row and a member of struct settings.
 */
#ifndef CONFIG_TABLE_H
#define CONFIG_TABLE_H

#include "config/config.h"

enum field_type {
    TYPE_BOOLEAN,
    TYPE_UINT32,
    TYPE_UINT64,
    TYPE_NAME,          /* letters, digits, _ . - : what may appear in paths, logs and headers */
    TYPE_VARIABLE,      /* of the environment */
    TYPE_TEXT,          /* printable, no control characters */
    TYPE_CHOICE,        /* one word of a list */
    TYPE_SWITCH,        /* the same of two, into a bool */
    TYPE_MONEY,         /* USD */
    TYPE_DECIMAL,       /* 0.5: thousandths, as uint32_t */
    TYPE_PRICE,         /* USD per million tokens */
    TYPE_PATH,          /* relative to the file that says it */
    TYPE_URL,           /* http(s)://host[:port][/path] */
    TYPE_API_KEY,       /* kt_cg_… */
    TYPE_PROVIDER,      /* id of the catalogue */
    TYPE_NETWORK,       /* a.b.0.0/16 within 127.0.0.0/8 */
    TYPE_PATTERN,       /* text, or a prefix ending in '*' */
    TYPE_DURATION,      /* 24h, 7d: whole hours, in minutes */
    TYPE_PREFIX,        /* of paths: /openai/v1, or nothing */
    TYPE_HOURS,         /* 22:00-06:00, into two uint32_t: minutes of the day */
    TYPE_ZONE,          /* a name of the time zone database */
    TYPE_HOSTS,         /* lists from here */
    TYPE_ADDRESSES,     /* IPv4 or IPv6 */
    TYPE_HOST_PATTERNS, /* names, or *.example.com */
    TYPE_NAMES,
    TYPE_VARIABLES,
    TYPE_MODELS,   /* names, or prefixes ending in '*' */
    TYPE_PATTERNS, /* the same of anything */
    TYPE_TEXTS,
    TYPE_EXPRESSIONS, /* regular ones: compiled when all of the file is read */
    TYPE_CHOICES,     /* words of a list, each a bit of one unsigned */
    TYPE_UIDS,
    TYPE_GIDS,
    TYPE_PERCENTS,
    TYPE_ARGUMENTS,   /* of a program; NULL-terminated */
    TYPE_OBJECT,      /* a nested table, same or embedded struct */
    TYPE_OBJECTS,     /* a list of a nested table */
    TYPE_UNSUPPORTED, /* designed, not in force yet: an error rather than a silent nothing */
    TYPE_COUNT
};

enum {
    FIELD_REQUIRED = 1,
    FIELD_RELOADABLE = 2, /* a reload puts it in force; the others want a restart */
    FIELD_SECRET = 4,     /* its source line is never shown */
    FIELD_PENDING = 8,    /* read and shown, not in force yet: one warning */
    FIELD_UNSTORED = 16,  /* only one value is possible, or load.c reads it */
    FIELD_SHARED = 32,    /* a mapping whose members are those of struct settings, wherever it is written */
    FIELD_EVERY_RUN = 64, /* of a project file: read anew each time */
};

struct choice {
    const char *name;
    unsigned value;
    bool is_unsupported; /* designed, not in force yet */
};

struct object;

struct field {
    const char *name;
    const char *alias; /* NULL, or another name of the same, from the same family of files */
    enum field_type type;
    unsigned flags;
    size_t where, where_count;               /* offsets; the second: list length, or the has_ flag of a price */
    const char *defaults[ENVIRONMENT_COUNT]; /* as one would write it; NULL: none */
    uint64_t min, max;                       /* of numbers, of lengths, of list lengths */
    const char *unit;
    const struct choice *choices; /* ends with a NULL name */
    const struct object *object;
    const char *text; /* one sentence for REFERENCE.md */
};

struct object {
    const char *name; /* in messages: "target", "settings" */
    size_t size;      /* of one element in a list */
    const struct field *fields;
    size_t field_count;
    const char *text;
};

extern const struct object table_policy, table_providers, table_provider, table_price, table_price_default, table_tier,
    table_pricing;
extern const struct object table_target, table_consumer_group, table_wallet, table_cost_tracking;
extern const struct object table_budget, table_budgets, table_webhook, table_project_file;

/* The row of a key, also by its alias; NULL when there is none. */
const struct field *table_find(const struct object *object, struct slice name);
/* The row whose name is nearest to a misspelt one; NULL when none is near. */
const struct field *table_suggest(const struct object *object, struct slice name);
/* Where below `object` a key of this name lives: "providers.routing". False, with path undefined: nowhere. */
bool table_locate(const struct object *object, struct slice name, char *path, size_t bytes_max);
const struct choice *table_suggest_choice(const struct choice *choices, struct slice name);

/* Edits (insert, delete, replace, swap neighbours) between two words; words above 64 bytes count as far apart. */
unsigned suggest_distance(struct slice a, struct slice b);
bool suggest_is_near(struct slice written, struct slice known);

#endif
