/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Gemini endpoints that answer with other things than text (ai.google.dev/api/embeddings, "Imagen"): embeddings,
 * whose answers mostly say nothing of usage, so that it is estimated from the request; and predictions, which are
 * images and billed by the piece. And the edits of all Gemini bodies. Called through the Gemini formats.
 */
#include "dialect/gemini.h"

/* What "numberOfImages" is when it is not given, and its most ("Imagen": 1 to 4). */
enum { IMAGES_DEFAULT = 4 };

static enum error refuse(struct reading *reading, const char *problem)
{
    reading->problem = problem;
    return ERROR_BODY_INCOMPLETE;
}

/* The path's model, which a body may only repeat. */
static enum error take_model(struct reading *reading, struct request_facts *facts)
{
    char model[sizeof facts->model];
    if (!gemini_read_model(reading->request->path, model, sizeof model))
        return refuse(reading, "* model: unexpected model name format");
    if (facts->model[0] && !gemini_model_is(model, facts->model))
        return refuse(reading, "* model: another one than in the path");
    memcpy(facts->model, model, sizeof model);
    return ERROR_OK;
}

/* ---- embeddings ---- */

static const struct request_member embed_members[] = {
    {"content", ROLE_MESSAGES, MEMBER_OBJECT, true, "* EmbedContentRequest.content: content is not specified",
     "Invalid value at 'content'"},
    {"model", ROLE_MODEL, MEMBER_STRING, false, NULL, "Invalid value at 'model' (TYPE_STRING)"},
};
const struct request_format gemini_embed_request = {embed_members, sizeof embed_members / sizeof *embed_members, NULL,
                                                    NULL};

static const struct request_member batch_members[] = {
    {"requests", ROLE_MESSAGES, MEMBER_ARRAY, true, "* BatchEmbedContentsRequest.requests: requests is not specified",
     "Invalid value at 'requests'"},
};
const struct request_format gemini_batch_embed_request = {batch_members, sizeof batch_members / sizeof *batch_members,
                                                          NULL, NULL};

/* Vectors are not billed as output. */
static enum error take_embedding(struct reading *reading, struct request_facts *facts)
{
    facts->output_tokens_max = 0;
    facts->refers_outside |=
        (reading->marks & (MARK_GEMINI_DATA | MARK_ESCAPED)) != 0; /* images, audio: not by their bytes */
    return take_model(reading, facts);
}

enum error gemini_read_embed(struct reading *reading, struct request_facts *facts)
{
    return take_embedding(reading, facts);
}

/* Each request names its model, and all are the path's: else a cheap path would pay for a dear body. */
enum error gemini_read_batch_embed(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *requests = dialect_find_value(reading, "requests");
    struct json_value request, model;
    const struct json_query query = {"model", &model};
    char name[sizeof facts->model];
    size_t at = 0;
    enum error error = take_embedding(reading, facts);
    while (!error && json_next_element(requests->raw, &at, &request)) {
        if (request.kind != JSON_KIND_OBJECT || json_scan(request.raw, reading->request->depth_max, &query, 1, NULL))
            return refuse(reading, "Invalid value at 'requests'");
        if (model.kind > JSON_KIND_NULL &&
            (!json_get_string(&model, name, sizeof name) || !gemini_model_is(facts->model, name)))
            return refuse(reading, "* BatchEmbedContentsRequest.requests.model: must be the model of the path");
    }
    return error;
}

/* New embedding models do count ("usageMetadata"): what is no text of the answer is not output. */
void gemini_read_embedding(struct meter *meter, struct slice document)
{
    struct json_value prompt, error, one, all;
    const struct json_query queries[] = {
        {"usageMetadata.promptTokenCount", &prompt}, {"error", &error}, {"embedding", &one}, {"embeddings", &all}};
    if (json_scan(document, 128, queries, sizeof queries / sizeof *queries, NULL))
        return;
    meter->saw_terminal = true;
    meter->saw_error |= error.kind == JSON_KIND_OBJECT;
    if (!dialect_is_said(&error) && (one.kind == JSON_KIND_OBJECT || all.kind == JSON_KIND_ARRAY))
        dialect_take_whole(meter);
    if (dialect_take_tokens(&prompt, &meter->usage.input))
        meter->saw_usage = meter->saw_output_usage = true;
}

