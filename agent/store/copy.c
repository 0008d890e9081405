/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot copy of a working environment. Berkeley DB copies page by page through its cache, then the log files, so that
 * recovery from the first of them makes the copy whole. Called by a backup, from any thread; what goes wrong on the
 * side of the copy must not stop the store.
 */
#include "store/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static enum error refuse(char *why, size_t why_bytes, const char *what, const char *reason)
{
    snprintf(why, why_bytes, "%.120s: %.120s", what, reason);
    return ERROR_STORE_IO;
}

enum error store_copy(struct store *store, const char *directory, char *why, size_t why_bytes)
{
    char resolved[PATH_MAX];
    if (store_is_failed(store))
        return refuse(why, why_bytes, "the store has failed", store->failure);
    if (!realpath(directory, resolved))
        return refuse(why, why_bytes, directory, strerrordesc_np(errno));
    store_hooks_exempt(resolved);
    int result = store->env->backup(store->env, resolved, DB_EXCL);
    store_hooks_exempt(NULL);
    if (store_is_failed(store))
        return refuse(why, why_bytes, "the store failed meanwhile", store->failure);
    return result == 0 ? ERROR_OK : refuse(why, why_bytes, "copying", db_strerror(result));
}
