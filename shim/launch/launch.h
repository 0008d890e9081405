/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it takes to start a governed program: where an environment's agent lives, starting that agent, and the
 * environment variables a governed program must have. Called by agent/cli only. libc only; never talks HTTP or JSON:
 * the client asks the agent and hands the facts in.
 *
 * Memory: every string and array given out lives until the program ends or is replaced by exec (text.c keeps them).
 * Failures are reported on standard error where they happen; functions that can fail return a sysexits code, 0 for
 * success, and leave their outputs untouched.
 */
#ifndef TOLLGATE_LAUNCH_H
#define TOLLGATE_LAUNCH_H

#include "shim/contract.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Variables that only the launcher reads or sets; all in the TOLLGATE_ family, so they are scrubbed with it. */
#define LAUNCH_ENV_STATE_DIRECTORY   "TOLLGATE_STATE_DIR"   /* set by the user: overrides the state directory */
#define LAUNCH_ENV_RUNTIME_DIRECTORY "TOLLGATE_RUNTIME_DIR" /* set by the user: overrides the runtime directory */
#define LAUNCH_ENV_POLICY            "TOLLGATE_POLICY"      /* set by the user: the policy file */
#define LAUNCH_ENV_STATE             "TOLLGATE_STATE"       /* set by us: the state directory behind TOLLGATE_RUNTIME */
#define LAUNCH_ENV_PROJECT_FILE      "TOLLGATE_PROJECT_FILE" /* set by us: the project file that governs this shell */

#define LAUNCH_SHIM_NAME             "libtollgate.so"

/* ---- text.c: strings that live as long as the program ---- */

/* Never NULL; ends the program with EX_OSERR when memory is out. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *text_allocate(size_t bytes); /* zeroed */
/* Everything given out after the mark is freed; for loops without an end. */
struct text_block;
struct text_block *text_mark(void);
void text_release(struct text_block *mark);
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);
/* A list of strings; NULL-terminated, grows. Start with {0}. */
struct text_list {
    const char **items;
    size_t count, capacity;
};
void text_append(struct text_list *list, const char *item);
char *text_join(const struct text_list *list, const char *separator);
/* One problem line on standard error: "tollgate: …". */
void text_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- clock.c ---- */

/* Monotonic, since some point of the past. */
long long launch_now_us(void);
long long launch_now_ms(void);

/* ---- place.c: the directories of one environment ---- */

struct launch_place {
    const char *environment; /* "dev" or "prod" */
    bool is_prod;
    const char *state;   /* absolute */
    const char *runtime; /* absolute */
    const char *own;     /* a runtime directory that belongs to this user, for merged CA bundles; maybe = runtime */
    bool is_fallback;    /* the runtime directory lies in /tmp for want of XDG_RUNTIME_DIR */
};

/* `environment`, `state` and `runtime` are what the options said, NULL when absent. Creates nothing. EX_USAGE for an
 * unknown environment. */
int place_find(const char *environment, const char *state, const char *runtime, struct launch_place *ret_place);
/* Makes the directories (0700 ours; prod's runtime 0755) and refuses those that are somebody else's. */
int place_prepare(const struct launch_place *place);
/* A runtime directory in /tmp could be planted by another user: EX_NOPERM unless it is ours alone. Absent is fine. */
int place_verify(const struct launch_place *place);
/* The same of place->own, its parent and its merged/: what prod writes for this user, e.g. merged CA bundles. */
int place_verify_own(const struct launch_place *place);
int place_make_directory(const char *path, unsigned mode); /* with its parents; quiet; 0 or errno */
/* Against the working directory; NULL stays NULL. Ends the program with EX_NOINPUT, after a message, where there is no
 * working directory any more. */
const char *place_absolute(const char *path);
const char *place_home(void);
const char *place_state_home(void); /* the user's own, for all environments: ~/.local/state/tollgate */
const char *place_file(const struct launch_place *place, const char *name); /* in the runtime directory */

/* ---- owner.c: the agent that has the directories of a place ---- */

/* Also while it does not answer. */
struct launch_owner {
    int pid;
    const char *state, *runtime;
    bool is_ending; /* its last calls */
};
/* Whose runtime directory this is. False: nobody's, or not for this user to know. */
bool place_find_owner(const struct launch_place *place, struct launch_owner *ret_owner);
/*
 * Whose state this is, by whatever runtime directory. NOBODY: none's, or not for this user to know. HERE: the place
 * leads to it. ELSEWHERE: another runtime directory does. LOST: none does, its own is gone, by a logout for one.
 */
