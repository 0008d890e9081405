/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks in a request: names and types that say that its bytes do not bound its input, or that it goes on with a turn of
 * tools or reasoning. One pass from quote to quote, for the body has been validated and is long; a mark too many only
 * makes a bound wider. Called by request.c.
 */
#include "dialect/internal.h"

/* What follows an opening quote. With its own closing quote: the whole string; without: its beginning. */
struct mark_row {
    const char *text;
    unsigned mark;
};

/* OpenAI "Images and vision", "File inputs", "Tools"; Anthropic "Vision", "Files API", "Web search tool"; Gemini
 * "Files", "Grounding", "Context caching". Then what earlier turns left behind: tool calls, their results, reasoning.
 */
static const struct mark_row rows[] = {
    {"file", MARK_OUTSIDE},
    {"url\"", MARK_OUTSIDE},
    {"image\"", MARK_OUTSIDE},
    {"document\"", MARK_OUTSIDE},
    {"input_audio\"", MARK_OUTSIDE},
    {"web_search", MARK_OUTSIDE},
    {"code_execution", MARK_OUTSIDE},
    {"code_interpreter", MARK_OUTSIDE},
    {"image_generation", MARK_OUTSIDE},
    {"mcp", MARK_OUTSIDE},
    {"container\"", MARK_OUTSIDE},
    {"item_reference\"", MARK_OUTSIDE},
    {"tool_call", MARK_CONTINUED},
    {"function_call", MARK_CONTINUED},
    {"reasoning", MARK_CONTINUED},
    {"tool_use", MARK_CONTINUED},
    {"tool_result\"", MARK_CONTINUED},
    {"thinking\"", MARK_CONTINUED},
    {"functionCall\"", MARK_CONTINUED},
    {"functionResponse\"", MARK_CONTINUED},
    {"thoughtSignature\"", MARK_CONTINUED},
};

static unsigned find_mark(struct slice after_quote)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].text[0] == after_quote.data[0] && slice_has_prefix(after_quote, rows[i].text))
            return rows[i].mark;
    return 0;
}

static bool is_letter_code(char high, char low)
{
    int value = high >= '4' && high <= '7' && low >= '0' ? high - '0' : 0;
    return value == 4 || value == 6 || ((value == 5 || value == 7) && (low <= '9' || low == 'f' || low == 'F'));
}

/* No encoder escapes a letter or an underscore; who does may hide one of the names above. */
static bool has_escaped_letter(struct slice body)
{
    const char *at = body.data, *end = body.data + body.length;
    while ((at = memmem(at, (size_t)(end - at), "\\u00", 4)) && end - at >= 6) {
        if (is_letter_code(at[4], at[5]))
            return true;
        at += 6;
    }
    return false;
}

unsigned dialect_find_marks(struct slice body, struct json_place messages)
{
    static const char first_letters[] = "fuidwcmrt";
    const char *at = body.data, *end = body.data + body.length;
    bool is_first[256] = {false};
    unsigned marks = 0;
    for (const char *letter = first_letters; *letter; letter++)
        is_first[(unsigned char)*letter] = true;
    while (at < end && (at = memchr(at, '"', (size_t)(end - at)))) {
        struct slice after = {at + 1, (size_t)(end - at - 1)};
        size_t offset = (size_t)(at - body.data);
        bool is_escaped = offset && at[-1] == '\\'; /* in a text: no string begins or ends after a backslash */
        at++;
        if (!is_escaped && after.length && is_first[(unsigned char)after.data[0]]) {
            unsigned mark = find_mark(after);
            bool is_earlier = offset >= messages.offset && offset - messages.offset < messages.length;
            marks |= mark == MARK_CONTINUED && !is_earlier ? 0 : mark;
        }
        if (offset >= 4 && memcmp(at - 5, "_url", 4) == 0) /* image_url, file_url … */
            marks |= MARK_OUTSIDE;
    }
    return has_escaped_letter(body) ? marks | MARK_OUTSIDE : marks;
}
