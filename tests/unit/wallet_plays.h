/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the suites of the ledger share: a directory per test, a ledger opened in it, what is expected of it, and a row
 * changed behind its back. Include it once per program, instead of suite.h.
 */
#ifndef TESTS_UNIT_WALLET_PLAYS_H
#define TESTS_UNIT_WALLET_PLAYS_H

#include "tests/unit/suite.h"
#include "wallet/wallet.h"

#include <db.h>
#include <stdarg.h>
#include <unistd.h>

static char root[] = "/tmp/tollgate-wallet-XXXXXX";
static char directory[64];

/* A command that is expected to succeed. */
static inline bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline bool shell(const char *format, ...)
{
    char command[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    const bool has_succeeded = system(command) == 0;
    EXPECT(has_succeeded, "%s", command);
    return has_succeeded;
}

static inline void make_directory(void)
{
    strcpy(root, "/tmp/tollgate-wallet-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
    snprintf(directory, sizeof directory, "%s/ledger", root);
}

static inline void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* options: but directory and environment, which are always the same. */
static inline struct wallet_ledger *open_with(struct wallet_options options, unsigned recovered_wanted)
{
    struct wallet_ledger *ledger = NULL;
    struct wallet_statistics statistics;
    unsigned recovered = 0;
    options.directory = directory;
    options.environment = "dev";
    enum error error = wallet_open(&options, &ledger, &recovered);
    EXPECT(error == ERROR_OK, "%s", error_row(error)->name);
    CU_ASSERT_EQUAL_FATAL(error, ERROR_OK);
    EXPECT_INTEGER(recovered, recovered_wanted);
    wallet_get_statistics(ledger, &statistics);
    EXPECT_INTEGER(statistics.recovered, recovered_wanted);
    return ledger;
}

static inline struct wallet_ledger *open_ledger(bool in_full, unsigned recovered_wanted)
{
    return open_with((struct wallet_options){.settle_recovered_in_full = in_full}, recovered_wanted);
}

static inline void expect_clean_audit(void)
{
    char report[2048];
    enum error error = wallet_audit(directory, report, sizeof report);
    EXPECT(error == ERROR_OK, "%s\n%s", error_row(error)->name, report);
}

static inline struct id id_number(unsigned number)
{
    struct id id = {{0}};
    id.bytes[13] = (uint8_t)(number >> 8);
    id.bytes[14] = (uint8_t)number;
    return id;
}

static inline void expect_facts(struct wallet_ledger *ledger, const char *wallet, int64_t available, int64_t held,
                                int64_t spent, int64_t funded)
{
    struct wallet_facts facts = {0};
    CU_ASSERT_EQUAL(wallet_find(ledger, wallet, &facts), ERROR_OK);
    EXPECT_STRING(facts.wallet, wallet);
    EXPECT_INTEGER(facts.available.nano, available);
    EXPECT_INTEGER(facts.held.nano, held);
    EXPECT_INTEGER(facts.spent.nano, spent);
    EXPECT_INTEGER(facts.funded.nano, funded);
}

/* Rewrites bytes of one row behind the ledger's back, with checksums and all: only the ledger can notice. */
static inline void tamper(const char *table, size_t key_bytes, const void *key_data, size_t offset, unsigned char flip)
{
    char path[128];
    unsigned char bytes[256];
    DB *db = NULL;
    DBT key = {0}, value = {0};
    snprintf(path, sizeof path, "%s/%s.db", directory, table);
    CU_ASSERT_EQUAL_FATAL(db_create(&db, NULL, 0), 0);
    CU_ASSERT_EQUAL_FATAL(db->open(db, NULL, path, NULL, DB_BTREE, 0, 0), 0);
    key.data = (void *)(uintptr_t)key_data;
    key.size = (uint32_t)key_bytes;
    value.data = bytes;
    value.ulen = sizeof bytes;
    value.flags = DB_DBT_USERMEM;
    CU_ASSERT_EQUAL_FATAL(db->get(db, NULL, &key, &value, 0), 0);
    bytes[offset] ^= flip;
    CU_ASSERT_EQUAL(db->put(db, NULL, &key, &value, 0), 0);
    db->close(db, 0);
}

#endif
