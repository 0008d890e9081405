/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tollgate doctor --prod: is this machine set up as production wants it: a user of its own, files that nobody else
 * reads or writes, units, nothing shared with dev. The policy's part is the agent's (control/doctor_prod.c), the
 * system's is in doctor_prod_system.c. Each finding says why; what this user cannot see is a warning that says so.
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROD_SECRETS_MAX 256
#define PROD_FILE_BYTES  8192
#define PROD_SYSTEMD_MS  10000

/* ---- whose ---- */

void doctor_check_prod_owner(struct doctor *doctor)
{
    const char *state = doctor->cli->place.state;
    struct stat facts, dev;
    if (lstat(state, &facts) != 0) {
        doctor_add(doctor, "own user", FINDING_WARNING, "start prod's agent once, or run this as root",
                   "%s cannot be looked at: %s", state, strerror(errno));
        return;
    }
    const struct passwd *user = getpwuid(facts.st_uid);
    const char *name = owner_name(facts.st_uid);
    const char *home_state = user ? text_format("%s/.local/state/tollgate/dev", user->pw_dir) : "/nonexistent";
    bool is_people = user && facts.st_uid >= 1000 && facts.st_uid < 60000 && !strstr(user->pw_shell, "nologin") &&
                     !strstr(user->pw_shell, "false");
    if (facts.st_uid == 0)
        doctor_add(doctor, "own user", FINDING_FAILURE,
                   "systemd-sysusers; chown -R tollgate: STATE; systemctl restart tollgated@prod",
                   "prod's agent runs as root");
    else if (lstat(home_state, &dev) == 0 || is_people)
        doctor_add(doctor, "own user", FINDING_WARNING, text_format("systemd-sysusers; chown -R tollgate: %s", state),
                   "prod's agent runs as %s, whose account people use", name);
    else
        doctor_add(doctor, "own user", FINDING_OK, NULL, "prod's agent runs as %s", name);
    doctor_explain(doctor, "keys and money are safe from each program that runs as another user, and from none that "
                           "runs as this one");
}

/* ---- who else may ---- */

struct prod_file {
    const char *name, *path;
    unsigned forbidden; /* mode bits of group and others */
    const char *why;
};

static size_t prod_check_mode(struct doctor *doctor, const struct prod_file *file)
{
    struct stat facts;
    if (stat(file->path, &facts) != 0)
        return 0;
    unsigned mode = facts.st_mode & 0777, wrong = mode & file->forbidden;
    if (!wrong)
        return 0;
    doctor_add(doctor, file->name, FINDING_FAILURE, text_format("chmod %03o %s", mode & ~file->forbidden, file->path),
               "%s has mode %03o", file->path, mode);
    doctor_explain(doctor, file->why);
    return 1;
}

/* Root's or the agent's user's. */
static size_t prod_check_belonging(struct doctor *doctor, const struct prod_file *file, uid_t owner)
{
    struct stat facts;
    if (stat(file->path, &facts) != 0 || facts.st_uid == 0 || facts.st_uid == owner)
        return 0;
    doctor_add(doctor, file->name, FINDING_FAILURE, text_format("chown root: %s", file->path), "%s belongs to %s",
               file->path, owner_name(facts.st_uid));
    doctor_explain(doctor, file->why);
    return 1;
}

static bool prod_is_sticky(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && facts.st_mode & S_ISVTX;
}

/* A file is as safe as the directory that names it, and each above that one. */
static size_t prod_check_policy(struct doctor *doctor, const char *policy, uid_t owner)
{
    struct prod_file file = {"policy file", policy, 0022, "who writes it decides who spends what"};
    size_t wrong = prod_check_mode(doctor, &file) + prod_check_belonging(doctor, &file, owner);
    char *path = text_format("%s", policy);
    file = (struct prod_file){"policy directory", path, 0022, "who writes the directory puts another policy there"};
    for (char *slash; (slash = strrchr(path, '/')) && path[1];) {
        slash[slash == path] = '\0';
        if (!prod_is_sticky(path)) /* there, each removes what is his own */
            wrong += prod_check_mode(doctor, &file);
        wrong += prod_check_belonging(doctor, &file, owner);
    }
    return wrong;
}

