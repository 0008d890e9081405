/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pulse.h"

#include "base/check.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

struct pulse {
    void (*beat)(void *context);
    void *context;
    unsigned pause_ms;
    pthread_t thread;
    pthread_mutex_t lock; /* guards is_stopped; leaf */
    pthread_cond_t stopped;
    bool is_stopped;
};

/* False: no beat any more. */
static bool pause_once(struct pulse *pulse)
{
    int64_t due_ns = clock_monotonic_ns() + (int64_t)pulse->pause_ms * 1000000;
    const struct timespec due = {due_ns / 1000000000, (long)(due_ns % 1000000000)};
    int result = 0;
    pthread_mutex_lock(&pulse->lock);
    while (!pulse->is_stopped && result == 0)
        result = pthread_cond_timedwait(&pulse->stopped, &pulse->lock, &due);
    bool goes_on = !pulse->is_stopped;
    pthread_mutex_unlock(&pulse->lock);
    return goes_on;
}

static void *run_pulse(void *argument)
{
    struct pulse *pulse = argument;
    do
        pulse->beat(pulse->context);
    while (pause_once(pulse));
    return NULL;
}

struct pulse *pulse_start(void (*beat)(void *context), void *context, unsigned pause_ms)
{
    struct pulse *pulse = calloc(1, sizeof *pulse);
    pthread_condattr_t attributes;
    check(pulse != NULL);
    pulse->beat = beat;
    pulse->context = context;
    pulse->pause_ms = pause_ms;
    check(pthread_mutex_init(&pulse->lock, NULL) == 0 && pthread_condattr_init(&attributes) == 0 &&
          pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
          pthread_cond_init(&pulse->stopped, &attributes) == 0);
    check(pthread_create(&pulse->thread, NULL, run_pulse, pulse) == 0);
    return pulse;
}

void pulse_stop(struct pulse *pulse)
{
    if (!pulse)
        return;
    pthread_mutex_lock(&pulse->lock);
    pulse->is_stopped = true;
    pthread_cond_signal(&pulse->stopped);
    pthread_mutex_unlock(&pulse->lock);
    pthread_join(pulse->thread, NULL);
    pthread_cond_destroy(&pulse->stopped);
    pthread_mutex_destroy(&pulse->lock);
    free(pulse);
}
