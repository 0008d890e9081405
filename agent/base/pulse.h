/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that does the same thing again and again, with a pause between, until it is stopped. */
#ifndef BASE_PULSE_H
#define BASE_PULSE_H

struct pulse;

/* `beat` runs on the new thread: at once, then `pause_ms` (monotonic) after each beat has ended. */
struct pulse *pulse_start(void (*beat)(void *context), void *context, unsigned pause_ms);
/* Cuts the pause short; returns when no beat runs and none will. NULL is fine. Not from a beat. */
void pulse_stop(struct pulse *pulse);

#endif