void doctor_check_prod_files(struct doctor *doctor)
{
    static const char key[] = "a provider's key read is a provider's key used, past the gate";
    const struct launch_place *place = &doctor->cli->place;
    const struct prod_file files[] = {
        {"state", place->state, 0077, "it holds the ledger, keys, and what was called by whom"},
        {"runtime", place->runtime, 0022, "who writes here answers in the agent's place"},
        {"ledger", text_format("%s/ledger", place->state), 0077, "who writes it makes money"},
        {"key store", text_format("%s/secrets", place->state), 0077, key},
        {"CA", text_format("%s/ca", place->state), 0077, "its key signs for every governed name"},
        {"backups", text_format("%s/backups", place->state), 0077, "a backup holds what the ledger holds"},
        {"admin socket", place_file(place, TOLLGATE_FILE_ADMIN), 0077, "orders are taken there"},
        {"environment file", "/etc/tollgate/prod.env", 0077, key},
        {"environment file", locate_configuration("prod.env"), 0077, key},
    };
    struct stat facts;
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        wrong += prod_check_mode(doctor, &files[i]);
    const char *policy = api_text(doctor->hello, "policy", NULL);
    uid_t owner = stat(place->state, &facts) == 0 ? facts.st_uid : 0;
    if (policy)
        wrong += prod_check_policy(doctor, policy, owner);
    if (wrong == 0)
        doctor_add(doctor, "prod files", FINDING_OK, NULL, "nobody else reads or writes what is the agent's%s",
                   policy ? "" : " (without an agent, the policy was not looked at)");
}

/* ---- units ---- */

/* A property of a unit; "" where nobody knows. */
static const char *prod_ask_unit(const char *scope, const char *unit, const char *property)
{
    const char *const arguments[] = {"systemctl", scope, "show", "--value", text_format("--property=%s", property),
                                     unit,        NULL};
    const struct launch_changes none = {0};
    int status = 0;
    const char *said = child_run(arguments, &none, PROD_SYSTEMD_MS, &status);
    return said && status == 0 ? text_format("%.*s", (int)strcspn(said, "\n"), said) : "";
}

static void prod_check_unit(struct doctor *doctor, const char *unit, const char *why)
{
    const char *enabled = prod_ask_unit("--system", unit, "UnitFileState");
    const char *active = prod_ask_unit("--system", unit, "ActiveState");
    bool is_well = strcmp(enabled, "enabled") == 0 && strcmp(active, "active") == 0;
    doctor_add(doctor, unit, is_well ? FINDING_OK : FINDING_FAILURE, text_format("systemctl enable --now %s", unit),
               "%s, %s", enabled[0] ? enabled : "not installed", active[0] ? active : "inactive");
    doctor_explain(doctor, why);
}

/* Units of users end with their last session, unless they linger. */
static void prod_check_linger(struct doctor *doctor)
{
    const char *user = owner_name(geteuid());
    if (strcmp(prod_ask_unit("--user", "tollgated.service", "UnitFileState"), "enabled") != 0)
        return;
    bool lingers = access(text_format("/var/lib/systemd/linger/%s", user), F_OK) == 0;
    doctor_add(doctor, "linger", lingers ? FINDING_OK : FINDING_WARNING, text_format("loginctl enable-linger %s", user),
               "%s's dev agent %s", user, lingers ? "outlives sessions" : "ends with the last session");
    doctor_explain(doctor, "programs that go on without a session find no agent");
}

void doctor_check_prod_units(struct doctor *doctor)
{
    if (access("/run/systemd/system", F_OK) != 0) {
        doctor_add(doctor, "units", FINDING_WARNING,
                   "let the supervisor of this machine run: tollgate start --env prod --foreground",
                   "no systemd runs here: nothing was asked about units");
        doctor_explain(doctor, "somebody must start the agent after a boot and after a crash");
        return;
    }
    prod_check_unit(doctor, "tollgated@prod.service", "it starts the agent after a boot and after a crash");
    prod_check_unit(doctor, "tollgated@prod.socket", "it keeps the port open while the agent restarts");
    prod_check_linger(doctor);
}

