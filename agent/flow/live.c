/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs now. Exchanges belong to their loop: each loop is sent a look at its own, and writes down what it sees; who
 * asked waits for all of them.
 */
#include "flow/exchange.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>

enum { LOOK_BYTES = 256 << 10 /* then no more are written */, LOOK_BYTES_MAX = 1 << 20 };

struct live {
    pthread_mutex_t lock; /* a leaf */
    pthread_cond_t seen;
    unsigned waiting;
};
struct look {
    struct task task;
    struct live *live;
    const struct flow_worker *worker;
    struct buffer out;
};

static void write_exchange(struct buffer *out, const struct exchange *exchange)
{
    char time_text[CLOCK_TEXT_MAX];
    const struct principal *principal = &exchange->principal;
    const struct attempt *attempt = exchange->attempt_count ? exchange->attempts[exchange->attempt_count - 1] : NULL;
    json_write_raw(out, buffer_length(out) ? ",{" : "{");
    json_write_member_string(out, "id", exchange->id_text);
    json_write_member_string(out, "since", clock_format(exchange->started_wall_ns, time_text));
    json_write_member_string(out, "step", flow_step_name(exchange->step));
    json_write_member_string(out, "executable", principal->claim.executable);
    json_write_member_integer(out, "pid", principal->claim.pid);
    json_write_member_string(out, "group", principal->group.group ? principal->group.group->name : NULL);
    json_write_member_string(out, "wallet", principal->wallet);
    json_write_member_string(out, "model", exchange->rendition.facts.model);
    json_write_member_string(out, "target", attempt && attempt->target ? attempt->target->id : NULL);
    json_write_member_boolean(out, "stream", exchange->rendition.facts.is_streaming);
    json_write_raw(out, "}");
}

/* On the worker's loop. What is still being received is not yet known to be a call. */
static void look_at(struct task *task)
{
    struct look *look = list_entry(task, struct look, task);
    struct live *live = look->live;
    list_for_each(node, &look->worker->exchanges)
    {
        const struct exchange *exchange = list_entry(node, struct exchange, link);
        if (exchange->step > STEP_receive && exchange->step < STEP_COUNT && buffer_length(&look->out) < LOOK_BYTES)
            write_exchange(&look->out, exchange);
    }
    pthread_mutex_lock(&live->lock);
    live->waiting--;
    pthread_cond_signal(&live->seen); /* under the lock: once it is given back, who waits may be gone */
    pthread_mutex_unlock(&live->lock);
}

void flow_write_live(const struct flow_workers *workers, struct buffer *out)
{
    struct live live = {.waiting = workers->count};
    struct look looks[sizeof workers->rows / sizeof *workers->rows];
    check(pthread_mutex_init(&live.lock, NULL) == 0 && pthread_cond_init(&live.seen, NULL) == 0);
    for (unsigned i = 0; i < workers->count; i++) {
        looks[i] = (struct look){.task.run = look_at, .live = &live, .worker = workers->rows[i]};
        buffer_init(&looks[i].out, LOOK_BYTES_MAX);
        mailbox_post(loop_mailbox(workers->rows[i]->loop), &looks[i].task);
    }
    pthread_mutex_lock(&live.lock);
    while (live.waiting)
        pthread_cond_wait(&live.seen, &live.lock);
    pthread_mutex_unlock(&live.lock);
    json_write_raw(out, "[");
    for (unsigned i = 0, written = 0; i < workers->count; i++) {
        if (buffer_length(&looks[i].out)) {
            json_write_raw(out, written++ ? "," : "");
            json_write_bytes(out, buffer_contents(&looks[i].out));
        }
        buffer_done(&looks[i].out);
    }
    json_write_raw(out, "]");
    pthread_cond_destroy(&live.seen);
    pthread_mutex_destroy(&live.lock);
}
