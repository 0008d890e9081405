/* SPDX-License-Identifier: Apache-2.0 */
/* Planning of one answer; see dispatch.h. Order: path, key, JSON, rules, directives, faults, text. A fault that is an
 * error status wins over the answer but not over a bad key: a test that forgets its key should see that first.
 */
#include "tests/provider/dispatch.h"

#include "tests/provider/multipart.h"

#include <stdio.h>
#include <string.h>

#define SEARCHES_MAX 32u

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
    json_t *root = multipart_is(exchange->request) ? multipart_to_json(exchange->request)
                                                   : json_loadb(body->data ? body->data : "", body->length, 0, NULL);
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

static const char *content_type_get(const struct exchange *exchange, bool streams)
{
    static const char *const plain[] = {"text", "srt", "vtt"};
    const struct endpoint *endpoint = exchange->endpoint;
    if (streams)
        return exchange->array ? "application/json" : "text/event-stream; charset=utf-8";
    if (endpoint->write == speech_write)
        return "audio/mpeg";
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (endpoint->write == transcription_write && strcmp(exchange->prompt.format, plain[i]) == 0)
            return "text/plain; charset=utf-8";
    return "application/json";
}

void dispatch_answer(struct exchange *exchange)
{
    const struct endpoint *endpoint = exchange->endpoint;
    bool streams = endpoint->stream && (exchange->prompt.stream || !endpoint->write);
    uint32_t searches = behaviour_get(exchange->behaviour.web_search, 0);
    exchange->status = 200;
    exchange->array = streams && !endpoint->write && !strstr(exchange->request->query, "alt=sse");
    exchange->content_type = content_type_get(exchange, streams);
    exchange->prompt.searches = searches < SEARCHES_MAX ? searches : SEARCHES_MAX;
    if (endpoint->answers_text)
        answer_plan(&exchange->prompt, &exchange->behaviour, streams, &exchange->answer);
    usage_plan(exchange, &exchange->usage);
    if (!streams && endpoint->write)
        body_write(exchange);
    if (!streams)
        return;
    exchange->stream = endpoint->stream;
    exchange->frame_count =
        frames_count(endpoint->stream->heads) + exchange->answer.pieces + frames_count(endpoint->stream->tails);
}

/* Which endpoint; what stands in its path for '*' is a model, or the id of what is asked for. */
static bool endpoint_set(struct exchange *exchange)
{
    bool wrong_method = false;
    exchange->endpoint = endpoint_find(exchange->request, exchange->prompt.model, &wrong_method);
    exchange->dialect = exchange->endpoint ? exchange->endpoint->dialect : dialect_find(exchange->request);
    if (exchange->endpoint && exchange->endpoint->act && exchange->prompt.model[0]) {
        snprintf(exchange->id, sizeof exchange->id, "%.63s", exchange->prompt.model);
        exchange->prompt.model[0] = '\0';
    }
    return wrong_method;
}

void dispatch_plan(struct exchange *exchange, struct script *script, struct store *store, EVP_MD_CTX **digest)
{
    const struct request *request = exchange->request;
    struct refusal refusal = {0};
    exchange->behaviour = behaviour_unset;
    bool wrong_method = endpoint_set(exchange);
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
    if (good && exchange->endpoint->act)
        good = exchange->endpoint->act(exchange, store, &refusal);
    else if (good)
        dispatch_answer(exchange);
    if (!good)
        refuse(exchange, &refusal);
}

void dispatch_answer_line(const struct exchange *batch, uint32_t number, const struct endpoint *endpoint,
                          const char *path, json_t *body, struct request *scratch, struct exchange *ret_line)
{
    struct refusal refusal = {.problem = problem_not_found};
    struct exchange *line = ret_line;
    memset(line, 0, sizeof *line);
    scratch->method = HTTP_POST;
    scratch->query = scratch->target + snprintf(scratch->target, sizeof scratch->target, "%.1000s", path);
    line->sequence = batch->sequence << 20 | number;
    line->arrived = batch->arrived;
    line->request = scratch;
    line->behaviour = behaviour_unset;
    line->dialect = batch->dialect;
    line->endpoint = endpoint;
    if (!endpoint)
        endpoint_set(line);
    bool good = line->endpoint && line->endpoint->shape && line->endpoint->write;
    good = good &&
           prompt_read(line->endpoint->shape, body, &line->prompt, &line->behaviour, line->refusal_message, &refusal);
    line->prompt.stream = false;
    good = good && fault_check(line, &refusal);
    if (good)
        dispatch_answer(line);
    else
        refuse(line, &refusal);
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
