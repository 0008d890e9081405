/* SPDX-License-Identifier: Apache-2.0 */
/* tollgate: the table of commands, help, and the way from argv to a handler. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int help_command(struct cli *cli);
static int version_command(struct cli *cli);

#define OPTIONS_QUERY (OPTIONS_PLACE | OPTIONS_JSON)

static const struct command commands[] = {
    {"run", "[--] PROGRAM ARGUMENTS…", "run a program whose AI calls are governed", run_command,
     "The program takes this process's place: exit code, signals and terminal are its own. A static or Go program\n"
     "runs below this process, which supervises it and passes all of these on. Exit codes of tollgate itself:\n"
     "125 it failed, 126 the program cannot be executed, 127 it was not found. dev's agent is started when\n"
     "none runs.\n",
     OPTIONS_PLACE | OPTIONS_IDENTITY | OPTIONS_FILES | OPTIONS_BASE_URL | OPTIONS_ENGINE | OPTIONS_STOP_AT_ARGUMENT, 1,
     -1, false},
    {"env", "--shell bash|zsh|fish|json", "print what governs a whole shell", env_command,
     "bash, zsh:  eval \"$(tollgate env --shell bash)\"     fish:  tollgate env --shell fish | source\n"
     "and --off undoes it in the same way.\n",
     OPTIONS_PLACE | OPTIONS_IDENTITY | OPTIONS_FILES | OPTIONS_BASE_URL | OPTIONS_SHELL, 0, 0, false},
    {"trust", "[PATH]", "follow a project's " PROJECT_FILE_NAME ", as it is now", trust_command,
     "PATH is the file or its directory; without it, the nearest from here upwards. The file is shown; what is "
     "trusted\n"
     "is this path with this content: a change takes the trust away. run and env follow it, options go before it.\n",
     OPTIONS_TRUST, 0, 1, false},
    {"hook", "bash | zsh | fish", "print what lets projects govern a shell", hook_command,
     "bash, zsh:  eval \"$(tollgate hook bash)\"     fish:  tollgate hook fish | source\n"
     "in the shell's start file. Entering a trusted project that says \"shell: true\" then does what tollgate env "
     "does,\n"
     "leaving it undoes that. prod's agent is never started.\n",
     0, 1, 1, false},
    {"hook-step", "SHELL SEEN", "what the hook asks at a prompt", hook_step_command, NULL, 0, 2, 2, true},
    {"jupyter", "install | list | remove", "kernels whose notebooks are governed", jupyter_command,
     "install writes a kernelspec that starts an existing kernel under tollgate run; doing it again brings it up to\n"
     "date. It holds no key.\n",
     OPTIONS_PLACE | OPTIONS_JUPYTER, 1, 1, false},
    {"systemd", "enable UNIT | disable UNIT | list", "let services of this machine be governed", systemd_command,
     "enable writes /etc/systemd/system/UNIT.d/tollgate.conf, by which the unit's ExecStart runs under tollgate run; "
     "it\n"
     "wants --env. disable removes it. Neither starts anything. list says where ExecStart has changed since: exit code "
     "1.\n",
     OPTIONS_PLACE | OPTIONS_IDENTITY | OPTIONS_ENGINE | OPTIONS_ROOT, 1, 2, false},
    {"completion", "bash | zsh | fish", "print what completes commands and options in a shell", completion_command,
     "bash, zsh:  eval \"$(tollgate completion bash)\"     fish:  tollgate completion fish | source\n"
     "in the shell's start file, where the installation has not done it.\n",
     0, 1, 1, false},
    {"wallet", "list | show NAME | history NAME | fund NAME AMOUNT | adjust NAME AMOUNT --note TEXT",
     "balances and their history; put money in, correct", wallet_command,
     "AMOUNT is in USD, at most nine decimals: 12.50; adjust takes -12.50 too. An order that is repeated with the "
     "--id\n"
     "of the first one is done once. Exit code 1: no such wallet.\n",
     OPTIONS_QUERY | OPTIONS_WALLET, 1, 3, false},
    {"budget", "[list] | set ID --amount USD | unset ID", "limits per hour, day, week or month", budget_command,
     "What is set here adds to the policy's budgets, outlives restarts, and goes with unset. A rolling window needs\n"
     "--length. --scope model='gpt-*' counts all models that begin so; without --scope it counts everything.\n",
     OPTIONS_QUERY | OPTIONS_BUDGET, 0, 2, false},
    {"report", "[hourly | daily | weekly | monthly | session | live | question [NAME] | rebuild | PERIOD]",
     "what was spent: when, by whom, on what, and what the cache saved", report_command,
     "Without a word: today, yesterday, seven days, and the programs and models that spent most.\n"
     "PERIOD: today, yesterday, this-week, last-week, this-month, last-month, 24h, 7d, 30d, all, 2026-11-01, 2026-11,\n"
     "FROM..TO (TO no longer counts). Which program spent most yesterday, on which model, and what did the cache "
     "save?\n"
     "tollgate report yesterday\n"
     "rebuild makes the sums anew of the events that are kept; for the agent's owner.\n"
     "DENIED: refused by policy or money. SAVED: what cached answers cost when they were made. Exit code 1: no such\n"
     "question.\n",
     OPTIONS_QUERY | OPTIONS_REPORT, 0, 2, false},
    {"top", "", "live: what runs, what it costs, what is left", top_command,
     "Ends with q. Printed once where standard output is no terminal.\n", OPTIONS_QUERY | OPTIONS_TOP, 0, 0, false},
    {"statusline", "", "one line for prompts and editors", statusline_command,
     "Never fails, never waits: without an agent it says so in a word. --json has the names of --format as members,\n"
     "env as environment, and \"agent\": false without one.\n",
     OPTIONS_QUERY | OPTIONS_STATUSLINE, 0, 0, false},
    {"why", "ID | last", "every decision about one call", why_command, "Exit code 1: no such event.\n", OPTIONS_QUERY,
     1, 1, false},
    {"events", "", "the latest calls, one line each", events_command,
     "--filter status=429,model='gpt-*' wants both; any member of an event that is one value can be named.\n"
     "It looks at the latest 1000.\n",
     OPTIONS_QUERY | OPTIONS_EVENTS, 0, 0, false},
    {"dashboard", "", "what was spent, by whom and why, in a browser", dashboard_command,
     "Serves a page on 127.0.0.1 that reads the report sockets of dev and prod, until Ctrl-C. The address that is\n"
     "printed holds a token and works once. A browser is started where there is a display.\n",
     OPTIONS_DASHBOARD, 0, 0, false},
    {"ps", "", "the governed programs that run now, and what goes past the agent", ps_command,
     "STATE: silent programs have not called among the latest 1000 events. UNGOVERNED lines are connections to "
     "addresses\n"
     "of providers that belong to no agent; they are events, too. Exit code 1: there are some.\n",
     OPTIONS_QUERY, 0, 0, false},
    {"targets", "", "where requests can go, and how each place does", targets_command, NULL, OPTIONS_QUERY, 0, 0,
     false},
    {"jobs", "", "what providers still work on, and the money held for it", jobs_command,
     "Background responses and batches: their hold stays until a later call of the program finds them ended, or is\n"
     "taken whole at the time shown.\n",
     OPTIONS_QUERY, 0, 0, false},
    {"cache", "stats | clear [--group NAME] [--model NAME]", "how the cache does; forget what is in it", cache_command,
     "Both of all, or of what a consumer group asked, or of a model. Exit code 65: there is no such group.\n",
     OPTIONS_QUERY | OPTIONS_CACHE, 1, 1, false},
    {"export", "", "what was spent in a window, as a file", export_command,
     "csv and jsonl have a row per call, and per earlier try of it that cost something; focus (FinOps FOCUS 1.2) one\n"
     "per hour, wallet, provider, model and kind of token. The window's last day is excluded in FROM..TO. The "
     "manifest\n"
     "holds the sums against the ledger's. Exit code 1: they differ.\n",
     OPTIONS_QUERY | OPTIONS_EXPORT, 0, 0, false},
    {"explain", "FILE < REQUEST", "which rule, which target, which hold a request would meet", explain_command,
     "FILE is a policy; the request is its JSON body on standard input. Options: --host, --path, --group, --project,\n"
     "--providers, --prices, --json. Nothing is sent and no agent is needed. Exit code 1: it would be refused.\n",
     OPTIONS_PASS, 1, -1, false},
    {"check", "FILE…", "find every mistake in policy files", check_command, NULL, OPTIONS_PASS, 1, -1, false},
    {"reload", "", "put the changed policy file in force", reload_command,
     "A file with mistakes changes nothing: exit code 65.\n", OPTIONS_QUERY, 0, 0, false},
    {"log", "[error | warning | info | debug]", "how much the agent logs from now on", log_command,
     "Without a word: how much it does now. Until the next start, which has --log-level's again. No level logs keys "
     "or\n"
     "prompts.\n",
     OPTIONS_QUERY, 0, 1, false},
    {"secret", "set NAME", "store a provider's API key with the agent", secret_command,
     "The key is read from standard input, on a terminal without echo. Policies name it with\n"
     "secret_key_ref: {store: NAME}; tollgate reload puts it in force.\n",
     OPTIONS_PLACE, 2, 2, false},
    {"doctor", "", "check the installation, each finding with its fix", doctor_command,
     "--prod also looks at users, permissions, units, limits, swap, clock, backups, the policy, and at what dev and "
     "prod\n"
     "share; as root or the agent's user it sees most. Exit code 1: something failed.\n",
     OPTIONS_QUERY | OPTIONS_DOCTOR, 0, 0, false},
    {"support-bundle", "", "one file for who helps you: how this agent is set up and does", support_bundle_command,
     "A .tar.gz that only you can read; it is sent nowhere. Keys, prompts, tokens and passwords are not in it, which "
     "its\n"
     "README.txt says in more words. Look into it before you pass it on.\n",
     OPTIONS_PLACE | OPTIONS_FILES | OPTIONS_BUNDLE, 0, 0, false},
    {"audit", "", "recompute the ledger of a stopped agent", audit_command, NULL, OPTIONS_PLACE | OPTIONS_PASS, 0, -1,
     false},
    {"backup", "[DIRECTORY]", "copy the ledger of a running agent", backup_command,
     "The copy is opened and audited before it counts; a logical dump lies beside it.\n", OPTIONS_QUERY, 0, 1, false},
    {"restore", "FROM", "put a backup or a dump in the ledger's place", restore_command,
     "The agent must be stopped. The ledger that was there is kept beside it.\n", OPTIONS_PLACE, 1, 1, false},
    {"dump", "", "print the ledger of a stopped agent as JSON lines", dump_command, NULL, OPTIONS_PLACE, 0, 0, false},
    {"start", "", "start the agent", start_command, "The files are remembered for later starts, also those by run.\n",
     OPTIONS_QUERY | OPTIONS_FILES | OPTIONS_START, 0, 0, false},
    {"stop", "", "stop the agent", stop_command, NULL, OPTIONS_PLACE, 0, 0, false},
    {"restart", "", "put another agent in the place of the one that runs", restart_command,
     "No connection is refused meanwhile: the sockets go from one agent to the next, running answers end first, new\n"
     "calls wait. Also how another version takes over. When the new agent would not start, the old one goes on.\n"
     "An agent that systemd started is restarted by systemctl.\n",
     OPTIONS_QUERY | OPTIONS_FILES | OPTIONS_RESTART, 0, 0, false},
    {"status", "", "is the agent running, and with which policy", status_command, NULL, OPTIONS_QUERY, 0, 0, false},
    {"help", "[COMMAND]", "this, or more about a command", help_command, NULL, 0, 0, 1, false},
    {"version", "", "print the version", version_command, NULL, 0, 0, 0, true},
};
enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

const struct command *command_at(size_t index)
{
    return index < COMMAND_COUNT ? &commands[index] : NULL;
}

static const struct command *command_find(const char *name)
{
    for (const struct command *row = commands; row < commands + COMMAND_COUNT; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}

/* Levenshtein's distance, for short names; longer ones are not near anything. */
static size_t suggest_distance(const char *a, const char *b)
{
    enum { LENGTH_MAX = 31 };
    size_t row[LENGTH_MAX + 1], a_length = strlen(a), b_length = strlen(b);
    if (a_length > LENGTH_MAX || b_length > LENGTH_MAX)
        return LENGTH_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_length];
}

