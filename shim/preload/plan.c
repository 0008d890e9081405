/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an environment lacks, and the complete one. exec.c asks for a plan on every exec and builds a new environment
 * on its stack only if something is missing; start.c and shell.c do the same for the process itself. A governed child
 * gets our LD_PRELOAD entry, the TOLLGATE_* family, the CA variables where absent, our names in NO_PROXY when a proxy
 * is set, and ASan's permission for preloads; for the agent, and for what cannot use it (another architecture, another
 * user), all that is ours is taken out again, whoever put it in. Entries are never edited in place.
 */
#include "shim/preload/environment.h"

#define ASAN_PERMISSION "verify_asan_link_order=0"
#define PLAN_ORDER      TOLLGATE_ENV_EXECUTE "="
#define BIT(row)        (UINT64_C(1) << (row))

/* The value that NO_PROXY or no_proxy should extend: its own, else the other's, else none. */
static const char *proxy_base(const struct environment_plan *plan, int row)
{
    int other = row == ROW_NO_PROXY ? ROW_NO_PROXY_LOWER : ROW_NO_PROXY;
    if (plan->found[row] != NULL)
        return row_value(row, plan->found[row]);
    return plan->found[other] != NULL ? row_value(other, plan->found[other]) : "";
}

static void plan_proxies(struct environment_plan *plan)
{
    bool has_proxy = false;
    for (int row = ROW_PROXY_FIRST; row <= ROW_PROXY_LAST; row++)
        has_proxy = has_proxy || plan->found[row] != NULL;
    if (!has_proxy || map_names()[0] == '\0')
        return;
    for (int row = ROW_NO_PROXY; row <= ROW_NO_PROXY_LOWER; row++) {
        const char *base = proxy_base(plan, row);
        bool is_covered = text_equal(base, "*") || text_find(base, map_names()) != NULL;
        if (plan->found[row] == NULL)
            plan->append |= BIT(row);
        else if (!is_covered)
            plan->rewrite |= BIT(row);
    }
}

/*
 * Another agent's family (a nested `tollgate run --env prod`) is complete as its launcher made it: it gets no value of
 * ours. A family without TOLLGATE_RUNTIME was wiped: all of it comes back. With ours present, GROUP and PROJECT stay as
 * they are, absent included: that may be a choice.
 */
static void plan_family(struct environment_plan *plan)
{
    const char *runtime = plan->found[ROW_RUNTIME];
    if (runtime != NULL && !text_equal(runtime, environment_remembered[ROW_RUNTIME]))
        return;
    for (int row = ROW_RUNTIME; row < ROW_COUNT; row++) {
        bool is_choice = runtime != NULL && (row == ROW_GROUP || row == ROW_PROJECT);
        bool is_ready = row < ROW_FIRST_CA || map_is_open();
        if (plan->found[row] == NULL && environment_remembered[row] != NULL && is_ready && !is_choice)
            plan->append |= BIT(row);
    }
}

static void plan_completion(struct environment_plan *plan, struct target target)
{
    const char *preload = plan->found[ROW_PRELOAD];
    size_t length = 0;
    if (preload == NULL && environment_remembered[ROW_PRELOAD] != NULL)
        plan->append |= BIT(ROW_PRELOAD);
    else if (preload != NULL && shim.library != NULL && preload_find(row_value(ROW_PRELOAD, preload), &length) == NULL)
        plan->rewrite |= BIT(ROW_PRELOAD);
    const char *asan = plan->found[ROW_ASAN];
    if (target.has_asan && asan == NULL)
        plan->append |= BIT(ROW_ASAN);
    else if (target.has_asan && text_find(asan, ASAN_PERMISSION) == NULL)
        plan->rewrite |= BIT(ROW_ASAN);
    plan_family(plan);
    plan_proxies(plan);
}

static bool plan_is_removal(const struct environment_plan *plan)
{
    return plan->kind == TARGET_AGENT || plan->kind == TARGET_FOREIGN;
}

/* "…/merged/0123456789abcdef.pem": the launcher's, the user's roots and ours. */
static bool removal_is_merged(const char *value)
{
    static const char form[] = "/merged/0123456789abcdef.pem";
    size_t length = text_length(value);
    return length > sizeof form - 1 && text_starts(value + length - (sizeof form - 1), "/merged/") &&
           text_ends(value, ".pem");
}

