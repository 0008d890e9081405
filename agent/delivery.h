/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts on their way out: each goes to every channel that the settings name (the operator's command, the webhook),
 * each channel has a thread of its own, tries again a bounded number of times, and one alert that cannot be delivered
 * holds up no other. Called by alerts.c only.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "base/buffer.h"
#include "base/id.h"
#include "config/config.h"
#include "notify.h"

enum { ALERT_SUBJECT_MAX = 80, ALERT_THRESHOLD_MAX = 16, ALERT_JSON_MAX = 4096, ALERT_CHANNELS = 2 };

/* Written by the maker, immutable once added. */
struct alert {
    char subject[ALERT_SUBJECT_MAX]; /* "budget:ID", "low_balance:WALLET": what the mark is about */
    uint64_t window;
    char threshold[ALERT_THRESHOLD_MAX];
    const char *kind; /* budget low_balance days_left */
    struct id id;     /* the same for ever for one mark */
    size_t json_bytes;
    char json[ALERT_JSON_MAX];
};

struct delivery;
struct delivery_services {
    struct notify *notify;
    struct settings *(*retain_settings)(void *context);
    void *context;
};

/* Starts a thread for each channel. */
struct delivery *delivery_open(const struct delivery_services *services);
/* What is not delivered now stays marked as undelivered. NULL is fine. */
void delivery_close(struct delivery *delivery);

/* Waits, at most so long, until everything was tried once. */
void delivery_wait(struct delivery *delivery, uint32_t timeout_ms);
/* False: too many are under way; try again later. */
bool delivery_has_room(struct delivery *delivery);
/* Copies the alert. There must be room. */
void delivery_add(struct delivery *delivery, const struct alert *alert);
/* Each alert that all channels have taken is visited once. */
void delivery_collect(struct delivery *delivery, void (*visit)(void *context, const struct alert *alert),
                      void *context);
/* The alerts of this run as JSON objects with a further member "delivery": pending, done or failed; oldest first. */
void delivery_write(struct delivery *delivery, struct buffer *out);

#endif
