/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the ledger of a stopped agent look as an older or newer version would have written it: 44-schema LEDGER N sets
 * the number of its schema (the row 's' of the table "book"; all that schemas 1 and 2 wrote is valid in 3). */
#include <db.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    unsigned char name[5] = {'s'}, number[4] = {0, 0, 0, (unsigned char)(argc > 2 ? atoi(argv[2]) : 0)};
    char path[4096];
    DB *db = NULL;
    DBT key = {.data = name, .size = sizeof name}, value = {.data = number, .size = sizeof number};
    if (argc != 3)
        return 64;
    snprintf(path, sizeof path, "%s/book.db", argv[1]);
    int error = db_create(&db, NULL, 0);
    error = error ? error : db->open(db, NULL, path, NULL, DB_BTREE, 0, 0);
    error = error ? error : db->put(db, NULL, &key, &value, 0);
    if (db && db->close(db, 0) != 0)
        error = 1;
    if (error)
        fprintf(stderr, "%s: %s\n", path, db_strerror(error));
    return error ? 1 : 0;
}