/* A CA variable that leads to our own files: the user's own settings stay. */
static bool removal_has_our_ca(const struct environment_plan *plan, int row)
{
    const char *entry = row >= ROW_FIRST_CA && row < ROW_COUNT ? plan->found[row] : NULL;
    if (entry == NULL)
        return false;
    const char *value = row_value(row, entry);
    const char *file = plan->found[ROW_CA_FILE];
    const char *bundle = plan->found[ROW_CA_BUNDLE];
    return (shim.ca_file != NULL && text_equal(value, shim.ca_file)) ||
           (shim.ca_bundle != NULL && text_equal(value, shim.ca_bundle)) ||
           (file != NULL && text_equal(value, row_value(ROW_CA_FILE, file))) ||
           (bundle != NULL && text_equal(value, row_value(ROW_CA_BUNDLE, bundle))) || removal_is_merged(value);
}

/* A variable that sends a library to our port of base URLs: the launcher's list names it. */
static bool removal_has_our_url(const struct environment_plan *plan, const char *entry, const char *value)
{
    if (!text_starts(value, TOLLGATE_BASE_URLS_START))
        return false;
    const char *list = environment_find(plan->entries, TOLLGATE_ENV_BASE_URLS);
    size_t length = (size_t)(value - entry) - 1;
    for (const char *at = list; at != NULL && *at != '\0'; at += *at == ',') {
        const char *name = at;
        while (*at != '\0' && *at != ',')
            at++;
        if ((size_t)(at - name) == length && __builtin_memcmp(name, entry, length) == 0)
            return true;
    }
    return false;
}

/*
 * What is left of an entry; NULL: nothing. Ours are the family, our CA, our base URLs, and placeholder keys, which are
 * nobody's secret. What the user had in a CA variable is remembered as "TOLLGATE_WAS_NAME=value", the entry's own end.
 */
static const char *removal_leave(const struct environment_plan *plan, const char *entry)
{
    if (text_starts(entry, TOLLGATE_ENV_WAS)) {
        const char *before = entry + sizeof TOLLGATE_ENV_WAS - 1;
        return removal_has_our_ca(plan, row_find(before)) ? before : NULL;
    }
    const char *value = text_find(entry, "=");
    if (text_starts(entry, "TOLLGATE_") ||
        (value != NULL && (text_starts(value + 1, TOLLGATE_KEY_PREFIX) || removal_has_our_url(plan, entry, value + 1))))
        return NULL;
    return removal_has_our_ca(plan, row_find(entry)) ? NULL : entry;
}

static bool removal_changes_any(const struct environment_plan *plan)
{
    for (const char *const *entry = plan->entries; *entry != NULL; entry++)
        if (removal_leave(plan, *entry) != *entry)
            return true;
    return false;
}

static void plan_removal(struct environment_plan *plan)
{
    size_t length = 0;
    const char *preload = plan->found[ROW_PRELOAD];
    if (preload != NULL && preload_find(row_value(ROW_PRELOAD, preload), &length) != NULL)
        plan->rewrite |= BIT(ROW_PRELOAD);
    for (int row = ROW_NO_PROXY; row <= ROW_NO_PROXY_LOWER; row++)
        if (plan->found[row] != NULL && map_names()[0] != '\0' && text_find(plan->found[row], map_names()) != NULL)
            plan->rewrite |= BIT(row);
}

static void plan_measure(struct environment_plan *plan)
{
    plan->array_bytes = (plan->count + ENVIRONMENT_ROWS + 1) * sizeof(char *);
    plan->text_bytes = 0;
    for (int row = 0; row <= ROW_NO_PROXY_LOWER; row++) {
        if (!((plan->append | plan->rewrite) & BIT(row)))
            continue;
        size_t extra = row == ROW_PRELOAD ? text_length(shim.library != NULL ? shim.library : "")
                       : row == ROW_ASAN  ? sizeof ASAN_PERMISSION
                                          : text_length(map_names()) + text_length(proxy_base(plan, row));
        const char *entry = plan->found[row];
        plan->text_bytes += extra + (entry != NULL ? text_length(entry) : 0) + text_length(row_names[row]) + 2;
    }
    if (plan->order != NULL)
        plan->text_bytes += sizeof PLAN_ORDER + text_length(plan->order);
}

