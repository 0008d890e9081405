/* SPDX-License-Identifier: Apache-2.0 */
/* The monotonic clock, for waits and deadlines of the launcher and the client. */
#include "shim/launch/launch.h"

#include <time.h>

long long launch_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

long long launch_now_ms(void)
{
    return launch_now_us() / 1000;
}
