/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact cache: the same request of the same tenant under the same policy gets the answer that it got before, and
 * requests that are the same at the same time share one. Called by flow/ (the `recall` step, the relay) and, for
 * statistics and clearing, by control/. It moves no money, opens no connection and logs nothing.
 *
 *   cache_read_policy (once per settings snapshot)
 *        │            cache_make_key (once per request)          HIT    answer → program
 *        └──────────▶ cache_ask ──────────────────────────────▶  LEAD   ask upstream; cache_lead_…; stored at the end
 *                                                                FOLLOW cache_follow_… until its end
 *                                                                WAIT   the answer is on disk: `resume` comes
 *
 * Files: key.c, memo.c, canonical.c, outline.c, number.c, parts.c (what is the same request), policy.c (what decides),
 * wishes.c (Cache-Control, what may be stored), ask.c (look-up), index.c (what is there, and what goes), flight.c and
 * share.c (answers under way), answer.c, row.c, keep.c (memory and disk), thread.c (whose the disk is), cache.c.
 * Threads: any loop; one thread of the cache's own does all disk work and all of zstd. Locks: the cache's, each
 * flight's, the memo's: never held together; under the first two a mailbox's may be taken.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/digest.h"
#include "base/error.h"
#include "base/mailbox.h"
#include "base/money.h"
#include "config/config.h"
#include "http/http.h"

struct cache;

/* ---- opening ---- */

enum {
    CACHE_ENTRY_BYTES_MAX = 8 << 20, /* a longer body is relayed, shared by those who read already, and not stored */
    CACHE_FRAMES_MAX = 1 << 16,      /* of a stream; what arrives after that counts as one with the last */
    CACHE_ENTRIES_MAX = 1 << 20,     /* whatever the settings say: the index is in memory, about 300 bytes each */
    CACHE_NOTE_TEXT_MAX = 320,
};

struct cache_options {
    const char *directory;     /* STATE/cache, made 0700; NULL: nothing is kept on disk */
    uint32_t entries_max;      /* settings.cache.max_entries */
    uint64_t bytes_max;        /* on disk, as compressed; 0: CACHE_BYTES_MAX_DEFAULT */
    uint64_t hot_bytes_max;    /* bodies in memory; 0: CACHE_HOT_BYTES_MAX_DEFAULT */
    uint64_t flight_bytes_max; /* of all answers that are under way; 0: CACHE_FLIGHT_BYTES_MAX_DEFAULT. Past it answers
                                  are passed on without being stored */
    /* Something went wrong that the log should say (EVENT_CACHE_…): a fixed sentence and Berkeley DB's reason. Called
     * on any thread, without a lock. NULL: nobody listens. */
    void (*noted)(void *context, const char *text);
    void *context;
    /* For tests: a clock that goes on during suspend and never jumps, and the name of the boot that it counts from.
     * NULL: CLOCK_BOOTTIME and the kernel's boot id. */
    int64_t (*now_ns)(void);
    const char *boot_id;
};
#define CACHE_BYTES_MAX_DEFAULT        ((uint64_t)512 << 20)
#define CACHE_HOT_BYTES_MAX_DEFAULT    ((uint64_t)32 << 20)
#define CACHE_FLIGHT_BYTES_MAX_DEFAULT ((uint64_t)64 << 20)

/* Never fails: a store that cannot be read is deleted and made anew, one that cannot be made, or cannot be opened for
 * want of descriptors, memory or permission, leaves the cache in memory alone; `noted` says so. Open before starting
 * threads (the store's recovery is tried in a forked child). What was kept is found as soon as the cache's thread has
 * read its index: a miss before that. Entries of another boot, and entries past their time, are dropped: no clock tells
 * how long the machine was off, so nothing is older than its TTL whatever the wall clock did. */
struct cache *cache_open(const struct cache_options *options);
/* Writes what waits. Every ask must have left. NULL is fine. */
void cache_close(struct cache *cache);
/* After a reload; any thread. What is too much goes at the next store. */
void cache_set_limits(struct cache *cache, uint32_t entries_max, uint64_t bytes_max);
/* Waits until all that was asked of the cache's thread before is done. Not from a loop. */
void cache_flush(struct cache *cache);

/* ---- the key: what is the same request ---- */

/* What of the settings decides which answer a request gets, as one digest; made once per snapshot. In it: environment,
 * groups (models, limits, overrides, data policy, keys rule), rules, projects, providers and targets without their
 * secrets, routing, model groups, capture's rules, the date of the prices. Not in it: alerts, budgets, wallets,
 * backups, rate limits, access, the cache's own settings, time-outs. */