bool environment_plan(char *const *entries, struct target target, const char *order, struct environment_plan *ret_plan)
{
    static const char *const nothing[] = {NULL};
    struct environment_plan *plan = ret_plan;
    __builtin_memset(plan, 0, sizeof *plan);
    plan->kind = target.kind;
    plan->order = order;
    plan->entries = entries != NULL ? (const char *const *)entries : nothing;
    if (!shim.is_active || target.kind == TARGET_STATIC || target.kind == TARGET_PRIVILEGED)
        return false;
    for (; plan->entries[plan->count] != NULL; plan->count++) {
        int row = row_find(plan->entries[plan->count]);
        if (row >= 0 && plan->found[row] == NULL)
            plan->found[row] = plan->entries[plan->count];
    }
    if (plan_is_removal(plan))
        plan_removal(plan);
    else
        plan_completion(plan, target);
    if (plan->append == 0 && plan->rewrite == 0 && order == NULL &&
        !(plan_is_removal(plan) && removal_changes_any(plan)))
        return false;
    plan_measure(plan);
    return true;
}

static char *build_added(const struct environment_plan *plan, int row, char *at)
{
    const char *own = plan->found[row] != NULL ? row_value(row, plan->found[row]) : "";
    at = text_append(at, row_names[row]);
    if (row == ROW_PRELOAD) {
        at = text_append(at, shim.library);
        return own[0] == '\0' ? at : text_append(text_append(at, ":"), own);
    }
    const char *base = row == ROW_ASAN ? own : proxy_base(plan, row);
    const char *added = row == ROW_ASAN ? ASAN_PERMISSION : map_names();
    at = text_append(at, base);
    if (row != ROW_ASAN && (text_equal(base, "*") || text_find(base, added) != NULL))
        return at;
    if (base[0] != '\0')
        at = text_append(at, row == ROW_ASAN ? ":" : ",");
    return text_append(at, added);
}

/* The value without our part and the separator next to it. Of an empty rest the name alone. */
static char *build_removed(const struct environment_plan *plan, int row, char *at)
{
    const char *value = row_value(row, plan->found[row]);
    size_t length = text_length(map_names());
    const char *part = row == ROW_PRELOAD ? preload_find(value, &length) : text_find(value, map_names());
    const char *rest = part + length;
    if (part == value && *rest != '\0')
        rest++;
    at = text_append(at, row_names[row]);
    size_t kept = (size_t)(part - value);
    if (kept > 0)
        kept--;
    __builtin_memcpy(at, value, kept);
    return text_append(at + kept, rest);
}

/* Answers where the next text goes. An entry of which nothing is left is none. */
static char *build_rewritten(const struct environment_plan *plan, int row, char *text, const char **array, size_t *used)
{
    char *end = plan_is_removal(plan) ? build_removed(plan, row, text) : build_added(plan, row, text);
    if (plan_is_removal(plan) && row_value(row, text) == end)
        return text;
    array[(*used)++] = text;
    return end + 1;
}

void environment_build(const struct environment_plan *plan, const char **array, char *text)
{
    size_t used = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const char *entry = plan->entries[i];
        int row = plan->rewrite != 0 ? row_find(entry) : -1;
        if (row >= 0 && plan->found[row] == entry && (plan->rewrite & BIT(row)))
            text = build_rewritten(plan, row, text, array, &used);
        else if (plan->order != NULL && text_starts(entry, PLAN_ORDER))
            continue; /* somebody else's order must not come first */
        else if (!plan_is_removal(plan) || (entry = removal_leave(plan, entry)) != NULL)
            array[used++] = entry;
    }
    for (int row = 0; row < ROW_COUNT; row++) {
        if (!(plan->append & BIT(row)))
            continue;
        if (row > ROW_NO_PROXY_LOWER || row == ROW_PRELOAD) {
            array[used++] = environment_remembered[row];
        } else {
            array[used++] = text;
            text = build_added(plan, row, text) + 1;
        }
    }
    if (plan->order != NULL) {
        array[used++] = text;
        text_append(text_append(text, PLAN_ORDER), plan->order);
    }
    array[used] = NULL;
}
