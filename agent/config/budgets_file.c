/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's budgets: one row parsed as in a policy, and the file that `tollgate budget set` writes. Called by
 * control; what it writes is read by load.c at the next start or reload, so it must never write what would be refused.
 */
#include "config/budgets.h"
#include "config/problems.h"

#include "base/buffer.h"
#include "base/check.h"

enum { FILE_BYTES_MAX = 1 << 20, ROW_BYTES_MAX = 65536 };

/* Everything that row and settings can say is checked here, so that the file is good before it is one. */
static void parse_row(struct loader *loader, const struct node *root, struct budget *budget)
{
    apply_defaults(loader, &table_budget, budget);
    apply_object(loader, &table_budget, root, budget);
    budgets_complete_one(loader, budget, root, BUDGET_OF_OPERATOR, SEVERITY_ERROR);
}

enum error config_parse_budget(const struct settings *settings, struct slice row, struct config_problems *problems,
                               struct arena *arena, struct budget *ret_budget)
{
    struct arena *scratch = arena_new(16384);
    struct settings copy = *settings; /* rows may not change the settings in force */
    struct document document = {.file = "budget"};
    struct loader loader = {.problems = problems,
                            .settings = &copy,
                            .arena = arena,
                            .scratch = scratch,
                            .document = &document,
                            .environment = settings->environment};
    struct budget budget = {0};
    size_t errors_before = problems->error_count, first_problem = problems->count;
    char *bytes = arena_alloc(scratch, (row.length < ROW_BYTES_MAX ? row.length : 0) + 1);
    if (row.length >= ROW_BYTES_MAX) {
        config_add_problem(problems, false, "budget", NULL, "the budget is larger than 64 KiB", NULL);
    } else {
        if (row.length)
            memcpy(bytes, row.data, row.length);
        if (document_parse("budget", bytes, row.length, scratch, problems, &document)) {
            if (document.root->kind == NODE_MAPPING)
                parse_row(&loader, document.root, &budget);
            else
                report(&loader, SEVERITY_ERROR, document.root, NULL, "a budget must be a mapping (key: value)");
        }
        mask_quote_lines(&loader, &document, first_problem);
    }
    problems_sort(problems);
    arena_free(scratch);
    if (problems->error_count > errors_before)
        return ERROR_SETTINGS_INVALID;
    *ret_budget = budget;
    return ERROR_OK;
}

/* Double quotes take any text; what is no plain character is escaped, so that reading gives the same bytes back. */
static bool write_text(struct buffer *out, const char *key, const char *text)
{
    bool ok = buffer_append_format(out, "%s: \"", key);
    for (; *text && ok; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            ok = buffer_append_format(out, "\\x%02x", (unsigned char)*text);
        else
            ok = buffer_append_format(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    return ok && buffer_append_format(out, "\"");
}

static bool write_scope(struct buffer *out, const struct budget_scope *scope)
{
    const struct {
        const char *key, *value;
    } parts[] = {{"wallet", scope->wallet},
                 {"group", scope->group},
                 {"provider", scope->provider},
                 {"model", scope->model},
                 {"project", scope->project}};
    const char *separator = "    scope: {";
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i].value)
            continue;
        ok = buffer_append_format(out, "%s", separator) && write_text(out, parts[i].key, parts[i].value);
        separator = ", ";
    }
    return ok && (*separator == ' ' || buffer_append_format(out, "}\n"));
}

static bool write_amounts(struct buffer *out, const struct budget *budget)
{
    static const char *const months[MONTHS] = {"jan", "feb", "mar", "apr", "may", "jun",
                                               "jul", "aug", "sep", "oct", "nov", "dec"};
    char text[MONEY_TEXT_MAX];
    const char *separator = "    by_month: {";
    bool ok = !budget->has_amount || buffer_append_format(out, "    amount: %s\n", money_format(budget->amount, text));
    for (size_t i = 0; ok && i < MONTHS; i++) {
        if (!budget->has_month[i])
            continue;
        ok = buffer_append_format(out, "%s%s: %s", separator, months[i], money_format(budget->by_month[i], text));
        separator = ", ";
    }
    return ok && (*separator == ' ' || buffer_append_format(out, "}\n"));
}

