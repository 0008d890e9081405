/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event journal: what was appended can be found, in order, by followers too; a damaged one never stops the agent.
 */
#include "journal/journal.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/tollgate-journal-XXXXXX";
static char directory[64];

static void make_directory(void)
{
    strcpy(root, "/tmp/tollgate-journal-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/aux", root);
}

static void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

static struct journal *open_journal(void)
{
    struct journal *journal = NULL;
    CU_ASSERT_EQUAL_FATAL(journal_open(directory, &journal), ERROR_OK);
    return journal;
}

static struct id id_number(unsigned number)
{
    struct id id = {{0}};
    id.bytes[12] = (uint8_t)(number >> 16);
    id.bytes[13] = (uint8_t)(number >> 8);
    id.bytes[14] = (uint8_t)number;
    return id;
}

static void append_numbers(struct journal *journal, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"number\":%u}", i);
        journal_append(journal, id_number(i), slice_of(json), NULL, 0);
    }
}

struct seen {
    unsigned count, next;
    bool in_order, stops_early;
};

static bool see(void *context, struct id id, struct slice json)
{
    struct seen *seen = context;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "{\"number\":%u}", seen->next);
    seen->in_order &= slice_is(json, wanted) && id_is_equal(id, id_number(seen->next));
    seen->next--;
    seen->count++;
    return !seen->stops_early;
}

TEST(journal_finds_what_was_appended)
{
    make_directory();
    struct journal *journal = open_journal();
    char text[64];
    size_t length = 77;
    append_numbers(journal, 0, 3000);
    journal_flush(journal);
    CU_ASSERT_EQUAL(journal_find(journal, id_number(1234), text, sizeof text, &length), ERROR_OK);
    EXPECT(slice_is((struct slice){text, length}, "{\"number\":1234}"), "%zu bytes", length);
    length = 77;
    CU_ASSERT_EQUAL(journal_find(journal, id_number(3000), text, sizeof text, &length), ERROR_NOT_FOUND);
    CU_ASSERT_EQUAL(journal_find(journal, id_number(1), text, 3, &length), ERROR_REQUEST_INVALID);
    EXPECT_INTEGER(length, 77);
    journal_close(journal);
    remove_directory();
}

TEST(journal_recent_is_newest_first_and_bounded)
{
    static const struct {
        size_t max;
        bool stops_early;
        unsigned wanted;
    } rows[] = {{0, false, 0}, {1, false, 1}, {700, false, 700}, {100000, false, 2500}, {10, true, 1}};
    make_directory();
    struct journal *journal = open_journal();
    append_numbers(journal, 0, 2500);
    journal_flush(journal);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct seen seen = {.next = 2499, .in_order = true, .stops_early = rows[i].stops_early};
        CU_ASSERT_EQUAL(journal_recent(journal, rows[i].max, see, &seen), ERROR_OK);
        EXPECT(seen.count == rows[i].wanted && seen.in_order, "row %zu: %u events", i, seen.count);
    }
    journal_close(journal);
    remove_directory();
}

/* An exchange that began `milliseconds` after some time. */
static struct id id_begun(unsigned milliseconds, unsigned number)
{
    struct id id = id_number(number);
    id.bytes[0] = 1;
    id.bytes[3] = (uint8_t)(milliseconds >> 16);
    id.bytes[4] = (uint8_t)(milliseconds >> 8);
    id.bytes[5] = (uint8_t)milliseconds;
    return id;
}

struct order {
    struct id last;
    unsigned count;
    bool is_right;
};

static bool see_order(void *context, struct id id, struct slice json)
{
    struct order *order = context;
    char text[ID_TEXT_MAX], wanted[64];
    snprintf(wanted, sizeof wanted, "{\"id\":\"%s\"}", id_format(id, text));
    order->is_right &=
        (!order->count || memcmp(id.bytes, order->last.bytes, sizeof id.bytes) < 0) && slice_is(json, wanted);
    order->last = id;
    order->count++;
    return true;
}

