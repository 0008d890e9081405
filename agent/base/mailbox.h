/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How threads talk: a mailbox holds tasks for one thread and wakes it through an eventfd. A task is embedded in the
 * object it is about, belongs to the mailbox while queued, and is never queued twice at once. Order is kept.
 * Lock order: a mailbox lock is a leaf, nothing is taken while holding it.
 */
#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

struct task {
    struct task *next;
    void (*run)(struct task *task); /* called on the receiving thread; the task may be reused or freed inside */
};

struct mailbox {
    pthread_mutex_t lock;
    struct task *first, **last;
    int event_fd; /* readable while tasks wait */
};

void mailbox_init(struct mailbox *mailbox);
void mailbox_done(struct mailbox *mailbox); /* must be empty */

/* From any thread. */
void mailbox_post(struct mailbox *mailbox, struct task *task);
/* By the receiving thread: takes the whole waiting chain (NULL when empty) and clears the eventfd. */
struct task *mailbox_take(struct mailbox *mailbox);
/* Takes and runs all that wait now. Returns how many. */
unsigned mailbox_run(struct mailbox *mailbox);

#endif
