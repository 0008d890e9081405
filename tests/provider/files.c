/* SPDX-License-Identifier: Apache-2.0 */
/* Files (platform.openai.com/docs/api-reference/files): uploaded, described, read back. What a batch writes is kept as
 * one, too. Called through the endpoints' table.
 */
#include "tests/provider/files.h"
#include "tests/provider/dispatch.h"
#include "tests/provider/multipart.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void file_keep(struct store *store, const struct exchange *exchange, const char *id, const char *purpose,
               const char *name, struct buffer *content)
{
    struct stored file = {.kind = STORED_FILE, .state = STORED_DONE};
    snprintf(file.id, sizeof file.id, "%s", id);
    buffer_format(&file.looks[LOOK_DONE],
                  "{\"id\":\"%s\",\"object\":\"file\",\"bytes\":%zu,\"created_at\":%lld,\"filename\":\"%s\","
                  "\"purpose\":\"%s\",\"status\":\"processed\",\"expires_at\":null}",
                  id, content->length, (long long)exchange->arrived.tv_sec, name, purpose);
    buffer_reserve(content, 1);
    file.looks[LOOK_RESULTS] = *content;
    *content = (struct buffer){0};
    store_add(store, &file);
}

static bool unknown(struct exchange *exchange, struct refusal *ret_refusal)
{
    snprintf(exchange->refusal_message, sizeof exchange->refusal_message, "No such File object: %s", exchange->id);
    *ret_refusal = (struct refusal){.problem = problem_not_found, .message = exchange->refusal_message, .param = "id"};
    return false;
}

bool files_create(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    char id[64], purpose[32] = "", name[128] = "";
    struct buffer content = {0};
    struct form_part part;
    bool has_file = false;
    for (size_t at = 0; multipart_next(exchange->request, &at, &part);) {
        if (strcmp(part.name, "purpose") == 0)
            text_copy_plain(purpose, sizeof purpose, part.data, part.length);
        if (strcmp(part.name, "file") != 0 || !part.file_name[0] || has_file)
            continue;
        has_file = true;
        memcpy(name, part.file_name, sizeof name);
        buffer_append(&content, part.data, part.length);
    }
    if (!has_file || !purpose[0]) {
        buffer_free(&content);
        *ret_refusal = (struct refusal){.problem = problem_bad_request,
                                        .message = has_file ? "Missing required parameter: 'purpose'."
                                                            : "'file' is a required property",
                                        .param = has_file ? "purpose" : "file"};
        return false;
    }
    dispatch_answer(exchange);
    snprintf(id, sizeof id, "file-%06" PRIx64, exchange->sequence);
    file_keep(store, exchange, id, purpose, name, &content);
    return store_read(store, STORED_FILE, id, LOOK_DONE, &exchange->body);
}

bool files_retrieve(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    return store_read(store, STORED_FILE, exchange->id, LOOK_DONE, &exchange->body) || unknown(exchange, ret_refusal);
}

bool files_read(struct exchange *exchange, struct store *store, struct refusal *ret_refusal)
{
    dispatch_answer(exchange);
    exchange->content_type = "application/octet-stream";
    return store_read(store, STORED_FILE, exchange->id, LOOK_RESULTS, &exchange->body) ||
           unknown(exchange, ret_refusal);
}