static bool finds(struct journal *journal, struct id id)
{
    char text[ID_TEXT_MAX], wanted[64], found[64];
    size_t length = 0;
    snprintf(wanted, sizeof wanted, "{\"id\":\"%s\"}", id_format(id, text));
    return journal_find(journal, id, found, sizeof found, &length) == ERROR_OK &&
           slice_is((struct slice){found, length}, wanted);
}

/* They end in another order than they began: rows overlap, and who took long has a row of its own. */
TEST(journal_finds_events_of_exchanges_that_overlap)
{
    enum { COUNT = 4000, TOGETHER = 100 };
    make_directory();
    struct journal *journal = open_journal();
    unsigned wrong = 0;
    struct id ids[COUNT];
    srand(7);
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned took = i % 97 == 0 ? 900 : i % 31 == 0 ? 250 : (unsigned)rand() % 120;
        ids[i] = id_begun(2000 + i - took, i);
        char text[ID_TEXT_MAX], json[64];
        snprintf(json, sizeof json, "{\"id\":\"%s\"}", id_format(ids[i], text));
        journal_append(journal, ids[i], slice_of(json), NULL, 0);
        if (i % TOGETHER == 0)
            journal_flush(journal);
    }
    journal_close(journal);
    journal = open_journal();
    for (unsigned i = 0; i < COUNT; i++)
        wrong += !finds(journal, ids[i]) || finds(journal, id_begun(2000 + i, COUNT + i));
    EXPECT_INTEGER(wrong, 0);
    struct order order = {.is_right = true};
    CU_ASSERT_EQUAL(journal_recent(journal, COUNT + 1, see_order, &order), ERROR_OK);
    EXPECT(order.count == COUNT && order.is_right, "%u events", order.count);
    order = (struct order){.is_right = true};
    CU_ASSERT_EQUAL(journal_recent(journal, 333, see_order, &order), ERROR_OK);
    EXPECT(order.count == 333 && order.is_right, "%u events", order.count);
    journal_close(journal);
    remove_directory();
}

static off_t bytes_of_table(void)
{
    char path[128];
    struct stat status = {0};
    snprintf(path, sizeof path, "%s/events.db", directory);
    CU_ASSERT_EQUAL(stat(path, &status), 0);
    return status.st_size;
}

/* What calls of one program say differs in little. */
TEST(journal_packs_what_came_together)
{
    static char json[1400];
    make_directory();
    struct journal *journal = open_journal();
    memset(json, 'x', sizeof json);
    for (unsigned i = 0; i < sizeof json; i++)
        json[i] = (char)('a' + i * i % 23);
    for (unsigned i = 0; i < 5000; i++)
        journal_append(journal, id_begun(i / 20, i), (struct slice){json, sizeof json}, NULL, 0);
    journal_close(journal);
    EXPECT(bytes_of_table() < 1 << 20, "%ld bytes", (long)bytes_of_table());
    remove_directory();
}

/* A journal of an agent that wrote each event into a row of its own. */
TEST(journal_reads_rows_of_one_event_among_others)
{
    make_directory();
    struct journal *journal = open_journal();
    append_numbers(journal, 0, 1);
    journal_flush(journal);
    for (unsigned i = 1; i < 40; i += 3) {
        append_numbers(journal, i, i + 1);
        journal_flush(journal);
        append_numbers(journal, i + 1, i + 3);
        journal_flush(journal);
    }
    struct seen seen = {.next = 39, .in_order = true};
    CU_ASSERT_EQUAL(journal_recent(journal, 100, see, &seen), ERROR_OK);
    EXPECT(seen.count == 40 && seen.in_order, "%u events", seen.count);
    journal_close(journal);
    remove_directory();
}

