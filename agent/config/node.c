/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the tree from libyaml's events in a loop of our own: libyaml's document loader would resolve aliases (the
 * billion laughs), keep duplicate keys, and recurse as deep as the file says. The only file that includes <yaml.h>.
 */
#include "config/node.h"

#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

struct level {
    struct node *container;
    struct node *last; /* its newest child */
    struct node *key;  /* in a mapping: read, its value is still to come */
};

struct builder {
    yaml_parser_t parser;
    struct arena *arena;
    struct config_problems *problems;
    struct document *document;
    struct level levels[DOCUMENT_DEPTH_MAX + 1]; /* 0 holds the root */
    unsigned depth, nodes;
    bool is_ended, is_failed; /* stop: the document is complete, or beyond repair */
};

static void report(struct builder *builder, yaml_mark_t mark, const char *message, const char *hint)
{
    if (builder->problems->is_full)
        builder->is_failed = true;
    struct config_place place = {.line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1, .caret = 1};
    config_add_problem(builder->problems, false, builder->document->file, &place, message, hint);
}

static void fail(struct builder *builder, yaml_mark_t mark, const char *message, const char *hint)
{
    report(builder, mark, message, hint);
    builder->is_failed = true;
}

static struct node *node_new(struct builder *builder, enum node_kind kind, yaml_mark_t mark)
{
    if (++builder->nodes > DOCUMENT_NODES_MAX) {
        fail(builder, mark, "the file has too many values", "at most 65536");
        kind = NODE_BROKEN;
    }
    struct node *node = arena_new_struct(builder->arena, struct node);
    *node = (struct node){.kind = kind, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
    return node;
}

static void link_child(struct level *level, struct node *node)
{
    if (level->last)
        level->last->next = node;
    else
        level->container->first = node;
    level->last = node;
    level->container->count++;
}

/* A finished node becomes a key, a mapping's value or a sequence's element. */
static void place_node(struct builder *builder, struct node *node, yaml_mark_t mark)
{
    struct level *level = &builder->levels[builder->depth];
    if (level->container->kind == NODE_MAPPING && !level->key) {
        if (node->kind == NODE_MAPPING || node->kind == NODE_SEQUENCE) {
            report(builder, mark, "a key must be a plain word", NULL);
            node->kind = NODE_BROKEN;
        } else if (node->is_plain && node_is(node, "<<")) {
            report(builder, mark, "merge keys are not accepted", "write the members out");
            node->kind = NODE_BROKEN;
        }
        level->key = node;
        return;
    }
    node->key = level->key;
    level->key = NULL;
    link_child(level, node);
}

static void refuse_properties(struct builder *builder, const yaml_event_t *event, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    if (anchor)
        report(builder, event->start_mark, "anchors are not accepted", "write the value where it is used");
    if (tag)
        report(builder, event->start_mark, "tags are not accepted", "quote the value if it is meant as text");
}

static void on_scalar(struct builder *builder, const yaml_event_t *event)
{
    refuse_properties(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
    struct node *node = node_new(builder, NODE_SCALAR, event->start_mark);
    node->text =
        arena_copy(builder->arena, (struct slice){(const char *)event->data.scalar.value, event->data.scalar.length});
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    place_node(builder, node, event->start_mark);
}

static void on_alias(struct builder *builder, const yaml_event_t *event)
{
    report(builder, event->start_mark, "aliases are not accepted", "write the value out");
    place_node(builder, node_new(builder, NODE_BROKEN, event->start_mark), event->start_mark);
}

static void open_container(struct builder *builder, const yaml_event_t *event, enum node_kind kind)
{
    if (builder->depth == DOCUMENT_DEPTH_MAX) {
        fail(builder, event->start_mark, "values are nested too deeply", "at most 32 levels");
        return;
    }
    struct node *node = node_new(builder, kind, event->start_mark);
    place_node(builder, node, event->start_mark);
    builder->levels[++builder->depth] = (struct level){.container = node};
}

static void on_sequence_start(struct builder *builder, const yaml_event_t *event)
{
    refuse_properties(builder, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
    open_container(builder, event, NODE_SEQUENCE);
}

static void on_mapping_start(struct builder *builder, const yaml_event_t *event)
{
    refuse_properties(builder, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    open_container(builder, event, NODE_MAPPING);
}

static int compare_keys(const void *left, const void *right)
{
    const struct node *a = (*(const struct node *const *)left)->key, *b = (*(const struct node *const *)right)->key;
    size_t length = a->text.length < b->text.length ? a->text.length : b->text.length;
    int order = length ? memcmp(a->text.data, b->text.data, length) : 0;
    if (order == 0)
        order = (a->text.length > b->text.length) - (a->text.length < b->text.length);
    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    return order ? order : (a->column > b->column) - (a->column < b->column);
}

/* Sorted, because comparing each with each would let 1 MiB of keys cost minutes. */
static void refuse_duplicates(struct builder *builder, const struct node *mapping)
{
    const struct node **members = malloc((mapping->count + 1) * sizeof(struct node *));
    size_t count = 0;
    for (const struct node *child = mapping->first; members && child; child = child->next)
        if (child->key->kind == NODE_SCALAR)
            members[count++] = child;
    if (count > 1)
        qsort(members, count, sizeof(struct node *), compare_keys);
    for (size_t i = 1; i < count; i++) {
        const struct node *key = members[i]->key, *first = members[i - 1]->key;
        if (!slice_is_equal(key->text, first->text))
            continue;
        char message[160];
        snprintf(message, sizeof message, "duplicate key \"%.64s\", first used on line %u", key->text.data,
                 first->line);
        report(builder, (yaml_mark_t){.line = key->line - 1, .column = key->column - 1}, message, NULL);
    }
    free(members);
}

static void on_end(struct builder *builder, const yaml_event_t *event)
{
    (void)event;
    const struct node *container = builder->levels[builder->depth--].container;
    if (container->kind == NODE_MAPPING)
        refuse_duplicates(builder, container);
}

static void on_document_start(struct builder *builder, const yaml_event_t *event)
{
    if (builder->levels[0].last)
        fail(builder, event->start_mark, "a second document in the file", "one document per file: remove the \"---\"");
}

static void on_stream_end(struct builder *builder, const yaml_event_t *event)
{
    (void)event;
    builder->is_ended = true;
}

static void on_nothing(struct builder *builder, const yaml_event_t *event)
{
    (void)builder;
    (void)event;
}

static void (*const handlers[])(struct builder *, const yaml_event_t *) = {
    [YAML_NO_EVENT] = on_nothing,
    [YAML_STREAM_START_EVENT] = on_nothing,
    [YAML_STREAM_END_EVENT] = on_stream_end,
    [YAML_DOCUMENT_START_EVENT] = on_document_start,
    [YAML_DOCUMENT_END_EVENT] = on_nothing,
    [YAML_ALIAS_EVENT] = on_alias,
    [YAML_SCALAR_EVENT] = on_scalar,
    [YAML_SEQUENCE_START_EVENT] = on_sequence_start,
    [YAML_SEQUENCE_END_EVENT] = on_end,
    [YAML_MAPPING_START_EVENT] = on_mapping_start,
    [YAML_MAPPING_END_EVENT] = on_end,
};

/* What the reader (bad UTF-8) complains of has only a byte offset. */
static yaml_mark_t mark_of_offset(struct slice text, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < text.length; i++) {
        mark.column = text.data[i] == '\n' ? 0 : mark.column + (((unsigned char)text.data[i] & 0xc0) != 0x80);
        mark.line += text.data[i] == '\n';
    }
    return mark;
}

static void report_parser_error(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    char message[200];
    snprintf(message, sizeof message, "not valid YAML: %s%s%s", parser->problem ? parser->problem : "unknown error",
             parser->context ? " " : "", parser->context ? parser->context : "");
    yaml_mark_t mark = parser->error == YAML_READER_ERROR
                           ? mark_of_offset(builder->document->text, parser->problem_offset)
                           : parser->problem_mark;
    const char *hint = strstr(message, "cannot start any token") ? "indent with spaces, not with tabs; quote special "
                                                                   "characters"
                                                                 : NULL;
    fail(builder, mark, message, hint);
}

static void build(struct builder *builder)
{
    while (!builder->is_ended && !builder->is_failed) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event)) {
            report_parser_error(builder);
            return;
        }
        handlers[event.type](builder, &event);
        yaml_event_delete(&event);
    }
}

