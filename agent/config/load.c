/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_load: catalogue, price list and policy into one immutable snapshot, all errors collected first. Everything is
 * built in the snapshot's own arena; any error frees it, so there is never a half-applied policy.
 */
#include "config/loader.h"

#include "base/check.h"
#include "base/digest.h"
#include "base/pattern.h"
#include "config/budgets.h"
#include "config/problems.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

const char *config_environment_name(enum environment environment)
{
    static const char *const names[ENVIRONMENT_COUNT] = {"dev", "prod"};
    check(environment < ENVIRONMENT_COUNT);
    return names[environment];
}

const char *path_beside(struct loader *loader, const char *file, struct slice path)
{
    if (path.length && path.data[0] == '/')
        return arena_copy(loader->arena, path).data;
    const char *slash = strrchr(file, '/');
    const char *folder = slash ? arena_printf(loader->scratch, "%.*s", (int)(slash - file + 1), file) : ".";
    char *absolute = realpath(folder, NULL);
    const char *joined =
        arena_printf(loader->arena, "%s/" SLICE_FORMAT, absolute ? absolute : folder, SLICE_ARGUMENTS(path));
    free(absolute);
    return joined;
}

/* The catalogue and the price list lie in ../policies of a build tree, or where the package installs them. */
static const char *installed_file(struct loader *loader, const char *name)
{
    static const char *const places[] = {"../policies", "../share/tollgate/policies"};
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = '\0';
    const char *file = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        file = arena_printf(loader->arena, "%s/%s/%s", program, places[i], name);
        if (access(file, R_OK) == 0)
            break;
    }
    return file;
}

/* Reads a file whose top level must be a mapping. */
static const struct node *read_mapping(struct loader *loader, const char *file)
{
    struct document *document = arena_new_struct(loader->scratch, struct document);
    document->file = file;
    loader->document = document;
    if (!document_read(file, loader->scratch, loader->problems, document))
        return NULL;
    if (document->root->kind == NODE_MAPPING)
        return document->root;
    report(loader, SEVERITY_ERROR, document->root, NULL, "the file must be a mapping (key: value)");
    return NULL;
}

/* "policy-config.dev.yaml", "dev.yml", "team-prod.yaml" */
static int environment_of_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    struct slice stem = {name, dot ? (size_t)(dot - name) : strlen(name)};
    for (int i = 0; i < ENVIRONMENT_COUNT; i++) {
        const char *word = config_environment_name((enum environment)i);
        size_t length = strlen(word);
        if (slice_has_suffix(stem, word) &&
            (stem.length == length || !isalnum((unsigned char)stem.data[stem.length - length - 1])))
            return i;
    }
    return -1;
}

/* The file decides; that it is for another environment than the agent must never pass by accident. */
static void find_environment(struct loader *loader, const struct node *root)
{
    const struct node *node = node_member(root, "environment");
    const struct field *field = table_find(&table_policy, SLICE_LITERAL("environment"));
    int asked = loader->sources->environment, written = -1, named = environment_of_name(loader->document->file);
    for (const struct choice *choice = field->choices; node && choice->name; choice++)
        if (node_is(node, choice->name))
            written = (int)choice->value;
    if (written >= 0 && asked >= 0 && written != asked)
        report(loader, SEVERITY_ERROR, node, NULL, "the file is for %s, but was asked for as %s",
               config_environment_name((enum environment)written), config_environment_name((enum environment)asked));
    if (!node && asked >= 0 && named >= 0 && named != asked)
        report(loader, SEVERITY_WARNING, root, "add \"environment:\" to the file",
               "the file's name says %s, it is used for %s", config_environment_name((enum environment)named),
               config_environment_name((enum environment)asked));
    int found = written >= 0 ? written : asked >= 0 ? asked : named;
    if (found < 0 && !node)
        report(loader, SEVERITY_ERROR, root, "add \"environment: dev\", or name the file ...dev.yaml or ...prod.yaml",
               "the file does not say which environment it is for");
    loader->environment = found < 0 ? ENVIRONMENT_DEV : (enum environment)found;
    loader->settings->environment = loader->environment;
}

static void take_digest(struct loader *loader, struct slice bytes)
{
    unsigned char digest[DIGEST_BYTES];
    digest_sha256(bytes, digest);
    digest_format(digest, loader->settings->digest);
}

static void load_policy(struct loader *loader, const struct node *root)
{
    take_digest(loader, loader->document->text);
    if (loader->settings->budgets_file)
        loader->policy_bytes = arena_copy(loader->scratch, loader->document->text);
    loader->has_budgets = node_member(root, "budgets") != NULL;
    mask_secrets(loader->document);
    find_environment(loader, root);
    apply_defaults(loader, &table_policy, loader->settings);
    apply_object(loader, &table_policy, root, loader->settings);
    check_rules(loader, root);
    load_secrets(loader, root);
}

