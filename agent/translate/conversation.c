/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The neutral form: filling it, and settling it into the order of turns that every api takes. Called by readers (fill)
 * and by translate.c between reading and writing (settle); knows no api's JSON.
 *
 * Order (Anthropic, "Messages", "Tool use"; OpenAI, "Function calling"): the results of an assistant's tool calls come
 * in the very next turn, before anything else of it, one for each call. Bodies that break it are refused here, with the
 * place, and not by a provider that was sent them.
 */
#include "translate/conversation.h"

#include "base/check.h"
#include "base/digest.h"
#include "translate/work.h"

/* Tool call ids: Anthropic wants ^[a-zA-Z0-9_-]+$, OpenAI at most 40 characters. */
enum { CALL_ID_LENGTH_MAX = 40, CALL_ID_DIGITS = 24 };

/* ---- filling ---- */

struct turn *conversation_add_turn(struct work *work, enum role role)
{
    struct conversation *conversation = &work->conversation;
    struct turn *turn = arena_new_struct(work->arena, struct turn);
    turn->role = role;
    turn->place = work_place(work);
    if (conversation->last)
        conversation->last->next = turn;
    else
        conversation->first = turn;
    conversation->last = turn;
    return turn;
}

struct tool *conversation_add_tool(struct work *work)
{
    struct conversation *conversation = &work->conversation;
    struct tool *tool = arena_new_struct(work->arena, struct tool);
    tool->place = work_place(work);
    if (conversation->last_tool)
        conversation->last_tool->next = tool;
    else
        conversation->tools = tool;
    conversation->last_tool = tool;
    conversation->tool_count++;
    return tool;
}

static void append(struct parts *parts, struct part *part)
{
    if (parts->last)
        parts->last->next = part;
    else
        parts->first = part;
    parts->last = part;
    part->next = NULL;
}

struct part *conversation_add_part(struct work *work, struct parts *parts, enum part_kind kind)
{
    struct part *part = arena_new_struct(work->arena, struct part);
    part->kind = kind;
    part->place = work_place(work);
    append(parts, part);
    return part;
}

static bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!strchr(" \t\r\n", text.data[i]) || text.data[i] == '\0')
            return false;
    return true;
}

void conversation_add_text(struct work *work, struct parts *parts, struct slice text)
{
    if (!is_blank(text))
        conversation_add_part(work, parts, PART_TEXT)->text = text;
}

/* ---- settling ---- */

static void join(struct parts *parts, struct parts more)
{
    if (!more.first)
        return;
    if (parts->last)
        parts->last->next = more.first;
    else
        parts->first = more.first;
    parts->last = more.last;
}

/* System turns of the middle go to the front, where they keep their authority: as a user's text they would be words
 * that another user's text can overrule. What they lose is their place in time. */
static void hoist_system(struct conversation *conversation)
{
    struct turn *system = NULL, *system_last = NULL, *others = NULL, *others_last = NULL;
    for (struct turn *turn = conversation->first, *next; turn; turn = next) {
        struct turn **first = turn->role == ROLE_SYSTEM ? &system : &others;
        struct turn **last = turn->role == ROLE_SYSTEM ? &system_last : &others_last;
        next = turn->next;
        turn->next = NULL;
        if (*last)
            (*last)->next = turn;
        else
            *first = turn;
        *last = turn;
    }
    if (system_last)
        system_last->next = others;
    conversation->first = system ? system : others;
    conversation->last = others ? others_last : system_last;
}

static void merge_turns(struct conversation *conversation)
{
    struct turn *last = NULL;
    for (struct turn *turn = conversation->first, *next; turn; turn = next) {
        next = turn->next;
        turn->next = NULL;
        if (!turn->parts.first)
            continue;
        if (last && last->role == turn->role) {
            join(&last->parts, turn->parts);
        } else {
            if (last)
                last->next = turn;
            else
                conversation->first = turn;
            last = turn;
        }
    }
    if (!last)
        conversation->first = NULL;
    conversation->last = last;
}

static void put_results_first(struct turn *turn)
{
    struct parts results = {0}, others = {0};
    for (struct part *part = turn->parts.first, *next; part; part = next) {
        next = part->next;
        append(part->kind == PART_RESULT ? &results : &others, part);
    }
    join(&results, others);
    turn->parts = results;
}

