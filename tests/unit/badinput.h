/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bad-input tables (tests/badinput/cases.py) and their runner: thousands of named inputs with the verdict that each
 * must have, given to the reader of its kind. Included once per program, in place of suite.h; runs in the repository's
 * root; without python3 it is skipped, and says so.
 */
#ifndef TESTS_UNIT_BADINPUT_H
#define TESTS_UNIT_BADINPUT_H

#include "base/slice.h"
#include "tests/unit/suite.h"

#include <unistd.h>

enum { INPUT_BYTES_MAX = 1 << 17, LINE_BYTES_MAX = 4 * INPUT_BYTES_MAX };

struct kind {
    const char *name;
    /* A reader's verdict: "accept", "more", or the code of its error. */
    const char *(*judge)(struct slice input);
    unsigned at_least; /* cases */
};

/* A file of this one input, for readers that want a path. */
static char input_file[80];

/* \xHH into its byte. The result is heap of its own, so that ASan sees a read past its end. */
static struct slice decode(const char *text, char **ret_bytes)
{
    size_t length = 0;
    char *bytes = malloc(strlen(text) + 1);
    for (unsigned code; *text; text++) {
        if (*text == '\\' && sscanf(text, "\\x%2x", &code) == 1) {
            bytes[length++] = (char)code;
            text += 3;
        } else {
            bytes[length++] = *text;
        }
    }
    char *exact = malloc(length + 1);
    memcpy(exact, bytes, length);
    free(bytes);
    *ret_bytes = exact;
    return (struct slice){exact, length};
}

static void judge_line(const struct kind *kinds, size_t count, char *line, unsigned *counts)
{
    char *name = strchr(line, '\t'), *verdict = name ? strchr(name + 1, '\t') : NULL;
    char *text = verdict ? strchr(verdict + 1, '\t') : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    *name++ = *verdict++ = *text++ = '\0';
    text[strcspn(text, "\n")] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (strcmp(kinds[i].name, line) != 0)
            continue;
        char *bytes;
        struct slice input = decode(text, &bytes);
        const char *got = kinds[i].judge(input);
        EXPECT(strcmp(got, verdict) == 0, "%s: %s: %s, not %s", line, name, got, verdict);
        free(bytes);
        counts[i]++;
    }
}

/* All cases of these kinds; `tables`: their names, as cases.py takes them. */
static void judge_all(const char *tables, const struct kind *kinds, size_t count)
{
    unsigned counts[8] = {0};
    char command[128], folder[64];
    char *line = malloc(LINE_BYTES_MAX);
    if (system("python3 -c '' 2>/dev/null") != 0) {
        fprintf(stderr, "skipped: this machine has no python3 ");
        free(line);
        return;
    }
    snprintf(folder, sizeof folder, "/tmp/test_badinput.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    snprintf(input_file, sizeof input_file, "%s/input.dev.yaml", folder);
    snprintf(command, sizeof command, "python3 tests/badinput/cases.py %s", tables);
    FILE *cases = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(cases);
    while (fgets(line, LINE_BYTES_MAX, cases))
        judge_line(kinds, count, line, counts);
    CU_ASSERT_EQUAL(pclose(cases), 0);
    for (size_t i = 0; i < count; i++)
        EXPECT(counts[i] >= kinds[i].at_least, "%s: %u cases", kinds[i].name, counts[i]);
    unlink(input_file);
    rmdir(folder);
    free(line);
}

static inline const char *write_input(struct slice input)
{
    FILE *file = fopen(input_file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fwrite(input.data, 1, input.length, file), input.length);
    fclose(file);
    return input_file;
}

#endif
