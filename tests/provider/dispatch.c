/* SPDX-License-Identifier: Apache-2.0 */
/* Planning of one answer; see dispatch.h. Order: path, key, JSON, rules, directives, faults, text. A fault that is an
 * error status wins over the answer but not over a bad key: a test that forgets its key should see that first.
 */
#include "tests/provider/dispatch.h"

#include <string.h>

static bool key_is_good(const char *key)
{
    return key[0] && strcmp(key, "bad") != 0 && strncmp(key, "kt_cg_", 6) != 0;
}

static bool key_check(struct exchange *exchange, EVP_MD_CTX **digest, struct refusal *ret_refusal)
{
    char scratch[512];
    const struct dialect *dialect = exchange->dialect;
    const char *key = dialect->find_key(exchange->request, scratch);
    if (key[0])
        digest_text(digest, key, strlen(key), exchange->key_digest, sizeof exchange->key_digest);
    if (!key_is_good(key)) {
        *ret_refusal = (struct refusal){.problem = problem_unauthorized};
        return false;
    }
    if (dialect->version_needed && !exchange->request->anthropic_version[0]) {
        *ret_refusal = (struct refusal){.problem = problem_bad_request, .message = dialect->version_needed};
        return false;
    }
    return true;
}

static bool body_read(struct exchange *exchange, struct refusal *ret_refusal)
{
    struct behaviour *ordered = &exchange->behaviour;
    const struct buffer *body = &exchange->request->body;
    if (!exchange->endpoint->shape)
        return true;
    json_t *root = json_loadb(body->data ? body->data : "", body->length, 0, NULL);
    if (!json_is_object(root)) {
        directives_scan(body->data ? body->data : "", body->length, ordered);
        json_decref(root);
        *ret_refusal = (struct refusal){.problem = problem_bad_request,
                                        .message = "We could not parse the JSON body of your request."};
        return false;
    }
    bool read = prompt_read(exchange->endpoint->shape, root, &exchange->prompt, ordered, exchange->refusal_message,
                            ret_refusal);
    json_decref(root);
    return read;
}

/* Faults that answer with an error, on order. */
static bool fault_check(struct exchange *exchange, struct refusal *ret_refusal)
{
    const struct behaviour *behaviour = &exchange->behaviour;
    if (behaviour->fault.problem) {
        *ret_refusal = (struct refusal){.problem = behaviour->fault.problem};
        return false;
    }
    if (behaviour_get(behaviour->reject_stream_options, 0) && exchange->prompt.stream_options) {
        *ret_refusal = (struct refusal){.problem = problem_bad_request,
                                        .message = "Unrecognized request argument supplied: stream_options",
                                        .param = "stream_options"};
        return false;
    }
    return true;
}

static void refuse(struct exchange *exchange, const struct refusal *refusal)
{
    exchange->status = refusal->problem->status;
    exchange->content_type = "application/json";
    exchange->body.length = 0;
    exchange->dialect->write_error(exchange, refusal, &exchange->body);
}

/* A whole answer, padded to the size that was ordered: rendered twice, as only the rest's length tells the padding. */
static void body_write(struct exchange *exchange)
{
    const struct endpoint *endpoint = exchange->endpoint;
    uint32_t bytes = exchange->behaviour.bytes;
    endpoint->write(exchange, &exchange->body);
    if (bytes != BEHAVIOUR_UNSET && endpoint->answers_text && exchange->body.length < bytes) {
        exchange->answer.pad_bytes = bytes - exchange->body.length;
        exchange->body.length = 0;
        endpoint->write(exchange, &exchange->body);
    }
    if (exchange->behaviour.fault.broken_json)
        exchange->body.length = exchange->body.length * 2 / 3;
}

static uint32_t frames_count(frame_writer *const writers[6])
{
    uint32_t count = 0;
    while (count < 6 && writers[count])
        count++;
    return count;
}

static void answer_write(struct exchange *exchange)
{
    const struct endpoint *endpoint = exchange->endpoint;
    bool streams = endpoint->stream && (exchange->prompt.stream || !endpoint->write);
    exchange->status = 200;
    exchange->array = streams && !endpoint->write && !strstr(exchange->request->query, "alt=sse");
    exchange->content_type = streams && !exchange->array ? "text/event-stream; charset=utf-8" : "application/json";
    if (endpoint->answers_text)
        answer_plan(&exchange->prompt, &exchange->behaviour, streams, &exchange->answer);
    usage_plan(exchange, &exchange->usage);
    if (!streams) {
        body_write(exchange);
        return;
    }
    exchange->stream = endpoint->stream;
    exchange->frame_count =
        frames_count(endpoint->stream->heads) + exchange->answer.pieces + frames_count(endpoint->stream->tails);
}

void dispatch_plan(struct exchange *exchange, struct script *script, EVP_MD_CTX **digest)
{
    const struct request *request = exchange->request;
    struct refusal refusal = {0};
    bool wrong_method = false;
    exchange->behaviour = behaviour_unset;
    exchange->endpoint = endpoint_find(request, exchange->prompt.model, &wrong_method);
    exchange->dialect = exchange->endpoint ? exchange->endpoint->dialect : dialect_find(request);
    digest_text(digest, request->body.data, request->body.length, exchange->request_digest,
                sizeof exchange->request_digest);
    bool good = key_check(exchange, digest, &refusal);
    if (good && !exchange->endpoint) {
        refusal.problem = wrong_method ? problem_method : problem_not_found;
        good = false;
    }
    if (good) {
        good = body_read(exchange, &refusal);
        script_apply(script, request->target, exchange->prompt.model, exchange->connection_request,
                     &exchange->behaviour);
    }
    if (good)
        good = fault_check(exchange, &refusal);
    if (good)
        answer_write(exchange);
    else
        refuse(exchange, &refusal);
}

uint32_t dispatch_count_heads(const struct exchange *exchange)
{
    return frames_count(exchange->stream->heads);
}

static void frame_write(const struct exchange *exchange, uint32_t index, struct buffer *out, bool *ret_is_piece)
{
    const struct stream_format *stream = exchange->stream;
    uint32_t heads = frames_count(stream->heads), pieces = exchange->answer.pieces;
    *ret_is_piece = index >= heads && index < heads + pieces;
    if (index < heads)
        stream->heads[index](exchange, index, out);
    else if (*ret_is_piece)
        stream->piece(exchange, index - heads, out);
    else
        stream->tails[index - heads - pieces](exchange, index, out);
}

void dispatch_add_frame(const struct exchange *exchange, uint32_t index, struct buffer *out, bool *ret_is_piece)
{
    size_t before = out->length;
    frame_write(exchange, index, out, ret_is_piece);
    size_t middle = dispatch_count_heads(exchange) + exchange->answer.pieces / 2;
    if (exchange->behaviour.fault.broken_json && index == middle && out->length > before) {
        out->length = before + (out->length - before) * 2 / 3;
        buffer_add(out, "\n\n");
    }
}
