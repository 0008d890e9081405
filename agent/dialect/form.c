/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of forms: one pass from delimiter to delimiter. Nothing is copied or decoded; what would need decoding
 * (backslashes, transfer encodings, extended parameters) is refused.
 */
#include "dialect/form.h"

enum { BOUNDARY_BYTES_MAX = 70 /* RFC 2046 */, HEAD_BYTES_MAX = 4096 };

#define PROBLEM(text) "the multipart body is malformed: " text

/* Up to the separator, which is taken away with it. */
static struct slice take_until(struct slice *text, char separator)
{
    const char *at = text->length ? memchr(text->data, separator, text->length) : NULL;
    struct slice part = {text->data, at ? (size_t)(at - text->data) : text->length};
    *text = slice_from(*text, part.length + (at != NULL));
    return part;
}

bool form_is_announced(struct slice content_type)
{
    return slice_is_like(slice_trim(take_until(&content_type, ';')), "multipart/form-data");
}

/* The next parameter: `; name=value` or `; name="value"`. False at the end; *ret_problem says what cannot be read. */
static bool take_parameter(struct slice *text, struct slice *ret_name, struct slice *ret_value,
                           const char **ret_problem)
{
    *text = slice_trim(*text);
    if (!text->length)
        return false;
    const char *equals = memchr(text->data, '=', text->length);
    if (!equals) {
        *ret_problem = PROBLEM("a parameter has no value");
        return false;
    }
    *ret_name = slice_trim(take_until(text, '='));
    if (!text->length || text->data[0] != '"') {
        *ret_value = slice_trim(take_until(text, ';'));
        return true;
    }
    *text = slice_from(*text, 1);
    if (!memchr(text->data, '"', text->length)) {
        *ret_problem = PROBLEM("a quoted parameter does not end");
        return false;
    }
    *ret_value = take_until(text, '"');
    *text = slice_trim(*text);
    if (text->length && text->data[0] != ';') {
        *ret_problem = PROBLEM("a quoted parameter is followed by something else");
        return false;
    }
    *text = slice_from(*text, 1);
    return true;
}

static bool is_boundary(struct slice boundary)
{
    for (size_t i = 0; i < boundary.length; i++) {
        unsigned char c = (unsigned char)boundary.data[i];
        if (c <= ' ' || c >= 127 || c == '"' || c == '\\') /* RFC 2046 knows a space in it; nobody uses it */
            return false;
    }
    return boundary.length > 0 && boundary.length <= BOUNDARY_BYTES_MAX;
}

static const char *find_boundary(struct slice content_type, struct slice *ret_boundary)
{
    struct slice name, value, found = {NULL, 0};
    const char *problem = NULL;
    take_until(&content_type, ';');
    while (take_parameter(&content_type, &name, &value, &problem)) {
        if (!slice_is_like(name, "boundary"))
            continue;
        if (found.data)
            return PROBLEM("two boundaries are announced");
        found = value;
    }
    if (!problem && !is_boundary(found))
        problem = PROBLEM("its boundary is missing or invalid");
    *ret_boundary = found;
    return problem;
}

/* form-data; name="model"; filename="a.wav" */
static const char *read_disposition(struct slice value, struct form_field *field)
{
    struct slice name, text;
    const char *problem = NULL;
    if (memchr(value.data, '\\', value.length))
        return PROBLEM("a part's name or file name has a backslash");
    if (field->name.data || !slice_is_like(slice_trim(take_until(&value, ';')), "form-data"))
        return PROBLEM("a part is no form-data");
    while (take_parameter(&value, &name, &text, &problem)) {
        if (slice_is_like(name, "name*") || (slice_is_like(name, "name") && field->name.data))
            return PROBLEM("a part has two names");
        if (slice_is_like(name, "name"))
            field->name = text;
        field->is_file |= slice_is_like(name, "filename") || slice_is_like(name, "filename*");
    }
    if (!problem && (!field->name.data || !field->name.length))
        problem = PROBLEM("a part has no name");
    return problem;
}

static bool is_identity_encoding(struct slice value)
{
    return slice_is_like(value, "binary") || slice_is_like(value, "8bit") || slice_is_like(value, "7bit");
}

