/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn TIMES SHIM PROGRAM: starts PROGRAM with and without SHIM in LD_PRELOAD, in turns, and prints the median times
 * and the median of the paired ratios. Called by scripts/bench for true_start_ratio; vfork, so that the parent's size
 * does not blur what is measured.
 */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

enum { TIMES_MAX = 100000, ENVIRONMENT_MAX = 4096 };

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *rows, size_t count)
{
    qsort(rows, count, sizeof *rows, compare);
    return rows[count / 2];
}

/* Microseconds from start to the end of the program; ends this one when it cannot be run. */
static double run_once(char *program, char **environment)
{
    struct timespec from, to;
    char *const arguments[] = {program, NULL};
    pid_t pid = 0;
    int status = 0;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int error = posix_spawn(&pid, program, NULL, NULL, arguments, environment);
    if (error || waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "spawn: %s: %s, status %d\n", program, strerror(error), status);
        exit(1);
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
}

int main(int argc, char **argv)
{
    static char *with[ENVIRONMENT_MAX + 2];
    static char preload[4200];
    size_t times = argc == 4 ? strtoul(argv[1], NULL, 10) : 0, count = 0;
    if (times < 1 || times > TIMES_MAX) {
        fputs("usage: spawn TIMES SHIM PROGRAM\n", stderr);
        return 64;
    }
    while (environ[count] && count < ENVIRONMENT_MAX) {
        with[count] = environ[count];
        count++;
    }
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", argv[2]);
    with[count] = preload;
    double *bare_us = calloc(times, sizeof(double)), *shim_us = calloc(times, sizeof(double)),
           *ratio = calloc(times, sizeof(double));
    if (!bare_us || !shim_us || !ratio)
        return 1;
    for (size_t i = 0; i < times; i++) {
        if (i % 2) /* each goes first in turn */
            shim_us[i] = run_once(argv[3], with);
        bare_us[i] = run_once(argv[3], environ);
        if (i % 2 == 0)
            shim_us[i] = run_once(argv[3], with);
        ratio[i] = shim_us[i] / bare_us[i];
    }
    printf("bare_us=%.1f shim_us=%.1f ratio=%.3f\n", median(bare_us, times), median(shim_us, times),
           median(ratio, times));
    free(bare_us);
    free(shim_us);
    free(ratio);
    return 0;
}
