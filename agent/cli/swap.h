/* SPDX-License-Identifier: Apache-2.0 */
/* Where swapped-out memory can be read later. Asked by the doctor. */
#ifndef CLI_SWAP_H
#define CLI_SWAP_H

enum { SWAP_PATH_BYTES = 4096 };

/* How many of the kernel's swap areas lie, at least in part, on a disk that is not encrypted; the first one's path goes
 * to ret_first ("": none). -1: the kernel does not say. `root` is in front of every path that is read: "", but for
 * tests. */
int swap_count_plain(const char *root, char ret_first[SWAP_PATH_BYTES]);

#endif