const char *cli_suggest(const char *typed, const char *const *names)
{
    const char *nearest = NULL;
    size_t least = 3; /* two slips at most */
    for (const char *const *name = names; *name; name++) {
        size_t distance = suggest_distance(typed, *name);
        if (strlen(typed) >= 3 && text_starts(*name, typed))
            distance = 1;
        if (distance < least && distance < strlen(*name)) {
            least = distance;
            nearest = *name;
        }
    }
    return nearest;
}

static int command_complain(const char *typed)
{
    const char *names[COMMAND_COUNT + 1];
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    names[COMMAND_COUNT] = NULL;
    const char *near = cli_suggest(typed, names);
    if (near)
        text_complain("unknown command %s; did you mean %s?", typed, near);
    else
        text_complain("unknown command %s; tollgate help lists them", typed);
    return EX_USAGE;
}

static void help_print_all(FILE *to)
{
    fputs("tollgate: a price gate in front of AI providers\n\nusage: tollgate COMMAND [OPTIONS] [ARGUMENTS]\n\n", to);
    for (const struct command *row = commands; row < commands + COMMAND_COUNT; row++)
        if (!row->is_hidden)
            fprintf(to, "  %-14s %s\n", row->name, row->help);
    fputs("\ntollgate help COMMAND says more. Start with: tollgate run -- PROGRAM\n", to);
}