static void load_file(struct loader *loader, const char *file,
                      void (*load)(struct loader *loader, const struct node *root))
{
    size_t first_problem = loader->problems->count;
    const struct node *root = read_mapping(loader, file);
    if (root)
        load(loader, root);
    mask_quote_lines(loader, loader->document, first_problem);
}

static struct slice joined(struct loader *loader)
{
    struct slice first = loader->policy_bytes, second = loader->document->text;
    char *bytes = arena_alloc(loader->scratch, first.length + second.length + 1);
    if (first.length)
        memcpy(bytes, first.data, first.length);
    memcpy(bytes + first.length, second.data, second.length);
    return (struct slice){bytes, first.length + second.length};
}

/* What decides is in the digest: the operator's file only when it has rows. */
static void load_operator_budgets(struct loader *loader, const struct node *root)
{
    struct settings *settings = loader->settings;
    const struct budget *of_policy = settings->budgets;
    size_t of_policy_count = settings->budget_count;
    settings->budgets = NULL;
    settings->budget_count = 0;
    if (node_member(root, "budgets") && node_member(root, "budgets")->count)
        take_digest(loader, joined(loader));
    mask_secrets(loader->document);
    apply_object(loader, &table_budgets, root, settings);
    refuse_repeated_budgets(loader, root);
    budgets_complete(loader, root, BUDGET_OF_OPERATOR);
    struct budget *all = arena_new_array(loader->arena, struct budget, of_policy_count + settings->budget_count + 1);
    loader->has_budgets |= settings->budget_count > 0;
    settings->budget_count = budgets_merge(of_policy, of_policy_count, settings->budgets, settings->budget_count, all);
    settings->budgets = all;
}

static bool is_absent(const char *file)
{
    return access(file, F_OK) < 0 && errno == ENOENT;
}

enum error config_load(const struct config_sources *sources, struct config_problems *problems,
                       struct settings **ret_settings)
{
    struct arena *arena = arena_new(65536), *scratch = arena_new(65536);
    struct settings *settings = arena_new_struct(arena, struct settings);
    *settings = (struct settings){.arena = arena, .references = 1};
    struct loader loader = {
        .sources = sources, .problems = problems, .settings = settings, .arena = arena, .scratch = scratch};
    size_t errors_before = problems->error_count;
    settings->file = arena_strdup(arena, sources->policy_file);
    settings->budgets_file = sources->budgets_file ? arena_strdup(arena, sources->budgets_file) : NULL;
    load_file(&loader, sources->providers_file ? sources->providers_file : installed_file(&loader, "providers.yaml"),
              load_catalogue);
    load_file(&loader, sources->prices_file ? sources->prices_file : installed_file(&loader, "prices.yaml"),
              load_prices);
    load_file(&loader, sources->policy_file, load_policy);
    if (settings->budgets_file && !is_absent(settings->budgets_file))
        load_file(&loader, settings->budgets_file, load_operator_budgets);
    budgets_finish(&loader);
    problems_sort(problems);
    arena_free(scratch);
    if (problems->error_count > errors_before) {
        config_release(settings);
        return ERROR_SETTINGS_INVALID;
    }
    *ret_settings = settings;
    return ERROR_OK;
}

const struct bucket_row bucket_rows[BUCKET_COUNT] = {
#define BUCKET(name, side) [BUCKET_##name] = {#name, SIDE_##side},
#include "config/buckets.def"
#undef BUCKET
};

const struct provider *config_find_provider(const struct settings *settings, const char *host)
{
    for (size_t i = 0; i < settings->provider_count; i++)
        for (size_t j = 0; j < settings->providers[i].host_count; j++)
            if (strcmp(settings->providers[i].hosts[j], host) == 0)
                return &settings->providers[i];
    return NULL;
}

const struct target *config_find_target(const struct settings *settings, const char *id)
{
    for (size_t i = 0; i < settings->target_count; i++)
        if (settings->targets[i].id && strcmp(settings->targets[i].id, id) == 0)
            return &settings->targets[i];
    return NULL;
}

struct settings *config_retain(struct settings *settings)
{
    __atomic_add_fetch(&settings->references, 1, __ATOMIC_RELAXED);
    return settings;
}

void config_release(struct settings *settings)
{
    if (!settings || __atomic_sub_fetch(&settings->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < settings->target_count; i++)
        secret_free(settings->targets[i].secret);
    secret_free(settings->alerts.webhook_secret);
    secret_free(settings->metrics.secret);
    for (size_t i = 0; i < settings->rule_count; i++)
        for (size_t j = 0; settings->rules[i].patterns && j < settings->rules[i].pattern_count; j++)
            pattern_free(settings->rules[i].patterns[j]);
    arena_free(settings->arena);
}
