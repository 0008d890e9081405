/* SPDX-License-Identifier: Apache-2.0 */
/* What the writers of requests share: checks that every target makes, texts joined. Called by the *_target.c files. */
#include "base/check.h"
#include "translate/apis.h"

static bool fits_name(struct slice name, size_t length_max)
{
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return name.length > 0 && name.length <= length_max;
}

bool target_check_name(struct work *work, const char *place, struct slice name, size_t length_max)
{
    if (fits_name(name, length_max))
        return true;
    return work_refuse_at(work, place,
                          arena_printf(work->arena, "a name is 1 to %zu letters, digits, _ and - there", length_max));
}

static bool check_definitions(struct work *work, size_t length_max, json_t *names)
{
    for (const struct tool *tool = work->conversation.tools; tool; tool = tool->next) {
        if (!target_check_name(work, tool->place, tool->name, length_max))
            return false;
        if (json_object_getn(names, tool->name.data, tool->name.length))
            return work_refuse_at(work, tool->place, "two tools have the same name");
        check(json_object_setn_new(names, tool->name.data, tool->name.length, json_true()) == 0);
    }
    return true;
}

static bool check_choice(struct work *work, const json_t *names)
{
    const struct conversation *conversation = &work->conversation;
    struct slice name = conversation->choice_name;
    if (conversation->choice == CHOICE_NAMED &&
        (name.length == 0 || memchr(name.data, '\0', name.length) || !json_object_getn(names, name.data, name.length)))
        return work_refuse_at(work, "tool_choice", "none of the tools has this name");
    if (conversation->choice == CHOICE_REQUIRED && !conversation->tools)
        return work_refuse_at(work, "tool_choice", "a call is required, and there is no tool");
    return true;
}

static bool check_calls(struct work *work, size_t length_max)
{
    for (const struct turn *turn = work->conversation.first; turn; turn = turn->next)
        for (const struct part *part = turn->parts.first; part; part = part->next)
            if (part->kind == PART_CALL && !target_check_name(work, part->place, part->name, length_max))
                return false;
    return true;
}

bool target_check_tools(struct work *work, size_t name_length_max)
{
    json_t *names = tree_add(work->owned, json_object());
    return check_definitions(work, name_length_max, names) && check_choice(work, names) &&
           check_calls(work, name_length_max);
}

bool target_has_only_text(const struct parts *parts)
{
    for (const struct part *part = parts->first; part; part = part->next)
        if (part->kind != PART_TEXT)
            return false;
    return true;
}

struct slice target_join_text(struct work *work, const struct parts *parts)
{
    size_t length = 0, at = 0, count = 0;
    const struct part *last = NULL;
    static const struct slice gap = {"\n\n", 2};
    for (const struct part *part = parts->first; part; part = part->next) {
        if (part->kind != PART_TEXT)
            continue;
        length += part->text.length + gap.length;
        last = part;
        count++;
    }
    if (count <= 1)
        return last ? last->text : (struct slice){"", 0};
    char *text = arena_alloc(work->arena, length);
    for (const struct part *part = parts->first; part; part = part->next) {
        if (part->kind != PART_TEXT)
            continue;
        memcpy(text + at, part->text.data, part->text.length);
        at += part->text.length;
        if (part != last) {
            memcpy(text + at, gap.data, gap.length);
            at += gap.length;
        }
    }
    return (struct slice){text, at};
}
