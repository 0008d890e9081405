/* SPDX-License-Identifier: Apache-2.0 */
/* An intrusive doubly linked ring: embed struct list, compare with the head, remove in O(1). */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define list_for_each(node, head)      for (struct list *node = (head)->next; node != (head); node = node->next)
/* The node may be removed inside the loop. */
#define list_for_each_safe(node, head)                                                                                 \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);                                  \
         node = node##_next, node##_next = node->next)

static inline void list_init(struct list *head)
{
    head->next = head->previous = head;
}
static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}
static inline void list_append(struct list *head, struct list *node)
{
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}
/* Removing a node twice, or one that was initialised and never inserted, is harmless. */
static inline void list_remove(struct list *node)
{
    /* NOLINTBEGIN(clang-analyzer-unix.Malloc): the analyzer cannot follow a ring and takes freed entries for linked */
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
    /* NOLINTEND(clang-analyzer-unix.Malloc) */
}

#endif
