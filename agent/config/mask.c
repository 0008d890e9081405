/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People paste keys into policy files. Before any line of a file is quoted, the values below keys that hold or name
 * secrets are overwritten in the text that quotes are taken from (the tree keeps its own copies).
 */
#include "config/loader.h"

#include "config/problems.h"

#include <ctype.h>

static bool is_secret_name(struct slice name)
{
    static const char *const names[] = {"key", "apikey", "secret", "secret_key", "token", "access_token", "password"};
    const struct object *const objects[] = {&table_target, &table_consumer_group, &table_webhook};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_is_like(name, names[i]))
            return true;
    for (size_t i = 0; i < sizeof objects / sizeof(struct object *); i++) {
        const struct field *field = table_find(objects[i], name);
        if (field && field->flags & FIELD_SECRET)
            return true;
    }
    return false;
}

/* A placeholder key, or what only a variable is called: OPENAI_API_KEY. */
static bool is_harmless(struct slice text)
{
    bool is_variable = text.length && memchr(text.data, '_', text.length);
    for (size_t i = 0; i < text.length; i++)
        is_variable &=
            isupper((unsigned char)text.data[i]) || isdigit((unsigned char)text.data[i]) || text.data[i] == '_';
    return is_variable || slice_has_prefix(text, "kt_cg_");
}

/* Nodes come in the order of the file: going on from the last one keeps the cost of a long line linear. */
struct position {
    unsigned line, column;
    char *at;           /* the byte of that column */
    char *line_end;     /* of that line */
    char *masked_until; /* everything before has been looked at */
};

static void move_to(struct document *document, struct position *position, const struct node *node)
{
    if (position->line != node->line || position->column > node->column) {
        struct slice line = document_line(document, node->line);
        position->at = document->bytes + (line.data - document->text.data);
        position->line_end = position->at + line.length;
        position->line = node->line;
        position->column = 1;
    }
    for (; position->column < node->column && position->at < position->line_end; position->column++)
        while (++position->at < position->line_end && ((unsigned char)*position->at & 0xc0) == 0x80)
            ;
}

/* A plain scalar within its line exactly; anything else, whose spelling differs from its value, to the end of a line.
 */
static void mask_scalar(struct document *document, struct position *position, const struct node *node)
{
    move_to(document, position, node);
    char *byte = position->at, *file_end = document->bytes + document->text.length;
    size_t length = node->text.length, rest = (size_t)(position->line_end - byte);
    bool is_exact = node->is_plain && length <= rest && memcmp(byte, node->text.data, length) == 0;
    if (byte < position->masked_until)
        byte = position->masked_until;
    for (; byte < file_end && (length > 0 || (!is_exact && *byte != '\n')); byte++) {
        length -= length > 0 && (is_exact || !isspace((unsigned char)*byte)); /* indentation is not in the value */
        if (*byte != '\n')
            *byte = '*';
    }
    if (byte > position->masked_until)
        position->masked_until = byte;
}

/* As deep as the tree: DOCUMENT_DEPTH_MAX. */
static void mask_below(struct document *document, struct position *position, const struct node *node, bool is_secret)
{
    is_secret |= node->key && node->key->kind == NODE_SCALAR && is_secret_name(node->key->text);
    if (node->kind == NODE_SCALAR && is_secret && !is_harmless(node->text))
        mask_scalar(document, position, node);
    for (const struct node *child = node->first; child; child = child->next)
        mask_below(document, position, child, is_secret);
}

void mask_secrets(struct document *document)
{
    char *bytes = document->bytes;
    struct position position = {.at = bytes, .line_end = bytes, .masked_until = bytes};
    bool is_first = !document->is_masked;
    document->is_masked = true;
    if (document->root && is_first)
        mask_below(document, &position, document->root, false);
}

/* A file that is no YAML has no keys to go by. */
static bool may_hold_secret(struct slice line)
{
    static const char *const words[] = {"key", "secret", "token", "password"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memmem(line.data, line.length, words[i], strlen(words[i])))
            return true;
    return false;
}

void mask_quote_lines(struct loader *loader, struct document *document, size_t first_problem)
{
    if (loader->problems->count > first_problem)
        mask_secrets(document);
    unsigned checked_line = 0; /* 100 findings in one line of 1 MiB: look at it once */
    bool hides = false;
    for (size_t i = first_problem; i < loader->problems->count; i++) {
        struct config_problem *row = &loader->problems->rows[i];
        if (!row->place.line || !row->place.caret || row->place.source_line || strcmp(row->file, document->file) != 0)
            continue;
        struct slice line = document_line(document, row->place.line);
        if (!document->root && row->place.line != checked_line)
            hides = may_hold_secret(line);
        checked_line = row->place.line;
        if (!hides)
            row->place = problems_place(loader->problems->arena, line, row->place.line, row->place.column);
    }
}
