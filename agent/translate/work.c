/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The place, the problem and the tables of one translation; see work.h. Called by every reader and writer of requests;
 * knows no api. Names that come from a body are shown cut and only as names: no value ever gets into a problem.
 */
#include "translate/work.h"

#include "base/check.h"

enum { NAME_SHOWN_MAX = 48 };

void work_enter_member(struct work *work, const char *name)
{
    check(work->depth < WORK_DEPTH_MAX);
    work->path[work->depth++] = (struct step){.name = name};
}

void work_enter_element(struct work *work, size_t index)
{
    check(work->depth < WORK_DEPTH_MAX);
    work->path[work->depth++] = (struct step){.index = index};
}

void work_leave(struct work *work)
{
    check(work->depth > 0);
    work->depth--;
}

const char *work_place(const struct work *work)
{
    char place[WORK_DEPTH_MAX * (NAME_SHOWN_MAX + 2) + 1] = "";
    size_t length = 0;
    for (size_t i = 0; i < work->depth; i++) {
        const struct step *step = &work->path[i];
        size_t room = sizeof place - length;
        int added = step->name ? snprintf(place + length, room, "%s%.*s", i ? "." : "", NAME_SHOWN_MAX, step->name)
                               : snprintf(place + length, room, "[%zu]", step->index);
        length += (size_t)added;
    }
    return arena_strdup(work->arena, place);
}

void work_drop(struct work *work, const char *name)
{
    char path[256] = "";
    size_t length = 0;
    for (size_t i = 0; i <= work->depth; i++) {
        const char *step = i < work->depth ? work->path[i].name : name;
        if (step && length < sizeof path)
            length += (size_t)snprintf(path + length, sizeof path - length, "%s%s", length ? "." : "", step);
    }
    for (size_t i = 0; i < work->dropped_count; i++)
        if (strcmp(work->dropped[i], path) == 0)
            return;
    if (work->dropped_count < WORK_DROPPED_MAX)
        work->dropped[work->dropped_count++] = arena_strdup(work->arena, path);
}

static bool fail(struct work *work, enum error error, const char *problem)
{
    if (!work->error) {
        work->error = error;
        work->problem = problem;
    }
    return false;
}

bool work_refuse_at(struct work *work, const char *place, const char *why)
{
    return fail(
        work, ERROR_NO_TRANSLATION,
        arena_printf(work->arena, "%s cannot be translated to %s: %s", *place ? place : "the body", work->target, why));
}

bool work_refuse(struct work *work, const char *why)
{
    return work_refuse_at(work, work_place(work), why);
}

bool work_refuse_member(struct work *work, const char *name, const char *why)
{
    work_enter_member(work, name);
    work_refuse(work, why);
    work_leave(work);
    return false;
}

bool work_reject(struct work *work, const char *why)
{
    const char *place = work_place(work);
    return fail(work, ERROR_BODY_INCOMPLETE, arena_printf(work->arena, "%s: %s", *place ? place : "the body", why));
}

bool work_reject_member(struct work *work, const char *name, const char *why)
{
    work_enter_member(work, name);
    work_reject(work, why);
    work_leave(work);
    return false;
}

/* ---- reading by table ---- */

static const struct member *find_member(struct members members, const char *name)
{
    for (size_t i = 0; i < members.count; i++)
        if (strcmp(members.rows[i].name, name) == 0)
            return members.rows + i;
    return NULL;
}

static bool refuse_unknown(struct work *work, json_t *object, struct members members)
{
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        const char *name = json_object_iter_key(at);
        if (!find_member(members, name) && !json_is_null(json_object_iter_value(at)))
            return work_refuse_member(work, name, "this member is unknown");
    }
    return true;
}

static bool read_member(struct work *work, const struct member *member, json_t *value, void *into)
{
    bool is_default = member->is_default && member->is_default(value);
    switch (member->rule) {
    case MEMBER_TRANSLATED:
        return member->read(work, value, into);
    case MEMBER_REFUSED:
        return is_default || work_refuse(work, member->why);
    case MEMBER_DROPPED:
        if (!is_default)
            work_drop(work, NULL);
        return true;
    case MEMBER_KNOWN:
        return true;
    }
    return true;
}

bool work_read_members(struct work *work, json_t *object, struct members members, void *into)
{
    if (!json_is_object(object))
        return work_reject(work, "must be an object");
    if (!refuse_unknown(work, object, members))
        return false;
    for (size_t i = 0; i < members.count; i++) {
        const struct member *member = &members.rows[i];
        json_t *value = tree_get(object, member->name);
        bool is_given = value && !json_is_null(value);
        if (!is_given && member->is_required)
            return work_reject_member(work, member->name, "is required");
        if (!is_given)
            continue;
        work_enter_member(work, member->name);
        bool is_read = read_member(work, member, value, into);
        work_leave(work);
        if (!is_read)
            return false;
    }
    return true;
}

bool work_read_elements(struct work *work, json_t *array, read_value *read, void *into)
{
    if (!json_is_array(array))
        return work_reject(work, "must be an array");
    for (size_t i = 0; i < json_array_size(array); i++) {
        work_enter_element(work, i);
        bool is_read = read(work, json_array_get(array, i), into);
        work_leave(work);
        if (!is_read)
            return false;
    }
    return true;
}

static const struct shape *find_shape(struct shapes shapes, const char *type)
{
    for (size_t i = 0; i < shapes.count; i++)
        if (strcmp(shapes.rows[i].type, type) == 0)
            return shapes.rows + i;
    return NULL;
}

bool work_read_shape(struct work *work, json_t *object, struct shapes shapes, void *into)
{
    if (!json_is_object(object))
        return work_reject(work, "must be an object");
    const json_t *member = tree_get(object, shapes.key);
    const char *type = json_is_string(member) ? json_string_value(member) : NULL;
    if (!type && member && !json_is_null(member))
        return work_reject_member(work, shapes.key, "must be a string");
    if (!type)
        type = shapes.fallback;
    if (!type)
        return work_reject_member(work, shapes.key, "is required");
    const struct shape *shape = find_shape(shapes, type);
    if (!shape)
        return work_refuse_member(work, strcmp(shapes.key, "type") == 0 ? type : shapes.key, shapes.unknown);
    if (shape->read)
        return shape->read(work, object, into);
    if (shape->why)
        return work_refuse_member(work, shape->type, shape->why);
    work_drop(work, shape->type);
    return true;
}
