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
};

#ifdef PLANT
#define PLANTED(bug) ((bug) == PLANT)
#else
#define PLANTED(bug) false
#endif

#endif
