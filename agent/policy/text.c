/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The texts of a request's body, decoded: every string of a JSON document but what is no text. Called by inspect.c and
 * redact.c; never changes the body.
 *
 * What is left out, and why. Pictures, sound, files and signatures are base64: thousands of bytes in which digits or a
 * keyword mean nothing, and one changed byte breaks them. But their members ("data", "url" …) also occur in what a
 * program gives to its tools, where they are text. So neither a name nor a look alone decides: the name must be one of
 * the table, the whole value base64 without a space, and it must be longer than cards and IBANs are, and begin as no
 * API key does. A data: URL of a picture, sound, film or PDF says itself that it is base64, and must be. Identifiers
 * that providers gave (tool call ids, file ids) are left out under the names that nothing else has, and with the look
 * of one; under "id", "type", "role" and "model", which tools use for anything, detectors still look at them, and only
 * keywords and patterns do not.
 * Base64 is not decoded; member names and numbers are not looked at.
 */
#include "policy/internal.h"

#include "base/json.h"

#include <string.h>

enum { DEPTH_MAX = 1024 /* of json_walk_strings */, IDENTIFIER_BYTES_MAX = 128, DATA_HEAD_BYTES_MAX = 256 };

enum member_kind { MEMBER_TEXT, MEMBER_DATA, MEMBER_SIGNATURE, MEMBER_IDENTIFIER, MEMBER_WORD };
static const struct {
    const char *name;
    enum member_kind kind;
} members[] = {
    {"data", MEMBER_DATA},                       /* Anthropic, Gemini: inlineData, OpenAI: input_audio */
    {"b64_json", MEMBER_DATA},                   /* OpenAI images */
    {"file_data", MEMBER_DATA},                  /* OpenAI files */
    {"image_url", MEMBER_DATA},                  /* OpenAI Responses */
    {"url", MEMBER_DATA},                        /* OpenAI chat: image_url.url */
    {"image", MEMBER_DATA},                      /* OpenAI images */
    {"result", MEMBER_DATA},                     /* OpenAI Responses: image_generation_call */
    {"bytes", MEMBER_DATA},                      /* Bedrock */
    {"bytesBase64Encoded", MEMBER_DATA},         /* Gemini, Imagen */
    {"signature", MEMBER_SIGNATURE},             /* Anthropic thinking */
    {"encrypted_content", MEMBER_SIGNATURE},     /* OpenAI reasoning, Anthropic web search */
    {"encrypted_index", MEMBER_SIGNATURE},       /* Anthropic web search */
    {"thoughtSignature", MEMBER_SIGNATURE},      /* Gemini */
    {"thought_signature", MEMBER_SIGNATURE},     /* Gemini */
    {"tool_call_id", MEMBER_IDENTIFIER},         /* OpenAI chat */
    {"call_id", MEMBER_IDENTIFIER},              /* OpenAI Responses */
    {"tool_use_id", MEMBER_IDENTIFIER},          /* Anthropic */
    {"file_id", MEMBER_IDENTIFIER},              /* OpenAI, Anthropic */
    {"file_ids", MEMBER_IDENTIFIER},             /* OpenAI */
    {"vector_store_ids", MEMBER_IDENTIFIER},     /* OpenAI */
    {"previous_response_id", MEMBER_IDENTIFIER}, /* OpenAI Responses */
    {"input_file_id", MEMBER_IDENTIFIER},        /* OpenAI batches */
    {"fileUri", MEMBER_IDENTIFIER},              /* Gemini */
    {"file_uri", MEMBER_IDENTIFIER},             /* Gemini */
    {"cachedContent", MEMBER_IDENTIFIER},        /* Gemini */
    {"id", MEMBER_WORD},
    {"type", MEMBER_WORD},
    {"role", MEMBER_WORD},
    {"model", MEMBER_WORD},
};

static enum member_kind kind_of_member(struct slice name)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (slice_is(name, members[i].name))
            return members[i].kind;
    return MEMBER_TEXT;
}

/* Of either alphabet; `/` may be escaped. */
static bool is_base64(struct slice raw, size_t bytes_min)
{
    if (raw.length < bytes_min)
        return false;
    for (size_t i = 0; i < raw.length; i++) {
        char c = raw.data[i];
        bool is_escaped_slash = c == '\\' && detect_byte(raw, i + 1) == '/';
        if (!detect_is_alnum(c) && !is_escaped_slash && !strchr("+/=-_", c))
            return false;
        i += is_escaped_slash;
    }
    return true;
}