static const char *read_head_line(struct slice line, struct form_field *field)
{
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return PROBLEM("a header line is folded");
    for (size_t i = 0; i < line.length; i++)
        if (((unsigned char)line.data[i] < ' ' && line.data[i] != '\t') || line.data[i] == 127)
            return PROBLEM("a header has a control character");
    if (!memchr(line.data, ':', line.length))
        return PROBLEM("a header has no colon");
    struct slice name = take_until(&line, ':'), value = slice_trim(line);
    if (slice_is_like(name, "content-disposition"))
        return read_disposition(value, field);
    if (slice_is_like(name, "content-transfer-encoding") && !is_identity_encoding(value))
        return PROBLEM("a part is encoded");
    if (slice_is_like(slice_trim(name), "content-disposition"))
        return PROBLEM("a header has a space before its colon");
    return NULL;
}

/* `part`: all between two delimiters: header lines, an empty line, the value. */
static const char *read_part(struct slice part, struct form *form)
{
    struct form_field field = {0};
    size_t head_bytes = part.length < HEAD_BYTES_MAX ? part.length : HEAD_BYTES_MAX;
    const char *end = memmem(part.data, head_bytes, "\r\n\r\n", 4), *problem = NULL;
    if (!end)
        return PROBLEM("a part's head is missing or too long");
    struct slice head = {part.data, (size_t)(end + 2 - part.data)};
    while (head.length && !problem) {
        const char *line_end = memmem(head.data, head.length, "\r\n", 2);
        struct slice line = {head.data, (size_t)(line_end - head.data)};
        problem = line.length ? read_head_line(line, &field) : PROBLEM("a part has no name");
        head = slice_from(head, line.length + 2);
    }
    if (!problem && !field.name.data)
        problem = PROBLEM("a part has no name");
    if (!problem && form->field_count == FORM_FIELDS_MAX)
        problem = PROBLEM("it has too many parts");
    if (problem)
        return problem;
    field.value = slice_from(part, (size_t)(end + 4 - part.data));
    form->text_bytes += field.is_file ? 0 : field.value.length;
    form->file_count += field.is_file;
    form->fields[form->field_count++] = field;
    return NULL;
}

/* Each delimiter stands at a line's beginning (CRLF before it, but for the first), and ends with a CRLF or, the last,
 * with "--": an occurrence that is anything else could be one to another reader. */
static const char *read_parts(struct slice body, struct slice delimiter, struct form *form)
{
    struct slice rest = body;
    const char *problem = NULL;
    if (body.length < delimiter.length || memcmp(body.data, delimiter.data, delimiter.length) != 0)
        return PROBLEM("it does not begin with its boundary");
    rest = slice_from(rest, delimiter.length);
    if (slice_has_prefix(rest, "--"))
        return PROBLEM("it has no part"); /* RFC 2046 5.1.1: at least one */
    while (!problem && slice_has_prefix(rest, "\r\n")) {
        rest = slice_from(rest, 2);
        const char *next = memmem(rest.data, rest.length, delimiter.data, delimiter.length);
        size_t length = next ? (size_t)(next - rest.data) : 0;
        if (!next)
            return PROBLEM("it does not end");
        if (length < 2 || memcmp(next - 2, "\r\n", 2) != 0)
            return PROBLEM("its boundary occurs inside a part");
        problem = read_part((struct slice){rest.data, length - 2}, form);
        rest = slice_from(rest, length + delimiter.length);
    }
    if (problem)
        return problem;
    bool is_end = slice_is(rest, "--") || slice_is(rest, "--\r\n");
    return is_end ? NULL : PROBLEM("something other than a part follows its boundary");
}

enum error form_parse(struct slice content_type, struct slice body, struct form *ret_form, const char **ret_problem)
{
    char delimiter[2 + BOUNDARY_BYTES_MAX] = "--";
    struct slice boundary = {NULL, 0};
    const char *problem = find_boundary(content_type, &boundary);
    ret_form->field_count = ret_form->text_bytes = ret_form->file_count = 0;
    if (!problem) {
        memcpy(delimiter + 2, boundary.data, boundary.length);
        problem = read_parts(body, (struct slice){delimiter, 2 + boundary.length}, ret_form);
    }
    if (!problem)
        return ERROR_OK;
    *ret_problem = problem;
    return ERROR_BODY_MALFORMED;
}

const struct form_field *form_find(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->field_count; i++)
        if (slice_is(form->fields[i].name, name))
            return &form->fields[i];
    return NULL;
}
