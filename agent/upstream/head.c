/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an answer, as libcurl hands it over line by line, to fields. Stricter than libcurl: what could be
 * understood in two ways by the program behind us is malformed. Called by answer.c at the end of each head.
 */
#include "upstream/internal.h"

/* The next line without its end; false at the end of the head. */
static bool next_line(struct slice *head, struct slice *ret_line)
{
    const char *end = head->length ? memchr(head->data, '\n', head->length) : NULL;
    if (!end)
        return false;
    size_t length = (size_t)(end - head->data);
    *ret_line = (struct slice){head->data, length};
    *head = slice_from(*head, length + 1);
    if (length && ret_line->data[length - 1] == '\r')
        ret_line->length--;
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* "HTTP/1.1 200 OK"; RFC 9112 4. */
static int parse_status(struct slice line)
{
    if (line.length < 12 || !slice_has_prefix(line, "HTTP/1.") || !is_digit(line.data[7]) || line.data[8] != ' ')
        return 0;
    int status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (!is_digit(line.data[i]))
            return 0;
        status = status * 10 + (line.data[i] - '0');
    }
    bool has_end = line.length == 12 || line.data[12] == ' ';
    return has_end && status >= 100 && status <= 599 ? status : 0;
}

static bool parse_field(struct slice line, struct http_field *ret_field)
{
    const char *colon = memchr(line.data, ':', line.length);
    if (!colon)
        return false;
    size_t name_length = (size_t)(colon - line.data);
    struct http_field field = {{line.data, name_length}, slice_trim(slice_from(line, name_length + 1))};
    if (!http_field_is_valid(field.name, field.value)) /* refuses obs-fold too: its name would begin with a space */
        return false;
    *ret_field = field;
    return true;
}

/* RFC 9112 6.3: several lengths that differ are an error; a length beside chunks means nothing and must not be passed
 * on. libcurl has decoded the chunks, so neither is their field. */
static bool settle_framing(struct http_field *fields, size_t *count)
{
    struct slice length = {NULL, 0};
    bool is_chunked = http_find_field(fields, *count, "transfer-encoding").data != NULL;
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (slice_is_like(fields[i].name, "transfer-encoding"))
            continue;
        if (slice_is_like(fields[i].name, "content-length")) {
            bool is_repeated = length.data != NULL;
            if (is_repeated && !slice_is_equal(length, fields[i].value))
                return false;
            length = fields[i].value;
            if (is_repeated || is_chunked)
                continue;
        }
        fields[kept++] = fields[i];
    }
    *count = kept;
    return true;
}

int upstream_parse_head(struct slice head, struct http_field fields[HEAD_FIELDS_MAX], size_t *ret_count)
{
    struct slice line;
    int status = next_line(&head, &line) ? parse_status(line) : 0;
    size_t count = 0;
    while (status && next_line(&head, &line) && line.length > 0)
        if (count == HEAD_FIELDS_MAX || !parse_field(line, &fields[count++]))
            return 0;
    if (!status || !settle_framing(fields, &count))
        return 0;
    *ret_count = count;
    return status;
}
