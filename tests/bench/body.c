/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a large request body costs inside the agent, stage by stage, without TLS, sockets or a provider: CPU time of
 * this thread relative to one scan of the same bytes (json_scan, which validates), interleaved, medians. Called by
 * `scripts/bench body`. Counts of instructions would not drift, but virtual machines rarely have them.
 *
 *   body ROUNDS
 */
#include "base/json.h"
#include "dialect/dialect.h"
#include "policy/policy.h"
#include "translate/translate.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BODY_BYTES = 1 << 20, ROUNDS_MAX = 1000, DEPTH_MAX = 128 };

/* The call that the body belongs to. */
struct call {
    enum dialect_kind dialect;
    const char *path;
    enum api other; /* what it can be translated to */
};
static const struct call chat = {DIALECT_OPENAI, "/v1/chat/completions", API_MESSAGES};
static const struct call messages = {DIALECT_ANTHROPIC, "/v1/messages", API_CHAT};

struct body {
    struct slice bytes;
    const struct call *call;
    const struct endpoint *endpoint;
    uint64_t sink; /* what is computed must not be left out by the compiler */
};

static void fail(const char *what)
{
    fprintf(stderr, "body: %s\n", what);
    exit(1);
}

/* ---- bodies: a text, an image, a long conversation, a text full of escapes ---- */

static const char words[] = "Say in one sentence why the sea is salt, then count to ten. ";

static void put(struct buffer *out, const char *text)
{
    if (!buffer_append(out, slice_of(text)))
        fail("no room");
}

static void begin(struct buffer *out)
{
    put(out,
        "{\"model\":\"gpt-5.4-nano\",\"max_completion_tokens\":100,\"stream\":true,\"messages\":[{\"role\":\"system\","
        "\"content\":\"Be brief.\"},");
}

static void make_text(struct buffer *out)
{
    begin(out);
    put(out, "{\"role\":\"user\",\"content\":\"");
    while (buffer_length(out) < BODY_BYTES)
        put(out, words);
    put(out, "\"}]}");
}

static void make_messages(struct buffer *out)
{
    put(out, "{\"model\":\"claude-sonnet-4-6\",\"max_tokens\":100,\"stream\":true,\"system\":\"Be brief.\","
             "\"messages\":[{\"role\":\"user\",\"content\":\"");
    while (buffer_length(out) < BODY_BYTES)
        put(out, words);
    put(out, "\"}]}");
}

static void make_image(struct buffer *out)
{
    static const char base64[] =
        "iVBORw0KGgoAAAANSUhEUgAABAAAAAQACAYAAAB/HSuDAAAACXBIWXMAAAsTAAALEwEAmpwYAAAg+Nn7Zq3k9";
    begin(out);
    put(out, "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is this?\"},{\"type\":\"image_url\","
             "\"image_url\":{\"url\":\"data:image/png;base64,");
    while (buffer_length(out) < BODY_BYTES)
        put(out, base64);
    put(out, "AAA=\"}}]}]}"); /* pads to four for every size of the pieces */
}

static void make_turns(struct buffer *out)
{
    begin(out);
    for (unsigned turn = 0; turn < 2000; turn++) {
        put(out, turn % 2 ? ",{\"role\":\"assistant\",\"content\":\""
                 : turn   ? ",{\"role\":\"user\",\"content\":\""
                          : "{\"role\":\"user\",\"content\":\"");
        for (unsigned i = 0; i < 8; i++)
            put(out, words);
        put(out, "\"}");
    }
    put(out, "]}");
}

static void make_escapes(struct buffer *out)
{
    begin(out);
    put(out, "{\"role\":\"user\",\"content\":\"");
    while (buffer_length(out) < BODY_BYTES)
        put(out, "if (x == \\\"a\\\") {\\n\\treturn \\u00e9\\u4e2d;\\n}\\n");
    put(out, "\"}]}");
}

/* ---- stages ---- */

/* One look at each byte, eight at a time: what a pass costs at least. */
static void stage_pass(struct body *body)
{
    uint64_t sum = 0, word;
    for (size_t i = 0; i + sizeof word <= body->bytes.length; i += sizeof word) {
        memcpy(&word, body->bytes.data + i, sizeof word);
        sum ^= word;
        __asm__ volatile("" : "+r"(sum)); /* no wider than a word */
    }
    body->sink += sum;
}

static void stage_copy(struct body *body)
{
    char *copy = malloc(body->bytes.length);
    memcpy(copy, body->bytes.data, body->bytes.length);
    __asm__ volatile("" : : "r"(copy) : "memory");
    free(copy);
}

static void stage_scan(struct body *body)
{
    if (json_scan(body->bytes, DEPTH_MAX, NULL, 0, NULL))
        fail("a body is no JSON");
}

static void read_facts(struct body *body, struct arena *arena, struct request_facts *facts)
{
    const char *problem = "";
    const struct dialect_request request = {.method = SLICE_LITERAL("POST"),
                                            .path = slice_of(body->call->path),
                                            .content_type = SLICE_LITERAL("application/json"),
                                            .body = body->bytes,
                                            .depth_max = DEPTH_MAX};
    if (dialect_of(body->call->dialect)->read_request(body->endpoint, &request, arena, facts, &problem))
        fail(problem);
}

