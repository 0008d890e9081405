/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images made, edited and varied (platform.openai.com/docs/api-reference/images). gpt-image models are billed by tokens
 * and say so in `usage`; all others by the piece, at a price of their size and quality.
 */
#include "dialect/form.h"
#include "dialect/openai.h"

/* ---- requests ---- */

static const struct request_member members[] = {
    OPENAI_MODEL(false),
    OPENAI_STREAM,
    OPENAI_COUNT("n", ROLE_CHOICES),
    OPENAI_STRING("size"),
    OPENAI_STRING("quality"),
    {"partial_images", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"background", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"output_format", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"output_compression", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"moderation", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"input_fidelity", ROLE_NONE, MEMBER_ANY, false, NULL, NULL},
    {"images", ROLE_NONE, MEMBER_ANY, false, NULL, NULL}, /* edits in JSON */
};
static const struct request_format request = {members, sizeof members / sizeof *members, NULL, NULL};

/* "Image generation", cost and latency: output tokens of the largest size of each quality, a third added; each partial
 * image costs 100 more, at most three. An input image has at most 65 + 129 × 4 tokens, at high fidelity 6,144 more. */
enum { PARTIAL_TOKENS = 300, INPUT_IMAGE_TOKENS = 8192, INPUT_IMAGES_MAX = 16, PROMPT_TOKENS_MAX = 131072 };
static const struct {
    const char *quality;
    int64_t tokens;
} quality_rows[] = {{"low", 544}, {"medium", 2112}, {"high", 8320}, {"auto", 8320}};
static const char *const known_sizes[] = {"auto", "1024x1024", "1536x1024", "1024x1536"};

int64_t openai_bound_image_tokens(const char *size, const char *quality)
{
    bool is_known = false;
    for (size_t i = 0; i < sizeof known_sizes / sizeof *known_sizes; i++)
        is_known |= strcmp(size, known_sizes[i]) == 0;
    for (size_t i = 0; is_known && i < sizeof quality_rows / sizeof *quality_rows; i++)
        if (strcmp(quality, quality_rows[i].quality) == 0)
            return quality_rows[i].tokens + PARTIAL_TOKENS;
    return -1;
}

static void read_tokens(const struct reading *reading, const char *size, const char *quality,
                        struct request_facts *facts)
{
    facts->output_tokens_max = openai_bound_image_tokens(size, quality);
    if (reading->form) {
        facts->text_bytes += reading->form->file_count * INPUT_IMAGE_TOKENS;
        return;
    }
    /* Images by URL or inline have tokens by rule, not by bytes; a prompt has at most 32,000 characters. */
    if (facts->text_bytes > PROMPT_TOKENS_MAX)
        facts->text_bytes = PROMPT_TOKENS_MAX;
    if (facts->refers_outside)
        facts->text_bytes += (INPUT_IMAGES_MAX + 1) * INPUT_IMAGE_TOKENS; /* and a mask */
    facts->refers_outside = false;
}

/* What is not written is dall-e's default: 1024x1024, standard. */
static void read_pieces(const char *size, const char *quality, struct request_facts *facts)
{
    facts->units.images = (uint64_t)facts->choices;
    facts->choices = 1;
    facts->text_bytes = 0;
    facts->output_tokens_max = 0;
    facts->refers_outside = false;
    int length = snprintf(facts->price_variant, sizeof facts->price_variant, "%s/%s", size[0] ? size : "1024x1024",
                          quality[0] && strcmp(quality, "auto") != 0 ? quality : "standard");
    if (length < 0 || (size_t)length >= sizeof facts->price_variant)
        facts->price_variant[0] = '\0';
}

static bool is_given(const struct reading *reading, const char *name)
{
    return dialect_find_value(reading, name) || (reading->form && form_find(reading->form, name));
}

/* "Create image": dall-e-2, unless a parameter is used that only the GPT image models know. Which of these draws then
 * is not said: the dearest. */
static const char *find_default_model(const struct reading *reading, const char *size, const char *quality)
{
    static const char *const parameters[] = {"background", "output_format",  "output_compression",
                                             "moderation", "partial_images", "input_fidelity",
                                             "stream",     "images"};
    static const char *const dalle_sizes[] = {"", "256x256", "512x512", "1024x1024"};
    bool is_gpt = quality[0] && strcmp(quality, "standard") != 0, is_dalle_size = false;
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        is_gpt |= is_given(reading, parameters[i]);
    for (size_t i = 0; i < sizeof dalle_sizes / sizeof *dalle_sizes; i++)
        is_dalle_size |= strcmp(size, dalle_sizes[i]) == 0;
    return is_gpt || !is_dalle_size ? "gpt-image-1" : "dall-e-2";
}