struct cache_policy {
    unsigned char digest[DIGEST_BYTES];
    bool is_made;
    bool uses_projects; /* a rule or a route depends on the project: then, and only then, it is part of the key */
};
void cache_read_policy(const struct settings *settings, struct cache_policy *ret_policy);

/* Whose request it is. All members are required; there is no key without them. */
struct cache_tenant {
    enum environment environment;
    const char *group, *wallet;        /* neither NULL nor "" */
    const struct cache_policy *policy; /* made */
};

struct cache_request {
    enum api api;
    enum dialect_kind dialect;
    const char *host;                /* the governed name that was called */
    struct slice method, path;       /* as sent */
    struct slice query;              /* as sent: `key=` and its like are left out here */
    const struct http_field *fields; /* all of the request's: a table picks those that decide (versions, betas …) */
    size_t field_count;
    struct slice body;   /* as the provider would get it but for routing: redacted, neither clamped nor translated */
    bool is_json;        /* json_scan found it valid: then it is compared by meaning, else byte by byte */
    const char *project; /* "" when none */
    struct slice
        own_key; /* a provider's key that the program has itself: whose account answers. Empty: a placeholder */
    int64_t output_tokens_max; /* the verdict's bound (a rule's or the group's), -1: none */
};

struct cache_key {
    unsigned char bytes[DIGEST_BYTES];
};
/* SHA-256 over the length-prefixed parts. False, and no key: a member of the tenant is missing (then nothing of this
 * request may be looked up, stored or shared). Equal: members in another order, other white space, 1 = 1.0 = 10e-1,
 * equal escapes, other values of members that a table leaves out for the api (canonical.c says why for each). Not
 * equal: everything else, -0 and 0, the order of arrays, and `stream`. Bodies seen before are not read again. Any
 * thread. */
bool cache_make_key(struct cache *cache, const struct cache_tenant *tenant, const struct cache_request *request,
                    struct cache_key *ret_key) MUST_USE;

/* ---- what the request says about caching, what may be stored: pure functions ---- */

/* Cache-Control of the request (RFC 9111 section 5.2.1), Pragma where there is none (5.4). */
struct cache_wishes {
    bool no_cache;       /* a fresh answer, please; it may be stored */
    bool no_store;       /* the answer is not stored; it may come from the cache */
    bool only_if_cached; /* 504 when it is not there */
    int64_t max_age_s;   /* -1: any age. What cannot be read is 0 */
};
void cache_read_wishes(const struct http_field *fields, size_t count, struct cache_wishes *ret_wishes);

struct cache_outcome {
    int status;          /* what the program saw */
    bool is_complete;    /* the program got all that came, to an end like any other: followers do, too */
    bool lacks_end;      /* but what came has no end of its own (terminal event, whole document), or ends in an error */
    bool is_clamped;     /* the output limit was lowered for lack of money */
    bool is_cheaper;     /* a cheaper target took it for lack of money */
    bool is_refusal;     /* it ended in another way than a good answer: refused, filtered, failed, paused */
    bool is_deferred;    /* a background response, a batch: the answer is yet to come */
    bool is_encoded;     /* Content-Encoding that is not identity: the key knows nothing of Accept-Encoding */
    bool wants_no_store; /* Cache-Control: no-store, `"store": false` and the like in the request */
    bool is_forbidden;   /* the policy says that this model, endpoint or temperature is not cached */
    bool is_damaged; /* the provider's document, or an event of its stream, is not what its format says, or its end is
                        none that is known to be good */
};
/* NULL: it may be stored; else why not, a fixed text ("the answer is not complete"). */
const char *cache_why_not_stored(const struct cache_outcome *outcome);
/* Which fields of an answer are kept and shared (content type and a few more); all others are the exchange's own. */
bool cache_keeps_field(struct slice name);

/* ---- answers ---- */

