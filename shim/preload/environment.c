/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a governed process must find in its environment: our LD_PRELOAD entry, the TOLLGATE_* family, the CA
 * variables where absent, our names in NO_PROXY when a proxy is set, and ASan's permission for preloads. exec.c asks
 * for a plan on every exec and builds a new environment on its stack only if something is missing; start.c does the
 * same for the process itself. For the agent the same rows are taken out again. Values come from static storage filled
 * in the constructor, because programs overwrite their environment block (setproctitle).
 */
#include "shim/preload/shim.h"

enum row {
    ROW_PRELOAD,
    ROW_ASAN,
    ROW_NO_PROXY,
    ROW_NO_PROXY_LOWER,
    ROW_PROXY_FIRST, /* any of these present: a proxy would hide governed names */
    ROW_PROXY_LAST = ROW_PROXY_FIRST + 5,
    ROW_RUNTIME,
    ROW_ENVIRONMENT,
    ROW_GROUP,
    ROW_PROJECT,
    ROW_SHIM,
    ROW_CA_FILE,
    ROW_CA_BUNDLE,
    ROW_FIRST_CA,
#define CA_ROW(name, adds) +1
    ROW_COUNT = ROW_FIRST_CA TOLLGATE_CA_VARIABLES(CA_ROW)
#undef CA_ROW
};
_Static_assert((int)ROW_COUNT <= ENVIRONMENT_ROWS, "plans hold every row");

static const char *const row_names[ROW_COUNT] = {"LD_PRELOAD=",
                                                 "ASAN_OPTIONS=",
                                                 "NO_PROXY=",
                                                 "no_proxy=",
                                                 "HTTPS_PROXY=",
                                                 "https_proxy=",
                                                 "ALL_PROXY=",
                                                 "all_proxy=",
                                                 "HTTP_PROXY=",
                                                 "http_proxy=",
                                                 TOLLGATE_ENV_RUNTIME "=",
                                                 TOLLGATE_ENV_ENVIRONMENT "=",
                                                 TOLLGATE_ENV_GROUP "=",
                                                 TOLLGATE_ENV_PROJECT "=",
                                                 TOLLGATE_ENV_SHIM "=",
                                                 TOLLGATE_ENV_CA_FILE "=",
                                                 TOLLGATE_ENV_CA_BUNDLE "=",
#define CA_ROW(name, adds) name "=",
                                                 TOLLGATE_CA_VARIABLES(CA_ROW)
#undef CA_ROW
};
#define CA_ROW(name, adds) (adds) != 0,
static const bool row_ca_adds[] = {TOLLGATE_CA_VARIABLES(CA_ROW)};
#undef CA_ROW

#define ASAN_PERMISSION "verify_asan_link_order=0"
#define BIT(row)        (UINT64_C(1) << (row))

/* "NAME=value" as a governed process should have it; NULL: not remembered. */
static const char *remembered[ROW_COUNT];
static char remembered_text[16384];
static size_t remembered_used;

/* First character of any row's name: most entries of an environment are dismissed by it. */
static bool row_may_begin(char c)
{
    switch (c) {
    case 'A':
    case 'C':
    case 'D':
    case 'G':
    case 'H':
    case 'L':
    case 'N':
    case 'P':
    case 'R':
    case 'S':
    case 'T':
    case 'a':
    case 'h':
    case 'n':
        return true;
    default:
        return false;
    }
}

static int row_find(const char *entry)
{
    if (!row_may_begin(entry[0]))
        return -1;
    for (int row = 0; row < ROW_COUNT; row++)
        if (row_names[row][0] == entry[0] && text_starts(entry, row_names[row]))
            return row;
    return -1;
}

static const char *row_value(int row, const char *entry)
{
    return entry + text_length(row_names[row]);
}

const char *environment_find(const char *const *entries, const char *name)
{
    size_t length = text_length(name);
    for (; entries != NULL && *entries != NULL; entries++)
        if (text_starts(*entries, name) && (*entries)[length] == '=')
            return *entries + length + 1;
    return NULL;
}

/* Answers the remembered value; NULL (and nothing remembered) when it is absent or the storage is full. */
static const char *environment_keep(int row, const char *value, const char *file)
{
    if (value == NULL)
        return NULL;
    size_t need = text_length(row_names[row]) + text_length(value) + (file ? text_length(file) + 1 : 0) + 1;
    if (need > sizeof remembered_text - remembered_used)
        return NULL;
    char *entry = remembered_text + remembered_used;
    char *at = text_append(text_append(entry, row_names[row]), value);
    if (file != NULL)
        text_append(text_append(at, "/"), file);
    remembered_used += need;
    remembered[row] = entry;
    return row_value(row, entry);
}

