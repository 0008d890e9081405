/* SPDX-License-Identifier: Apache-2.0 */
/* See mailbox.h. The eventfd is written only on the step from empty to non-empty: one system call per burst. */
#include "base/mailbox.h"

#include "base/check.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

void mailbox_init(struct mailbox *mailbox)
{
    check(pthread_mutex_init(&mailbox->lock, NULL) == 0);
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(mailbox->event_fd >= 0);
}

void mailbox_done(struct mailbox *mailbox)
{
    check(mailbox->first == NULL);
    close(mailbox->event_fd);
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_post(struct mailbox *mailbox, struct task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool was_empty = mailbox->first == NULL;
    *mailbox->last = task;
    mailbox->last = &task->next;
    pthread_mutex_unlock(&mailbox->lock);
    if (was_empty) {
        uint64_t one = 1;
        ssize_t written = write(mailbox->event_fd, &one, sizeof one);
        check(written == (ssize_t)sizeof one);
    }
}

struct task *mailbox_take(struct mailbox *mailbox)
{
    uint64_t count;
    ssize_t ignored = read(mailbox->event_fd, &count, sizeof count); /* clear first: a later post wakes us again */
    (void)ignored;
    pthread_mutex_lock(&mailbox->lock);
    struct task *chain = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return chain;
}

unsigned mailbox_run(struct mailbox *mailbox)
{
    unsigned count = 0;
    for (struct task *task = mailbox_take(mailbox), *next; task; task = next, count++) {
        next = task->next;
        task->run(task);
    }
    return count;
}
