/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks in a request: names and types that say that its bytes do not bound its input, or that it goes on with a turn of
 * tools or reasoning. One pass from quote to quote, for the body has been validated and is long; a mark too many only
 * makes a bound wider. Called by request.c.
 */
#include "dialect/internal.h"

/* What follows an opening quote. With its own closing quote: the whole string; without: its beginning. A tool of the
 * client may have parameters and names of any kind (file_path, url, mcp__github), a type is the provider's. */
struct mark_row {
    const char *text;
    unsigned mark;
    bool is_type; /* counts as the value of a member "type" alone */
};

/* OpenAI "Images and vision", "File inputs", "Tools"; Anthropic "Vision", "Files API", "Web search tool", "MCP
 * connector". Then what earlier turns left behind: tool calls, their results, reasoning. */
static const struct mark_row rows[] = {
    {"image", MARK_OUTSIDE, true},
    {"file", MARK_OUTSIDE, true},
    {"video", MARK_OUTSIDE, true},
    {"audio", MARK_OUTSIDE, true},
    {"document", MARK_OUTSIDE, true},
    {"url\"", MARK_OUTSIDE, true},
    {"input_image\"", MARK_OUTSIDE, true},
    {"input_audio\"", MARK_OUTSIDE, true},
    {"input_video\"", MARK_OUTSIDE, true},
    {"input_file\"", MARK_OUTSIDE, true},
    {"item_reference\"", MARK_OUTSIDE, true},
    {"web_search", MARK_OUTSIDE, true},
    {"web_fetch", MARK_OUTSIDE, true},
    {"code_execution", MARK_OUTSIDE, true},
    {"code_interpreter", MARK_OUTSIDE, true},
    {"container_upload\"", MARK_OUTSIDE, true},
    {"mcp\"", MARK_OUTSIDE, true},
    {"mcp_toolset\"", MARK_OUTSIDE, true},
    {"file_id", MARK_OUTSIDE, false},
    {"file_data\"", MARK_OUTSIDE, false},
    {"file_url\"", MARK_OUTSIDE, false},
    {"image_url\"", MARK_OUTSIDE, false},
    {"video_url\"", MARK_OUTSIDE, false},
    {"audio_url\"", MARK_OUTSIDE, false},
    {"document_url\"", MARK_OUTSIDE, false},
    {"mcp_servers\"", MARK_OUTSIDE, false},
    {"container\"", MARK_OUTSIDE, false},
    {"tool_call", MARK_CONTINUED, false},
    {"function_call", MARK_CONTINUED, false},
    {"reasoning", MARK_CONTINUED, false},
    {"tool_use", MARK_CONTINUED, false},
    {"tool_result\"", MARK_CONTINUED, false},
    {"thinking\"", MARK_CONTINUED, false},
    {"functionCall\"", MARK_CONTINUED, false},
    {"functionResponse\"", MARK_CONTINUED, false},
    {"thoughtSignature\"", MARK_CONTINUED, false},
};
static const char first_letters[] = "ivfaduwcmrt";

/* Whether `"type" :` stands before the quote at `offset`. */
static bool is_value_of_type(struct slice body, size_t offset)
{
    bool has_colon = false;
    for (; offset && strchr(" \t\r\n:", body.data[offset - 1]); offset--)
        has_colon |= body.data[offset - 1] == ':';
    return has_colon && slice_has_suffix((struct slice){body.data, offset}, "\"type\"");
}

static unsigned find_mark(struct slice body, size_t quote)
{
    struct slice text = slice_from(body, quote + 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].text[0] == text.data[0] && slice_has_prefix(text, rows[i].text) &&
            (!rows[i].is_type || is_value_of_type(body, quote)))
            return rows[i].mark;
    return 0;
}

static bool is_letter_code(char high, char low)
{
    int value = high >= '4' && high <= '7' && low >= '0' ? high - '0' : 0;
    return value == 4 || value == 6 || ((value == 5 || value == 7) && (low <= '9' || low == 'f' || low == 'F'));
}

/* No encoder escapes a letter or an underscore; who does may hide one of the names above. */
bool dialect_has_escaped_letter(struct slice body)
{
    const char *at = body.data, *end = body.data + body.length;
    while (at < end && (at = memmem(at, (size_t)(end - at), "\\u00", 4)) && end - at >= 6) {
        if (is_letter_code(at[4], at[5]))
            return true;
        at += 6;
    }
    return false;
}

unsigned dialect_find_marks(struct slice body, struct json_place messages)
{
    const char *at = body.data, *end = body.data + body.length;
    bool is_first[256] = {false};
    unsigned marks = 0;
    for (const char *letter = first_letters; *letter; letter++)
        is_first[(unsigned char)*letter] = true;
    for (; at < end && (at = memchr(at, '"', (size_t)(end - at))); at++) {
        size_t offset = (size_t)(at - body.data);
        bool is_escaped = offset && at[-1] == '\\'; /* in a text: no string begins after a backslash */
        if (is_escaped || at + 1 == end || !is_first[(unsigned char)at[1]])
            continue;
        unsigned mark = find_mark(body, offset);
        bool is_earlier = offset >= messages.offset && offset - messages.offset < messages.length;
        marks |= mark == MARK_CONTINUED && !is_earlier ? 0 : mark;
    }
    return dialect_has_escaped_letter(body) ? marks | MARK_OUTSIDE : marks;
}