static bool write_alerts(struct buffer *out, const struct budget *budget)
{
    bool ok = buffer_append_format(out, "    alerts: [");
    for (size_t i = 0; ok && i < budget->alert_count; i++)
        ok = buffer_append_format(out, "%s%u", i ? ", " : "", budget->alerts[i]);
    return ok && buffer_append_format(out, "]\n");
}

static bool write_row(struct buffer *out, const struct budget *budget)
{
    static const char *const windows[] = {"hourly", "daily", "weekly", "monthly", "rolling"};
    bool ok = write_text(out, "  - id", budget->id) && buffer_append_format(out, "\n") && write_amounts(out, budget);
    ok = ok && buffer_append_format(out, "    window: %s\n", windows[budget->period]);
    if (budget->period == BUDGET_ROLLING)
        ok = ok && buffer_append_format(out, "    length: %uh\n", budget->rolling_minutes / 60);
    ok = ok && write_text(out, "    time_zone", budget->time_zone) && buffer_append_format(out, "\n");
    return ok && write_scope(out, &budget->scope) && write_alerts(out, budget) &&
           buffer_append_format(out, "    hard: %s\n", budget->is_hard ? "true" : "false");
}

enum error config_write_budgets(const char *file, const struct budget *budgets, size_t count)
{
    struct buffer out;
    buffer_init(&out, FILE_BYTES_MAX);
    bool ok = buffer_append_format(&out,
                                   "# Written by `tollgate budget set`. A row takes the place of the policy's with the "
                                   "same id.\nbudgets:%s\n",
                                   count ? "" : " []");
    for (size_t i = 0; ok && i < count; i++)
        ok = write_row(&out, &budgets[i]);
    enum error error = ok ? file_replace(file, buffer_contents(&out)) : ERROR_FILE_UNWRITABLE;
    buffer_done(&out);
    return error;
}

/* The operator's rows among those in force, without the one of that id. */
static size_t take_others(const struct settings *settings, const char *id, struct budget rows[BUDGETS_MAX])
{
    size_t count = 0;
    check(id != NULL);
    for (size_t i = 0; i < settings->budget_count; i++)
        if (settings->budgets[i].origin == BUDGET_OF_OPERATOR && strcmp(settings->budgets[i].id, id) != 0)
            rows[count++] = settings->budgets[i];
    return count;
}

/* Dev's defaults vanish with the first written budget. */
static size_t take_written(const struct settings *settings, struct budget rows[BUDGETS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < settings->budget_count; i++)
        if (settings->budgets[i].origin != BUDGET_OF_DEFAULT)
            rows[count++] = settings->budgets[i];
    return count;
}

enum error config_set_budget(const struct settings *settings, struct slice row, struct config_problems *problems)
{
    if (!settings->budgets_file)
        return ERROR_NOT_FOUND;
    struct arena *arena = arena_new(16384);
    struct budget *rows = arena_new_array(arena, struct budget, BUDGETS_MAX + 1), budget;
    struct budget *merged = arena_new_array(arena, struct budget, BUDGETS_MAX + 1);
    size_t errors_before = problems->error_count;
    enum error error = config_parse_budget(settings, row, problems, arena, &budget);
    if (!error) {
        budget.place = (struct config_place){0}; /* it has none in the file yet */
        size_t count = budgets_merge(rows, take_written(settings, rows), &budget, 1, merged);
        budgets_check_count(settings, merged, count, problems);
        error = problems->error_count > errors_before ? ERROR_SETTINGS_INVALID : ERROR_OK;
    }
    if (!error) {
        size_t count = take_others(settings, budget.id, rows);
        rows[count++] = budget;
        error = config_write_budgets(settings->budgets_file, rows, count);
    }
    arena_free(arena);
    return error;
}

enum error config_unset_budget(const struct settings *settings, const char *id)
{
    struct budget rows[BUDGETS_MAX];
    size_t of_operator = 0;
    for (size_t i = 0; i < settings->budget_count; i++)
        of_operator += settings->budgets[i].origin == BUDGET_OF_OPERATOR;
    size_t count = take_others(settings, id, rows);
    if (!settings->budgets_file || count == of_operator)
        return ERROR_NOT_FOUND;
    return config_write_budgets(settings->budgets_file, rows, count);
}
