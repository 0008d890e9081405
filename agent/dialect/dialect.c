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

static bool path_matches(struct slice path, const struct endpoint_row *row)
{
    while (slice_has_suffix(path, "/"))
        path.length--;
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
