/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings about settings: collected, sorted by place, printed with the line and a caret. People paste keys into the
 * wrong place: whatever looks like an API key is masked before it is stored, so that no printer can leak it.
 */
#include "config/problems.h"

#include <ctype.h>

enum { EXCERPT_BYTES_MAX = 160, CARET_BEFORE = 100 };

void config_problems_init(struct config_problems *problems)
{
    *problems = (struct config_problems){.arena = arena_new(4096)};
    problems->rows = arena_new_array(problems->arena, struct config_problem, CONFIG_PROBLEMS_MAX + 1);
}

void config_problems_done(struct config_problems *problems)
{
    arena_free(problems->arena);
    *problems = (struct config_problems){0};
}

static bool is_key_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* The prefixes that providers give their keys; else long runs of mixed case and digits, or of hexadecimal digits. */
static bool looks_like_key(struct slice run)
{
    static const char *const prefixes[] = {"sk-", "AIza", "gsk_", "xai-", "pplx-", "tgp_", "fw_", "AKIA", "eyJ"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (run.length >= 8 && slice_has_prefix(run, prefixes[i]))
            return true;
    size_t digits = 0, uppers = 0, hexadecimals = 0;
    for (size_t i = 0; i < run.length; i++) {
        unsigned char c = (unsigned char)run.data[i];
        digits += isdigit(c) != 0;
        uppers += isupper(c) != 0;
        hexadecimals += isxdigit(c) != 0;
    }
    return run.length >= 32 && digits && (hexadecimals == run.length || (uppers && uppers + digits < run.length));
}

/* Masks keys and control characters in place; the length stays, so that carets still point at the right column. */
static char *clean(char *text)
{
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = *c == '\t' ? '\t' : '?';
    for (char *start = text; *start;) {
        size_t length = 0;
        while (is_key_byte(start[length]))
            length++;
        if (looks_like_key((struct slice){start, length}))
            memset(start, '*', length);
        start += length ? length : 1;
    }
    return text;
}

static size_t utf8_length(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* A line of 1 MiB is legal YAML: show what is around the column. */
struct config_place problems_place(struct arena *arena, struct slice line, unsigned line_number, unsigned column)
{
    size_t at = 0, start = 0;
    unsigned caret = 1, skipped = 1;
    for (; caret < column && at < line.length; caret++)
        at += utf8_length(line.data[at]);
    if (at > line.length)
        at = line.length;
    for (; at - start > CARET_BEFORE; skipped++)
        start += utf8_length(line.data[start]);
    struct slice rest = slice_from(line, start);
    if (rest.length > EXCERPT_BYTES_MAX)
        rest.length = EXCERPT_BYTES_MAX;
    return (struct config_place){.line = line_number,
                                 .column = column,
                                 .source_line = clean(arena_printf(arena, SLICE_FORMAT, SLICE_ARGUMENTS(rest))),
                                 .caret = caret - skipped + 1};
}

void config_add_problem(struct config_problems *problems, bool is_warning, const char *file,
                        const struct config_place *place, const char *message, const char *hint)
{
    struct arena *arena = problems->arena;
    if (problems->is_full) {
        problems->error_count += !is_warning;
        return;
    }
    problems->is_full = problems->count + 1 == CONFIG_PROBLEMS_MAX;
    struct config_problem *row = &problems->rows[problems->count++];
    *row = (struct config_problem){.is_warning = is_warning, .file = arena_strdup(arena, file)};
    if (place) {
        row->place = *place;
        row->place.source_line = place->source_line ? clean(arena_strdup(arena, place->source_line)) : NULL;
    }
    row->message = clean(arena_strdup(arena, message));
    row->hint = hint ? clean(arena_strdup(arena, hint)) : NULL;
    problems->error_count += !is_warning;
}

/* Stable; files stay in the order in which they were read. */
void problems_sort(struct config_problems *problems)
{
    for (size_t i = 1; i < problems->count; i++) {
        struct config_problem row = problems->rows[i];
        size_t to = i;
        for (; to > 0; to--) {
            const struct config_problem *other = &problems->rows[to - 1];
            if (strcmp(other->file, row.file) != 0 || other->place.line < row.place.line ||
                (other->place.line == row.place.line && other->place.column <= row.place.column))
                break;
            problems->rows[to] = *other;
        }
        problems->rows[to] = row;
    }
}

static void print_excerpt(const struct config_place *place, FILE *stream)
{
    const char *line = place->source_line;
    fprintf(stream, "    %s\n    ", line);
    for (unsigned i = 1; i < place->caret && *line; i++) {
        fputc(*line == '\t' ? '\t' : ' ', stream);
        for (size_t length = utf8_length(*line); length && *line; length--)
            line++;
    }
    fputs("^\n", stream);
}

void config_print_problems(const struct config_problems *problems, FILE *stream)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *row = &problems->rows[i];
        fputs(row->file, stream);
        if (row->place.line)
            fprintf(stream, ":%u:%u", row->place.line, row->place.column);
        fprintf(stream, ": %s: %s\n", row->is_warning ? "warning" : "error", row->message);
        if (row->place.source_line)
            print_excerpt(&row->place, stream);
        if (row->hint)
            fprintf(stream, "    hint: %s\n", row->hint);
    }
    if (problems->is_full)
        fprintf(stream, "more than %d findings, the rest is not shown\n", CONFIG_PROBLEMS_MAX - 1);
}
