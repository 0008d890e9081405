/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's inner names that the launcher has, too: told apart, so that one program can hold both readers. */
#define elf_look           shim_elf_look
#define elf_find           shim_elf_find
#define text_length        shim_text_length
#define text_equal         shim_text_equal
#define text_compare       shim_text_compare
#define text_starts        shim_text_starts
#define text_ends          shim_text_ends
#define text_find          shim_text_find
#define text_base          shim_text_base
#define text_append        shim_text_append
#define text_append_number shim_text_append_number