static void stage_read(struct body *body)
{
    struct request_facts facts;
    struct arena *arena = arena_new(4096);
    read_facts(body, arena, &facts);
    body->sink += facts.conversation;
    arena_free(arena);
}

/* Read, and another model, limit and usage put in: what a call that is passed through needs. */
static void stage_through(struct body *body)
{
    const struct request_edits edits = {.model = "gpt-5.4", .inject_usage = true, .output_tokens_max = 50};
    struct request_facts facts;
    struct arena *arena = arena_new(4096);
    read_facts(body, arena, &facts);
    body->sink +=
        dialect_of(body->call->dialect)->edit_request(body->endpoint, body->bytes, &facts, &edits, arena).length;
    arena_free(arena);
}

/* A rule that looks for everything that can be looked for, and finds nothing. */
static void stage_inspect(struct body *body)
{
    static struct consumer_group group = {.name = "bench"};
    static struct policy_rule rule = {.id = "clean", .action = RULE_REDACT};
    struct settings settings = {.rules = &rule, .rule_count = 1};
    const struct policy_question question = {.group = &group,
                                             .project = "",
                                             .model = "gpt-5.4-nano",
                                             .endpoint = "chat.completions",
                                             .is_metered = true,
                                             .output_tokens_max = -1,
                                             .body = body->bytes,
                                             .is_json = true};
    struct policy_verdict verdict;
    struct arena *arena = arena_new(4096);
    rule.detect = ~(~0u << DETECT_COUNT);
    if (policy_decide(&settings, &question, arena, &verdict))
        fail("a rule found something");
    body->sink += verdict.flag_count;
    arena_free(arena);
}

/* What no translation by a tree can do without. */
static void stage_jansson(struct body *body)
{
    json_t *tree = json_loadb(body->bytes.data, body->bytes.length, JSON_REJECT_DUPLICATES, NULL);
    char *text = json_dumps(tree, JSON_COMPACT);
    body->sink += (uint64_t)text[0];
    free(text);
    json_decref(tree);
}

static void stage_translate(struct body *body)
{
    const struct translate_request request = {.from = body->endpoint->api,
                                              .to = body->call->other,
                                              .body = body->bytes,
                                              .model = "other",
                                              .output_tokens_max = 100,
                                              .output_max_member = "max_tokens"};
    struct translate_facts facts;
    struct arena *arena = arena_new(4096);
    const char *problem = "";
    struct slice translated;
    if (translate_request(&request, arena, &translated, &facts, &problem))
        fail(problem);
    body->sink += translated.length;
    arena_free(arena);
}

static const struct stage {
    const char *name;
    void (*run)(struct body *body);
} stages[] = {
    {"scan", stage_scan},       {"pass", stage_pass},       {"copy", stage_copy},       {"read", stage_read},
    {"through", stage_through}, {"inspect", stage_inspect}, {"jansson", stage_jansson}, {"translate", stage_translate},
};
static const struct shape {
    const char *name;
    const struct call *call;
    void (*make)(struct buffer *out);
} shapes[] = {{"text", &chat, make_text},
              {"image", &chat, make_image},
              {"turns", &chat, make_turns},
              {"escapes", &chat, make_escapes},
              {"messages", &messages, make_messages}};
enum { STAGES = sizeof stages / sizeof *stages, SHAPES = sizeof shapes / sizeof *shapes };

/* ---- the run ---- */

static uint64_t cpu_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

static void measure(const struct shape *shape, size_t rounds)
{
    static double ratios[STAGES][ROUNDS_MAX], scans_us[ROUNDS_MAX];
    struct buffer buffer;
    buffer_init(&buffer, 4 * BODY_BYTES);
    shape->make(&buffer);
    struct body body = {.bytes = buffer_contents(&buffer), .call = shape->call};
    body.endpoint = dialect_of(shape->call->dialect)->find_endpoint(SLICE_LITERAL("POST"), slice_of(shape->call->path));
    for (size_t round = 0; round <= rounds; round++) { /* the first warms up */
        double scan = 1;
        for (size_t i = 0; i < STAGES; i++) {
            uint64_t from = cpu_ns();
            stages[i].run(&body);
            double spent = (double)(cpu_ns() - from);
            scan = i == 0 ? spent : scan;
            if (round > 0)
                ratios[i][round - 1] = spent / scan;
        }
        if (round > 0)
            scans_us[round - 1] = scan / 1e3;
    }
    printf("figure body_%s_scan_us %.4g us\n", shape->name, median(scans_us, rounds));
    for (size_t i = 1; i < STAGES; i++)
        printf("figure body_%s_%s %.3g scans\n", shape->name, stages[i].name, median(ratios[i], rounds));
    buffer_done(&buffer);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 50;
    if (rounds == 0 || rounds > ROUNDS_MAX)
        return 64;
    for (size_t i = 0; i < SHAPES; i++)
        measure(&shapes[i], rounds);
    return 0;
}
