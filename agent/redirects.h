/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses at which providers answer, each with its stand-in in capture.redirect_network: kept in STATE/redirects,
 * so that a running program's stand-in means the same for as long as there is room for it. Changed by one thread
 * (refresh.c), asked by the loops and by who writes the map.
 */
#ifndef REDIRECTS_H
#define REDIRECTS_H

#include "config/config.h"
#include "shim/contract.h"

struct redirects;

/* In the map at most; what further addresses DNS names is left out. */
enum { REDIRECTS_MAX = 4096 };

/* Reads the file; a missing one, or lines that are none, are no error. */
struct redirects *redirects_open(const char *path, uint32_t network);
void redirects_free(struct redirects *redirects); /* NULL is fine */

/* The set from now on: the policy's addresses, what DNS says now, and what it has said within a day, since it names
 * different ones of many each time; the latter not with refresh_seconds 0. True when the set has changed. */
bool redirects_update(struct redirects *redirects, const struct settings *settings, const struct config_address *dns,
                      size_t dns_count, int64_t now_s);
enum error redirects_save(struct redirects *redirects) MUST_USE;

/* What the address stands for, also when it has left the set. Any thread. */
bool redirects_find(struct redirects *redirects, uint32_t address, struct config_address *ret_original);
/* Is it in the set? Any thread. */
bool redirects_has(struct redirects *redirects, const struct config_address *original);
size_t redirects_count(struct redirects *redirects); /* of the set; any thread */
/* "192.0.2.1" or "2001:db8::1"; text has INET6_ADDRSTRLEN bytes. Returns `text`. */
char *redirects_format(const struct config_address *address, char *text);
/* The set as the map wants it: ascending by original. Returns how many; *ret_rows is the caller's to free. */
size_t redirects_list(struct redirects *redirects, struct tollgate_map_redirect **ret_rows);

#endif
