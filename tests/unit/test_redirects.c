/* SPDX-License-Identifier: Apache-2.0 */
/* The table of providers' addresses: stand-ins that last, what is in the set and for how long, room when all is taken.
 */
#include "tests/unit/suite.h"

#include "base/check.h"
#include "redirects.h"

#include <arpa/inet.h>
#include <unistd.h>

enum { NETWORK = 0x7f4e0000, NOW = 1800000000, DAY = 86400 };

static char path[64];
static struct settings settings;

static struct redirects *open_fresh(void)
{
    memset(&settings, 0, sizeof settings);
    settings.capture.refresh_s = 600;
    snprintf(path, sizeof path, "/tmp/test-redirects-%d", (int)getpid());
    unlink(path);
    return redirects_open(path, NETWORK);
}

static struct config_address address(const char *text)
{
    struct config_address result;
    check(inet_pton(AF_INET6, text, result.bytes) == 1);
    return result;
}

static struct config_address numbered(uint32_t number)
{
    struct config_address result = address("2001:db8::");
    memcpy(result.bytes + 12, &number, sizeof number);
    return result;
}

static uint32_t stand_in(struct redirects *redirects, struct config_address original)
{
    struct tollgate_map_redirect *rows;
    size_t count = redirects_list(redirects, &rows);
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++)
        if (memcmp(rows[i].original, original.bytes, 16) == 0)
            found = rows[i].address;
    for (size_t i = 1; i < count; i++)
        EXPECT(memcmp(rows[i - 1].original, rows[i].original, 16) < 0, "row %zu is not in order", i);
    free(rows);
    return found;
}

static size_t set_size(struct redirects *redirects)
{
    struct tollgate_map_redirect *rows;
    size_t count = redirects_list(redirects, &rows);
    free(rows);
    return count;
}

TEST(stand_ins_last)
{
    struct redirects *redirects = open_fresh();
    struct config_address policy[] = {address("::ffff:192.0.2.7"), address("::1")};
    struct config_address dns[] = {address("2001:db8::7"), address("::ffff:192.0.2.7"), address("2001:db8::7")};
    settings.capture.addresses = policy;
    settings.capture.address_count = 2;
    EXPECT(redirects_update(redirects, &settings, dns, 3, NOW), "changed");
    EXPECT_INTEGER(set_size(redirects), 3);
    EXPECT(!redirects_update(redirects, &settings, dns, 3, NOW), "the same again");
    uint32_t addresses[3] = {stand_in(redirects, policy[0]), stand_in(redirects, policy[1]),
                             stand_in(redirects, dns[0])};
    for (int i = 0; i < 3; i++)
        EXPECT((addresses[i] & 0xffff0000) == NETWORK && addresses[i] != NETWORK + 1 && (addresses[i] & 0xff), "%08x",
               addresses[i]);
    struct config_address found;
    EXPECT(redirects_find(redirects, addresses[2], &found) && !memcmp(&found, &dns[0], 16), "and back");
    EXPECT(!redirects_find(redirects, NETWORK + 1, &found), "the one that stands for any");
    EXPECT(!redirects_find(redirects, addresses[0] - 0x10000, &found), "another network");
    EXPECT_INTEGER(redirects_save(redirects), ERROR_OK);
    redirects_free(redirects);
    redirects = redirects_open(path, NETWORK);
    EXPECT(redirects_find(redirects, addresses[1], &found) && !memcmp(&found, &policy[1], 16), "after a restart");
    settings.capture.address_count = 1;
    EXPECT(redirects_update(redirects, &settings, NULL, 0, NOW + 60), "from nothing");
    EXPECT_INTEGER(set_size(redirects), 2);
    EXPECT_INTEGER(stand_in(redirects, dns[0]), addresses[2]);
    EXPECT_INTEGER(stand_in(redirects, policy[1]), 0);
    EXPECT(redirects_find(redirects, addresses[1], &found), "what left the policy is still answered for");
    redirects_free(redirects);
    unlink(path);
}

TEST(what_dns_said_stays_for_a_day)
{
    struct redirects *redirects = open_fresh();
    struct config_address first = address("2001:db8::1"), second = address("2001:db8::2");
    redirects_update(redirects, &settings, &first, 1, NOW);
    redirects_update(redirects, &settings, &second, 1, NOW + DAY - 1);
    EXPECT_INTEGER(set_size(redirects), 2);
    EXPECT(redirects_update(redirects, &settings, &second, 1, NOW + DAY), "one has left");
    EXPECT_INTEGER(stand_in(redirects, first), 0);
    settings.capture.refresh_s = 0;
    EXPECT(redirects_update(redirects, &settings, NULL, 0, NOW + DAY), "DNS is not to be asked");
    EXPECT_INTEGER(set_size(redirects), 0);
    redirects_free(redirects);
    unlink(path);
}