/* Bytes that arrived together. */
struct cache_frame {
    uint32_t offset_ms; /* since the answer's head */
    uint32_t length;
};
/* What made it; the rest of the exchange's knowledge that a hit reports. */
struct cache_made {
    struct usage usage;
    struct money charge; /* what it cost: avoided_cost of a hit */
    const char *model;   /* served; "" unknown */
    const char *target;  /* id; "" when passed */
    const char *id;      /* of the exchange that made it */
};
/* Immutable; freed with its last reference. */
struct cache_answer {
    bool is_stream;                  /* text/event-stream: `frames` says how it came */
    const struct http_field *fields; /* those that cache_keeps_field; status is 200 */
    size_t field_count;
    struct slice body; /* of a stream: all frames, one after the other */
    const struct cache_frame *frames;
    size_t frame_count; /* 0 for a document */
    struct cache_made made;
    int64_t made_wall_ns; /* for people; no decision depends on it */
};
struct cache_answer *cache_answer_retain(struct cache_answer *answer);
void cache_answer_release(struct cache_answer *answer); /* NULL is fine; any thread */

/* ---- asking ---- */

enum cache_reply {
    CACHE_HIT,    /* ask->answer */
    CACHE_WAIT,   /* `resume` will come, then ask->reply is one of the others */
    CACHE_LEAD,   /* not there: ask upstream and tell of it by cache_lead_… */
    CACHE_FOLLOW, /* another exchange is getting it right now: cache_follow_… */
    CACHE_ALONE,  /* not there, and nothing is to be stored: ask upstream, tell nobody */
    CACHE_ABSENT, /* only-if-cached, and it is not: 504 */
};

struct cache_seat; /* the cache's side of an ask */

/* Embedded in the exchange, zeroed at first. All calls about an ask come from the thread of its mailbox. */
struct cache_ask {
    /* filled by the caller */
    struct cache_key key;
    struct cache_wishes wishes;
    uint32_t ttl_s;            /* settings.cache.ttl_seconds now: bounds what is found, and what is stored */
    const char *group, *model; /* as requested; for cache_clear. Copied */
    struct mailbox *mailbox;   /* of the loop */
    /* On that thread, never from within a call of ours; may also come without a cause: after CACHE_WAIT the reply is
     * there; a follower that read everything may read again (or was made the leader); a leader has got its first
     * follower, or lost its last, or need not wait any more. */
    void (*resume)(struct cache_ask *ask);
    /* filled by us */
    enum cache_reply reply;
    struct cache_answer *answer; /* HIT: a reference, released by cache_leave */
    uint32_t age_s, ttl_left_s;  /* HIT */
    struct cache_seat *seat;
};
/* Looks up and, where it is not there, joins those who wait for it or leads them: one step, so that of any number of
 * identical requests one leads. Never blocks on the disk. Returns ask->reply. */
enum cache_reply cache_ask(struct cache *cache, struct cache_ask *ask);
/* Any time, once or more; also required after everything went well. A leader that did not finish has failed
 * (ERROR_CLIENT_GONE). After it `resume` is not called; a task
 * of ours may still be in the mailbox, and calls nothing. */
void cache_leave(struct cache *cache, struct cache_ask *ask);

/* ---- leading: for any other reply these do nothing ---- */

struct cache_head {
    int status;
    bool is_stream;
    const struct http_field *fields; /* all of the answer's; those that cache_keeps_field are shared */
    size_t field_count;
};
/* The head that the program gets, once. From here on the answer is what all followers get, whatever its status. */
void cache_lead_head(struct cache *cache, struct cache_ask *ask, const struct cache_head *head);
/* The body's bytes as the program sees them (metered, translated, hidden usage cut out), without transfer framing.
 * Copies; never blocks, never fails: what is too long to keep is passed on and not stored. */
void cache_lead_bytes(struct cache *cache, struct cache_ask *ask, struct slice bytes);
/* The answer is complete and its charge known. Stored when it is whole and `outcome` allows; returns why it was not (a
 * fixed text), NULL when it was. Followers end well when outcome->is_complete, else as by cache_lead_fail. */
const char *cache_lead_finish(struct cache *cache, struct cache_ask *ask, const struct cache_outcome *outcome,
                              const struct cache_made *made);
/* There will be no more. Before the head: when the leader's program left (CLIENT_GONE) exactly one follower is made the
 * leader (cache_follow_read says TOOK) and the others stay with it; for any other error all go their own way (LEFT).
 * After the head: all get the failure. `detail` is copied; NULL: the error's own text. */
void cache_lead_fail(struct cache *cache, struct cache_ask *ask, enum error error, const char *detail);
/* Somebody follows, and all of the answer is kept: the leader's own program, slow or gone, holds nobody up. Any reply:
 * false when it is not LEAD. */
bool cache_is_followed(struct cache *cache, const struct cache_ask *ask);
/* What this leader brings is not for others, but goes on: those who have been given nothing yet go their own way
 * (LEFT), and nobody joins any more. */