/* Bounds that must hold before libyaml sees the text: lines (so that finding a line again is cheap), and no directives
 * (libyaml compares each %TAG with all before it: quadratic). */
static bool scan_text(struct builder *builder)
{
    struct slice text = builder->document->text;
    unsigned line = 0;
    for (size_t i = 0; i < text.length && !builder->is_failed; i++) {
        bool starts_line = i == 0 || text.data[i - 1] == '\n';
        line += starts_line;
        if (starts_line && line > DOCUMENT_LINES_MAX)
            fail(builder, (yaml_mark_t){.line = line - 1}, "the file has too many lines", "at most 32768");
        else if (starts_line && text.data[i] == '%')
            fail(builder, (yaml_mark_t){.line = line - 1}, "YAML directives are not accepted", "remove the line");
    }
    return !builder->is_failed;
}

static bool parse_text(struct builder *builder)
{
    struct slice text = builder->document->text;
    if (!scan_text(builder))
        return false;
    if (!yaml_parser_initialize(&builder->parser))
        abort(); /* out of memory */
    yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder->parser, (const unsigned char *)text.data, text.length);
    build(builder);
    yaml_parser_delete(&builder->parser);
    const struct node *root = builder->levels[0].container->first;
    if (builder->is_failed)
        return false;
    if (!root || (root->kind == NODE_SCALAR && root->text.length == 0)) {
        config_add_problem(builder->problems, false, builder->document->file, NULL, "the file is empty", NULL);
        return false;
    }
    builder->document->root = root;
    return true;
}

bool document_parse(const char *file, char *bytes, size_t length, struct arena *arena, struct config_problems *problems,
                    struct document *ret_document)
{
    struct document document = {.file = file, .bytes = bytes, .text = {bytes, length}};
    struct node *root_holder = arena_new_struct(arena, struct node);
    root_holder->kind = NODE_SEQUENCE;
    struct builder *builder = arena_new_struct(arena, struct builder);
    builder->arena = arena;
    builder->problems = problems;
    builder->document = &document;
    builder->levels[0].container = root_holder;
    bool ok = parse_text(builder);
    *ret_document = document;
    return ok;
}

bool document_read(const char *file, struct arena *arena, struct config_problems *problems,
                   struct document *ret_document)
{
    char *bytes;
    size_t length;
    if (file_read(file, DOCUMENT_BYTES_MAX, arena, &bytes, &length) == ERROR_OK)
        return document_parse(file, bytes, length, arena, problems, ret_document);
    char message[200];
    snprintf(message, sizeof message, "the file could not be read: %s",
             errno == EFBIG ? "it is larger than 1 MiB" : strerror(errno));
    config_add_problem(problems, false, file, NULL, message, NULL);
    return false;
}
