/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate statusline: one line for prompts and editors, which call it often and show whatever it says. So it waits for
 * nothing, says nothing on standard error, and its exit code is 0, agent or not. With --json the same names are
 * members, and env is environment.
 */
#include "cli/report.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdio_ext.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { STATUSLINE_TIMEOUT_MS = 300 };

static const char statusline_format[] = "{env}: {left} USD left, {today} today in {calls} calls";

/* The one that matches, or else that burns most. */
static const json_t *find_wallet(const json_t *wallets, const char *pattern)
{
    const json_t *best = NULL;
    long long most = -1;
    for (size_t i = 0; i < json_array_size(wallets); i++) {
        const json_t *wallet = json_array_get(wallets, i);
        long long burn = nano_parse(api_text(wallet, "burn_24h", "0"));
        if (pattern && fnmatch(pattern, api_text(wallet, "wallet", ""), 0) == 0)
            return wallet;
        if (!pattern && burn > most) {
            most = burn;
            best = wallet;
        }
    }
    return best;
}

/* "-": not known. */
struct field {
    const char *name, *text;
    bool is_number;
};

/* What is no name in braces stays as it is. */
static const char *fill(const char *format, const struct field *fields, size_t count)
{
    struct text_list parts = {0};
    while (*format) {
        const struct field *field = NULL;
        const char *end = format[0] == '{' ? strchr(format, '}') : NULL;
        for (size_t i = 0; end && i < count; i++)
            if (strlen(fields[i].name) == (size_t)(end - format - 1) &&
                memcmp(fields[i].name, format + 1, strlen(fields[i].name)) == 0)
                field = &fields[i];
        size_t length = field ? (size_t)(end - format + 1) : 1 + strcspn(format + 1, "{");
        text_append(&parts, field ? field->text : text_format("%.*s", (int)length, format));
        format += length;
    }
    return text_join(&parts, "");
}

static json_t *json_of(const struct field *field)
{
    json_error_t ignored;
    if (strcmp(field->text, "-") == 0)
        return json_null();
    return field->is_number ? json_loads(field->text, JSON_DECODE_ANY, &ignored) : json_string(field->text);
}

static void print_json(const struct field *fields, size_t count)
{
    json_t *document = json_pack("{s:b, s:s}", "agent", 1, "environment", fields[0].text);
    for (size_t i = 1; i < count; i++)
        json_object_set_new(document, fields[i].name, json_of(&fields[i]));
    json_dumpf(document, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(document);
}

static void print_absent(const struct cli *cli)
{
    const bool is_absent = agent_is_absent(cli);
    const char *why = is_absent ? "no agent" : "no answer in time";
    if (cli->options.json)
        printf("{\"agent\":%s,\"environment\":\"%s\",\"problem\":\"%s\"}\n", is_absent ? "false" : "true",
               cli->place.environment, why);
    else
        printf("%s: %s\n", cli->place.environment, why);
}

/* A stream that is closed becomes /dev/null, too: its number is no socket's of ours then. */
static void be_quiet(void)
{
    int fd;
    do
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

static void print_line(struct cli *cli)
{
    struct answer wallets = {0}, today = {0};
    struct figures figures;
    bool is_there = place_verify(&cli->place) == EX_OK && api_try(cli, "/v1/wallets", STATUSLINE_TIMEOUT_MS, &wallets);
    if (!is_there) {
        print_absent(cli);
        return;
    }
    const json_t *wallet = find_wallet(json_object_get(wallets.json, "wallets"), cli->options.wallet);
    const char *name = api_text(wallet, "wallet", "-");
    cli->options.wallet = wallet ? name : NULL;
    bool is_known =
        api_try(cli, report_path(cli, "/v1/report", "today", NULL, NULL, NULL), STATUSLINE_TIMEOUT_MS, &today);
    figures_read(json_object_get(today.json, "total"), &figures);
    const struct field fields[] = {
        {"env", cli->place.environment, false},
        {"wallet", name, false},
        {"left", terminal_money(api_text(wallet, "available", "-")), false},
        {"held", terminal_money(api_text(wallet, "held", "-")), false},
        {"burn", terminal_money(api_text(wallet, "burn_24h", "-")), false},
        {"days", wallet_days_left(wallet), true},
        {"today", is_known ? nano_format(figures.cost) : "-", false},
        {"calls", is_known ? text_format("%lld", figures.calls) : "-", true},
        {"saved", is_known ? nano_format(figures.avoided) : "-", false},
        {"denied", is_known ? text_format("%lld", figures.refused) : "-", true},
    };
    const size_t count = sizeof fields / sizeof *fields;
    if (cli->options.json)
        print_json(fields, count);
    else
        puts(terminal_clean(fill(cli->options.format ? cli->options.format : statusline_format, fields, count)));
    json_decref(wallets.json);
    json_decref(today.json);
}

int statusline_command(struct cli *cli)
{
    if (cli->options.json && cli->options.format) {
        text_complain("--json and --format exclude each other");
        return EX_USAGE;
    }
    be_quiet();
    print_line(cli);
    if (fflush(stdout) != 0) { /* nobody reads it: that is no failure of ours */
        __fpurge(stdout);
        clearerr(stdout);
    }
    return EX_OK;
}
