/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to the export*.c files: a file on its way out. export.c owns it; export_rows.c (csv, jsonl) and
 * export_focus.c fill it row by row, with the cells of export_csv.c and the shares of export_split.c.
 */
#ifndef EVIDENCE_EXPORT_H
#define EVIDENCE_EXPORT_H

#include "evidence/evidence.h"

struct export_file {
    const struct export_order *order;
    struct buffer out; /* rows that wait to be written */
    struct digest *digest;
    export_write *write;
    void *context;
    bool is_broken; /* the writer has refused */
    struct export_result *result;
};

/* After each row. False: the file is broken, no more is wanted. */
bool export_end_row(struct export_file *file);
/* The same after what is no row: a header. */
bool export_flush_full(struct export_file *file);

enum error export_rows(struct export_file *file) MUST_USE; /* csv, jsonl */
enum error export_focus(struct export_file *file) MUST_USE;

/* ---- export_csv.c: cells (RFC 4180) ---- */

void csv_put_raw(struct buffer *out, struct slice text); /* numbers, and what is ours: as it is */
/* Quoted where it must be; UTF-8, what is none becomes U+FFFD. What a spreadsheet would take for a formula gets an
 * apostrophe before it, also within the text where one might divide it. */
void csv_put_text(struct buffer *out, struct slice text);
void csv_put_unsigned(struct buffer *out, uint64_t value);
void csv_put_money(struct buffer *out, uint64_t nano); /* "0.0125" */

/* ---- export_split.c ---- */

/* Divides `amount` in proportion to the weights, without anything lost: each share is rounded down, the rest goes to
 * the greatest weight (the first of equals). False, and nothing is written: all weights are 0. */
bool export_split(uint64_t amount, const unsigned __int128 *weights, size_t count, uint64_t *ret_shares);

#endif