void gemini_estimate_input(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    dialect_estimate_tokens(meter, facts, usage);
    usage->output = 0;
}

/* ---- predictions ---- */

static const struct request_member predict_members[] = {
    {"instances", ROLE_MESSAGES, MEMBER_ARRAY, true, "* PredictRequest.instances: instances is not specified",
     "Invalid value at 'instances'"},
    {"parameters.sampleCount", ROLE_CHOICES, MEMBER_COUNT, false, NULL,
     "Invalid value at 'parameters.sampleCount': expected an integer greater than 0"},
};
const struct request_format gemini_predict_request = {predict_members, sizeof predict_members / sizeof *predict_members,
                                                      NULL, NULL};

enum error gemini_read_predict(struct reading *reading, struct request_facts *facts)
{
    const struct json_value *instances = dialect_find_value(reading, "instances");
    bool is_counted = dialect_find_value(reading, "parameters.sampleCount") != NULL;
    struct json_value instance;
    uint64_t count = 0, samples = is_counted ? (uint64_t)facts->choices : IMAGES_DEFAULT;
    size_t at = 0;
    while (json_next_element(instances->raw, &at, &instance))
        count++;
    if (__builtin_mul_overflow(count, samples, &facts->units.images))
        return refuse(reading, "Invalid value at 'parameters.sampleCount'");
    facts->choices = 1;
    facts->output_tokens_max = 0;
    facts->text_bytes = 0; /* prompts are not billed */
    facts->refers_outside = false;
    return take_model(reading, facts);
}

/* What was filtered has a reason in place of its bytes, and is not billed. Another kind of prediction is no image. */
void gemini_read_predictions(struct meter *meter, struct slice document)
{
    struct json_value predictions, error, prediction, bytes, reason;
    const struct json_query queries[] = {{"predictions", &predictions}, {"error", &error}};
    const struct json_query parts[] = {{"bytesBase64Encoded", &bytes}, {"raiFilteredReason", &reason}};
    uint64_t images = 0, filtered = 0;
    size_t at = 0;
    if (json_scan(document, 128, queries, sizeof queries / sizeof *queries, NULL))
        return;
    meter->saw_terminal = true;
    meter->saw_error |= error.kind == JSON_KIND_OBJECT;
    while (predictions.kind == JSON_KIND_ARRAY && json_next_element(predictions.raw, &at, &prediction)) {
        if (prediction.kind != JSON_KIND_OBJECT || json_scan(prediction.raw, 128, parts, 2, NULL))
            continue;
        images += bytes.kind == JSON_KIND_STRING;
        filtered += bytes.kind != JSON_KIND_STRING && reason.kind == JSON_KIND_STRING;
    }
    meter->is_refused |= filtered > 0;
    if (images + filtered == 0)
        return;
    if (!dialect_is_said(&error))
        dialect_take_whole(meter);
    meter->usage.images = images;
    meter->saw_usage = meter->saw_output_usage = true;
}

/* ---- edits ---- */

/* The model is the path's (gemini_edit_path); a body that repeats it must say the same. Bodies of OpenAI's shape have
 * no model in their path. */
struct slice gemini_edit_request(const struct endpoint *endpoint, struct slice body, const struct request_facts *facts,
                                 const struct request_edits *edits, struct arena *arena)
{
    struct request_edits applied = *edits;
    const struct format *format = endpoint->format;
    bool is_renamed = edits->model && !gemini_model_is(facts->model, edits->model);
    if (is_renamed && format == &gemini_batch_embed)
        return dialect_replace_in_each(body, "requests", "model", gemini_resource_of(edits->model, arena), arena);
    if (format == &gemini_generate || format == &gemini_stream || format == &gemini_embed)
        applied.model = is_renamed && facts->model_value.length ? gemini_resource_of(edits->model, arena) : NULL;
    return dialect_edit_request(endpoint, body, facts, &applied, arena);
}
