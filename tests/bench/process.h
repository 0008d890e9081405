/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process cost: CPU time of all its threads, and its memory. Included by load.c. The CPU time is the sum that
 * /proc/PID/stat shows as utime + stime, read from the process's CPU clock, which has no steps of 10 ms.
 */
#ifndef TESTS_BENCH_PROCESS_H
#define TESTS_BENCH_PROCESS_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

static inline uint64_t clock_read_ns(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 0 for pid 0 (nobody in the middle) and for a process that is gone. */
static inline uint64_t process_read_cpu_ns(pid_t pid)
{
    clockid_t clock;
    if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0)
        return 0;
    return clock_read_ns(clock);
}

static inline uint64_t process_read_rss_kib(pid_t pid)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = pid ? fopen(path, "re") : NULL;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %llu", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

#endif
