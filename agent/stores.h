/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a state directory holds, and in which schema: a table here, and the file STATE/stores, a line "NAME SCHEMA
 * VERSION" for each store, written once an agent serves. An older agent reads there, before it touches anything, that
 * the rest is not for it, and whom to ask. The ledger has its own number inside as well (wallet/migrate.c), which is
 * believed when the file is not there. Called by main's files only.
 */
#ifndef STORES_H
#define STORES_H

#include "base/buffer.h"
#include "base/error.h"

/* STORE_SCHEMA: a store that must not be lost was written in a newer schema; `text` says which, by which version, and
 * what to do, in a line for each. Changes nothing. */
enum error stores_check(const char *state, struct buffer *text) MUST_USE;
/* After stores_check, before any store is opened: what is disposable and of another schema goes. A line for each in the
 * log. */
void stores_drop_foreign(const char *state);
/* An agent that served had one of that name, and nobody has put another in its place since. */
bool stores_has(const char *state, const char *name);
/* Every store is open, and of this version's schema now. FILE_UNWRITABLE. */
enum error stores_write(const char *state) MUST_USE;
/* The store was put in its place by hand: its own number counts again. FILE_UNWRITABLE. */
enum error stores_forget(const char *state, const char *name) MUST_USE;

#endif
