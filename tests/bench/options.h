/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the load generator, as a table that is also their help. Included by load.c. */
#ifndef TESTS_BENCH_OPTIONS_H
#define TESTS_BENCH_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options {
    const char *connect, *map, *name, *ca, *key, *model;
    const char *request_bytes, *answer_bytes, *connections, *warmup, *milliseconds, *pieces, *pace_ms, *pid;
    const char *stamps, *numbers, *repeats, *spread_ms, *any_size;
    const char *get, *vary, *whole, *text_bytes, *idle, *save;
};

static const struct option_row {
    const char *name;
    size_t offset;
    const char *help;
} option_rows[] = {
    {"connect", offsetof(struct options, connect), "ADDRESS:PORT of the provider or a proxy"},
    {"map", offsetof(struct options, map), "an agent's map file: go where it says --name is"},
    {"name", offsetof(struct options, name), "server name (api.openai.com)"},
    {"ca", offsetof(struct options, ca), "PEM file to trust"},
    {"key", offsetof(struct options, key), "bearer key"},
    {"model", offsetof(struct options, model), "model asked for"},
    {"request-bytes", offsetof(struct options, request_bytes), "exact size of the request's body (1024)"},
    {"answer-bytes", offsetof(struct options, answer_bytes), "exact size of the answer's body (1024)"},
    {"connections", offsetof(struct options, connections), "connections (1)"},
    {"warmup", offsetof(struct options, warmup), "requests of each connection before the clock starts (10)"},
    {"milliseconds", offsetof(struct options, milliseconds), "how long to ask (1000)"},
    {"pieces", offsetof(struct options, pieces), "one stream of so many pieces on each connection, instead"},
    {"pace-ms", offsetof(struct options, pace_ms), "the provider's pause between pieces (100)"},
    {"any-size", offsetof(struct options, any_size), "1: the answer's body is translated, and of another size"},
    {"spread-ms", offsetof(struct options, spread_ms), "the streams begin evenly over so long (the pace)"},
    {"stamps", offsetof(struct options, stamps), "1: pieces carry their times, and are timed one by one"},
    {"numbers", offsetof(struct options, numbers), "1: pieces carry their places, and none may be missing or late"},
    {"repeats", offsetof(struct options, repeats), "streams of each connection, one after another (1)"},
    {"text-bytes", offsetof(struct options, text_bytes), "of a stream: bytes of its text, all pieces together"},
    {"whole", offsetof(struct options, whole), "1: streams are asked again and again, and timed as a whole"},
    {"vary", offsetof(struct options, vary), "1: no two requests are the same"},
    {"get", offsetof(struct options, get), "path: ask for this file, instead"},
    {"save", offsetof(struct options, save), "file for the bodies of all answers (of one connection)"},
    {"idle", offsetof(struct options, idle), "1: wait for the middle's rest: what it does later counts, too"},
    {"pid", offsetof(struct options, pid), "the process in the middle"},
};
enum { OPTION_COUNT = sizeof option_rows / sizeof option_rows[0] };

static inline unsigned number_of(const char *text, unsigned fallback)
{
    return text ? (unsigned)strtoul(text, NULL, 10) : fallback;
}

/* False after printing the help: an option is unknown, or one that is needed is missing. */
static inline bool options_parse(int argc, char **argv, struct options *options)
{
    struct option longs[OPTION_COUNT + 1] = {0};
    int row = -1, id;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        longs[i] = (struct option){option_rows[i].name, required_argument, NULL, 0};
    while ((id = getopt_long(argc, argv, "", longs, &row)) == 0)
        memcpy((char *)options + option_rows[row].offset, &optarg, sizeof optarg);
    if (id == -1 && options->ca && options->key && options->model && (options->connect || options->map))
        return true;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        fprintf(stderr, "  --%-14s %s\n", option_rows[i].name, option_rows[i].help);
    return false;
}

#endif
