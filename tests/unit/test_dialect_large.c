/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large bodies are looked through in blocks, and conversations are known by the beginning of their first message: what
 * is looked for is found wherever in a block it stands, and turns of one conversation stay together.
 */
#include "dialect_plays.h"

enum { BLOCK = 8192, AROUND = 40, BODY_MAX = 4 * BLOCK };

static const struct play chat = {DIALECT_OPENAI, NULL, "/v1/chat/completions", ""};
static const struct play messages = {DIALECT_ANTHROPIC, NULL, "/v1/messages", ""};
static const struct play generate = {DIALECT_GEMINI, NULL, "/v1beta/models/gemini-2.5-flash:generateContent", ""};

/* `before`, a text of `fill` bytes, `after`; ' stands for ". */
static struct slice fill(char *body, const char *before, size_t bytes, const char *after)
{
    size_t length = 0;
    for (; *before; before++)
        body[length++] = (char)(*before == '\'' ? '"' : *before);
    memset(body + length, 'x', bytes);
    length += bytes;
    for (; *after; after++)
        body[length++] = (char)(*after == '\'' ? '"' : *after);
    return (struct slice){body, length};
}

#define CHAT     "{'model':'m','messages':[{'role':'user','content':'"
#define MESSAGES "{'model':'m','max_tokens':9,'messages':[{'role':'user','content':'"
#define GENERATE "{'contents':[{'role':'user','parts':[{'text':'"

static const struct {
    const struct play *play;
    const char *before, *after;
    bool is_outside, is_continued;
    uint64_t added; /* the body's length is not counted: -1 */
} rows[] = {
    {&chat, CHAT, "'}],'x':[]}", false, false, 0},
    {&chat, CHAT, "'},{'role':'user','content':[{'type':'image_url','x':{}}]}]}", true, false, 0},
    {&chat, CHAT, "'},{'role':'user','content':[{'type' : 'file'}]}]}", true, false, 0},
    {&chat, CHAT, "'},{'role':'user','content':[{'t\\u0079pe':'file'}]}]}", true, false, 0},
    {&chat, CHAT, "'},{'role':'user','content':'\\n\\t\\u00e9 \\'type\\':\\'file\\''}]}", false, false, 0},
    {&chat, CHAT, "'},{'role':'assistant','tool_calls':[]}]}", false, true, 0},
    {&chat, CHAT, "'}],'metadata':{'tool_calls':'x'}}", false, false, 0}, /* behind the messages */
    {&messages, MESSAGES, "'}]}", false, false, 0},
    {&messages, MESSAGES, "'}],'tools':[{'type':'bash_20250124','name':'bash'}]}", false, false, 530 + 245},
    {&messages, MESSAGES, "'}],'tools':[{'type':'text_editor_20250728'},{'type':'computer_20250124'}]}", false, false,
     530 + 700 + 735 + 499},
    {&messages, MESSAGES, "'},{'role':'user','content':[{'type':'document','source':{}}]}]}", true, false, 0},
    {&messages, MESSAGES, "'},{'role':'assistant','content':[{'type':'tool_use','id':'t'}]}]}", false, true, 0},
    {&generate, GENERATE, "'}]}]}", false, false, 0},
    {&generate, GENERATE, "'},{'inlineData':{'data':'AAAA'}}]}]}", true, false, 0},
    {&generate, GENERATE, "'},{'file_data':{}}]}]}", true, false, 0},
    {&generate, GENERATE, "'},{'text':'\\u0041'}]}]}", true, false, 0},
    {&generate, GENERATE, "'},{'function_response':{}}]}]}", false, true, 0},
    {&generate, GENERATE, "'},{'thought_signature':'AA'}]}]}", false, true, 0},
    {&generate, GENERATE, "'}]}],'x':{'function_response':1}}", false, false, 0},
    {&generate, GENERATE, "'},{'text':'file_path'}]}],'tools':[{'functionDeclarations':[{'name':'file'}]}]}", false,
     false, 0},
};

TEST(marks_are_found_at_every_place_of_a_block)
{
    char *body = malloc(BODY_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t front = strlen(rows[i].before), most = strlen(rows[i].after) + AROUND;
        for (size_t bytes = BLOCK - front - most; bytes <= BLOCK - front + AROUND; bytes++) {
            struct arena *arena = arena_new(1024);
            struct request_facts facts = {0};
            const char *problem;
            struct slice text = fill(body, rows[i].before, bytes, rows[i].after);
            enum error error = play_read(rows[i].play, text, arena, &facts, &problem);
            bool is_right = error == ERROR_OK && facts.refers_outside == rows[i].is_outside &&
                            facts.is_continued == rows[i].is_continued && facts.added_tokens == rows[i].added;
            EXPECT(is_right, "row %zu, %zu bytes before it: %s, outside %d, continued %d, added %llu", i, bytes,
                   problem, facts.refers_outside, facts.is_continued, (unsigned long long)facts.added_tokens);
            arena_free(arena);
            if (!is_right)
                break;
        }
    }
    free(body);
}

static uint64_t conversation_of(const struct play *play, struct slice body)
{
    struct arena *arena = arena_new(1024);
    struct request_facts facts = {0};
    const char *problem;
    CU_ASSERT(play_read(play, body, arena, &facts, &problem) == ERROR_OK);
    arena_free(arena);
    return facts.conversation;
}

/* The same first message, short or long, and what comes after it; another beginning, and another length of a short one.
 */
TEST(long_messages_stay_in_their_conversation)
{
    static const struct {
        const struct play *play;
        const char *before, *end, *more;
    } forms[] = {
        {&chat, CHAT, "'}]}", "'},{'role':'assistant','content':'yes'},{'role':'user','content':'more'}]}"},
        {&chat, "{'model':'m','messages':[{'role':'system','content':'s'},{'content':'", "','role':'user'}]}",
         "','role':'user'},{'role':'assistant','content':'yes'}]}"},
        {&messages, MESSAGES, "'}]}", "'},{'role':'assistant','content':'yes'},{'role':'user','content':'more'}]}"},
        {&generate, GENERATE, "'}]}]}", "'}]},{'role':'model','parts':[{'text':'yes'}]}]}"},
    };
    char *body = malloc(BODY_MAX);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        uint64_t before = 0;
        for (size_t bytes = 1; bytes < 3 * BLOCK; bytes += bytes < 4200 && bytes > 3900 ? 1 : 97) {
            uint64_t first = conversation_of(forms[i].play, fill(body, forms[i].before, bytes, forms[i].end));
            uint64_t second = conversation_of(forms[i].play, fill(body, forms[i].before, bytes, forms[i].more));
            struct slice other = fill(body, forms[i].before, bytes, forms[i].end);
            body[strlen(forms[i].before)] = 'y';
            EXPECT(first && first == second, "form %zu, %zu bytes", i, bytes);
            EXPECT(first != conversation_of(forms[i].play, other), "form %zu, %zu bytes: another beginning", i, bytes);
            EXPECT(bytes > 3900 || first != before, "form %zu, %zu bytes: another length", i, bytes);
            before = first;
        }
    }
    free(body);
}
