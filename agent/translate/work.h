/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One translation at work: where in the client's body it is, why it was refused, what was dropped; and reading objects
 * by table: for every member that an api knows, a row says whether it is translated, may be dropped, or is refused.
 * Internal to translate/.
 */
#ifndef TRANSLATE_WORK_H
#define TRANSLATE_WORK_H

#include "translate/conversation.h"
#include "translate/translate.h"
#include "translate/tree.h"

enum { WORK_DEPTH_MAX = 16, WORK_DROPPED_MAX = 48 };

struct work {
    struct arena *arena;
    const struct translate_request *request;
    const char *target; /* "Anthropic Messages" */
    struct conversation conversation;
    struct step {
        const char *name; /* NULL: an element */
        size_t index;
    } path[WORK_DEPTH_MAX];
    size_t depth;
    enum error error;
    const char *problem;
    const char *dropped[WORK_DROPPED_MAX]; /* names, each once: "messages.name" */
    size_t dropped_count;
    bool wants_json_schema; /* the writer made the client's schema a tool */
    struct slice echo;      /* struct translate_facts */
    json_t *owned;          /* array of values that live as long as the translation */
};

void work_enter_member(struct work *work, const char *name);
void work_enter_element(struct work *work, size_t index);
void work_leave(struct work *work);
const char *work_place(const struct work *work); /* "messages[3].content[1]", in the arena */
/* Listed by what stands where `work` is, and `name` below it (NULL: nothing). */
void work_drop(struct work *work, const char *name);

/* These return false, for `return work_refuse(…)`. The first problem stays. */
bool work_refuse(struct work *work, const char *why);                          /* NO_TRANSLATION, here */
bool work_refuse_member(struct work *work, const char *name, const char *why); /* below here */
bool work_refuse_at(struct work *work, const char *place, const char *why);    /* at a place of before */
bool work_reject(struct work *work, const char *why);                          /* BODY_INCOMPLETE, here */
bool work_reject_member(struct work *work, const char *name, const char *why);

/* ---- reading by table ---- */

/* Reads `value`, which is never null, into what the table's caller gave. */
typedef bool read_value(struct work *work, json_t *value, void *into);

struct member {
    const char *name;
    enum { MEMBER_TRANSLATED, MEMBER_KNOWN, MEMBER_DROPPED, MEMBER_REFUSED } rule;
    bool is_required;
    read_value *read;
    bool (*is_default)(const json_t *value); /* values of DROPPED and REFUSED members that ask for nothing */
    const char *why;                         /* REFUSED */
};
/* Rows: translated (NEED: and required), bookkeeping that says nothing to a model, dropped (harmless, listed), refused.
 * null is the same as absent: every api has it for "not given". */
#define TAKE(name, read)                                                                                               \
    {                                                                                                                  \
        name, MEMBER_TRANSLATED, false, read, NULL, NULL                                                               \
    }
#define NEED(name, read)                                                                                               \
    {                                                                                                                  \
        name, MEMBER_TRANSLATED, true, read, NULL, NULL                                                                \
    }
#define KNOW(name)                                                                                                     \
    {                                                                                                                  \
        name, MEMBER_KNOWN, false, NULL, NULL, NULL                                                                    \
    }
#define DROP(name, is_default)                                                                                         \
    {                                                                                                                  \
        name, MEMBER_DROPPED, false, NULL, is_default, NULL                                                            \
    }
#define REFUSE(name, is_default, why)                                                                                  \
    {                                                                                                                  \
        name, MEMBER_REFUSED, false, NULL, is_default, why                                                             \
    }

struct members {
    const struct member *rows;
    size_t count;
};
#define MEMBERS(rows) ((struct members){(rows), sizeof(rows) / sizeof *(rows)})
/* In the table's order, so that of two problems always the same one is named. Unknown members are refused. */
bool work_read_members(struct work *work, json_t *object, struct members members, void *into);
/* Each element in its place. */
bool work_read_elements(struct work *work, json_t *array, read_value *read, void *into);

/* Objects that say by one member what they are. A refused type is named like a member: "content[0].input_audio". */
struct shape {
    const char *type;
    read_value *read; /* the whole object; NULL: refused, or dropped when why is NULL too */
    const char *why;
};
struct shapes {
    const struct shape *rows;
    size_t count;
    const char *key;      /* "type" or "role" */
    const char *fallback; /* the type of an object that names none; NULL: then it is rejected */
    const char *unknown;  /* why other types are refused */
};
#define SHAPES(rows, key, fallback, unknown)                                                                           \
    ((struct shapes){(rows), sizeof(rows) / sizeof *(rows), key, fallback, unknown})
bool work_read_shape(struct work *work, json_t *object, struct shapes shapes, void *into);

#endif
