/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of config_load: what its parts share. load.c drives: catalogue and price list, then the policy (apply.c walks
 * nodes and table rows side by side, values.c parses one value each), then rules.c (what concerns several settings),
 * then secrets.c.
 */
#ifndef CONFIG_LOADER_H
#define CONFIG_LOADER_H

#include "config/node.h"
#include "config/table.h"

struct loader {
    const struct config_sources *sources;
    struct config_problems *problems;
    struct settings *settings;
    struct arena *arena;       /* of the settings */
    struct arena *scratch;     /* of the nodes: freed at the end of the load */
    struct document *document; /* the file being read */
    enum environment environment;
    struct slice policy_bytes; /* as read; only while the operator's budgets may still join the digest */
    bool has_budgets;          /* a file has a `budgets` key: dev's default budgets stay away */
    bool hides_lines;          /* inside a FIELD_SECRET row: source lines are not shown */
};

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

/* At a node of the current document; hint may be NULL. */
void report(struct loader *loader, enum severity severity, const struct node *node, const char *hint,
            const char *format, ...) __attribute__((format(printf, 5, 6)));
/* A quoted excerpt of a scalar for messages, of bounded length, in the scratch arena. */
const char *quote(struct loader *loader, const struct node *node);
struct config_place place_of(struct loader *loader, const struct node *node); /* in the settings' arena */

/* Defaults of an object's rows, for the environment of the loader. */
void apply_defaults(struct loader *loader, const struct object *object, void *base);
/* A mapping into a struct: unknown keys, wrong kinds, bad values and missing keys are reported. */
void apply_object(struct loader *loader, const struct object *object, const struct node *node, void *base);

/* Overwrites what may be a secret in the text that lines are quoted from. */
void mask_secrets(struct document *document);
/* Gives the problems from first_problem on that belong to the document their source lines, masked. */
void mask_quote_lines(struct loader *loader, struct document *document, size_t first_problem);

/* How a type is read and described. */
struct type {
    enum shape { SHAPE_SCALAR, SHAPE_LIST, SHAPE_SET, SHAPE_OBJECT, SHAPE_OBJECTS, SHAPE_NONE } shape;
    const char *label;  /* in REFERENCE.md */
    const char *schema; /* members of the JSON schema */
    size_t size;        /* of one value */
    bool (*parse)(struct loader *loader, const struct field *field, const struct node *node, void *ret_value);
};
extern const struct type types[TYPE_COUNT];

/* "policies/x.yaml" and "ca.pem": the absolute path of policies/ca.pem. */
const char *path_beside(struct loader *loader, const char *file, struct slice path);

/* `member`: offset of a const char * in elements of `size` bytes, which were parsed from the list. */
void refuse_repeated(struct loader *loader, const struct node *list, const void *elements, size_t size, size_t count,
                     size_t member, const char *key);
/* `pattern`, written at the node, must be one of the names that name_at counts up until it says NULL ("": a broken
 * one); "there is no KIND …, did you mean …?". A prefix that none of them begins with is a warning. */
void refuse_unknown_name(struct loader *loader, const struct node *node, const char *kind, const char *pattern,
                         const char *(*name_at)(const struct settings *settings, size_t i), enum severity severity);
const char *known_name(const char *name); /* "" for NULL */
const char *group_name_at(const struct settings *settings, size_t i);

/* The catalogue's top-level mapping into loader->settings. */
void load_catalogue(struct loader *loader, const struct node *root);
/* Rows for the hosts that only the policy names, of providers whose rows say "*.example.com". */
void complete_catalogue(struct loader *loader, const struct node *root);
/* Model groups, projects, data policies. */
void complete_routing(struct loader *loader, const struct node *root);
/* policies.rules: what members of a rule must agree on; compiles expressions. */
void complete_policies(struct loader *loader, const struct node *root);
/* The price list's top-level mapping into loader->settings. */
void load_prices(struct loader *loader, const struct node *root);
/* Checks across settings, on the policy's nodes. */
void check_rules(struct loader *loader, const struct node *root);
/* Of the rows just parsed into settings->budgets. */
void refuse_repeated_budgets(struct loader *loader, const struct node *root);
/* Reads each target's secret; missing is a warning, badly kept or unusable an error. */
void load_secrets(struct loader *loader, const struct node *root);

#endif
