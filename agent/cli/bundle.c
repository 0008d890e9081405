/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate support-bundle: what somebody needs who helps with an agent, in one file, without secrets. Each part is a
 * row: a name, what it is, who makes its text. What cannot be had (no agent, no right) is a part that says so.
 */
#include "cli/archive.h"
#include "cli/redact.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define BUNDLE_LOG_BYTES  (256u << 10) /* the end of a log */
#define BUNDLE_TEXT_BYTES (4u << 20)   /* of any part */
#define BUNDLE_FILES_MAX  4096
#define BUNDLE_TOOL_MS    20000

struct bundle {
    const struct cli *cli;
    struct redact redact;
    bool has_agent;
};

/* ---- texts ---- */

struct text {
    char *bytes;
    size_t length;
    FILE *stream;
};

static FILE *text_begin(struct text *text)
{
    *text = (struct text){0};
    text->stream = open_memstream(&text->bytes, &text->length);
    if (!text->stream)
        exit(EX_OSERR);
    return text->stream;
}

static const char *text_end(struct text *text)
{
    fclose(text->stream);
    const char *kept = text_format("%s", text->bytes);
    free(text->bytes);
    return kept;
}

/* ---- the parts ---- */

static const char *bundle_versions(struct bundle *bundle)
{
    struct text text;
    struct utsname system;
    FILE *to = text_begin(&text);
    const char *program = locate_agent(), *const arguments[] = {program, "--version", NULL};
    const struct launch_changes none = {0};
    int status = 0;
    const char *said = program ? child_run(arguments, &none, BUNDLE_TOOL_MS, &status) : NULL;
    (void)bundle;
    fprintf(to, "tollgate %s\n%s: %s", TOLLGATE_VERSION, program ? program : "tollgated", said ? said : "not found\n");
    fprintf(to, "shim: %s\n", locate_shim() ? locate_shim() : "not found");
    if (uname(&system) == 0)
        fprintf(to, "%s %s %s, %ld processors\n", system.sysname, system.release, system.machine,
                sysconf(_SC_NPROCESSORS_ONLN));
    return text_end(&text);
}

/* A document of the agent's, whose names are learned. */
static const char *bundle_ask(struct bundle *bundle, const char *path)
{
    struct answer answer;
    if (!bundle->has_agent || !api_try(bundle->cli, path, BUNDLE_TOOL_MS, &answer))
        return "not available: no agent answers, or it does not answer this user\n";
    if (bundle->cli->options.redact_names)
        redact_learn_names(&bundle->redact, answer.json);
    char *dumped = json_dumps(answer.json, JSON_INDENT(1));
    const char *text = text_format("%s\n", dumped ? dumped : "");
    free(dumped);
    json_decref(answer.json);
    return text;
}

static const char *bundle_status(struct bundle *bundle)
{
    return bundle_ask(bundle, "/v1/hello");
}

static const char *bundle_targets(struct bundle *bundle)
{
    return bundle_ask(bundle, "/v1/targets");
}

static const char *bundle_budgets(struct bundle *bundle)
{
    return bundle_ask(bundle, "/v1/budgets");
}

static const char *bundle_events(struct bundle *bundle)
{
    return bundle_ask(bundle, "/v1/events?limit=200");
}

static const char *bundle_doctor(struct bundle *bundle)
{
    json_t *findings = doctor_examine(bundle->cli);
    char *dumped = json_dumps(findings, JSON_INDENT(1));
    const char *text = text_format("%s\n", dumped ? dumped : "");
    free(dumped);
    json_decref(findings);
    return text;
}

static const char *bundle_metrics(struct bundle *bundle)
{
    const struct http_request request = {.method = "GET", .path = "/metrics", .timeout_ms = BUNDLE_TOOL_MS};
    struct http_stream stream;
    if (!bundle->has_agent || http_open(&bundle->cli->place, &request, &stream) != 0)
        return "not available: no agent answers\n";
    char *bytes = text_allocate(BUNDLE_TEXT_BYTES);
    size_t length = 0;
    for (long got; length < BUNDLE_TEXT_BYTES - 1 &&
                   (got = http_read(&stream, bytes + length, BUNDLE_TEXT_BYTES - 1 - length)) > 0;)
        length += (size_t)got;
    http_close(&stream);
    return bytes;
}

