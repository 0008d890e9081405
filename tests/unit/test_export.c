/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exports: shares that lose nothing, cells that no spreadsheet executes, files of every format whose rows sum up to the
 * ledger to the nano-dollar, a manifest that says when they do not, and nothing left of a file that failed.
 */
#include "base/file.h"
#include "tests/unit/export_world.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* ---- shares ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

TEST(shares_are_what_they_should_be)
{
    static const struct {
        uint64_t amount;
        unsigned __int128 weights[3];
        uint64_t shares[3];
    } rows[] = {
        {100, {1, 1, 2}, {25, 25, 50}},
        {10, {1, 1, 1}, {4, 3, 3}}, /* the rest: the first of equals */
        {10, {1, 2, 1}, {2, 6, 2}},
        {1, {5, 5, 6}, {0, 0, 1}},
        {0, {1, 2, 3}, {0, 0, 0}},
        {7, {0, 3, 0}, {0, 7, 0}},
        {9000000000000000000u,
         {(unsigned __int128)1 << 120, (unsigned __int128)1 << 120, 0},
         {4500000000000000000u, 4500000000000000000u, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t shares[3] = {77, 77, 77};
        EXPECT(export_split(rows[i].amount, rows[i].weights, 3, shares), "row %zu", i);
        for (size_t j = 0; j < 3; j++)
            EXPECT(shares[j] == rows[i].shares[j], "row %zu share %zu: %llu", i, j, (unsigned long long)shares[j]);
    }
    const unsigned __int128 none[3] = {0};
    uint64_t untouched[3] = {1, 2, 3};
    CU_ASSERT_FALSE(export_split(5, none, 3, untouched));
    EXPECT_INTEGER(untouched[0], 1);
}

TEST(shares_sum_up_to_the_amount)
{
    for (unsigned round = 0; round < 20000; round++) {
        unsigned __int128 weights[BUCKET_COUNT];
        uint64_t shares[BUCKET_COUNT], sum = 0, amount = random_below(UINT64_C(1) << (1 + round % 62));
        for (size_t i = 0; i < BUCKET_COUNT; i++)
            weights[i] = (unsigned __int128)random_below(3) * random_below(UINT64_C(1) << (1 + round % 40)) *
                         random_below(UINT64_C(1) << (1 + round % 60));
        weights[round % BUCKET_COUNT]++;
        CU_ASSERT_TRUE_FATAL(export_split(amount, weights, BUCKET_COUNT, shares));
        for (size_t i = 0; i < BUCKET_COUNT; i++)
            sum += shares[i];
        EXPECT(sum == amount, "round %u", round);
    }
}

/* ---- cells ---- */

TEST(cells_are_quoted_and_guarded)
{
    static const struct {
        const char *text, *cell;
    } rows[] = {
        {"", ""},
        {"gpt-5.4", "gpt-5.4"},
        {"a,b", "\"a,b\""},
        {"say \"hi\"", "\"say \"\"hi\"\"\""},
        {"two\r\nlines", "\"two\r\nlines\""},
        {" spaces ", "\" spaces \""},
        {"=1+1", "'=1+1"},
        {"+1", "'+1"},
        {"-1", "'-1"},
        {"@SUM(A1)", "'@SUM(A1)"},
        {"\t=1", "\"'\t'=1\""},
        {"\r=1", "\"'\r'=1\""},
        {"\n=1", "\"'\n'=1\""},
        {"  =1", "\"'  =1\""},
        {"=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""},
        {"a=1", "a=1"},
        {"a;b", "\"a;b\""},
        {"x;=cmd|'/c calc'!A1", "\"x;'=cmd|'/c calc'!A1\""},
        {"x; +1;\"@a", "\"x;' +1;'\"\"@a\""},
        {"x\t-1", "\"x\t'-1\""},
        {"x,@a\r\n=1", "\"x,'@a\r\n'=1\""},
        {"\uFF1D1", "'\uFF1D1"},
        {" \uFF0B1", "\"' \uFF0B1\""},
        {"x;\uFF0D1;\uFF20", "\"x;'\uFF0D1;'\uFF20\""},
        {"müller €", "müller €"},
        {"\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        {"cut \xE2\x82", "cut \xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC0\xAFx", "\xEF\xBF\xBD\xEF\xBF\xBDx"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"'=1", "'=1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out;
        buffer_init(&out, 4096);
        csv_put_text(&out, slice_of(rows[i].text));
        CU_ASSERT_FATAL(buffer_append(&out, (struct slice){"", 1}));
        EXPECT_STRING(buffer_contents(&out).data, rows[i].cell);
        buffer_done(&out);
    }
}

TEST(numbers_have_no_exponent_and_no_sign)
{
    static const struct {
        uint64_t nano;
        const char *cell;
    } rows[] = {{0, "0"}, {1, "0.000000001"}, {1500000000, "1.5"}, {INT64_MAX, "9223372036.854775807"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out;
        buffer_init(&out, 4096);
        csv_put_money(&out, rows[i].nano);
        CU_ASSERT_FATAL(buffer_append(&out, (struct slice){"", 1}));
        EXPECT_STRING(buffer_contents(&out).data, rows[i].cell);
        buffer_done(&out);
    }
}

/* ---- files ---- */

struct file {
    struct buffer bytes;
    struct export_result result;
    enum error error;
};

static bool keep(void *context, struct slice bytes)
{
    return buffer_append(context, bytes);
}

static struct period everything(void)
{
    static struct arena *arena;
    arena = arena ? arena : arena_new(256);
    return (struct period){0, INT64_C(4102444800), zone_load(arena, "UTC"), "UTC"};
}

static struct export_order order_of(enum export_format format)
{
    return (struct export_order){
        .journal = journal, .ledger = ledger, .settings = settings, .format = format, .period = everything()};
}

static void make_file(enum export_format format, struct file *file)
{
    const struct export_order order = order_of(format);
    buffer_init(&file->bytes, 64 << 20);
    file->error = export_run(&order, keep, &file->bytes, &file->result);
    EXPECT_INTEGER(file->error, ERROR_OK);
    CU_ASSERT_FATAL(buffer_append(&file->bytes, (struct slice){"", 1}));
}

/* Cell by cell, as RFC 4180 has it; at the end of a row *ret_is_last. False at the end of the file. */
static bool next_cell(const char **at, char cell[4096], bool *ret_is_last)
{
    const char *from = *at;
    size_t length = 0;
    if (*from == '\0')
        return false;
    bool is_quoted = *from == '"';
    from += is_quoted;
    while (*from && (is_quoted ? !(from[0] == '"' && from[1] != '"') : !strchr(",\r", *from))) {
        from += is_quoted && from[0] == '"';
        cell[length++] = *from++;
    }
    from += is_quoted;
    cell[length] = '\0';
    *ret_is_last = *from == '\r';
    *at = from + (*from == '\r' ? 2 : 1);
    return true;
}

struct sheet {
    char names[128][64];
    unsigned columns, rows;
    __int128 sums[128]; /* of cells that are amounts */
};

static unsigned column_of(const struct sheet *sheet, const char *name)
{
    for (unsigned i = 0; i < sheet->columns; i++)
        if (!strcmp(sheet->names[i], name))
            return i;
    CU_FAIL_FATAL("no such column");
    return 0;
}

static void read_sheet(const char *bytes, struct sheet *sheet)
{
    char cell[4096];
    bool is_last = false;
    struct money money;
    memset(sheet, 0, sizeof *sheet);
    while (!is_last && next_cell(&bytes, cell, &is_last))
        snprintf(sheet->names[sheet->columns++], sizeof sheet->names[0], "%.63s", cell);
    for (unsigned column = 0; next_cell(&bytes, cell, &is_last); column = is_last ? 0 : column + 1) {
        CU_ASSERT_FATAL(column < sheet->columns);
        if (money_parse(slice_of(cell), &money) == ERROR_OK)
            sheet->sums[column] += money.nano;
        if (is_last) {
            EXPECT_INTEGER(column + 1, sheet->columns);
            sheet->rows++;
        }
    }
}

static long long sum_of(const struct sheet *sheet, const char *name)
{
    return (long long)sheet->sums[column_of(sheet, name)];
}

/* Refusals, hits, tries that cost something, calls without usage, write-offs: 300 over three days. */
static void make_traffic(void)
{
    static const char *const models[] = {"gpt-5.4-nano", "gpt-5.4-mini", "=1+1", "-evil", "a,\"b\""};
    for (unsigned i = 0; i < 300; i++) {
        struct call call = {.model = models[random_below(5)], .basis = BASIS_EXACT};
        set_clock(now_s() + (int64_t)random_below(1800));
        call.error = i % 7 == 0 ? "wallet_exhausted" : NULL;
        call.avoided = i % 5 == 1 ? 1 + random_below(100000) : 0;
        call.attempt_count = call.error || call.avoided ? 0 : 1 + (unsigned)random_below(3);
        for (unsigned j = 0; j < call.attempt_count; j++)
            call.attempts[j] = (struct attempt_of_call){"openai", call.model, i % 11 ? random_below(5000) : 0,
                                                        i % 11 ? random_below(900) : 0, random_below(10000000)};
        make_call(&call);
    }
    const struct call beyond = {.model = "gpt-5.4-nano",
                                .wallet = "poor",
                                .fund_nano = 700,
                                .attempt_count = 1,
                                .attempts = {{"openai", "gpt-5.4-nano", 10, 10, 12345}}};
    struct wallet_operation fund = {.kind = WALLET_FUND, .id = id_new(), .wallet = "poor", .amount = {1000}};
    fund.create = true;
    wallet_run(ledger, &fund);
    make_call(&beyond);
}

TEST(every_format_sums_up_to_the_ledger)
{
    static const struct {
        enum export_format format;
        const char *cost, *written_off, *avoided;
    } rows[] = {{EXPORT_CSV, "cost", "written_off", "avoided"},
                {EXPORT_FOCUS, "BilledCost", "x_WrittenOffCost", "x_AvoidedCost"}};
    open_world();
    make_traffic();
    struct wallet_facts facts, poor;
    CU_ASSERT_EQUAL_FATAL(wallet_find(ledger, "team", &facts), ERROR_OK);
    CU_ASSERT_EQUAL_FATAL(wallet_find(ledger, "poor", &poor), ERROR_OK);
    const long long spent = facts.spent.nano + poor.spent.nano;
    for (size_t i = 0; i < 2; i++) {
        struct file file;
        static struct sheet sheet;
        make_file(rows[i].format, &file);
        read_sheet(buffer_contents(&file.bytes).data, &sheet);
        CU_ASSERT_TRUE(file.result.is_reconciled);
        EXPECT_INTEGER(file.result.rows, sheet.rows);
        EXPECT_INTEGER(sum_of(&sheet, rows[i].cost) - sum_of(&sheet, rows[i].written_off), spent);
        EXPECT_INTEGER(sum_of(&sheet, rows[i].written_off), 12345 - 1000);
        EXPECT_INTEGER(sum_of(&sheet, rows[i].avoided), file.result.sums[MEASURE_avoided]);
        EXPECT_INTEGER(file.result.ledger.posted.nano, spent);
        EXPECT_INTEGER(file.result.ledger.fundings, 2);
        EXPECT(sheet.rows > 100, "%u rows", sheet.rows);
        buffer_done(&file.bytes);
    }
    struct file lines;
    make_file(EXPORT_JSONL, &lines);
    CU_ASSERT_TRUE(lines.result.is_reconciled);
    buffer_done(&lines.bytes);
    close_world();
}

TEST(json_lines_are_documents)
{
    open_world();
    const struct call call = {
        .model = "=\"x\"\n", .attempt_count = 2, .attempts = {{"openai", "m1", 1, 2, 30}, {"openai", "m2", 3, 4, 50}}};
    make_call(&call);
    struct file file;
    make_file(EXPORT_JSONL, &file);
    const char *line = buffer_contents(&file.bytes).data;
    for (unsigned i = 0; i < 2; i++) {
        struct json_value attempt, model, requested, cost, status, calls;
        const struct json_query queries[] = {{"attempt", &attempt}, {"model", &model},   {"requested", &requested},
                                             {"cost", &cost},       {"status", &status}, {"calls", &calls}};
        const char *end = strchr(line, '\n');
        CU_ASSERT_PTR_NOT_NULL_FATAL(end);
        CU_ASSERT_EQUAL(json_scan((struct slice){line, (size_t)(end - line)}, 2, queries, 6, NULL), ERROR_OK);
        int64_t number;
        CU_ASSERT_TRUE(json_get_integer(&attempt, &number) && number == i);
        CU_ASSERT_TRUE(json_string_is(&model, i ? "m2" : "m1"));
        CU_ASSERT_TRUE(json_string_is(&requested, "=\"x\"\n"));
        CU_ASSERT_TRUE(json_string_is(&cost, i ? "0.00000005" : "0.00000003"));
        CU_ASSERT_TRUE(json_get_integer(&status, &number) && number == (i ? 200 : 503));
        CU_ASSERT_TRUE(json_get_integer(&calls, &number) && number == i);
        line = end + 1;
    }
    EXPECT_STRING(line, "");
    buffer_done(&file.bytes);
    close_world();
}

/* gpt-5.4-mini: 0.75 and 4.5 USD per million. */
TEST(costs_that_prices_explain_are_metered)
{
    open_world();
    const struct call exact = {.model = "gpt-5.4-mini",
                               .attempt_count = 1,
                               .attempts = {{"openai", "gpt-5.4-mini", 1000, 100, 1000 * 750 + 100 * 4500}}};
    const struct call other = {
        .model = "gpt-5.4-nano", .attempt_count = 1, .attempts = {{"openai", "gpt-5.4-nano", 1000, 100, 777}}};
    const struct call blind = {.model = "x", .attempt_count = 1, .attempts = {{"openai", "x", 0, 0, 42}}};
    make_call(&exact);
    make_call(&other);
    make_call(&blind);
    struct file file;
    make_file(EXPORT_FOCUS, &file);
    const char *text = buffer_contents(&file.bytes).data;
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ",team,team,0,Metered,dev,gpt-5.4-mini,input,0\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\n0.00075,dev,Tollgate dev,USD,2026-10-01T00:00:00Z,2026-09-01T00:00:00Z,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\r\n0.00045,dev,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ",0,Allocated,dev,gpt-5.4-nano,output,0\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ",0,Unmetered,dev,x,calls,0\r\n"));
    EXPECT_INTEGER(file.result.rows, 5);
    buffer_done(&file.bytes);
    close_world();
}

TEST(what_has_no_row_is_a_difference)
{
    open_world();
    const struct call told = {
        .model = "m", .attempt_count = 1, .attempts = {{"openai", "m", 1, 1, 1000}}, .basis = BASIS_EXACT};
    struct call untold = told;
    untold.is_unrecorded = true;
    untold.attempts[0].cost = 3;
    make_call(&told);
    make_call(&untold);
    struct wallet_operation adjust = {.kind = WALLET_ADJUST, .id = id_new(), .wallet = "team", .amount = {-500}};
    wallet_run(ledger, &adjust);
    struct file file;
    make_file(EXPORT_CSV, &file);
    CU_ASSERT_FALSE(file.result.is_reconciled);
    EXPECT_INTEGER(file.result.paid_difference.nano, -3);
    EXPECT_INTEGER(file.result.ledger.adjustments, 1);
    EXPECT_INTEGER(file.result.ledger.adjusted.nano, -500);
    const struct export_order order = order_of(EXPORT_CSV);
    struct buffer text;
    buffer_init(&text, 16384);
    export_write_manifest(&order, &file.result, "f.csv", &text);
    CU_ASSERT_FATAL(buffer_append(&text, (struct slice){"", 1}));
    const char *manifest = buffer_contents(&text).data;
    CU_ASSERT_PTR_NOT_NULL(strstr(manifest, "\"reconciled\":false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(manifest, "\"difference\":\"-0.000000003\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(manifest, "the rows have 0.000000003 USD less than wallets paid"));
    CU_ASSERT_PTR_NOT_NULL(strstr(manifest, "\"adjustments\":{\"count\":1,\"amount\":\"-0.0000005\"}"));
    CU_ASSERT_PTR_NULL(strchr(manifest, '\n'));
    buffer_done(&text);
    buffer_done(&file.bytes);
    close_world();
}

TEST(a_period_is_cut_at_its_ends)
{
    open_world();
    const struct call call = {.model = "m", .attempt_count = 1, .attempts = {{"openai", "m", 1, 1, 1000}}};
    const int64_t start = now_s() / 3600 * 3600;
    for (int i = -1; i <= 1; i++) { /* before, within, after */
        set_clock(start + 1800 * (i + 1) - (i < 0));
        make_call(&call);
    }
    for (enum export_format format = 0; format < EXPORT_FORMAT_COUNT; format++) {
        struct export_order order = order_of(format);
        struct export_result result;
        struct buffer bytes;
        order.period.since_s = start;
        order.period.until_s = start + 3600;
        buffer_init(&bytes, 1 << 20);
        CU_ASSERT_EQUAL(export_run(&order, keep, &bytes, &result), ERROR_OK);
        EXPECT_INTEGER(result.sums[MEASURE_cost], 1000);
        EXPECT_INTEGER(result.ledger.posts, 1);
        CU_ASSERT_TRUE(result.is_reconciled && result.has_ended);
        buffer_done(&bytes);
    }
    close_world();
}

/* ---- the ledger's side ---- */

struct count {
    int64_t from_ns, until_ns, posted, adjusted;
    uint64_t posts;
};

static bool count_transfer(void *context, const struct wallet_transfer *transfer)
{
    struct count *count = context;
    if (transfer->is_budget || transfer->time_ns < count->from_ns || transfer->time_ns >= count->until_ns)
        return true;
    count->posts += !strcmp(transfer->kind, "post");
    count->posted += !strcmp(transfer->kind, "post") ? transfer->amount.nano : 0;
    count->adjusted += !strcmp(transfer->kind, "adjust") ? transfer->amount.nano : 0;
    return true;
}

static void expect_sums(int64_t from_s, int64_t until_s)
{
    struct count count = {from_s * 1000000000, until_s * 1000000000, 0, 0, 0};
    struct wallet_sums sums;
    CU_ASSERT_EQUAL_FATAL(wallet_history(ledger, NULL, SIZE_MAX, count_transfer, &count), ERROR_OK);
    CU_ASSERT_EQUAL_FATAL(wallet_sum_period(ledger, count.from_ns, count.until_ns, &sums), ERROR_OK);
    EXPECT_INTEGER(sums.posted.nano, count.posted);
    EXPECT_INTEGER(sums.posts, count.posts);
    EXPECT_INTEGER(sums.adjusted.nano, count.adjusted);
}

/* The clock runs, jumps forward and is set back; every few hundred transfers the sums are asked for. */
TEST(sums_of_a_time_are_those_of_its_transfers)
{
    open_world();
    const int64_t begun_s = now_s();
    for (unsigned i = 0; i < 900; i++) {
        struct call call = {.attempt_count = 1, .attempts = {{"openai", "m", 1, 1, 1 + random_below(1000)}}};
        struct wallet_operation settle;
        set_clock(begun_s + (int64_t)(i % 300) * 60 + (i > 450 && i < 500 ? 86400 : 0));
        pay(&call, &call.attempts[0], &settle);
        if (i % 47 == 0) { /* a post is the first of a run, too */
            struct wallet_operation adjust = {.kind = WALLET_ADJUST, .id = id_new(), .wallet = "team"};
            adjust.amount.nano = i % 2 ? -7 : 11;
            wallet_run(ledger, &adjust);
        }
        if (i % 299 == 0)
            for (int64_t from_s = begun_s - 60; from_s < begun_s + 90000; from_s += 4000)
                expect_sums(from_s, from_s + 4100);
    }
    expect_sums(0, begun_s + 1000000);
    struct wallet_sums sums;
    CU_ASSERT_EQUAL(wallet_sum_period(ledger, begun_s * 1000000000, begun_s * 1000000000 + 1, &sums), ERROR_OK);
    EXPECT(sums.posts >= 3, "the clock was there three times: %llu", (unsigned long long)sums.posts);
    close_world();
}

/* ---- on disk ---- */

static unsigned count_files(const char *path)
{
    unsigned count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry = NULL; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

TEST(a_file_and_its_manifest)
{
    open_world();
    make_traffic();
    char folder[64], path[128];
    struct export_result result;
    bool is_written = false;
    const struct export_order order = order_of(EXPORT_CSV);
    snprintf(folder, sizeof folder, "%s/out", root);
    CU_ASSERT_EQUAL(export_save(&order, folder, "a.csv", true, &result, &is_written), ERROR_OK);
    CU_ASSERT_TRUE(is_written);
    EXPECT_INTEGER(count_files(folder), 2);
    struct buffer bytes, manifest;
    char digest[DIGEST_TEXT_MAX];
    unsigned char hash[DIGEST_BYTES];
    buffer_init(&bytes, 1 << 24);
    buffer_init(&manifest, 1 << 18);
    snprintf(path, sizeof path, "%s/a.csv", folder);
    CU_ASSERT_EQUAL_FATAL(file_read_into(path, &bytes), ERROR_OK);
    snprintf(path, sizeof path, "%s/a.csv.manifest.json", folder);
    CU_ASSERT_EQUAL_FATAL(file_read_into(path, &manifest), ERROR_OK);
    CU_ASSERT_FATAL(buffer_append(&manifest, (struct slice){"", 1}));
    digest_sha256(buffer_contents(&bytes), hash);
    CU_ASSERT_PTR_NOT_NULL(strstr(buffer_contents(&manifest).data, digest_format(hash, digest)));
    CU_ASSERT_PTR_NOT_NULL(strstr(buffer_contents(&manifest).data, "\"file\":\"a.csv\""));
    EXPECT_INTEGER(result.bytes, buffer_length(&bytes));
    buffer_done(&bytes);
    buffer_done(&manifest);
    close_world();
}

static bool refuse(void *context, struct slice bytes)
{
    ++*(unsigned *)context;
    (void)bytes;
    return false;
}

TEST(a_writer_that_refuses_ends_it)
{
    open_world();
    make_traffic();
    for (enum export_format format = 0; format < EXPORT_FORMAT_COUNT; format++) {
        unsigned calls = 0;
        struct export_result result;
        const struct export_order order = order_of(format);
        CU_ASSERT_EQUAL(export_run(&order, refuse, &calls, &result), ERROR_FILE_UNWRITABLE);
        EXPECT_INTEGER(calls, 1);
    }
    close_world();
}

/* While no file of this process may grow beyond `bytes`; the stores are at rest. */
static enum error save_limited(const char *folder, rlim_t bytes)
{
    struct rlimit limit;
    struct export_result result;
    bool is_written = false;
    const struct export_order order = order_of(EXPORT_CSV);
    getrlimit(RLIMIT_FSIZE, &limit);
    const struct rlimit less = {bytes, limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &less);
    enum error error = export_save(&order, folder, "a.csv", false, &result, &is_written);
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_FALSE(is_written);
    return error;
}

TEST(a_full_disk_leaves_nothing)
{
    open_world();
    make_traffic();
    journal_flush(journal);
    char folder[64], path[128];
    snprintf(folder, sizeof folder, "%s/out", root);
    static const rlim_t limits[] = {0, 1, 1000, 40000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        EXPECT_INTEGER(save_limited(folder, limits[i]), ERROR_FILE_UNWRITABLE);
        EXPECT_INTEGER(count_files(folder), 0);
    }
    /* the one that was there stays as it was */
    struct export_result result;
    bool is_written;
    struct stat before, after;
    const struct export_order order = order_of(EXPORT_CSV);
    CU_ASSERT_EQUAL(export_save(&order, folder, "a.csv", true, &result, &is_written), ERROR_OK);
    snprintf(path, sizeof path, "%s/a.csv", folder);
    CU_ASSERT_EQUAL_FATAL(stat(path, &before), 0);
    EXPECT_INTEGER(save_limited(folder, 1000), ERROR_FILE_UNWRITABLE);
    EXPECT_INTEGER(save_limited(folder, 1 << 26), ERROR_FILE_UNWRITABLE); /* room enough, and yet */
    CU_ASSERT_EQUAL_FATAL(stat(path, &after), 0);
    CU_ASSERT_EQUAL(before.st_ino, after.st_ino);
    EXPECT_INTEGER(count_files(folder), 2);
    close_world();
}

TEST(a_disk_that_is_nearly_full_is_left_to_the_ledger)
{
    open_world();
    make_traffic();
    char folder[64], path[64];
    struct export_result result;
    bool is_written;
    snprintf(folder, sizeof folder, "%s/out", root);
    snprintf(path, sizeof path, "%s/policy-config.dev.yaml", root);
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs("consumer_groups:\n  - {name: a, api_key: kt_cg_a, wallet_team_id: team}\n"
          "limits: {disk_low_water_bytes: 1099511627776}\n",
          file);
    fclose(file);
    config_release(settings);
    settings = load_settings(path);
    const struct export_order order = order_of(EXPORT_CSV);
    CU_ASSERT_EQUAL(export_save(&order, folder, "a.csv", true, &result, &is_written), ERROR_FILE_UNWRITABLE);
    EXPECT_INTEGER(count_files(folder), 0);
    close_world();
}