static void help_print_one(const struct command *command, FILE *to)
{
    fprintf(to, "tollgate %s: %s\n\nusage: tollgate %s [OPTIONS] %s\n\n", command->name, command->help, command->name,
            command->arguments);
    options_print_help(command->options, to);
    if (command->details)
        fprintf(to, "\n%s", command->details);
}

static int help_command(struct cli *cli)
{
    if (cli->arguments.count == 0) {
        help_print_all(stdout);
        return EX_OK;
    }
    const struct command *command = command_find(cli->arguments.items[0]);
    if (!command)
        return command_complain(cli->arguments.items[0]);
    help_print_one(command, stdout);
    return EX_OK;
}

static int version_command(struct cli *cli)
{
    (void)cli;
    printf("tollgate %s\n", TOLLGATE_VERSION);
    return EX_OK;
}

static int command_check_arguments(const struct command *command, const struct cli *cli)
{
    int count = (int)cli->arguments.count;
    if (count >= command->argument_min && (command->argument_max < 0 || count <= command->argument_max))
        return EX_OK;
    fprintf(stderr, "usage: tollgate %s [OPTIONS] %s\n", command->name, command->arguments);
    return EX_USAGE;
}

static int command_run(const struct command *command, int argc, char **argv)
{
    struct cli cli = {.command = command};
    int code = options_parse(command->options, argc, argv, &cli.options, &cli.arguments);
    if (code == EX_OK && cli.options.help) {
        help_print_one(command, stdout);
        return EX_OK;
    }
    if (code == EX_OK)
        code = command_check_arguments(command, &cli);
    cli.is_both =
        (command->options & OPTIONS_REPORT) && cli.options.environment && strcmp(cli.options.environment, "both") == 0;
    if (code == EX_OK)
        code = place_find(cli.is_both                                    ? "dev"
                          : cli.options.prod && !cli.options.environment ? "prod"
                                                                         : cli.options.environment,
                          cli.options.state, cli.options.runtime, &cli.place);
    if (code == EX_OK)
        return command->handle(&cli);
    /* As env(1): the codes below 125 belong to the program that run becomes. */
    return command->handle == run_command ? CLI_RUN_FAILED : code;
}

static const char *command_alias(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return "help";
    return strcmp(name, "--version") == 0 ? "version" : name;
}

int main(int argc, char **argv)
{
    const char *order = getenv(TOLLGATE_ENV_EXECUTE);
    if (order)
        return run_for_hook(order, argv);
    if (argc < 2) {
        help_print_all(stderr);
        return EX_USAGE;
    }
    const char *name = command_alias(argv[1]);
    const struct command *command = command_find(name);
    int code = command ? command_run(command, argc - 2, argv + 2) : command_complain(name);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        text_complain("standard output could not be written");
        return EX_IOERR;
    }
    return code;
}