TEST(journal_survives_reopen_and_long_events)
{
    make_directory();
    struct journal *journal = open_journal();
    static char document[200000], found[200000];
    memset(document, 'x', sizeof document);
    size_t length = 0;
    journal_append(journal, id_number(7), (struct slice){document, sizeof document}, NULL, 0);
    append_numbers(journal, 8, 20);
    journal_close(journal); /* writes what is queued */
    journal = open_journal();
    CU_ASSERT_EQUAL(journal_find(journal, id_number(7), found, sizeof found, &length), ERROR_OK);
    EXPECT(length == sizeof document && !memcmp(document, found, length), "%zu bytes", length);
    struct seen seen = {.next = 19, .in_order = true};
    CU_ASSERT_EQUAL(journal_recent(journal, 12, see, &seen), ERROR_OK);
    EXPECT(seen.count == 12 && seen.in_order, "%u", seen.count);
    journal_close(journal);
    remove_directory();
}

static void count_delivery(void *context, struct slice json)
{
    (void)json;
    atomic_fetch_add((atomic_uint *)context, 1);
}

TEST(journal_delivers_to_followers_until_unfollowed)
{
    make_directory();
    struct journal *journal = open_journal();
    atomic_uint first = 0, second = 0;
    append_numbers(journal, 0, 10);
    journal_flush(journal);
    struct journal_follower *one = journal_follow(journal, count_delivery, &first);
    append_numbers(journal, 10, 110);
    journal_flush(journal);
    struct journal_follower *two = journal_follow(journal, count_delivery, &second);
    append_numbers(journal, 110, 120);
    journal_flush(journal);
    journal_unfollow(journal, one);
    append_numbers(journal, 120, 125);
    journal_flush(journal);
    journal_unfollow(journal, two);
    EXPECT_INTEGER(first, 110);
    EXPECT_INTEGER(second, 15);
    journal_close(journal);
    remove_directory();
}

static void *append_many(void *context)
{
    for (unsigned i = 0; i < 2000; i++)
        journal_append(context, id_new(), SLICE_LITERAL("{}"), NULL, 0);
    return NULL;
}

static bool count_visit(void *context, struct id id, struct slice json)
{
    (void)id;
    (void)json;
    ++*(unsigned *)context;
    return true;
}

TEST(journal_takes_appends_of_many_threads)
{
    make_directory();
    struct journal *journal = open_journal();
    pthread_t threads[4];
    unsigned count = 0;
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, append_many, journal), 0);
    for (unsigned i = 0; i < 20; i++)
        CU_ASSERT_EQUAL(journal_recent(journal, 50, count_visit, &count), ERROR_OK);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    journal_flush(journal);
    count = 0;
    CU_ASSERT_EQUAL(journal_recent(journal, 100000, count_visit, &count), ERROR_OK);
    EXPECT_INTEGER(count + journal_dropped(journal), 8000);
    CU_ASSERT_FALSE(journal_is_failed(journal));
    journal_close(journal);
    remove_directory();
}

static void block(void *context, struct slice json)
{
    (void)json;
    pthread_mutex_lock(context);
    pthread_mutex_unlock(context);
}

TEST(journal_drops_and_counts_past_its_bound)
{
    make_directory();
    struct journal *journal = open_journal();
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct journal_follower *follower = journal_follow(journal, block, &gate);
    pthread_mutex_lock(&gate);         /* a follower that does not return holds the writer up */
    append_numbers(journal, 0, 20600); /* one full queue in the writer's hands, one waiting */
    unsigned long dropped = journal_dropped(journal);
    pthread_mutex_unlock(&gate);
    journal_flush(journal);
    unsigned count = 0;
    CU_ASSERT_EQUAL(journal_recent(journal, 100000, count_visit, &count), ERROR_OK);
    EXPECT(dropped > 0, "%lu dropped", dropped);
    EXPECT_INTEGER(count + dropped, 20600);
    journal_unfollow(journal, follower);
    journal_close(journal);
    remove_directory();
}

static void overwrite(const char *name, off_t from, size_t bytes)
{
    char path[128], garbage[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    memset(garbage, 0x5a, sizeof garbage);
    int fd = open(path, O_WRONLY);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pwrite(fd, garbage, bytes, from), (ssize_t)bytes);
    close(fd);
}

