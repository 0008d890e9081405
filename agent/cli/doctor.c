/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate doctor: everything that can keep a program from being governed, as findings with a status and a fix. The
 * checks are a table; the agent adds what only it knows. Exit code 1 when something failed.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static void (*const doctor_checks[])(struct doctor *doctor) = {
    doctor_check_agent,       doctor_check_files,  doctor_check_trust,
    doctor_check_environment, doctor_check_system, doctor_check_gaps,
};
static void (*const doctor_prod_checks[])(struct doctor *doctor) = {
    doctor_check_prod_owner,  doctor_check_prod_files,   doctor_check_prod_units,
    doctor_check_prod_system, doctor_check_prod_process, doctor_check_prod_apart,
};
static const char *const doctor_words[] = {"ok", "warning", "failure"};

void doctor_add(struct doctor *doctor, const char *name, enum finding_status status, const char *fix,
                const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *finding = json_pack("{s:s, s:s, s:s, s:s}", "name", name, "status", doctor_words[status], "text", text,
                                "fix", fix ? fix : "");
    if (finding) /* NULL: a path that is not UTF-8 */
        json_array_append_new(doctor->findings, finding);
}

void doctor_explain(struct doctor *doctor, const char *why)
{
    json_t *finding = json_array_get(doctor->findings, json_array_size(doctor->findings) - 1);
    json_object_set_new(finding, "why", json_string(why));
}

static bool doctor_has(const json_t *finding, enum finding_status status)
{
    return strcmp(api_text(finding, "status", ""), doctor_words[status]) == 0;
}

static int doctor_measure_names(const struct doctor *doctor)
{
    int widest = 0;
    for (size_t i = 0; i < json_array_size(doctor->findings); i++) {
        int columns = terminal_columns(terminal_clean(api_text(json_array_get(doctor->findings, i), "name", "-")));
        widest = columns > widest ? columns : widest;
    }
    return widest < 40 ? widest : 40;
}

static void doctor_print(const struct doctor *doctor)
{
    int width = doctor_measure_names(doctor);
    static const enum color colors[] = {COLOR_GREEN, COLOR_YELLOW, COLOR_RED};
    for (size_t index = 0; index < json_array_size(doctor->findings); index++) {
        const json_t *finding = json_array_get(doctor->findings, index);
        enum finding_status status = doctor_has(finding, FINDING_OK)        ? FINDING_OK
                                     : doctor_has(finding, FINDING_WARNING) ? FINDING_WARNING
                                                                            : FINDING_FAILURE;
        const char *fix = terminal_clean(api_text(finding, "fix", ""));
        printf("%s %s %s\n", terminal_paint(stdout, colors[status], terminal_pad(doctor_words[status], 8)),
               terminal_pad(terminal_clean(api_text(finding, "name", "-")), width),
               terminal_clean(api_text(finding, "text", "")));
        const char *why = terminal_clean(api_text(finding, "why", ""));
        if (why[0] && status != FINDING_OK)
            printf("%*swhy: %s\n", width + 10, "", why);
        if (fix[0] && status != FINDING_OK)
            printf("%*s%s\n", width + 10, "", terminal_paint(stdout, COLOR_BOLD, text_format("fix: %s", fix)));
    }
}

static size_t doctor_count(const struct doctor *doctor, enum finding_status status)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(doctor->findings); i++)
        count += doctor_has(json_array_get(doctor->findings, i), status);
    return count;
}

json_t *doctor_examine(const struct cli *cli)
{
    struct doctor doctor = {.cli = cli, .findings = json_array()};
    for (size_t i = 0; i < sizeof doctor_checks / sizeof doctor_checks[0]; i++)
        doctor_checks[i](&doctor);
    for (size_t i = 0; cli->options.prod && i < sizeof doctor_prod_checks / sizeof doctor_prod_checks[0]; i++)
        doctor_prod_checks[i](&doctor);
    json_decref((json_t *)(uintptr_t)doctor.hello);
    return doctor.findings;
}

int doctor_command(struct cli *cli)
{
    struct doctor doctor = {.cli = cli, .findings = doctor_examine(cli)};
    size_t failures = doctor_count(&doctor, FINDING_FAILURE), warnings = doctor_count(&doctor, FINDING_WARNING);
    if (cli->options.json) {
        json_t *document = json_pack("{s:s, s:O}", "environment", cli->place.environment, "checks", doctor.findings);
        json_dumpf(document, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(document);
    } else {
        doctor_print(&doctor);
        printf("%zu failures, %zu warnings\n", failures, warnings);
    }
    json_decref(doctor.findings);
    return failures > 0 ? CLI_NEGATIVE : EX_OK;
}
