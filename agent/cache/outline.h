/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outline of a JSON document: its objects in the order of the document, and the members of each, sorted by name.
 * For canonical.c only.
 */
#ifndef CACHE_OUTLINE_H
#define CACHE_OUTLINE_H

#include "cache/internal.h"

enum { OUTLINE_DEPTH_MAX = 1024 }; /* json_scan's own most */
#define OUTLINE_NONE UINT32_MAX

struct outline_member {
    uint32_t quote;             /* where its name is */
    uint32_t value;             /* where its value begins */
    uint32_t first_object;      /* the number of the first object from there on */
    uint32_t name, name_length; /* the decoded name: in the document, or in `names` */
    bool is_decoded;            /* in `names` */
};
struct outline_object {
    uint32_t first_member, member_count;
    uint32_t end;  /* behind its last byte */
    uint32_t next; /* the number of the first object after it */
};
struct outline {
    struct slice document;
    struct outline_object *objects;
    struct outline_member *members;
    uint32_t object_count, object_capacity, member_count, member_capacity;
    char *names; /* decoded ones; NULL: none has an escape */
    uint32_t names_length;
};

/* NULL: it is nested too deeply, too long, or no valid JSON. */
struct outline *outline_new(struct slice document) MUST_USE;
void outline_free(struct outline *outline); /* NULL is fine */
struct slice outline_name(const struct outline *outline, const struct outline_member *member);

/* Reading a string, run by run; `at` is behind its quote. */
struct outline_text {
    const char *at, *end;
};
/* Up to the next quote or backslash, or the end. */
struct slice outline_text_run(struct outline_text *text);
/* At a backslash: the bytes that the escape stands for, 1 to 4. What is no valid escape is taken for its bytes. */
size_t outline_text_escape(struct outline_text *text, char decoded[4]);

const char *outline_skip_space(const char *at, const char *end);
const char *outline_skip_scalar(const char *at, const char *end); /* numbers and words */

#endif
