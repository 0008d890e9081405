/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header lines of a request: one block of memory and a list of nodes over it, kept by the transfer, so that a
 * request allocates nothing here. The key is written into that block and nowhere else; it is wiped when the transfer
 * ends. libcurl filters nothing, so every field is validated. Called by options.c.
 */
#include "upstream/internal.h"

#include "base/check.h"

#include <stdlib.h>

/* libcurl's own business, or a way to make two requests of one: never the caller's. */
static const char *const refused[] = {"host",    "content-length", "transfer-encoding", "connection", "expect", "te",
                                      "upgrade", "trailer"};

/* What libcurl would add by itself when the caller did not: an empty value removes it. */
static const struct {
    const char *name, *removal;
} removals[] = {{"expect", "Expect:"}, {"accept", "Accept:"}, {"content-type", "Content-Type:"}};
enum { REMOVALS = sizeof removals / sizeof *removals };

struct lines {
    struct upstream_transfer *transfer;
    size_t count;
};

static void wipe(char *bytes, size_t length)
{
    if (length)
        explicit_bzero(bytes, length);
}

void fields_wipe(struct upstream_transfer *transfer)
{
    wipe(transfer->lines, transfer->lines_length);
    transfer->lines_length = 0;
}

static void put(struct upstream_transfer *transfer, struct slice bytes)
{
    memcpy(transfer->lines + transfer->lines_length, bytes.data, bytes.length);
    transfer->lines_length += bytes.length;
}

/* Starts a line. */
static void add_node(struct lines *lines)
{
    struct upstream_transfer *transfer = lines->transfer;
    struct curl_slist *node = &transfer->nodes[lines->count];
    *node = (struct curl_slist){transfer->lines + transfer->lines_length, NULL};
    if (lines->count > 0)
        transfer->nodes[lines->count - 1].next = node;
    lines->count++;
}

/* libcurl takes "Name:" for a removal: an empty value is written "Name;". */
static void add_line(struct lines *lines, struct slice name, const char *scheme, struct slice value)
{
    add_node(lines);
    put(lines->transfer, name);
    put(lines->transfer, value.length ? SLICE_LITERAL(": ") : SLICE_LITERAL(";"));
    put(lines->transfer, slice_of(scheme));
    put(lines->transfer, value);
    put(lines->transfer, (struct slice){"", 1});
}

static bool is_refused(struct slice name)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (slice_is_like(name, refused[i]))
            return true;
    return false;
}

static size_t count_bytes(const struct upstream_request *request)
{
    size_t bytes = 256;
    for (size_t i = 0; i < request->field_count; i++)
        bytes += request->fields[i].name.length + request->fields[i].value.length + 3;
    if (request->key_field)
        bytes += strlen(request->key_field) + secret_reveal(request->key).length;
    return bytes;
}

static void make_room(struct upstream_transfer *transfer, size_t bytes)
{
    fields_wipe(transfer);
    if (bytes <= transfer->lines_capacity)
        return;
    free(transfer->lines); /* wiped above; realloc would leave a copy behind */
    transfer->lines = malloc(bytes);
    check(transfer->lines != NULL);
    transfer->lines_capacity = bytes;
}

static enum error add_key(struct lines *lines, const struct upstream_request *request)
{
    struct slice name = slice_of(request->key_field), key = secret_reveal(request->key);
    if (key.length == 0 || !http_field_is_valid(name, key))
        return ERROR_NO_SECRET;
    add_line(lines, name, slice_is_like(name, "authorization") ? "Bearer " : "", key);
    return ERROR_OK;
}

static enum error add_fields(struct lines *lines, const struct upstream_request *request)
{
    for (size_t i = 0; i < request->field_count; i++) {
        struct http_field field = request->fields[i];
        if (is_refused(field.name) || !http_field_is_valid(field.name, field.value))
            return ERROR_HTTP_MALFORMED;
        add_line(lines, field.name, "", field.value);
    }
    return ERROR_OK;
}

static void add_removals(struct lines *lines, const struct upstream_request *request)
{
    for (size_t i = 0; i < REMOVALS; i++) {
        if (http_find_field(request->fields, request->field_count, removals[i].name).data)
            continue;
        add_node(lines);
        put(lines->transfer, (struct slice){removals[i].removal, strlen(removals[i].removal) + 1});
    }
}

enum error fields_build(struct upstream_transfer *transfer, const struct upstream_request *request,
                        struct curl_slist **ret_first)
{
    struct lines lines = {transfer, 0};
    if (request->field_count + REMOVALS + 1 > REQUEST_FIELDS_MAX)
        return ERROR_HTTP_HEAD_TOO_LARGE;
    make_room(transfer, count_bytes(request));
    enum error error = add_fields(&lines, request);
    if (!error && request->key_field)
        error = add_key(&lines, request);
    if (error)
        return error;
    add_removals(&lines, request);
    *ret_first = transfer->nodes;
    return ERROR_OK;
}