/* Groups, wallets, targets, budgets and paths that no event has told of. */
static void bundle_learn_settings(struct bundle *bundle, const char *text)
{
    static const char *const ends[] = {".name: ", ".id: ", ".wallet_team_id: ", ".project: "};
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *value = memmem(line, strcspn(line, "\n"), ": ", 2);
        if (!value)
            continue;
        const char *row = text_format("%.*s", (int)strcspn(line, "\n"), line);
        value = row + (value + 2 - line);
        const char *remark = strstr(value, "  # "); /* "65536  # default" */
        value = text_format("%.*s", remark ? (int)(remark - value) : (int)strlen(value), value);
        bool is_name = value[0] == '/';
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            is_name |= strstr(row, ends[i]) != NULL;
        if (is_name)
            redact_learn_name(&bundle->redact, value);
    }
}

static const char *bundle_settings(struct bundle *bundle)
{
    struct launch_agent agent;
    if (!locate_agent() || agent_find_options(bundle->cli, &agent) != EX_OK)
        return "not available: no policy file is known here\n";
    const struct text_list arguments = agent_tool(bundle->cli, &agent, "settings");
    const struct launch_changes none = {0};
    int status = 0;
    const char *said = child_run(arguments.items, &none, BUNDLE_TOOL_MS, &status);
    if (said && bundle->cli->options.redact_names)
        bundle_learn_settings(bundle, said);
    return said ? said : "not available\n";
}

/* The end of a file, from the start of a line. */
static const char *bundle_tail(const char *path)
{
    struct stat facts;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        const char *why = fd < 0 ? strerror(errno) : "no file";
        if (fd >= 0)
            close(fd);
        return text_format("not available: %s\n", why);
    }
    char *bytes = text_allocate(BUNDLE_LOG_BYTES + 1);
    off_t start = facts.st_size > (off_t)BUNDLE_LOG_BYTES ? facts.st_size - (off_t)BUNDLE_LOG_BYTES : 0;
    ssize_t got = pread(fd, bytes, BUNDLE_LOG_BYTES, start);
    close(fd);
    bytes[got > 0 ? got : 0] = '\0';
    const char *line = start ? strchr(bytes, '\n') : NULL;
    return line ? line + 1 : bytes;
}

static const char *bundle_log(struct bundle *bundle)
{
    const char *path = text_format("%s/agent.log", bundle->cli->place.state), *older = text_format("%s.1", path);
    const char *now = bundle_tail(path);
    bool is_new = access(older, F_OK) == 0 && strlen(now) < BUNDLE_LOG_BYTES / 2; /* base/log.h: it was begun anew */
    return is_new ? text_format("%s%s", bundle_tail(older), now) : now;
}

static const char *bundle_words(struct bundle *bundle)
{
    return bundle_tail(text_format("%s/agent.stderr", bundle->cli->place.state));
}

static const char *bundle_stores(struct bundle *bundle)
{
    return bundle_tail(text_format("%s/stores", bundle->cli->place.state));
}

/* NOLINTNEXTLINE(misc-no-recursion): a directory and what is below, as deep as the state is */
static void bundle_list(FILE *to, const char *path, unsigned depth, size_t *count)
{
    struct stat facts;
    if (*count >= BUNDLE_FILES_MAX || lstat(path, &facts) != 0)
        return;
    ++*count;
    fprintf(to, "%06o %5u %5u %12lld %lld %s\n", (unsigned)facts.st_mode, facts.st_uid, facts.st_gid,
            (long long)facts.st_size, (long long)facts.st_mtime, path);
    DIR *entries = depth > 0 && S_ISDIR(facts.st_mode) ? opendir(path) : NULL;
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            bundle_list(to, text_format("%s/%s", path, entry->d_name), depth - 1, count);
    if (entries)
        closedir(entries);
}

static const char *bundle_files(struct bundle *bundle)
{
    struct text text;
    FILE *to = text_begin(&text);
    size_t count = 0;
    fputs("# mode, uid, gid, bytes, changed (seconds since 1970), path\n", to);
    bundle_list(to, bundle->cli->place.state, 3, &count);
    bundle_list(to, bundle->cli->place.runtime, 2, &count);
    return text_end(&text);
}

/* No `systemctl status`: it shows command lines and lines of journals. */
static const char *bundle_units(struct bundle *bundle)
{
    const char *unit = bundle->cli->place.is_prod ? "tollgated@prod" : "tollgated";
    const char *const arguments[] = {"systemctl",
                                     bundle->cli->place.is_prod ? "--system" : "--user",
                                     "show",
                                     "--property=Id,LoadState,ActiveState,SubState,UnitFileState,Result,NRestarts",
                                     text_format("%s.service", unit),
                                     text_format("%s.socket", unit),
                                     NULL};
    const struct launch_changes none = {0};
    int status = 0;
    const char *said = child_run(arguments, &none, BUNDLE_TOOL_MS, &status);
    return said && *said ? said : "no systemd here\n";
}