void cache_lead_part(struct cache *cache, struct cache_ask *ask);
/* Nobody joins any more; those who follow stay. */
void cache_lead_shut(struct cache *cache, struct cache_ask *ask);
/* The leader's own program is full while others follow (cache_is_followed): it reads what comes from here on by
 * cache_lead_read, as they do, so that what it has not taken is in memory once, and counted. False: nobody follows. */
bool cache_lead_fall_behind(struct cache *cache, struct cache_ask *ask);
/* Also after the end. 0: all was read, and what comes is given to it straight again. */
size_t cache_lead_read(struct cache *cache, struct cache_ask *ask, char *bytes, size_t bytes_max);
/* Its program has left: nothing is kept for it any more. */
void cache_lead_forget(struct cache *cache, struct cache_ask *ask);
/* Past CACHE_ENTRY_BYTES_MAX only a window of the answer is kept, and nobody shall be given one with a hole: then it
 * goes at the pace of the slowest, and who sleeps is to leave. Any reply: false when it is not LEAD. */
/* Somebody is a window behind: give no more until `resume`. */
bool cache_lead_must_wait(struct cache *cache, struct cache_ask *ask);
/* Followers that have read all there is wait for more. */
bool cache_lead_is_awaited(struct cache *cache, const struct cache_ask *ask);
/* The leader wants to give up. True, and from now on nobody joins: nobody follows. False: somebody does, it goes on.
 * Any reply: true when it is not LEAD. */
bool cache_lead_close(struct cache *cache, struct cache_ask *ask);

/* ---- following: FOLLOW only ---- */

enum cache_progress {
    CACHE_NOTHING, /* nothing more yet: `resume` comes */
    CACHE_BYTES,   /* *ret_length of them; read on */
    CACHE_END,     /* all was read: cache_follow_made */
    CACHE_FAILED,  /* the leader failed after its head: cache_follow_error; break the answer */
    CACHE_TOOK,    /* the leader failed before its head and this ask leads now: reply is LEAD; nothing was read yet */
    CACHE_LEFT,    /* nothing was read, and this ask goes its own way: the leader failed before its head, or parted, or
                      the answer is too long to be shared from its beginning. reply is ALONE */
};
/* NULL: it is not there yet (read, and see NOTHING, TOOK or LEFT). Valid until cache_leave. */
const struct cache_head *cache_follow_head(struct cache *cache, struct cache_ask *ask);
/* Copies up to bytes_max. A follower that does not read holds nobody up in an answer that is kept whole; in a longer
 * one it is waited for. *ret_length is 0 unless BYTES. */
enum cache_progress cache_follow_read(struct cache *cache, struct cache_ask *ask, char *bytes, size_t bytes_max,
                                      size_t *ret_length) MUST_USE;
/* The leader waits for this follower, which is a window behind. Any reply: false when it is not FOLLOW. */
bool cache_follow_is_awaited(struct cache *cache, const struct cache_ask *ask);
/* After END: what it cost the leader (avoided_cost). Texts are valid until cache_leave. */
const struct cache_made *cache_follow_made(const struct cache_ask *ask);
/* After FAILED. */
enum error cache_follow_error(const struct cache_ask *ask, const char **ret_detail);

/* ---- for people ---- */

struct cache_statistics {
    uint64_t hits, misses, follows; /* since the start */
    uint64_t stored, evicted, expired, cleared;
    uint64_t corrupt;         /* entries whose bytes were not what was written, and stores that were made anew */
    uint64_t unkept;          /* answers not written: the disk was behind, or there is none */
    uint64_t entries, bytes;  /* now; bytes as compressed */
    uint64_t bytes_in_memory; /* bodies, index and flights */
    bool is_on_disk;
};
void cache_read_statistics(struct cache *cache, struct cache_statistics *ret_statistics);
/* What is there of a group (NULL: any) and a model (as requested; NULL: any). Goes through all entries, some at a time.
 * Not from a loop. */
struct cache_part {
    uint64_t entries, bytes;  /* as in the statistics */
    uint64_t bytes_in_memory; /* bodies */
};
void cache_count(struct cache *cache, const char *group, const char *model, struct cache_part *ret_part);
/* Forgets what a group (NULL: any) asked of a model (as requested; NULL: any); answers that are under way for them are
 * not stored. Returns how many, after they are gone from the disk, too. Not from a loop. */
uint64_t cache_clear(struct cache *cache, const char *group, const char *model);

#endif
