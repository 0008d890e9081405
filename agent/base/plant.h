/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planted bugs: `make PLANTFLAGS=-DPLANT=n` builds an agent with fault n on purpose, to prove that the tests can fail
 * (tests/crash). Without it PLANTED() is the constant false and leaves no code. Each number is used once.
 */
#ifndef BASE_PLANT_H
#define BASE_PLANT_H

enum planted_bug {
    PLANT_NONE,
    PLANT_NO_REFUND,           /* 1: a settle does not give the rest of the hold back */
    PLANT_EARLY_REPLY,         /* 2: a batch is acknowledged before it is committed */
    PLANT_AVAILABLE_UNCHECKED, /* 3: a hold is granted whatever the wallet has */
    PLANT_ID_OUTSIDE,          /* 4: the id row is written in a transaction of its own */
    PLANT_VOID_AFTER_DISPATCH, /* 5: a hold is voided although bytes were sent */
    PLANT_DOUBLE_POST,         /* 6: a hold settled twice is charged twice */
    PLANT_ACCOUNT_STALE,       /* 7: the provider's account row is not written */
    PLANT_HOLDS_FORGOTTEN,     /* 8: open holds are not resolved at start */
    PLANT_ZERO_PASSES,         /* 9: a wallet of 0 grants a hold of 0 */
    PLANT_BUDGET_UNCHECKED,    /* 10: a hold is granted whatever its budgets have left */
    PLANT_BUDGET_LEAKED,       /* 11: a hold that ends stays counted as held in its budgets */
    PLANT_RECOVER_AS_VOID,     /* 12: what a crash left open is given back, though it may have been sent */
    PLANT_ID_REUSED,           /* 13: an operation asked for again is done again */
    PLANT_CHAIN_BROKEN,        /* 14: the chain of hashes leaves out the notes and memos */
    PLANT_WRITE_OFF_LOST,      /* 15: what neither hold nor wallet could pay is not recorded */
    PLANT_CLOCK_BACK,          /* 16: after a clock step back a budget counts in an old bucket again */
    PLANT_MIN_IGNORED,         /* 17: less than amount_min is granted */
    PLANT_DEADLINE_MISSED,     /* 18: a hold past its deadline is not settled */
    PLANT_DISK_LOW_IGNORED,    /* 19: holds are granted on a nearly full disk */
    PLANT_JOB_OUTSIDE,         /* 20: the row of a job is written in a transaction of its own */
    PLANT_JOB_RECOVERED,       /* 21: a start settles the holds of jobs too */
    PLANT_JOB_LEFT,            /* 22: the job stays when its hold is resolved */
    PLANT_JOB_BY_WALL_CLOCK,   /* 23: a clock that jumps forward ends a job */
    PLANT_JOB_TAKEN_TWICE,     /* 24: a second hold for the same job is answered as deferred */
};

#ifdef PLANT
#define PLANTED(bug) ((bug) == PLANT)
#else
#define PLANTED(bug) false
#endif

#endif