enum place_reach { PLACE_NOBODY, PLACE_HERE, PLACE_ELSEWHERE, PLACE_LOST };
enum place_reach place_find_state_owner(const struct launch_place *place, struct launch_owner *ret_owner);
/* An agent that has the state and that the place does not lead to, in words, and what to do. False: there is none. */
bool place_explain_owner(const struct launch_place *place, const char **ret_what, const char **ret_fix);
/* Nobody answers there, and there is an agent all the same: one that has the runtime directory, or one as above. */
bool place_explain_silence(const struct launch_place *place, const char **ret_what, const char **ret_fix);
/* Two paths of one directory; by their names alone where one cannot be looked at. */
bool place_is_same(const char *one, const char *other);
/* Is the owner's state the place's? UNKNOWN: one of the two cannot be looked at. */
enum place_state { PLACE_OWN, PLACE_OTHERS, PLACE_UNKNOWN };
enum place_state place_compare_state(const struct launch_place *place, const struct launch_owner *owner);
/* Another agent that is started now would end at once: one has the state or the runtime directory. */
bool place_is_owned(const struct launch_place *place, struct launch_owner *ret_owner);
/* True, after a message: no waiting would help, as the state is that of an agent that serves by another runtime
 * directory, or by none any more, or the runtime directory that of an agent with another state. */
bool place_complain_elsewhere(const struct launch_place *place);
/* The agent that has them was waited for in vain. */
void place_complain_silence(const struct launch_place *place);

/* ---- locate.c: the files of the installation ---- */

const char *locate_agent(void);   /* tollgated: $TOLLGATED, beside this program, ../sbin, PATH; NULL when nowhere */
const char *locate_shim(void);    /* libtollgate.so: beside this program, ../lib[64]/tollgate/; NULL when nowhere */
const char *locate_program(void); /* this program */
/* A file of the installation's own configuration, there or not: PREFIX/etc/tollgate/NAME. */
const char *locate_configuration(const char *name);
/* The environment's policy file by convention; NULL when there is none, and then *ret_tried lists the candidates. */
const char *locate_policy(const struct launch_place *place, struct text_list *ret_tried);
/* Whether it (a real path) came with this program, so that locate_policy finds it again. */
bool locate_is_shipped(const char *policy);

/* ---- map.c: the agent's map file ---- */

struct launch_map {
    struct tollgate_map_header header;
    struct text_list names;
    const struct tollgate_map_port *ports;
    const uint32_t *addresses; /* host order, by name */
    const struct tollgate_map_redirect *redirects;
};
/* NULL, or what is wrong with the file: words that follow its name. The shim takes and refuses the same files. */
const char *map_read(const char *path, struct launch_map *ret_map);
/* Sorted names as they stand in NO_PROXY: as many as the shim takes. */
const char *map_join_names(const struct text_list *names);

/* ---- elf.c: can the preload engine govern this program ---- */

struct launch_program {
    int missing;            /* 0, or 126 / 127: it cannot be executed at all */
    const char *ungoverned; /* NULL, or why not: "static", "a Go program", "setuid", … */
    bool is_supervisable;   /* ungoverned, but the supervisor can */
    bool is_go;
    bool has_asan;    /* links libasan first, which wants to be told about preloads */
    const char *path; /* what would be executed */
};
struct launch_program elf_look(const char *name);
/* NULL, or why the loader would not preload the library, or it would not read the map: words that follow its name. */
const char *elf_check_library(const char *path);

/* ---- changes.c: a set of changes to environment variables ---- */

struct launch_change {
    const char *name;
    const char *value; /* NULL: unset */
    bool is_key;       /* an API key: the user's own comes back when governing ends */
};
struct launch_changes {
    struct launch_change *items;
    size_t count, capacity;
};
/* The last word counts. The answer is valid until the next call. */
struct launch_change *changes_set(struct launch_changes *changes, const char *name, const char *value);
void changes_apply(const struct launch_changes *changes); /* to this process's own environment */

/* ---- governed.c: the variables of a governed program ---- */

struct launch_facts { /* what the agent's /v1/launch said, and what was asked for */
    const struct launch_place *place;
    const char *group;        /* asked for; NULL: the agent decides */
    const char *project;      /* NULL: none */
    const char *project_file; /* that governs a shell while it stays in the project; NULL: none */
    const char *placeholder;
    struct text_list key_environment;
    bool is_unhooked;           /* the library does not load: LD_PRELOAD goes without it */
    struct text_list base_urls; /* NAME=URL, when they were asked for */
    struct text_list governed;  /* host names */
};
/* EX_UNAVAILABLE when the shim is missing; EX_NOPERM or EX_IOERR when a merged bundle cannot be written. */
int governed_changes(const struct launch_facts *facts, struct launch_changes *ret_changes);
bool governed_is_name(const char *name); /* of a variable: a shell will evaluate it */
/* A program that links libasan first refuses to start behind any preload unless ASAN_OPTIONS permits it. */
void governed_permit_asan(struct launch_changes *changes);
/* What undoes it, from the present environment alone. */
void governed_undo(const struct launch_place *place, struct launch_changes *ret_changes);

/* ---- base_urls.c: variables that name the agent's port of base URLs ---- */

/* As facts->base_urls says. Without any they stay where this agent has set them, and go where another one has. */
void base_urls_set(const struct launch_facts *facts, struct launch_changes *changes);
bool base_urls_stay(const struct launch_facts *facts);
void base_urls_undo(struct launch_changes *changes);
bool base_urls_is_ours(const char *name, const char *value);

/* ---- owned.c: which of the present environment's values are ours ---- */

