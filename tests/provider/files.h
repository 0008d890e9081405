/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping of files, for uploads (files.c) and for what a batch writes (batches.c).
 */
#ifndef TESTS_PROVIDER_FILES_H
#define TESTS_PROVIDER_FILES_H

#include "tests/provider/store.h"

/* Takes over the content. */
void file_keep(struct store *store, const struct exchange *exchange, const char *id, const char *purpose,
               const char *name, struct buffer *content);

#endif