static const char *environment_keep_or(int row, const char *value, const char *file)
{
    return value != NULL && value[0] == '/' ? environment_keep(row, value, NULL)
                                            : environment_keep(row, shim.runtime, file);
}

/* One element of a preload list: separated by colons and blanks (ld.so(8)). */
static size_t preload_measure(const char *list)
{
    size_t length = 0;
    while (list[length] != '\0' && list[length] != ':' && list[length] != ' ')
        length++;
    return length;
}

/* Our library under any path: a nested launcher may have brought its own copy, and two would be one too many. */
static bool preload_is_ours(const char *element, size_t length)
{
    static const char name[] = "libtollgate.so";
    size_t size = sizeof name - 1;
    if (length < size || __builtin_memcmp(element + length - size, name, size) != 0)
        return shim.library != NULL && length == text_length(shim.library) && text_starts(element, shim.library);
    return length == size || element[length - size - 1] == '/';
}

static const char *preload_find(const char *list, size_t *ret_length)
{
    while (*list != '\0') {
        size_t length = preload_measure(list);
        if (length > 0 && preload_is_ours(list, length)) {
            *ret_length = length;
            return list;
        }
        list += length;
        if (*list != '\0')
            list++;
    }
    return NULL;
}

/* Without TOLLGATE_SHIM the path is the one that ld.so was given. */
static const char *environment_keep_library(const char *const *entries)
{
    const char *value = environment_find(entries, TOLLGATE_ENV_SHIM);
    if (value != NULL && value[0] == '/')
        return environment_keep(ROW_SHIM, value, NULL);
    const char *list = environment_find(entries, "LD_PRELOAD");
    size_t length = 0;
    const char *element = list != NULL ? preload_find(list, &length) : NULL;
    char path[1024];
    if (element == NULL || element[0] != '/' || length >= sizeof path)
        return NULL;
    __builtin_memcpy(path, element, length);
    path[length] = '\0';
    return environment_keep(ROW_SHIM, path, NULL);
}

void environment_remember(const char *const *entries)
{
    shim.runtime = environment_keep(ROW_RUNTIME, environment_find(entries, TOLLGATE_ENV_RUNTIME), NULL);
    if (shim.runtime == NULL || shim.runtime[0] != '/')
        return;
    shim.library = environment_keep_library(entries);
    if (shim.library != NULL)
        environment_keep(ROW_PRELOAD, shim.library, NULL);
    environment_keep(ROW_ENVIRONMENT, environment_find(entries, TOLLGATE_ENV_ENVIRONMENT), NULL);
    environment_keep(ROW_GROUP, environment_find(entries, TOLLGATE_ENV_GROUP), NULL);
    environment_keep(ROW_PROJECT, environment_find(entries, TOLLGATE_ENV_PROJECT), NULL);
    const char *file = environment_find(entries, TOLLGATE_ENV_CA_FILE);
    const char *bundle = environment_find(entries, TOLLGATE_ENV_CA_BUNDLE);
    shim.ca_file = environment_keep_or(ROW_CA_FILE, file, TOLLGATE_FILE_CA);
    shim.ca_bundle = environment_keep_or(ROW_CA_BUNDLE, bundle, TOLLGATE_FILE_BUNDLE);
    for (int row = ROW_FIRST_CA; row < ROW_COUNT; row++)
        environment_keep(row, row_ca_adds[row - ROW_FIRST_CA] ? shim.ca_file : shim.ca_bundle, NULL);
    /* Not a variable of ours, only a path that must live as long. */
    const char *keystore = remembered_text + remembered_used;
    size_t need = text_length(shim.runtime) + sizeof "/" TOLLGATE_FILE_JKS;
    if (need <= sizeof remembered_text - remembered_used) {
        text_append(text_append(remembered_text + remembered_used, shim.runtime), "/" TOLLGATE_FILE_JKS);
        remembered_used += need;
        shim.keystore = keystore;
    }
    shim.is_active = true;
}

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
    if (runtime != NULL && !text_equal(runtime, remembered[ROW_RUNTIME]))
        return;
    for (int row = ROW_RUNTIME; row < ROW_COUNT; row++) {
        bool is_choice = runtime != NULL && (row == ROW_GROUP || row == ROW_PROJECT);
        bool is_ready = row < ROW_FIRST_CA || map_is_open();
        if (plan->found[row] == NULL && remembered[row] != NULL && is_ready && !is_choice)
            plan->append |= BIT(row);
    }
}