struct launch_ca_variable {
    const char *name;
    bool adds; /* to the client's own store; otherwise it replaces that */
};
extern const struct launch_ca_variable owned_ca_variables[]; /* ends with a NULL name */
bool owned_is_ca(const char *name);
/* What the user has (had) in a CA variable whose present value is `value`; NULL: nothing. */
const char *owned_user_ca(const struct launch_place *place, const char *name, const char *value);
bool owned_is_key(const char *value); /* a placeholder */
/* LD_PRELOAD without our library under any path; NULL when nothing is left. */
const char *owned_preload_rest(const char *preload);
/* NO_PROXY without the names that governing appended; NULL when nothing is left. */
const char *owned_proxy_rest(const char *no_proxy);

/* ---- bundle.c: CA files ---- */

/* The value a CA variable must have so that the user's own file stays trusted: `ours` when the user had none or one
 * that the system bundle contains, else a merged file in place->own; `user_value` itself when it is a directory. */
int bundle_merge(const struct launch_place *place, const char *user_value, const char *ours, const char **ret_value);

/* ---- scrub.c: the agent's environment ---- */

/* `environ` without anything that governs: LD_PRELOAD, TOLLGATE_*, our CA variables and names, kt_cg_ values; and
 * without what a service manager said to us. */
char **scrub_environment(const struct launch_place *place);
/* The same, for an agent that is the service: with what its manager said. */
char **scrub_environment_of_service(const struct launch_place *place);

/* ---- limits.c: what a process may have ---- */

/* Raises this process's soft limits (setrlimit(2)) to those of process `pid`, so that what it starts has what that one
 * has. EX_CONFIG where a hard limit forbids it: each such limit is said. */
int limits_match(int pid);

/* ---- start.c: the agent process ---- */

struct launch_agent {
    const char *policy, *providers, *prices; /* absolute; the latter two may be NULL */
    const char *log_level;                   /* NULL: the agent's default */
};
/*
 * Starts the agent unless one answers, once per environment however many callers there are. When it fails, what the
 * agent printed is shown and its exit code returned (EX_DATAERR: bad policy). EX_TEMPFAIL: another one was starting
 * and did not become ready in time. *ret_started (may be NULL): this call started it.
 */
int agent_start(const struct launch_place *place, const struct launch_agent *agent, bool *ret_started);
/* The agent in this process's place, with the log on standard error: for service managers, whose sockets and variables
 * (sd_notify(3), sd_listen_fds(3)) it keeps. Returns only when that fails. */
int agent_become(const struct launch_place *place, const struct launch_agent *agent);
/* What an agent that ends leaves to the next one. */
struct launch_estate {
    int descriptors[TOLLGATE_HANDED_MAX]; /* listening sockets */
    const char *names[TOLLGATE_HANDED_MAX];
    size_t count;
    int program;       /* its executable, -1: unknown */
    int process;       /* its pidfd, -1: unknown */
    long long wait_ms; /* for its end, before it is told to end at once */
    int pid;
};
/*
 * Another agent in the place of the one that runs, whose sockets stay open all the time. `take` asks for them, once no
 * other start can come between (EX_OK, or nothing has happened). An agent that does not get ready is replaced by the
 * executable of the one before, which is said; the code is that of the new one's failure.
 */
int agent_take_over(const struct launch_place *place, const struct launch_agent *agent,
                    int (*take)(void *context, struct launch_estate *ret_estate), void *context);
/* What the agent that runs said while it started (warnings about its policy), to standard error. */
void agent_show_words(const struct launch_place *place);
/* A connected socket to RUNTIME/name (bounded wait when the agent is busy), or -errno. */
int agent_connect(const struct launch_place *place, const char *name);
/* The same, non-blocking, for loops that may not wait: -EAGAIN when the agent is busy. */
int agent_connect_at_once(const struct launch_place *place, const char *name);

/* ---- supervise.c: programs that no preload reaches ---- */

struct supervise_program {
    const char *path; /* searched in PATH when it has no slash; what messages call it */
    int fd;           /* the program itself, instead of its path; -1: none */
    char **arguments;
};
/*
 * Becomes the program's supervisor and ends as the program ends. Returns only when there can be no supervisor: an errno
 * that supervise_explain knows, and nothing has changed.
 */
int supervise_run(const struct supervise_program *program);
const char *supervise_explain(int error);
/* Could a program be supervised here? Tries it in a child that becomes no program. 0, or an errno as above. */
int supervise_try(void);
/* Becomes the program itself; returns the exit code when that fails. */
int supervise_execute(const struct supervise_program *program);
/* True: this process has a supervisor of ours above it, and so will every program that it executes. */
bool filter_is_in_force(void);

/* ---- shell.c: the changes as statements of a shell ---- */

enum launch_shell { SHELL_BASH, SHELL_ZSH, SHELL_FISH, SHELL_COUNT };
/* SHELL_COUNT: unknown. */
enum launch_shell shell_find(const char *name);
/* Every character stands for itself. */
void shell_print_quoted(enum launch_shell shell, const char *value, FILE *to);
/* Activation remembers the user's own keys in unexported variables; undoing brings them back. */
void shell_print(enum launch_shell shell, const struct launch_changes *changes, bool is_undo, FILE *to);

#endif
