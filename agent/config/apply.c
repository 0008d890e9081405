/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks a mapping and the rows of its table side by side: every key of the file finds its row or is an error, every
 * value goes through its type's parser into the row's place. Knows no setting by name.
 */
#include "config/loader.h"

#include "base/check.h"
#include "config/problems.h"

#include <stdarg.h>

void report(struct loader *loader, enum severity severity, const struct node *node, const char *hint,
            const char *format, ...)
{
    if (loader->problems->is_full && severity == SEVERITY_WARNING)
        return;
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_vprintf(loader->scratch, format, arguments);
    va_end(arguments);
    struct config_place place = {.line = node->line, .column = node->column, .caret = !loader->hides_lines};
    config_add_problem(loader->problems, severity == SEVERITY_WARNING, loader->document->file, &place, message, hint);
}

const char *quote(struct loader *loader, const struct node *node)
{
    if (loader->hides_lines)
        return "what is there";
    return arena_printf(loader->scratch, "\"%.*s%s\"", node->text.length > 60 ? 57 : (int)node->text.length,
                        node->text.data, node->text.length > 60 ? "..." : "");
}

struct config_place place_of(struct loader *loader, const struct node *node)
{
    return problems_place(loader->arena, document_line(loader->document, node->line), node->line, node->column);
}

static void apply_list(struct loader *loader, const struct field *field, const struct node *node, char *base);
static void apply_set(struct loader *loader, const struct field *field, const struct node *node, char *base);

/* "50, 80, 100" */
static void apply_default_list(struct loader *loader, const struct field *field, const char *text, char *base)
{
    struct node list = {.kind = NODE_SEQUENCE}, *last = NULL;
    while (*text) {
        struct node *node = arena_new_struct(loader->scratch, struct node);
        *node = (struct node){.kind = NODE_SCALAR, .is_plain = true, .text = {text, strcspn(text, ",")}};
        *(last ? &last->next : &list.first) = node;
        last = node;
        list.count++;
        text += node->text.length;
        text += strspn(text, ", ");
    }
    (types[field->type].shape == SHAPE_SET ? apply_set : apply_list)(loader, field, &list, base);
}

void apply_defaults(struct loader *loader, const struct object *object, void *base)
{
    for (size_t i = 0; i < object->field_count; i++) {
        const struct field *field = &object->fields[i];
        const char *text = field->defaults[loader->environment];
        if (field->type == TYPE_OBJECT && !(field->flags & FIELD_SHARED))
            apply_defaults(loader, field->object, (char *)base + field->where);
        bool has_many = types[field->type].shape == SHAPE_LIST || types[field->type].shape == SHAPE_SET;
        if (text && has_many)
            apply_default_list(loader, field, text, base);
        if (!text || has_many)
            continue;
        struct node node = {.kind = NODE_SCALAR, .is_plain = true, .text = slice_of(text)};
        bool ok = types[field->type].parse(loader, field, &node, (char *)base + field->where);
        check(ok);
    }
}

static bool is_null(const struct node *node)
{
    return node->kind == NODE_SCALAR && node->is_plain &&
           (node->text.length == 0 || slice_is(node->text, "~") || slice_is(node->text, "null"));
}

/* True: go on with it. */
static bool has_kind(struct loader *loader, const char *name, const struct node *node, enum node_kind kind)
{
    static const char *const wanted[] = {"a single value", "a list", "a mapping (key: value)"};
    if (node->kind == kind && !is_null(node))
        return true;
    if (is_null(node))
        report(loader, SEVERITY_ERROR, node->key ? node->key : node, "give it a value, or remove the key",
               "\"%s\" has no value", name);
    else if (node->kind != NODE_BROKEN)
        report(loader, SEVERITY_ERROR, node,
               kind == NODE_SEQUENCE ? "e.g. [a, b], or lines that begin with \"- \"" : NULL, "\"%s\" must be %s", name,
               wanted[kind]);
    return false;
}

static void apply_scalar(struct loader *loader, const struct field *field, const struct node *node, char *base)
{
    max_align_t unstored;
    bool is_stored = !(field->flags & FIELD_UNSTORED);
    if (!has_kind(loader, field->name, node, NODE_SCALAR))
        return;
    bool ok = types[field->type].parse(loader, field, node, is_stored ? (void *)(base + field->where) : &unstored);
    if (ok && is_stored && field->where_count)
        *(bool *)(base + field->where_count) = true;
}

static bool is_short_enough(struct loader *loader, const struct field *field, const struct node *node)
{
    if (node->count <= field->max)
        return true;
    report(loader, SEVERITY_ERROR, node, NULL, "\"%s\" has %zu entries, at most %llu are possible", field->name,
           node->count, (unsigned long long)field->max);
    return false;
}

static void store_list(const struct field *field, char *base, void *elements, size_t count)
{
    if (field->flags & FIELD_UNSTORED)
        return;
    memcpy(base + field->where, &elements, sizeof elements);
    memcpy(base + field->where_count, &count, sizeof count);
}