static void plan_completion(struct environment_plan *plan, struct target target)
{
    const char *preload = plan->found[ROW_PRELOAD];
    size_t length = 0;
    if (preload == NULL && remembered[ROW_PRELOAD] != NULL)
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

static void plan_removal(struct environment_plan *plan)
{
    size_t length = 0;
    const char *preload = plan->found[ROW_PRELOAD];
    if (preload != NULL && preload_find(row_value(ROW_PRELOAD, preload), &length) != NULL)
        plan->rewrite |= BIT(ROW_PRELOAD);
    if (plan->kind != TARGET_AGENT)
        return;
    for (int row = ROW_NO_PROXY; row <= ROW_NO_PROXY_LOWER; row++)
        if (plan->found[row] != NULL && map_names()[0] != '\0' && text_find(plan->found[row], map_names()) != NULL)
            plan->rewrite |= BIT(row);
}

/* A CA variable that leads to our own files: the user's own settings stay with the agent. */
static bool removal_has_our_ca(const struct environment_plan *plan, int row, const char *entry)
{
    const char *value = row_value(row, entry);
    const char *file = plan->found[ROW_CA_FILE];
    const char *bundle = plan->found[ROW_CA_BUNDLE];
    return row >= ROW_FIRST_CA && ((shim.ca_file != NULL && text_equal(value, shim.ca_file)) ||
                                   (shim.ca_bundle != NULL && text_equal(value, shim.ca_bundle)) ||
                                   (file != NULL && text_equal(value, row_value(ROW_CA_FILE, file))) ||
                                   (bundle != NULL && text_equal(value, row_value(ROW_CA_BUNDLE, bundle))));
}

/* What the agent must not find: our family, our CA, and placeholder keys, which are nobody's secret. */
static bool removal_drops(const struct environment_plan *plan, const char *entry)
{
    if (text_starts(entry, "TOLLGATE_"))
        return true;
    const char *value = text_find(entry, "=");
    if (value != NULL && text_starts(value + 1, TOLLGATE_KEY_PREFIX))
        return true;
    int row = row_find(entry);
    return row >= 0 && removal_has_our_ca(plan, row, entry);
}

static bool removal_drops_any(const struct environment_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (removal_drops(plan, plan->entries[i]))
            return true;
    return false;
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
}

bool environment_plan(char *const *entries, struct target target, struct environment_plan *ret_plan)
{
    static const char *const nothing[] = {NULL};
    struct environment_plan *plan = ret_plan;
    __builtin_memset(plan, 0, sizeof *plan);
    plan->kind = target.kind;
    plan->entries = entries != NULL ? (const char *const *)entries : nothing;
    if (!shim.is_active || target.kind == TARGET_STATIC || target.kind == TARGET_PRIVILEGED)
        return false;
    for (; plan->entries[plan->count] != NULL; plan->count++) {
        int row = row_find(plan->entries[plan->count]);
        if (row >= 0 && plan->found[row] == NULL)
            plan->found[row] = plan->entries[plan->count];
    }
    bool is_removal = target.kind == TARGET_AGENT || target.kind == TARGET_FOREIGN;
    if (is_removal)
        plan_removal(plan);
    else
        plan_completion(plan, target);
    if (plan->append == 0 && plan->rewrite == 0 && !(target.kind == TARGET_AGENT && removal_drops_any(plan)))
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

/* The value without our part and the separator next to it. An empty rest is an empty value. */
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

void environment_build(const struct environment_plan *plan, const char **array, char *text)
{
    bool is_removal = plan->kind == TARGET_AGENT || plan->kind == TARGET_FOREIGN;
    size_t used = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const char *entry = plan->entries[i];
        int row = plan->rewrite != 0 ? row_find(entry) : -1;
        if (row >= 0 && plan->found[row] == entry && (plan->rewrite & BIT(row))) {
            array[used++] = text;
            text = (is_removal ? build_removed(plan, row, text) : build_added(plan, row, text)) + 1;
        } else if (plan->kind != TARGET_AGENT || !removal_drops(plan, entry)) {
            array[used++] = entry;
        }
    }
    for (int row = 0; row < ROW_COUNT; row++) {
        if (!(plan->append & BIT(row)))
            continue;
        if (row > ROW_NO_PROXY_LOWER || row == ROW_PRELOAD) {
            array[used++] = remembered[row];
        } else {
            array[used++] = text;
            text = build_added(plan, row, text) + 1;
        }
    }
    array[used] = NULL;
}
