/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config/ against files that mean harm: nothing crashes, and cost stays in proportion to size. Cost is processor time
 * of this process relative to a plain file, so that a busy machine changes nothing. With the YAML test suite at hand
 * (TOLLGATE_SHARED, or ../shared) its files are fed too. Runs in the repository's root.
 */
#include "config/config.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { SMALL = 65536, LARGE = 1 << 20 };

enum { POLICY, CATALOGUE, PRICES, FILE_COUNT };
static char paths[FILE_COUNT][80];

static void remove_files(void)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (*paths[i])
            unlink(paths[i]);
}

static const char *path_of(size_t which)
{
    static const char *const suffixes[FILE_COUNT] = {"dev.yaml", "catalogue.yaml", "prices.yaml"};
    if (!*paths[0])
        atexit(remove_files);
    snprintf(paths[which], sizeof paths[which], "/tmp/test_config_hostile.%ld.%s", (long)getpid(), suffixes[which]);
    return paths[which];
}

static void write_file(size_t which, const char *bytes, size_t length)
{
    int fd = open(path_of(which), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(write(fd, bytes, length), (ssize_t)length);
    close(fd);
}

/* Small companions: what is measured is the policy. */
static void write_companions(void)
{
    static const char catalogue[] = "providers: [{id: openai, dialect: openai, hosts: [a.example], "
                                    "base_url: https://a.example, price_family: openai},\n"
                                    " {id: anthropic, dialect: anthropic, hosts: [b.example], "
                                    "base_url: https://b.example, price_family: b, key_environment: [B]},\n"
                                    " {id: google, dialect: gemini, hosts: [c.example], "
                                    "base_url: https://c.example, price_family: c, key_environment: [C]},\n"
                                    " {id: azure, dialect: openai, hosts: [\"*.openai.azure.com\"], "
                                    "price_family: d, key_environment: [D]}]\n";
    static const char prices[] = "as_of: 2026-07-02\nfamilies: {openai: {m: {input: 1, output: 2}}}\n";
    write_file(CATALOGUE, catalogue, sizeof catalogue - 1);
    write_file(PRICES, prices, sizeof prices - 1);
}

static int64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Loads and lets go; what it cost. */
static int64_t load(const char *bytes, size_t length, enum error *ret_error, size_t *ret_problems)
{
    struct config_problems problems;
    struct settings *settings = NULL;
    write_file(POLICY, bytes, length);
    write_companions();
    struct config_sources sources = {.policy_file = paths[POLICY],
                                     .providers_file = paths[CATALOGUE],
                                     .prices_file = paths[PRICES],
                                     .environment = -1};
    FILE *sink = fopen("/dev/null", "w");
    int64_t start = cpu_ns();
    config_problems_init(&problems);
    *ret_error = config_load(&sources, &problems, &settings);
    config_print_problems(&problems, sink);
    *ret_problems = problems.count;
    EXPECT((*ret_error == ERROR_OK) == (settings != NULL), "%.60s", bytes);
    EXPECT(problems.count <= CONFIG_PROBLEMS_MAX, "%zu", problems.count);
    config_release(settings);
    config_problems_done(&problems);
    int64_t cost = cpu_ns() - start;
    fclose(sink);
    return cost;
}

/* head, then unit again and again up to the size, then tail; %d in a unit counts. */
struct shape {
    const char *name, *head, *unit, *tail;
};

static const struct shape shapes[] = {
    {"flow sequences", "", "[", ""},
    {"flow mappings", "", "{a: ", ""},
    {"flow sequences on lines", "", "[\n", ""},
    {"block sequences", "", "- ", "x\n"},
    {"explicit keys", "", "? ", "x\n"},
    {"unknown keys", "", "k%d: 1\n", ""},
    {"unknown keys in one line", "{", "k%d: 1, ", "}\n"},
    {"the same key", "", "cache: 1\n", ""},
    {"nearly known keys", "", "cach%d: 1\n", ""},
    {"keys with long names", "", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk%d: 1\n", ""},
    {"anchors", "a: [", "&a%d x, ", "]\n"},
    {"aliases", "a: [", "*a, ", "]\n"},
    {"tags", "a: [", "!!str x, ", "]\n"},
    {"tag directives", "", "%%TAG !a%d! b\n", "--- {}\n"},
    {"documents", "", "--- {}\n", ""},
    {"empty lines", "", "\n", "a: ["},
    {"carriage returns", "", "\r", "a: ["},
    {"spaces", "a: ", " ", "["},
    {"comments", "", "# x\n", "a: ["},
    {"one comment", "#", "x", "\na: ["},
    {"one long key", "", "k", ": 1\n"},
    {"one long plain value", "cache: ", "v", "\n"},
    {"one long quoted value", "cache: \"", "v", "\"\n"},
    {"one long secret", "consumer_groups: [{api_key: \"", "v", "\"}]\n"},
    {"many secrets", "consumer_groups: [{api_key: [", "v%d, ", "]}]\n"},
    {"many quoted secrets", "consumer_groups: [{api_key: [", "\"v%d\", ", "]}]\n"},
    {"many secrets on lines", "a:\n", "- {secret: v%d}\n", ""},
    {"escapes", "cache: \"", "\\u0041", "\"\n"},
    {"unclosed quote", "cache: \"", "v\n ", ""},
    {"folded value", "cache: >\n", "  v\n", ""},
    {"plain value on lines", "cache: v\n", "  v\n", ""},
    {"many targets", "providers:\n  targets:\n", "    - {id: t%d, provider: openai, model: m}\n", ""},
    {"bad targets", "providers:\n  targets:\n", "    - {id: t, x: 1}\n", ""},
    {"empty targets", "providers: {targets: [", "{},", "]}\n"},
    {"many groups", "consumer_groups:\n", "  - {name: g%d, api_key: kt_cg_%d, cost_tracking: {enabled: true}}\n", ""},
    {"many budgets", "budgets:\n", "  - {id: b%d, amount: 1, time_zone: Europe/Berlin}\n", ""},
    {"bad budgets", "budgets:\n", "  - {id: b, scope: {modle: m}, alerts: [0]}\n", ""},
    {"many alerts", "budgets: [{id: b, amount: 1, alerts: [", "%d,", "]}]\n"},
    {"a long command", "alerts: {command: [", "a%d,", "]}\n"},
    {"a long webhook", "alerts: {webhook: {url: \"https://a.example/", "x", "\"}}\n"},
    {"a long list", "access: {uids: [", "1,", "]}\n"},
    {"unknown users", "access: {uids: [", "u%d,", "]}\n"},
    {"many rules", "policies:\n  rules:\n",
     "    - {id: r%d, action: flag, when: {time_zone: Europe/Berlin, regex: [a]}}\n", ""},
    {"bad rules", "policies:\n  rules:\n", "    - {id: r, action: x, when: {hours: 1}}\n", ""},
    {"many expressions", "policies: {rules: [{id: r, action: flag, when: {regex: [", "'(a%d){999}', ", "]}}]}\n"},
    {"many expressions of many rules", "policies:\n  rules:\n",
     "    - {id: r%d, action: flag, when: {regex: ['(abc){999}', '(abd){999}', '(abe){999}', '(a']}}\n", ""},
    {"one long expression", "policies: {rules: [{id: r, action: flag, when: {regex: ['", "(", "']}}]}\n"},
    {"many days", "policies: {rules: [{id: r, action: flag, when: {days: [", "mon, ", "]}}]}\n"},
    {"many model groups", "providers: {routing: {model_groups: [", "{name: m%d, targets: [t]}, ", "]}}\n"},
    {"a large model group", "providers: {routing: {model_groups: [{name: m, targets: [", "t%d, ", "]}]}}\n"},
    {"many projects", "projects:\n", "  - {name: p%d, model_groups: [{name: m, targets: [t]}]}\n", ""},
    {"many words of a data policy", "providers: {targets: [{data_policy: [", "w%d, ", "]}]}\n"},
    {"many colons", "", ":", "\n"},
    {"many dashes", "", "-", "\n"},
    {"not UTF-8", "a: ", "\xff", "\n"},
    {"wide characters", "a: ", "\xf0\x9f\x98\x80", "\n"},
    {"wide characters before an error", "\"", "\xf0\x9f\x98\x80", "\": {}: x"},
    {"tabs", "a:\n", "\t", "b\n"},
    {"block scalar headers", "a: |", "1", "\n"},
    {"question marks in flow", "{", "?,", "}\n"},
};

static size_t fill(const struct shape *shape, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "%s", shape->head), tail = strlen(shape->tail);
    for (int n = 0; length + tail + 96 < size; n++) {
        char unit[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int unit_length = strchr(shape->unit, '%') ? snprintf(unit, sizeof unit, shape->unit, n, n)
                                                   : snprintf(unit, sizeof unit, "%s", shape->unit);
#pragma GCC diagnostic pop
        memcpy(text + length, unit, (size_t)unit_length);
        length += (size_t)unit_length;
    }
    memcpy(text + length, shape->tail, tail);
    return length + tail;
}

/* What an honest file of this size costs: wallets, the longest list that is allowed to be long in text. */
static int64_t honest_cost(char *text, size_t size)
{
    static const struct shape honest = {
        "honest", "consumer_groups: [{name: g, api_key: kt_cg_g, wallet_team_id: w}]\nwallets:\n",
        "  # this wallet is the one of team number %d, which pays for all that its members do in an ordinary month\n",
        ""};
    int64_t best = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        enum error error;
        size_t problems;
        int64_t cost = load(text, fill(&honest, text, size), &error, &problems);
        best = cost < best ? cost : best;
    }
    return best;
}

static void expect_bounded(size_t size, int64_t times)
{
#ifdef __SANITIZE_THREAD__
    times *= 4; /* it slows the many small steps of a refusal down more than the few of a good file */
#endif
    char *text = malloc(size);
    int64_t honest = honest_cost(text, size);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        enum error error;
        size_t problems, length = fill(&shapes[i], text, size);
        int64_t cost = load(text, length, &error, &problems);
        if (cost > honest * times) /* once more: this processor may have been taken away in the middle of a cache */
            cost = load(text, length, &error, &problems);
        EXPECT(cost <= honest * times, "%s: %lld us, an honest file %lld us", shapes[i].name, (long long)cost / 1000,
               (long long)honest / 1000);
        EXPECT(error == ERROR_SETTINGS_INVALID && problems > 0, "%s was accepted", shapes[i].name);
        if (getenv("TEST_CONFIG_VERBOSE"))
            fprintf(stderr, "%8lld us (honest %lld) %3zu problems  %s\n", (long long)cost / 1000,
                    (long long)honest / 1000, problems, shapes[i].name);
    }
    free(text);
}