static bool fits_id(struct slice id)
{
    for (size_t i = 0; i < id.length; i++) {
        unsigned char c = (unsigned char)id.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return id.length > 0 && id.length <= CALL_ID_LENGTH_MAX;
}

/* The same for the same conversation, however long it grows: providers' prompt caches compare its beginning. */
static struct slice make_id(struct work *work, struct slice id, const char *salt)
{
    unsigned char digest[DIGEST_BYTES];
    char text[DIGEST_TEXT_MAX];
    digest_hmac_sha256(slice_of(salt), id, digest);
    return slice_of(arena_printf(work->arena, "call_%.*s", CALL_ID_DIGITS, digest_format(digest, text)));
}

/* An id that fits and that no earlier turn has (Anthropic: "tool_use ids must be unique"; some compatible providers
 * begin again at call_0 in each turn). */
static struct slice choose_id(struct work *work, struct slice id, const json_t *used, size_t turn_index)
{
    struct slice chosen = fits_id(id) ? id : make_id(work, id, "call");
    if (json_object_getn(used, chosen.data, chosen.length))
        chosen = make_id(work, id, arena_printf(work->arena, "turn %zu", turn_index));
    return chosen;
}

struct pairing {
    struct work *work;
    json_t *used; /* every id given so far */
    json_t *open; /* the calls of `caller`: client's id → chosen id, true once it has its result */
    const struct turn *caller;
};

static void set(json_t *object, struct slice key, json_t *value)
{
    check(json_object_setn_new(object, key.data, key.length, value) == 0);
}

static bool open_calls(struct pairing *pairing, struct turn *turn, size_t turn_index)
{
    pairing->caller = turn;
    for (struct part *part = turn->parts.first; part; part = part->next) {
        if (part->kind != PART_CALL)
            continue;
        if (memchr(part->id.data, '\0', part->id.length))
            return work_refuse_at(pairing->work, part->place, "its id holds U+0000");
        if (json_object_getn(pairing->open, part->id.data, part->id.length))
            return work_refuse_at(pairing->work, part->place, "two tool calls of one turn have the same id");
        struct slice chosen = choose_id(pairing->work, part->id, pairing->used, turn_index);
        set(pairing->open, part->id, tree_new_text(chosen));
        set(pairing->used, chosen, json_true());
        part->id = chosen;
    }
    return true;
}

static bool close_calls(struct pairing *pairing, struct turn *turn)
{
    for (struct part *part = turn->parts.first; part; part = part->next) {
        if (part->kind != PART_RESULT)
            continue;
        const json_t *chosen = json_object_getn(pairing->open, part->id.data, part->id.length);
        if (!json_is_string(chosen))
            return work_refuse_at(pairing->work, part->place, "the turn before it has no open tool call of its id");
        struct slice id = arena_copy(pairing->work->arena, tree_text(chosen));
        set(pairing->open, part->id, json_true());
        part->id = id;
    }
    return true;
}

static bool refuse_open(struct pairing *pairing, struct slice id)
{
    check(pairing->caller != NULL);
    for (const struct part *part = pairing->caller->parts.first; part; part = part->next)
        if (part->kind == PART_CALL && slice_is_equal(part->id, id))
            return work_refuse_at(pairing->work, part->place, "the next turn has no result of this tool call");
    return false;
}

static bool are_calls_closed(struct pairing *pairing)
{
    for (void *at = json_object_iter(pairing->open); at; at = json_object_iter_next(pairing->open, at))
        if (json_is_string(json_object_iter_value(at)))
            return refuse_open(pairing, tree_text(json_object_iter_value(at)));
    json_object_clear(pairing->open);
    return true;
}

static bool pair_turns(struct pairing *pairing, struct turn *first)
{
    size_t index = 0;
    for (struct turn *turn = first; turn; turn = turn->next, index++) {
        if (turn->role == ROLE_ASSISTANT) {
            if (!open_calls(pairing, turn, index))
                return false;
            if (!turn->next && !are_calls_closed(pairing))
                return false;
            continue;
        }
        put_results_first(turn);
        if (!close_calls(pairing, turn) || !are_calls_closed(pairing))
            return false;
    }
    return true;
}

bool conversation_settle(struct work *work, bool hoists_system)
{
    struct conversation *conversation = &work->conversation;
    if (hoists_system)
        hoist_system(conversation);
    merge_turns(conversation);
    struct pairing pairing = {work, json_object(), json_object(), NULL};
    check(pairing.used && pairing.open);
    bool is_paired = pair_turns(&pairing, conversation->first);
    json_decref(pairing.used);
    json_decref(pairing.open);
    return is_paired;
}
