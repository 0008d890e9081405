/* SPDX-License-Identifier: Apache-2.0 */
/* The table of dialects, and the tables that each of them searches: endpoints and errors. No state. */
#include "base/check.h"
#include "dialect/internal.h"

const struct dialect *dialect_of(enum dialect_kind kind)
{
    static const struct dialect *const dialects[DIALECT_COUNT] = {[DIALECT_OPENAI] = &dialect_openai,
                                                                  [DIALECT_ANTHROPIC] = &dialect_anthropic,
                                                                  [DIALECT_GEMINI] = &dialect_gemini};
    check((unsigned)kind < DIALECT_COUNT);
    return dialects[kind];
}

const struct endpoint *dialect_endpoint_of(enum api api, const struct dialect **ret_dialect)
{
    static const struct {
        enum api api;
        enum dialect_kind kind;
        const char *path;
    } rows[] = {{API_CHAT, DIALECT_OPENAI, "/chat/completions"}, {API_MESSAGES, DIALECT_ANTHROPIC, "/messages"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].api != api)
            continue;
        *ret_dialect = dialect_of(rows[i].kind);
        return (*ret_dialect)->find_endpoint(SLICE_LITERAL("POST"), slice_of(rows[i].path));
    }
    return NULL;
}

struct slice dialect_place_path(struct slice path, const char *called_prefix, const char *target_prefix,
                                struct arena *arena)
{
    size_t length = strlen(called_prefix);
    bool has_prefix = slice_has_prefix(path, called_prefix) && (path.length == length || path.data[length] == '/');
    if (!has_prefix || strcmp(called_prefix, target_prefix) == 0)
        return path;
    path = slice_from(path, length);
    return slice_of(arena_printf(arena, "%s" SLICE_FORMAT, target_prefix, SLICE_ARGUMENTS(path)));
}

/* Segment by segment from the end, for a "*" takes any one. */
static bool segments_match(struct slice path, struct slice pattern)
{
    while (pattern.length) {
        const char *slash = memrchr(pattern.data, '/', pattern.length);
        size_t length = slash ? (size_t)(slash - pattern.data) : 0;
        struct slice wanted = slice_from(pattern, length);
        const char *start = memrchr(path.data, '/', path.length);
        struct slice segment = start ? slice_from(path, (size_t)(start - path.data)) : (struct slice){path.data, 0};
        if (slice_is(wanted, "/*") ? segment.length < 2 : !slice_is_equal(segment, wanted))
            return false;
        pattern.length = length;
        path.length -= segment.length;
    }
    return true;
}

static bool path_matches(struct slice path, const struct endpoint_row *row)
{
    while (slice_has_suffix(path, "/"))
        path.length--;
    if (strchr(row->suffix, '*'))
        return segments_match(path, slice_of(row->suffix));
    if (slice_has_suffix(path, row->suffix))
        return true;
    if (!row->has_children)
        return false;
    size_t length = strlen(row->suffix);
    const char *at = memmem(path.data, path.length, row->suffix, length);
    return at && at[length] == '/'; /* not the path's end, which was compared above */
}

const struct endpoint *dialect_match_endpoint(const struct endpoint_row *rows, struct slice method, struct slice path)
{
    while ((rows->method && !slice_is(method, rows->method)) || (rows->suffix[0] && !path_matches(path, rows)))
        rows++;
    return &rows->endpoint;
}

struct error_shape dialect_find_error_shape(enum error error, const struct error_override *overrides,
                                            const struct error_default *defaults)
{
    const struct error_row *row = error_row(error);
    struct error_shape shape = {row->status, NULL, row->code};
    for (; overrides->shape.type; overrides++) {
        if (overrides->error != error)
            continue;
        shape.type = overrides->shape.type;
        shape.status = overrides->shape.status ? overrides->shape.status : row->status;
        shape.code = overrides->shape.code ? overrides->shape.code : row->code;
        return shape;
    }
    while (defaults->status && defaults->status != row->status)
        defaults++;
    shape.type = defaults->type;
    shape.status = row->status ? row->status : 500; /* an error that was not meant to reach a client */
    return shape;
}

void dialect_end_frame(struct buffer *frame, const char *end, struct buffer *out)
{
    json_write_raw(frame, end);
    if (!buffer_append(out, buffer_contents(frame)))
        buffer_reset(frame, 0);
    buffer_done(frame);
}

struct slice dialect_bound_message(const char *message)
{
    struct slice text = slice_of(message ? message : "");
    if (text.length > 2000)
        for (text.length = 2000; ((unsigned char)text.data[text.length] & 0xc0) == 0x80;)
            text.length--;
    return text;
}