TEST(small_hostile_files_cost_little)
{
    expect_bounded(SMALL, 60);
}

TEST(the_largest_hostile_files_cost_in_proportion)
{
    expect_bounded(LARGE, 60);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A good file with a few bytes changed, added or lost. */
static size_t mutate(char *text, size_t length, uint64_t *state)
{
    static const char interesting[] = "{}[]:,-#&*!|>'\"%@`~ \n\t\r\\0x9_?=<\x00\xff\xc3";
    for (unsigned changes = 1 + (unsigned)(next_random(state) % 4); changes && length > 8; changes--) {
        size_t at = next_random(state) % length, run = 1 + next_random(state) % 8;
        switch (next_random(state) % 3) {
        case 0:
            text[at] = interesting[next_random(state) % (sizeof interesting - 1)];
            break;
        case 1:
            run = run > length - at ? length - at : run;
            memmove(text + at, text + at + run, length - at - run);
            length -= run;
            break;
        default:
            memmove(text + at + run, text + at, length - at);
            memmove(text + at, text + next_random(state) % (length - run), run);
            length += run;
        }
    }
    return length;
}

TEST(mutated_policies_never_crash)
{
    static const char *const seeds[] = {"policies/policy-config.dev.yaml", "policies/examples/teams.prod.yaml",
                                        "policies/examples/local-model.dev.yaml", "policies/examples/routing.dev.yaml",
                                        "policies/examples/rules.dev.yaml"};
    enum { SEEDS = sizeof seeds / sizeof *seeds };
    uint64_t state = 0x9e3779b97f4a7c15u;
    unsigned accepted = 0, refused = 0;
    for (unsigned round = 0; round < 1000 * SEEDS; round++) {
        char text[8192];
        FILE *file = fopen(seeds[round % SEEDS], "r");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        size_t length = fread(text, 1, sizeof text - 64, file), problems;
        enum error error;
        fclose(file);
        load(text, mutate(text, length, &state), &error, &problems);
        accepted += error == ERROR_OK;
        refused += error != ERROR_OK;
    }
    EXPECT(refused > 1000, "%u refused, %u accepted", refused, accepted);
}

/* Each file of the suite as a policy, and the YAML inside it (below `yaml: |`, indented by four). */
static void feed_suite_file(const char *name, unsigned *fed)
{
    static char text[SMALL], inner[SMALL];
    FILE *file = fopen(name, "r");
    if (!file)
        return;
    size_t length = fread(text, 1, sizeof text - 1, file), problems, inner_length = 0;
    enum error error;
    fclose(file);
    text[length] = '\0';
    load(text, length, &error, &problems);
    EXPECT(error != ERROR_OK, "%s is no policy", name);
    const char *line = strstr(text, "  yaml: |\n");
    for (line = line ? line + 10 : ""; strncmp(line, "    ", 4) == 0;) {
        size_t line_length = strcspn(line, "\n");
        memcpy(inner + inner_length, line + 4, line_length - 4);
        inner_length += line_length - 4;
        inner[inner_length++] = '\n';
        line += line_length + (line[line_length] == '\n');
    }
    load(inner, inner_length, &error, &problems);
    EXPECT(error != ERROR_OK && problems > 0, "the inner part of %s is no policy", name);
    (*fed)++;
}

TEST(the_yaml_suite_never_crashes)
{
    const char *shared = getenv("TOLLGATE_SHARED");
    char folder[400], name[700];
    unsigned fed = 0;
    snprintf(folder, sizeof folder, "%s/corpus/yaml/src", shared ? shared : "../shared");
    DIR *suite = opendir(folder);
    if (!suite) {
        fprintf(stderr, "no YAML suite at hand, skipped ");
        return;
    }
    for (struct dirent *entry; (entry = readdir(suite));) {
        snprintf(name, sizeof name, "%s/%s", folder, entry->d_name);
        if (strstr(entry->d_name, ".yaml"))
            feed_suite_file(name, &fed);
    }
    closedir(suite);
    EXPECT(fed > 300, "%u files", fed);
}
