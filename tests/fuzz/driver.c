/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one fuzz target (fuzz.h). Without -t it plays the given inputs, each once: a finding is replayed so. With -t
 * SECONDS (of CPU: a busy machine does not make it shorter) it plays them, then mutations of them, and keeps those that
 * went a new way, with -k as files, for another run to begin with; ends with one line of figures.
 *
 *   TARGET [-t SECONDS] [-s SEED] [-x BYTES-MAX] [-d DICTIONARY] [-o FOLDER-OF-FINDINGS] [-k FOLDER] FILE-OR-FOLDER…
 *
 * An input that aborts, that a sanitizer refuses, or that takes longer than SLOW_S of CPU is written to the folder of
 * findings, and the exit code is not 0. The same seed and inputs give the same sequence.
 */
#include "tests/fuzz/driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

enum { KEPT_MAX = 8192, BYTES_MAX = 65536, SLOW_S = 10 };

static struct {
    const char *name, *findings, *keeps;
    double seconds, last_news_s;
    uint64_t seed;
    size_t bytes_max;
    struct tokens tokens;
    struct input *kept;
    size_t kept_count, seeds;
    unsigned long executions;
} run = {.findings = ".", .seed = 1, .bytes_max = 4096};

/* What is being played: written down when it kills us. */
static const uint8_t *volatile playing;
static volatile size_t playing_size;
static volatile unsigned playing_s;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "abort_on_error=1:handle_abort=0:detect_stack_use_after_return=1:max_allocation_size_mb=512:"
           "hard_rss_limit_mb=2048:allocator_may_return_null=0:quarantine_size_mb=16:strict_string_checks=1";
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}
void __sanitizer_set_death_callback(void (*callback)(void));

/* ---- findings ---- */

/* Writes an input to FOLDER/TARGET-HASH; path has the name then. For signal handlers, too: nothing but system calls and
 * snprintf of numbers. */
static bool write_input(const char *folder, const uint8_t *bytes, size_t size, char path[static 600])
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    snprintf(path, 600, "%s/%s-%016llx", folder, run.name, (unsigned long long)hash);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written = fd >= 0 && write(fd, bytes, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return is_written;
}

static void write_finding(void)
{
    char path[600];
    if (!playing)
        return;
    bool is_written = write_input(run.findings, (const uint8_t *)playing, playing_size, path);
    dprintf(2, "fuzz: finding of %s after %lu executions, seed %llu: %s%s\n", run.name, run.executions,
            (unsigned long long)run.seed, path, is_written ? "" : " (not written)");
    playing = NULL;
}

static void on_abort(int number)
{
    write_finding();
    signal(number, SIG_DFL);
    raise(number);
}

/* Once a second of CPU. */
static void on_second(int number)
{
    (void)number;
    if (playing && ++playing_s > SLOW_S) {
        dprintf(2, "fuzz: one input takes longer than %d s of CPU\n", SLOW_S);
        abort();
    }
}

static void watch(void)
{
    __sanitizer_set_death_callback(write_finding);
    signal(SIGABRT, on_abort);
    signal(SIGPROF, on_second);
    signal(SIGPIPE, SIG_IGN);
    const struct itimerval second = {{1, 0}, {1, 0}};
    setitimer(ITIMER_PROF, &second, NULL);
}

/* ---- inputs ---- */

static void keep(const uint8_t *bytes, size_t size)
{
    if (run.kept_count == KEPT_MAX)
        return;
    struct input *input = &run.kept[run.kept_count++];
    *input = (struct input){malloc(size + 1), size};
    memcpy(input->bytes, bytes, size);
}

