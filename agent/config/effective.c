/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings that a policy file puts in force, for people who help others: one line per row of the table, what the
 * file says or the default. Nothing that is a secret or could carry one is shown: rows that say so, free texts,
 * expressions, arguments of programs, paths of addresses. Comments never get here: the tree has none.
 */
#include "config/loader.h"

enum { PATH_BYTES = 512, DEPTH_MAX = 8 };

struct printer {
    FILE *stream;
    enum environment environment;
    unsigned depth;
};

static bool is_hidden(const struct field *field)
{
    switch (field->type) {
    case TYPE_TEXT:
    case TYPE_TEXTS:
    case TYPE_EXPRESSIONS:
    case TYPE_ARGUMENTS:
    case TYPE_API_KEY:
        return true;
    default:
        return field->flags & FIELD_SECRET;
    }
}

/* https://host:port; whatever else stands in it may be a secret. */
static void print_origin(struct slice url, FILE *stream)
{
    const char *mark = memmem(url.data, url.length, "://", 3);
    size_t start = mark ? (size_t)(mark + 3 - url.data) : 0, length = start;
    while (length < url.length && !strchr("/?#", url.data[length]))
        length++;
    const char *at = memrchr(url.data + start, '@', length - start);
    if (at)
        fprintf(stream, "%.*s***%.*s", (int)start, url.data, (int)(url.data + length - at), at);
    else
        fprintf(stream, "%.*s", (int)length, url.data);
    if (length < url.length && !(length + 1 == url.length && url.data[length] == '/'))
        fputs("/***", stream);
}

static void print_scalar(const struct field *field, const struct node *node, FILE *stream)
{
    if (node->kind != NODE_SCALAR)
        fputs("***", stream);
    else if (field->type == TYPE_URL)
        print_origin(node->text, stream);
    else
        fprintf(stream, SLICE_FORMAT, SLICE_ARGUMENTS(node->text));
}

static void print_value(const struct printer *printer, const struct field *field, const char *path,
                        const struct node *node)
{
    const char *fallback = field->defaults[printer->environment];
    if (!node && !fallback)
        return;
    fprintf(printer->stream, "%s: ", path);
    if (node && is_hidden(field)) {
        fputs("***", printer->stream);
    } else if (node && node->kind == NODE_SEQUENCE) {
        fputs("[", printer->stream);
        for (const struct node *child = node->first; child; child = child->next) {
            print_scalar(field, child, printer->stream);
            fputs(child->next ? ", " : "", printer->stream);
        }
        fputs("]", printer->stream);
    } else if (node) {
        print_scalar(field, node, printer->stream);
    } else {
        fprintf(printer->stream, "%s  # default", fallback);
    }
    fputc('\n', printer->stream);
}

static const struct node *find_member(const struct node *node, const struct field *field)
{
    const struct node *member = node ? node_member(node, field->name) : NULL;
    return member || !node || !field->alias ? member : node_member(node, field->alias);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table, whose mappings nest a few times */
static void print_object(struct printer *printer, const struct object *object, const char *prefix,
                         const struct node *node)
{
    char path[PATH_BYTES];
    if (++printer->depth > DEPTH_MAX)
        node = NULL;
    for (size_t i = 0; i < object->field_count && printer->depth <= DEPTH_MAX; i++) {
        const struct field *field = &object->fields[i];
        const struct node *member = find_member(node, field);
        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", field->name);
        if (field->type == TYPE_OBJECT && !is_hidden(field) && (!member || member->kind == NODE_MAPPING)) {
            print_object(printer, field->object, path, member);
        } else if (field->type == TYPE_OBJECTS && member && member->kind == NODE_SEQUENCE) {
            unsigned number = 0;
            for (const struct node *child = member->first; child; child = child->next) {
                snprintf(path, sizeof path, "%s%s%s[%u]", prefix, *prefix ? "." : "", field->name, number++);
                print_object(printer, field->object, path, child);
            }
        } else if (field->type != TYPE_OBJECT && field->type != TYPE_OBJECTS && field->type != TYPE_UNSUPPORTED) {
            print_value(printer, field, path, member);
        } else if (member && is_hidden(field)) {
            fprintf(printer->stream, "%s: ***\n", path);
        }
    }
    printer->depth--;
}

static void print_file(struct printer *printer, const char *file, const char *title, struct arena *arena)
{
    struct config_problems problems;
    struct document document;
    config_problems_init(&problems);
    fprintf(printer->stream, "# %s\n", title);
    if (document_read(file, arena, &problems, &document))
        print_object(printer, &table_policy, "", document.root);
    else
        fprintf(printer->stream, "# it cannot be read\n");
    config_problems_done(&problems);
}

void config_print_effective(const struct settings *settings, FILE *stream)
{
    struct printer printer = {.stream = stream, .environment = settings->environment};
    struct arena *arena = arena_new(65536);
    print_file(&printer, settings->file, "the policy, with the defaults of what it leaves out", arena);
    if (settings->budgets_file && settings->budget_count) {
        size_t own = 0;
        for (size_t i = 0; i < settings->budget_count; i++)
            own += settings->budgets[i].origin == BUDGET_OF_OPERATOR;
        fprintf(stream, "# budgets set by hand: %zu\n", own);
    }
    arena_free(arena);
}