static void apply_list(struct loader *loader, const struct field *field, const struct node *node, char *base)
{
    const struct type *type = &types[field->type];
    if (!has_kind(loader, field->name, node, NODE_SEQUENCE) || !is_short_enough(loader, field, node))
        return;
    char *elements = arena_alloc(loader->arena, (node->count + 1) * type->size);
    size_t count = 0;
    for (const struct node *child = node->first; child; child = child->next)
        if (has_kind(loader, field->name, child, NODE_SCALAR))
            count += type->parse(loader, field, child, elements + count * type->size);
    store_list(field, base, elements, count);
}

static void apply_set(struct loader *loader, const struct field *field, const struct node *node, char *base)
{
    unsigned all = 0, one;
    if (!has_kind(loader, field->name, node, NODE_SEQUENCE) || !is_short_enough(loader, field, node))
        return;
    for (const struct node *child = node->first; child; child = child->next)
        if (has_kind(loader, field->name, child, NODE_SCALAR) && types[field->type].parse(loader, field, child, &one))
            all |= one;
    memcpy(base + field->where, &all, sizeof all);
}

/* One element per entry of the list, good or bad, so that rules.c can pair elements with nodes. */
static void apply_objects(struct loader *loader, const struct field *field, const struct node *node, char *base)
{
    if (!has_kind(loader, field->name, node, NODE_SEQUENCE) || !is_short_enough(loader, field, node))
        return;
    char *elements = arena_alloc(loader->arena, (node->count + 1) * field->object->size);
    char *element = elements;
    for (const struct node *child = node->first; child; child = child->next, element += field->object->size) {
        apply_defaults(loader, field->object, element);
        if (has_kind(loader, field->object->name, child, NODE_MAPPING))
            apply_object(loader, field->object, child, element);
    }
    store_list(field, base, elements, node->count);
}

static void apply_mapping(struct loader *loader, const struct field *field, const struct node *node, char *base)
{
    if (has_kind(loader, field->name, node, NODE_MAPPING))
        apply_object(loader, field->object, node,
                     field->flags & FIELD_SHARED ? (char *)loader->settings : base + field->where);
}

static void refuse_unsupported(struct loader *loader, const struct field *field, const struct node *node, char *base)
{
    (void)base;
    report(loader, SEVERITY_ERROR, node->key, "remove it: a setting that is accepted is in force",
           "\"%s\" is not supported by this version yet", field->name);
}

static void (*const shapes[])(struct loader *, const struct field *, const struct node *, char *) = {
    [SHAPE_SCALAR] = apply_scalar,  [SHAPE_LIST] = apply_list,       [SHAPE_SET] = apply_set,
    [SHAPE_OBJECT] = apply_mapping, [SHAPE_OBJECTS] = apply_objects, [SHAPE_NONE] = refuse_unsupported,
};

static void refuse_unknown(struct loader *loader, const struct object *object, const struct node *key)
{
    char path[128];
    const struct field *near = loader->problems->is_full ? NULL : table_suggest(object, key->text);
    const char *hint = NULL;
    if (!near && !loader->problems->is_full && table_locate(&table_policy, key->text, path, sizeof path))
        hint = arena_printf(loader->scratch, "this key belongs to %s", path);
    report(loader, SEVERITY_ERROR, key, hint, "unknown key %s in %s%s%s%s", quote(loader, key), object->name,
           near ? ", did you mean \"" : "", near ? near->name : "", near ? "\"?" : "");
}

static void apply_member(struct loader *loader, const struct field *field, const struct node *node, char *base)
{
    bool hid_lines = loader->hides_lines;
    loader->hides_lines |= (field->flags & FIELD_SECRET) != 0;
    if (field->flags & FIELD_PENDING)
        report(loader, SEVERITY_WARNING, node->key, NULL, "\"%s\": %s", field->name, field->text);
    shapes[types[field->type].shape](loader, field, node, base);
    loader->hides_lines = hid_lines;
}

static void refuse_missing(struct loader *loader, const struct object *object, const struct node *node, uint64_t seen)
{
    for (size_t i = 0; i < object->field_count; i++)
        if (object->fields[i].flags & FIELD_REQUIRED && !(seen >> i & 1))
            report(loader, SEVERITY_ERROR, node, object->fields[i].text, "%s lacks \"%s\"", object->name,
                   object->fields[i].name);
}

void apply_object(struct loader *loader, const struct object *object, const struct node *node, void *base)
{
    uint64_t seen = 0;
    check(object->field_count <= 64);
    for (const struct node *child = node->first; child; child = child->next) {
        if (child->key->kind != NODE_SCALAR)
            continue;
        const struct field *field = table_find(object, child->key->text);
        if (!field) {
            refuse_unknown(loader, object, child->key);
            continue;
        }
        uint64_t bit = (uint64_t)1 << (field - object->fields);
        if (seen & bit && field->alias)
            report(loader, SEVERITY_ERROR, child->key, NULL, "\"%s\" and \"%s\" are the same setting", field->name,
                   field->alias);
        seen |= bit;
        apply_member(loader, field, child, base);
    }
    refuse_missing(loader, object, node, seen);
}