static bool begins_with_key(struct slice raw)
{
    enum { HEAD_BYTES = 256 }; /* data is long, and only its beginning matters */
    struct span span;
    raw.length = raw.length < HEAD_BYTES ? raw.length : HEAD_BYTES;
    return detect_api_key(raw, &span) && span.from == 0;
}

/* Whole groups of four of the standard alphabet (RFC 4648, section 4); `/` may be escaped. */
static bool is_strict_base64(struct slice raw, size_t bytes_min)
{
    size_t length = 0, padding = 0;
    for (size_t i = 0; i < raw.length; i++, length++) {
        i += raw.data[i] == '\\' && detect_byte(raw, i + 1) == '/';
        char c = raw.data[i];
        bool is_padding = c == '=';
        if ((!is_padding && !detect_is_alnum(c) && c != '+' && c != '/') || (padding && !is_padding))
            return false;
        padding += is_padding;
    }
    return length >= bytes_min && length % 4 == 0 && padding <= 2;
}

/* A `/` may be escaped. */
static bool is_media_type(struct slice head)
{
    static const char *const types[] = {"image/", "audio/", "video/", "application/pdf;"};
    char plain[DATA_HEAD_BYTES_MAX];
    size_t length = 0;
    for (size_t i = 0; i < head.length && length < sizeof plain; i++)
        if (head.data[i] != '\\')
            plain[length++] = head.data[i];
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (length > strlen(types[i]) && strncasecmp(plain, types[i], strlen(types[i])) == 0)
            return true;
    return false;
}

/* data:image/png;base64,iVBOR… (RFC 2397), of the types that have no text that one reads. It could say so of anything:
 * what is short, or no base64, or begins as a key does is looked at. */
static bool is_data_url(struct slice raw)
{
    enum { PAYLOAD_LEAST = 64 };
    static const char scheme[] = "data:", encoding[] = ";base64";
    const size_t scheme_bytes = sizeof scheme - 1, encoding_bytes = sizeof encoding - 1;
    size_t head_max = raw.length < DATA_HEAD_BYTES_MAX ? raw.length : DATA_HEAD_BYTES_MAX;
    if (raw.length < sizeof scheme || strncasecmp(raw.data, scheme, scheme_bytes) != 0)
        return false;
    const char *comma = memchr(raw.data, ',', head_max);
    struct slice head = slice_from(raw, scheme_bytes);
    head.length = comma ? (size_t)(comma - head.data) : 0;
    if (head.length <= encoding_bytes || memchr(head.data, ' ', head.length) || !is_media_type(head) ||
        strncasecmp(comma - encoding_bytes, encoding, encoding_bytes) != 0)
        return false;
    struct slice payload = slice_from(raw, (size_t)(comma - raw.data) + 1);
    return is_strict_base64(payload, PAYLOAD_LEAST) && !begins_with_key(payload);
}

/* What providers' identifiers are made of: call_…, toolu_…, file-…, files/…, functions.name:0, https://…/files/… */
static bool is_identifier(struct slice raw)
{
    if (raw.length > IDENTIFIER_BYTES_MAX)
        return false;
    for (size_t i = 0; i < raw.length; i++)
        if (!detect_is_alnum(raw.data[i]) && !strchr("_.:/-", raw.data[i]))
            return false;
    return true;
}

enum look { LOOK_AT_TEXT, LOOK_AT_WORD, LOOK_AWAY };

static enum look look_of(struct slice name, struct slice raw)
{
    enum { DATA_LEAST = 64, SIGNATURE_LEAST = 24 };
    switch (kind_of_member(name)) {
    case MEMBER_DATA:
        if (is_base64(raw, DATA_LEAST) && !begins_with_key(raw))
            return LOOK_AWAY;
        break;
    case MEMBER_SIGNATURE:
        if (is_base64(raw, SIGNATURE_LEAST) && !begins_with_key(raw))
            return LOOK_AWAY;
        break;
    case MEMBER_IDENTIFIER:
        if (is_identifier(raw))
            return LOOK_AWAY;
        break;
    case MEMBER_WORD:
        if (is_identifier(raw))
            return LOOK_AT_WORD;
        break;
    case MEMBER_TEXT:
        break;
    }
    return is_data_url(raw) ? LOOK_AWAY : LOOK_AT_TEXT;
}