static void read_file(const char *path, size_t size)
{
    static uint8_t bytes[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 && size <= sizeof bytes ? read(fd, bytes, sizeof bytes) : -1;
    if (fd >= 0)
        close(fd);
    if (got >= 0)
        keep(bytes, (size_t)got);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Folders with all below them, in the order of names: the same sequence on every machine. */
static void read_inputs(const char *path)
{
    struct stat status;
    struct dirent **rows;
    if (stat(path, &status) < 0) {
        fprintf(stderr, "fuzz: %s is not there\n", path);
        exit(2);
    }
    if (S_ISREG(status.st_mode))
        read_file(path, (size_t)status.st_size);
    if (!S_ISDIR(status.st_mode))
        return;
    int count = scandir(path, &rows, NULL, by_name);
    for (int i = 0; i < count; i++) {
        char below[4096];
        snprintf(below, sizeof below, "%s/%s", path, rows[i]->d_name);
        if (rows[i]->d_name[0] != '.')
            read_inputs(below);
        free(rows[i]);
    }
    free(count >= 0 ? rows : NULL);
}

/* ---- playing ---- */

/* True when it went a new way. */
static bool play(const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    playing_s = 0;
    playing_size = size;
    playing = exact;
    coverage_begin();
    LLVMFuzzerTestOneInput(exact, size);
    bool is_new = coverage_end() > 0;
    playing = NULL;
    free(exact);
    run.executions++;
    return is_new;
}

static double spent_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Half of the time one of the newest. */
static const struct input *pick(struct chance *chance)
{
    size_t recent = run.kept_count < 16 ? run.kept_count : 16;
    return chance_below(chance, 2) ? &run.kept[run.kept_count - 1 - chance_below(chance, recent)]
                                   : &run.kept[chance_below(chance, run.kept_count)];
}

/* What went a new way is mutated further, by this run and by those that begin with its folder. */
static void take(const uint8_t *bytes, size_t size)
{
    char path[600];
    run.last_news_s = spent_s();
    keep(bytes, size);
    if (run.keeps && !write_input(run.keeps, bytes, size, path)) {
        fprintf(stderr, "fuzz: %s can't be written\n", path);
        exit(2);
    }
}

static void play_mutations(void)
{
    static uint8_t bytes[BYTES_MAX];
    struct chance chance = {run.seed};
    if (!run.kept_count)
        keep((const uint8_t *)"", 0);
    while (spent_s() < run.seconds) {
        const struct input *from = pick(&chance);
        size_t size = from->size < run.bytes_max ? from->size : run.bytes_max;
        memcpy(bytes, from->bytes, size);
        size = mutate(&chance, &run.tokens, pick(&chance), bytes, size, run.bytes_max);
        if (play(bytes, size))
            take(bytes, size);
    }
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void read_options(int count, char **words)
{
    const char *slash = strrchr(words[0], '/');
    run.name = slash ? slash + 1 : words[0];
    for (int option; (option = getopt(count, words, "t:s:x:d:o:k:")) != -1;) {
        if (option == 't')
            run.seconds = atof(optarg);
        else if (option == 's')
            run.seed = strtoull(optarg, NULL, 10);
        else if (option == 'x')
            run.bytes_max = strtoull(optarg, NULL, 10) < BYTES_MAX ? strtoull(optarg, NULL, 10) : BYTES_MAX;
        else if (option == 'o')
            run.findings = optarg;
        else if (option == 'k')
            run.keeps = optarg;
        else if (option != 'd' || !tokens_read(optarg, &run.tokens))
            exit(2);
    }
}

int main(int count, char **words)
{
    read_options(count, words);
    run.kept = calloc(KEPT_MAX, sizeof *run.kept);
    for (int i = optind; i < count; i++)
        read_inputs(words[i]);
    run.seeds = run.kept_count;
    watch();
    for (size_t i = 0; i < run.seeds; i++)
        play(run.kept[i].bytes, run.kept[i].size);
    if (run.seconds > 0)
        play_mutations();
    printf("fuzz %-18s %9lu executions in %.0f s, %5zu new paths beyond %zu seeds (the last at %.0f s), %6u pairs of "
           "places, peak %ld MiB, seed %llu\n",
           run.name, run.executions, spent_s(), run.kept_count - run.seeds, run.seeds, run.last_news_s,
           coverage_count(), peak_kib() / 1024, (unsigned long long)run.seed);
    for (size_t i = 0; i < run.kept_count; i++)
        free(run.kept[i].bytes);
    free(run.kept);
    return 0;
}
