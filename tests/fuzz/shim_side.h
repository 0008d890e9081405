/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's readers of files, for targets that compare them with the launcher's; shim.h cannot be included beside it.
 */
#ifndef TESTS_FUZZ_SHIM_SIDE_H
#define TESTS_FUZZ_SHIM_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads a map, in place of the one before. */
bool shim_side_open_map(const char *path);
/* By position; NULL after the last. Sets what a look-up of that name finds: another one with the same bytes, or none
 * (0), where the file is not sorted. */
const char *shim_side_get_name(uint32_t index, uint32_t *ret_address, uint32_t *ret_found);
const char *shim_side_names(void);
/* Gives the memory of a map of `size` bytes back, which the shim keeps for ever: no look-up until the next is open. */
void shim_side_close_map(size_t size);
uint32_t shim_side_find_redirect(const uint8_t original[16]);

enum shim_kind { SHIM_DYNAMIC, SHIM_STATIC, SHIM_OTHER };
enum shim_kind shim_side_look(const char *path, bool *ret_has_asan);

#endif
