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
    {"file_data\"", MARK_OUTSIDE | MARK_GEMINI_DATA, false},
    {"fileData\"", MARK_GEMINI_DATA, false},
    {"inlineData\"", MARK_GEMINI_DATA, false},
    {"inline_data\"", MARK_GEMINI_DATA, false},
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
    {"function_response\"", MARK_GEMINI_TURN, false},
    {"thought_signature\"", MARK_GEMINI_TURN, false},
    {"compact_", MARK_COMPACT, false},
    {"bash_", MARK_BASH, false},
    {"text_editor_", MARK_EDITOR, false},
    {"computer_", MARK_COMPUTER, false},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Rows by their first letter, linked: nearly every string begins with one of them. Numbers are those of the row + 1. */
struct mark_index {
    uint8_t first[256], next[ROWS + 1];
};

static void make_index(struct mark_index *index)
{
    memset(index, 0, sizeof *index);
    for (uint8_t number = ROWS; number > 0; number--) {
        uint8_t *first = &index->first[(unsigned char)rows[number - 1].text[0]];
        index->next[number] = *first;
        *first = number;
    }
}

/* Whether `"type" :` stands before the quote at `offset`. */
static bool is_value_of_type(struct slice body, size_t offset)
{
    bool has_colon = false;
    for (; offset && strchr(" \t\r\n:", body.data[offset - 1]); offset--)
        has_colon |= body.data[offset - 1] == ':';
    return has_colon && slice_has_suffix((struct slice){body.data, offset}, "\"type\"");
}

static unsigned find_mark(struct slice body, size_t quote, const struct mark_index *index)
{
    struct slice text = slice_from(body, quote + 1);
    for (uint8_t at = index->first[(unsigned char)text.data[0]]; at; at = index->next[at]) {
        const struct mark_row *row = &rows[at - 1];
        if (text.length > 1 && text.data[1] == row->text[1] && slice_has_prefix(text, row->text) &&
            (!row->is_type || is_value_of_type(body, quote)))
            return row->mark;
    }
    return 0;
}

/* Of the last two hexadecimal digits: A–Z, a–z or _. */
static bool is_letter_code(char high, char low)
{
    if (high == '4' || high == '6')
        return low != '0';
    if (high == '5' || high == '7')
        return low <= '9' || low == 'a' || low == 'A' || (high == '5' && (low == 'f' || low == 'F'));
    return false;
}

/* Whether one of eight bytes is '\\' and the one after it 'u' (a byte of `differs` is 0 there). A borrow may find too
 * many, never too few. */
static bool may_have_escape(const char *at)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t here, next;
    memcpy(&here, at, sizeof here);
    memcpy(&next, at + 1, sizeof next);
    uint64_t differs = (here ^ (ones * '\\')) | (next ^ (ones * 'u'));
    return (differs - ones) & ~differs & (ones << 7);
}

static bool is_escaped_letter(const char *at, const char *end)
{
    return end - at >= 6 && memcmp(at, "\\u00", 4) == 0 && is_letter_code(at[4], at[5]);
}

/* No encoder escapes a letter or an underscore; who does may hide one of the names above. Looks at the escapes that
 * begin in [from, to). memchr passes a text without any fastest, and is slow in one that is full of them. */
static bool has_escaped_letter(const char *from, const char *to, const char *end)
{
    const char *at = memchr(from, '\\', (size_t)(to - from));
    for (; at && at < to && end - at > 8; at += 8)
        for (size_t i = 0; i < 8 && may_have_escape(at); i++)
            if (is_escaped_letter(at + i, end))
                return true;
    for (; at && at < to; at++)
        if (is_escaped_letter(at, end))
            return true;
    return false;
}

/* The marks of the strings that begin in [from, to). */
static unsigned find_names(struct slice body, struct json_place messages, const char *from, const char *to,
                           const struct mark_index *index)
{
    unsigned marks = 0;
    for (const char *at = from; at < to && (at = memchr(at, '"', (size_t)(to - at))); at++) {
        size_t offset = (size_t)(at - body.data);
        bool is_escaped = offset && at[-1] == '\\'; /* in a text: no string begins after a backslash */
        if (is_escaped || offset + 1 == body.length)
            continue;
        unsigned mark = find_mark(body, offset, index);
        bool is_earlier = offset >= messages.offset && offset - messages.offset < messages.length;
        marks |= is_earlier ? mark : mark & ~(unsigned)(MARK_CONTINUED | MARK_GEMINI_TURN);
    }
    return marks;
}

/* Block by block: the second look finds its bytes in the nearest cache. */
unsigned dialect_find_marks(struct slice body, struct json_place messages)
{
    enum { BLOCK_BYTES = 8192 };
    const char *from = body.data, *end = body.data + body.length;
    struct mark_index index;
    unsigned marks = 0;
    make_index(&index);
    while (from < end) {
        const char *to = end - from > BLOCK_BYTES ? from + BLOCK_BYTES : end;
        marks |= find_names(body, messages, from, to, &index);
        if (!(marks & MARK_ESCAPED) && has_escaped_letter(from, to, end))
            marks |= MARK_ESCAPED | MARK_OUTSIDE;
        from = to;
    }
    return marks;
}