static enum error read_request(struct reading *reading, struct request_facts *facts)
{
    char size[32] = "", quality[32] = "";
    bool has_size = dialect_find_text(reading, "size", size, sizeof size);
    bool has_quality = dialect_find_text(reading, "quality", quality, sizeof quality);
    if (!facts->model[0])
        snprintf(facts->model, sizeof facts->model, "%s", find_default_model(reading, size, quality));
    if (strstr(facts->model, "gpt-image") || strstr(facts->model, "chatgpt-image"))
        read_tokens(reading, has_size ? size : "auto", has_quality ? quality : "auto", facts);
    else
        read_pieces(size, quality, facts);
    return ERROR_OK;
}

/* ---- answers ---- */

static const char *const text_members[] = {NULL};

/* Output that is not said to be text is the image. */
static bool read_usage(struct meter *meter, struct slice object)
{
    struct json_value text;
    const struct json_query query = {"output_tokens_details.text_tokens", &text};
    uint64_t written = 0;
    if (!openai_read_usage(meter, object))
        return false;
    if (json_scan(object, 16, &query, 1, NULL) == ERROR_OK)
        dialect_take_tokens(&text, &written);
    uint64_t kept = dialect_take_part(&meter->usage.output, written);
    meter->usage.output_image += meter->usage.output;
    meter->usage.output = kept;
    return meter->usage.input || meter->usage.input_image || meter->usage.output_image;
}

static void read_event(struct meter *meter, struct slice raw, struct event_cut *ret_cut)
{
    struct glance glance;
    struct slice name, data;
    struct json_value usage, error;
    const struct json_query queries[] = {{"usage", &usage}, {"error", &error}};
    (void)ret_cut; /* nothing is ever hidden */
    dialect_glance_event(meter, raw, text_members, &name, &data, &glance);
    meter->output_events += data.length > 0;
    if (!glance.has_usage && !glance.has_error)
        return;
    if (json_scan(data, 128, queries, 2, NULL)) {
        meter->is_damaged = true;
        usage.raw = dialect_search_usage(data, "usage");
    } else {
        meter->saw_error |= error.kind == JSON_KIND_OBJECT;
        meter->is_refused |= dialect_is_said(&error);
    }
    if (!usage.raw.length || !read_usage(meter, usage.raw))
        return;
    meter->saw_terminal = true;
    dialect_take_whole(meter);
}

static void count_images(struct meter *meter, const struct json_value *images)
{
    struct slice image;
    for (size_t at = 0; images->kind == JSON_KIND_ARRAY && dialect_next_object(images->raw, &at, &image);)
        meter->usage.images++;
    meter->saw_usage = meter->saw_output_usage = meter->usage.images > 0;
}

static void read_document(struct meter *meter, struct slice document)
{
    struct json_value usage, error, data;
    const struct json_query queries[] = {{"usage", &usage}, {"error", &error}, {"data", &data}};
    if (json_scan(document, 128, queries, 3, NULL)) {
        struct slice found = dialect_search_usage(document, "usage");
        if (found.length)
            read_usage(meter, found);
        return;
    }
    meter->saw_terminal = true;
    meter->saw_error |= error.kind == JSON_KIND_OBJECT;
    if (data.kind == JSON_KIND_ARRAY && !dialect_is_said(&error))
        dialect_take_whole(meter);
    if (usage.kind != JSON_KIND_OBJECT || !read_usage(meter, usage.raw))
        count_images(meter, &data);
}

/* By the piece: as many as were asked for; by tokens: what such an image has at most. */
static void estimate(const struct meter *meter, const struct request_facts *facts, struct usage *usage)
{
    uint64_t each = facts->output_tokens_max >= 0 ? (uint64_t)facts->output_tokens_max : 8320 + PARTIAL_TOKENS;
    dialect_estimate_units(meter, facts, usage);
    if (facts->units.images)
        return;
    if (!usage->input && !usage->input_image)
        usage->input = facts->text_bytes / 4 + 1;
    if (!usage->output_image && __builtin_mul_overflow(each, (uint64_t)facts->choices, &usage->output_image))
        usage->output_image = UINT64_MAX / 2;
}

const struct format openai_images_format = {
    .request = &request,
    .read = read_request,
    .read_event = read_event,
    .read_document = read_document,
    .estimate = estimate,
};
const struct format openai_image_edits_format = {
    .request = &request,
    .body = BODY_JSON_OR_FORM,
    .read = read_request,
    .read_event = read_event,
    .read_document = read_document,
    .estimate = estimate,
};