TEST(the_set_has_a_bound)
{
    static struct config_address many[REDIRECTS_MAX + 10];
    struct redirects *redirects = open_fresh();
    struct config_address policy = address("::1");
    settings.capture.addresses = &policy;
    settings.capture.address_count = 1;
    for (uint32_t i = 0; i < REDIRECTS_MAX + 10; i++)
        many[i] = numbered(i);
    redirects_update(redirects, &settings, many, REDIRECTS_MAX + 10, NOW);
    EXPECT_INTEGER(set_size(redirects), REDIRECTS_MAX);
    EXPECT(stand_in(redirects, policy), "the policy's come first");
    redirects_free(redirects);
    unlink(path);
}

TEST(when_all_is_taken_the_longest_unused_makes_room)
{
    enum { BATCH = 4000, BATCHES = 17 }; /* 68,000 addresses, 65,022 places */
    static struct config_address many[BATCH];
    static uint32_t taken[65536 / 32];
    struct redirects *redirects = open_fresh();
    struct config_address policy = address("::1"), found;
    settings.capture.addresses = &policy;
    settings.capture.address_count = 1;
    redirects_update(redirects, &settings, NULL, 0, NOW);
    uint32_t own = stand_in(redirects, policy), first = 0;
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        for (uint32_t i = 0; i < BATCH; i++)
            many[i] = numbered(batch * BATCH + i);
        redirects_update(redirects, &settings, many, BATCH, NOW + batch * 2 * DAY);
        if (batch == 0)
            first = stand_in(redirects, many[0]);
    }
    EXPECT_INTEGER(stand_in(redirects, policy), own);
    EXPECT_INTEGER(set_size(redirects), BATCH + 1);
    EXPECT(redirects_find(redirects, first, &found) && memcmp(&found, &many[0], 12) == 0, "the place was given on");
    struct config_address oldest = numbered(0);
    EXPECT(memcmp(&found, &oldest, 16) != 0, "and to another");
    struct tollgate_map_redirect *rows;
    size_t count = redirects_list(redirects, &rows), twice = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t part = rows[i].address & 0xffff;
        twice += taken[part / 32] >> part % 32 & 1;
        taken[part / 32] |= 1u << part % 32;
        EXPECT(part > 1 && (part & 0xff) != 0 && (part & 0xff) != 0xff, "part %u", part);
    }
    EXPECT_INTEGER(twice, 0);
    free(rows);
    EXPECT_INTEGER(redirects_save(redirects), ERROR_OK);
    redirects_free(redirects);
    redirects = redirects_open(path, NETWORK);
    EXPECT(redirects_find(redirects, own, &found) && !memcmp(&found, &policy, 16), "the file holds it all");
    redirects_free(redirects);
    unlink(path);
}

TEST(a_spoilt_file_is_read_as_far_as_it_makes_sense)
{
    struct redirects *redirects = open_fresh();
    redirects_free(redirects);
    FILE *file = fopen(path, "w");
    fputs("192.0.2.1 5 1800000000 dns\n192.0.2.2 5 1800000000 dns\n192.0.2.1 6 1800000000 dns\n\n"
          "nonsense 7 1800000000 dns\n192.0.2.3 1 1 dns\n192.0.2.4 65536 1 dns\n192.0.2.5 -8 1 dns\n"
          "192.0.2.6 256 1 dns\n192.0.2.7 9\n2001:db8::8 10 1800000000 policy\n",
          file);
    for (int i = 0; i < 5000; i++)
        fputc('x', file);
    fclose(file);
    redirects = redirects_open(path, NETWORK);
    redirects_update(redirects, &settings, NULL, 0, NOW);
    EXPECT_INTEGER(set_size(redirects), 1);
    EXPECT_INTEGER(stand_in(redirects, address("::ffff:192.0.2.1")), NETWORK + 5);
    struct config_address found;
    EXPECT(redirects_find(redirects, NETWORK + 10, &found), "the policy's, once");
    for (uint32_t part = 0; part < 20; part++)
        EXPECT(redirects_find(redirects, NETWORK + part, &found) == (part == 5 || part == 10), "part %u", part);
    redirects_free(redirects);
    unlink(path);
}