/* ---- lower case ---- */

/* U+0080 to U+07FF, whose lower case is at a fixed distance, or the next (pairs, the upper one even or odd). */
static unsigned fold_code(unsigned code)
{
    static const struct {
        unsigned from, to, distance; /* 0: pairs, the upper one has the parity of `from` */
    } ranges[] = {{0xc0, 0xd6, 32},   {0xd8, 0xde, 32},   {0x100, 0x12f, 0},  {0x132, 0x137, 0},
                  {0x139, 0x148, 0},  {0x14a, 0x177, 0},  {0x179, 0x17e, 0},  {0x386, 0x386, 38},
                  {0x388, 0x38a, 37}, {0x38c, 0x38c, 64}, {0x38e, 0x38f, 63}, {0x391, 0x3a1, 32},
                  {0x3a3, 0x3ab, 32}, {0x400, 0x40f, 80}, {0x410, 0x42f, 32}, {0x460, 0x481, 0}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i].from && code <= ranges[i].to)
            return ranges[i].distance ? code + ranges[i].distance : (code - ranges[i].from) % 2 ? code : code + 1;
    return code;
}

struct slice policy_fold(struct slice text, struct arena *arena)
{
    char *folded = arena_alloc(arena, text.length + 1);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i], next = (unsigned char)detect_byte(text, i + 1);
        folded[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        if (c < 0xc2 || c > 0xdf || (next & 0xc0) != 0x80)
            continue;
        unsigned code = fold_code((c & 0x1fu) << 6 | (next & 0x3fu));
        folded[i++] = (char)(0xc0 | code >> 6);
        folded[i] = (char)(0x80 | (code & 0x3f));
    }
    return (struct slice){folded, text.length};
}

struct slice policy_text_fold(struct policy_text *text, struct arena *arena)
{
    if (!text->folded.data)
        text->folded = policy_fold(text->decoded, arena);
    return text->folded;
}

/* ---- all of them ---- */

struct reading {
    struct policy_texts *texts;
    struct arena *arena;
    size_t capacity;
};

static void add_row(struct reading *reading, const struct policy_text *row)
{
    struct policy_texts *texts = reading->texts;
    if (texts->count == reading->capacity) {
        reading->capacity *= 2;
        struct policy_text *rows = arena_new_array(reading->arena, struct policy_text, reading->capacity);
        memcpy(rows, texts->rows, texts->count * sizeof *rows);
        texts->rows = rows;
    }
    texts->rows[texts->count++] = *row;
}

/* As it is, and as it can be read besides. */
static void add_text(struct reading *reading, struct slice raw, struct slice decoded, bool is_word)
{
    struct policy_text row = {.raw = raw, .decoded = decoded, .is_word = is_word};
    add_row(reading, &row);
    for (row.view = VIEW_PLAIN + 1; row.view < VIEW_COUNT && !is_word; row.view++) {
        row.decoded = policy_view_text(decoded, row.view, reading->arena);
        if (row.decoded.data != decoded.data)
            add_row(reading, &row);
    }
}

static bool read_string(void *context, const struct json_value *value, struct slice name)
{
    struct reading *reading = context;
    struct slice raw = {value->raw.data + 1, value->raw.length - 2};
    enum look look = raw.length ? look_of(name, raw) : LOOK_AWAY;
    if (look != LOOK_AWAY)
        add_text(reading, raw, policy_decode(raw, reading->arena), look == LOOK_AT_WORD);
    return true;
}

void policy_read_texts(struct slice body, bool is_json, struct arena *arena, struct policy_texts *ret_texts)
{
    enum { ROWS_AT_FIRST = 32 };
    struct policy_texts texts = {.rows = arena_new_array(arena, struct policy_text, ROWS_AT_FIRST)};
    texts.is_json = is_json && json_scan(body, DEPTH_MAX, NULL, 0, NULL) == ERROR_OK;
    struct reading reading = {&texts, arena, ROWS_AT_FIRST};
    if (texts.is_json)
        json_walk_strings(body, read_string, &reading);
    else if (body.length)
        add_text(&reading, body, body, false);
    *ret_texts = texts;
}