static unsigned count_damaged(void)
{
    unsigned count = 0;
    DIR *entries = opendir(root);
    for (struct dirent *entry; (entry = readdir(entries));)
        count += strncmp(entry->d_name, "aux.damaged-", 12) == 0;
    closedir(entries);
    return count;
}

TEST(journal_moves_a_damaged_store_aside)
{
    static const struct {
        const char *file;
        off_t from;
        size_t bytes;
    } rows[] = {{"log.0000000001", 0, 4096}, {"events.db", 0, 512}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_directory();
        struct journal *journal = open_journal();
        append_numbers(journal, 0, 500);
        journal_close(journal);
        overwrite(rows[i].file, rows[i].from, rows[i].bytes);
        journal = open_journal();
        EXPECT(!journal_is_failed(journal), "%s", rows[i].file);
        EXPECT(count_damaged() == 1, "%s: %u moved", rows[i].file, count_damaged());
        append_numbers(journal, 0, 5);
        journal_flush(journal);
        struct seen seen = {.next = 4, .in_order = true};
        CU_ASSERT_EQUAL(journal_recent(journal, 100, see, &seen), ERROR_OK);
        EXPECT(seen.count == 5 && seen.in_order, "%s: %u events", rows[i].file, seen.count);
        journal_close(journal);
        remove_directory();
    }
}

static bool is_failed_at_once(void)
{
    struct journal *journal = open_journal();
    bool is_failed = journal_is_failed(journal);
    journal_close(journal);
    return is_failed;
}

/* Opening fails at each of the descriptors that it takes, once. */
TEST(journal_leaves_a_good_store_where_it_is)
{
    enum { LEFT_MIN = 2, LEFT_MAX = 16 };
    unsigned failed = 0;
    make_directory();
    struct journal *journal = open_journal();
    append_numbers(journal, 0, 500);
    journal_close(journal);
    for (unsigned left = LEFT_MIN; left <= LEFT_MAX; left++) {
        failed += says_with_descriptors(left, is_failed_at_once);
        EXPECT(count_damaged() == 0, "%u descriptors: it is moved aside", left);
    }
    EXPECT(failed > 5 && failed < LEFT_MAX - LEFT_MIN, "%u failed", failed);
    journal = open_journal();
    struct seen seen = {.next = 499, .in_order = true};
    CU_ASSERT_EQUAL(journal_recent(journal, 1000, see, &seen), ERROR_OK);
    EXPECT(seen.count == 500 && seen.in_order, "%u events", seen.count);
    journal_close(journal);
    remove_directory();
}

TEST(journal_without_a_store_still_hands_on)
{
    make_directory();
    int fd = open(directory, O_CREAT | O_WRONLY, 0600); /* a file where the directory should be */
    CU_ASSERT_FATAL(fd >= 0);
    close(fd);
    struct journal *journal = open_journal();
    atomic_uint delivered = 0;
    char text[8];
    size_t length;
    CU_ASSERT_TRUE(journal_is_failed(journal));
    struct journal_follower *follower = journal_follow(journal, count_delivery, &delivered);
    append_numbers(journal, 0, 3);
    journal_flush(journal);
    EXPECT_INTEGER(delivered, 3);
    CU_ASSERT_EQUAL(journal_find(journal, id_number(1), text, sizeof text, &length), ERROR_STORE_IO);
    journal_unfollow(journal, follower);
    journal_close(journal);
    remove_directory();
}

TEST(journal_refuses_a_second_owner)
{
    make_directory();
    struct journal *journal = open_journal(), *second = NULL;
    CU_ASSERT_EQUAL(journal_open(directory, &second), ERROR_ENVIRONMENT_BUSY);
    CU_ASSERT_PTR_NULL(second);
    append_numbers(journal, 0, 5);
    journal_flush(journal);
    CU_ASSERT_FALSE(journal_is_failed(journal));
    journal_close(journal);
    remove_directory();
}
