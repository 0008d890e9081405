/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the shim adds to the start of /bin/true: runs are taken in pairs, one without and one with the preload of this
 * program's own environment, in alternating order, and the median of the ratios is printed. Nothing is asserted: two
 * noisy cores do not keep time.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define PAIRS 200

extern char **environ;

static double run_once(char **environment)
{
    char name[] = "true";
    char *arguments[] = {name, NULL};
    struct timespec start;
    struct timespec end;
    pid_t process = 0;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (posix_spawn(&process, "/bin/true", NULL, NULL, arguments, environment) == 0)
        waitpid(process, NULL, 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) * 1e6 + (double)(end.tv_nsec - start.tv_nsec) / 1e3;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Arguments: the environment entries that make a child governed. This program itself runs without the shim. */
int main(int argc, char **argv)
{
    static double ratios[PAIRS];
    static double added_us[PAIRS];
    if (argc < 2)
        return 2;
    for (int i = 0; i < PAIRS; i++) {
        double with = i % 2 ? run_once(argv + 1) : 0;
        double without = run_once(environ);
        if (i % 2 == 0)
            with = run_once(argv + 1);
        ratios[i] = with / without;
        added_us[i] = with - without;
    }
    qsort(ratios, PAIRS, sizeof ratios[0], compare);
    qsort(added_us, PAIRS, sizeof added_us[0], compare);
    printf("figure shim_start_ratio %.3f ratio\n", ratios[PAIRS / 2]);
    printf("figure shim_start_added_us %.0f us\n", added_us[PAIRS / 2]);
    return 0;
}