/* ---- dev and prod ---- */

static bool prod_is_same_file(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool prod_is_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    return strncmp(path, directory, length) == 0 && path[length] == '/';
}

static bool prod_is_shared(const char *dev, const char *prod)
{
    return strcmp(dev, prod) == 0 || prod_is_same_file(dev, prod) || prod_is_below(dev, prod) ||
           prod_is_below(prod, dev);
}

static bool prod_read(const char *path, char bytes[PROD_FILE_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t got = fd >= 0 ? read(fd, bytes, PROD_FILE_BYTES - 1) : -1;
    if (fd >= 0)
        close(fd);
    bytes[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* The same key under any names in both stores; neither is shown. */
static const char *prod_find_shared_key(const char *dev, const char *prod)
{
    const char *const list[] = {"sh", "-c", "ls -1 \"$0\" 2>/dev/null", dev, NULL};
    const char *const other[] = {"sh", "-c", "ls -1 \"$0\" 2>/dev/null", prod, NULL};
    const struct launch_changes none = {0};
    int status;
    const char *ours = child_run(list, &none, PROD_SYSTEMD_MS, &status);
    const char *theirs = child_run(other, &none, PROD_SYSTEMD_MS, &status);
    char one[PROD_FILE_BYTES], two[PROD_FILE_BYTES];
    const char *shared = NULL;
    size_t count = 0;
    for (const char *a = ours; a && *a && !shared; a += strcspn(a, "\n"), a += *a == '\n') {
        if (!prod_read(text_format("%s/%.*s", dev, (int)strcspn(a, "\n"), a), one))
            continue;
        for (const char *b = theirs; b && *b && count++ < PROD_SECRETS_MAX; b += strcspn(b, "\n"), b += *b == '\n')
            if (prod_read(text_format("%s/%.*s", prod, (int)strcspn(b, "\n"), b), two) && strcmp(one, two) == 0)
                shared = text_format("%.*s", (int)strcspn(b, "\n"), b);
    }
    explicit_bzero(one, sizeof one);
    explicit_bzero(two, sizeof two);
    return shared;
}

void doctor_check_prod_apart(struct doctor *doctor)
{
    const struct launch_place *prod = &doctor->cli->place;
    const char *state = text_format("%s/dev", place_state_home()), *runtime = getenv("XDG_RUNTIME_DIR");
    struct launch_place dev = {.environment = "dev", .state = state};
    dev.runtime = runtime ? text_format("%s/tollgate/dev", runtime) : state;
    const char *key =
        prod_find_shared_key(text_format("%s/secrets", dev.state), text_format("%s/secrets", prod->state));
    struct text_list tried = {0};
    const char *policy = locate_policy(&dev, &tried), *own = api_text(doctor->hello, "policy", "");
    if (prod_is_shared(dev.state, prod->state) || prod_is_shared(dev.runtime, prod->runtime))
        doctor_add(doctor, "dev and prod", FINDING_FAILURE, "unset TOLLGATE_STATE_DIR and TOLLGATE_RUNTIME_DIR",
                   "they share a directory: %s, %s", prod->state, prod->runtime);
    else if (policy && own[0] && prod_is_same_file(policy, own))
        doctor_add(doctor, "dev and prod", FINDING_FAILURE, "give prod a policy of its own in /etc/tollgate",
                   "they have one policy file: %s", own);
    else if (key)
        doctor_add(doctor, "dev and prod", FINDING_WARNING, text_format("tollgate secret set %s --env prod", key),
                   "a key of prod (%s) is one of dev's, too", key);
    else
        doctor_add(doctor, "dev and prod", FINDING_OK, NULL, "this user's dev agent shares nothing with prod");
    doctor_explain(doctor, "what dev spends, leaks or breaks must not be prod's");
}