static const struct part {
    const char *name, *what;
    const char *(*make)(struct bundle *bundle);
} parts[] = {
    {"versions.txt", "the programs and the kernel", bundle_versions},
    {"status.json", "tollgate status", bundle_status},
    {"doctor.json", "tollgate doctor", bundle_doctor},
    {"targets.json", "tollgate targets", bundle_targets},
    {"budgets.json", "tollgate budget list", bundle_budgets},
    {"settings.txt", "the settings in force; secrets, and whatever could hold one, are ***", bundle_settings},
    {"stores.txt", "the schemas of the state directory's parts, and who wrote them", bundle_stores},
    {"files.txt", "names, sizes and permissions in the state and runtime directories, no content", bundle_files},
    {"log.txt", "the end of the agent's log", bundle_log},
    {"stderr.txt", "what the agent said while it started", bundle_words},
    {"metrics.txt", "the figures for Prometheus", bundle_metrics},
    {"events.json", "the last 200 events: who called what and what it cost; events hold no prompt and no answer",
     bundle_events},
    {"units.txt", "the state of the systemd units", bundle_units},
};
enum { PART_COUNT = sizeof parts / sizeof *parts };

static const char *bundle_describe(const struct bundle *bundle)
{
    struct text text;
    FILE *to = text_begin(&text);
    fprintf(to, "Support bundle of Tollgate's %s agent. Nothing of it was sent anywhere: pass it on yourself.\n\n",
            bundle->cli->place.environment);
    for (size_t i = 0; i < PART_COUNT; i++)
        fprintf(to, "%-14s %s\n", parts[i].name, parts[i].what);
    fprintf(to,
            "\nNot in it: API keys, placeholder keys, tokens, prompts, answers, passwords, webhook addresses, private\n"
            "keys, the ledger. Names of groups, wallets, projects, programs and directories are %s.\n",
            bundle->cli->options.redact_names ? "replaced (name-1, name-2 …)" : "in it; --redact-names replaces them");
    return text_end(&text);
}

/* ---- the command ---- */

static void bundle_learn(struct bundle *bundle)
{
    struct answer answer;
    redact_learn_environment(&bundle->redact);
    redact_learn_store(&bundle->redact, bundle->cli->place.state);
    if (!bundle->cli->options.redact_names)
        return;
    redact_learn_name(&bundle->redact, getenv("USER"));
    redact_learn_name(&bundle->redact, place_home());
    redact_learn_name(&bundle->redact, bundle->cli->place.state);
    redact_learn_name(&bundle->redact, bundle->cli->place.runtime);
    if (bundle->has_agent && api_try(bundle->cli, "/v1/wallets", BUNDLE_TOOL_MS, &answer)) {
        redact_learn_names(&bundle->redact, answer.json);
        json_decref(answer.json);
    }
}

static const char *bundle_name(const struct cli *cli, time_t now)
{
    char when[32];
    struct tm parts_of;
    gmtime_r(&now, &parts_of);
    strftime(when, sizeof when, "%Y%m%d-%H%M%S", &parts_of);
    return text_format("tollgate-support-%s-%s", cli->place.environment, when);
}

int support_bundle_command(struct cli *cli)
{
    const char *name = bundle_name(cli, time(NULL));
    const char *path = cli->options.output ? cli->options.output : text_format("%s.tar.gz", name);
    struct bundle bundle = {.cli = cli, .has_agent = place_verify(&cli->place) == EX_OK && !agent_is_absent(cli)};
    struct archive archive = {.directory = name, .time_s = time(NULL)};
    const char *texts[PART_COUNT];
    bundle_learn(&bundle);
    for (size_t i = 0; i < PART_COUNT; i++) /* all of them before any is redacted: they teach names */
        texts[i] = parts[i].make(&bundle);
    const char *readme = bundle_describe(&bundle);
    archive_add(&archive, "README.txt", readme, strlen(readme));
    for (size_t i = 0; i < PART_COUNT; i++) {
        const char *text = redact_text(&bundle.redact, texts[i]);
        archive_add(&archive, parts[i].name, text, strlen(text));
    }
    int error = archive_write(&archive, path);
    if (error) {
        text_complain("%s: %s", path, strerror(error));
        return error == EACCES ? EX_NOPERM : EX_CANTCREAT;
    }
    printf("%s\n\n%s", path, readme);
    return EX_OK;
}
