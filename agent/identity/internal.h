/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of identity/ share: the table of claims, facts of /proc, and the table's reader. Nobody outside this
 * folder includes it.
 */
#ifndef IDENTITY_INTERNAL_H
#define IDENTITY_INTERNAL_H

#include "identity/identity.h"

#include <stdint.h>

/* ---- claims.c: what datagrams said, until a connection takes it or it expires ---- */
struct claim_row {
    uint64_t cookie;    /* 0: empty */
    int64_t arrived_ns; /* CLOCK_BOOTTIME, comparable with a process's start */
    pid_t pid;
    uid_t uid;
    char group[TOLLGATE_NAME_MAX], project[TOLLGATE_NAME_MAX];
};

/* Rows lie in sets of four: a burst evicts the oldest row of its set, never more than that. */
enum { CLAIMS_WAYS = 4, CLAIMS_SETS = 1024 };

struct claims {
    struct claim_row rows[CLAIMS_SETS][CLAIMS_WAYS];
};

/* True when the bytes are a well-formed struct tollgate_hello: copied to *ret_hello. */
bool claims_parse_hello(const void *bytes, size_t length, struct tollgate_hello *ret_hello);
/* A later claim of the same socket and uid replaces the earlier one. */
void claims_put(struct claims *claims, const struct claim_row *row);
/* Removes and copies the living claim of that socket by that uid. */
bool claims_take(struct claims *claims, uint64_t cookie, uid_t uid, int64_t now_ns, struct claim_row *ret_row);

/* ---- process.c: what /proc says; best effort, "" for what cannot be known ---- */
int64_t process_now_ns(void); /* CLOCK_BOOTTIME */
/* Fills claim->executable and directory from claim->pid, unless that process started after `alive_at_ns` (then the pid
 * was used again and the facts would be a stranger's) or belongs to another uid. */
void process_describe(struct identity_claim *claim, uid_t uid, int64_t alive_at_ns);
/* One walk over /proc for a chain of lookups (linked by task.next): sets claim.pid of those whose inode a process of
 * their uid holds. Gives up after one second. */
void process_find_owners(struct identity_lookup *first);

#endif
