/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash tables by uthash. Without memory they panic in words, as everything does that cannot go on: uthash's own way is
 * a silent exit with 255 (found by the fault sweep).
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/check.h"

#define uthash_fatal(message) check_panic(message, __FILE__, __LINE__)

#include <uthash.h>

#endif
