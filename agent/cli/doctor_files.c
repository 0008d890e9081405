/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's look at files: directories that only their owner may enter, CA files that hold certificates, the shim.
 */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void doctor_check_directory(struct doctor *doctor, const char *name, const char *path, mode_t allowed)
{
    struct stat facts;
    if (lstat(path, &facts) != 0) {
        doctor_add(doctor, name, errno == ENOENT ? FINDING_OK : FINDING_WARNING, "ask its owner", "%s: %s", path,
                   errno == ENOENT ? "not made yet" : strerror(errno));
        return;
    }
    mode_t mode = facts.st_mode & 07777;
    bool is_ours = doctor->cli->place.is_prod || facts.st_uid == geteuid();
    if (!S_ISDIR(facts.st_mode) || !is_ours)
        doctor_add(doctor, name, FINDING_FAILURE,
                   "remove it, or choose another with TOLLGATE_STATE_DIR or "
                   "TOLLGATE_RUNTIME_DIR",
                   "%s is not a directory of this user", path);
    else if (mode & ~allowed)
        doctor_add(doctor, name, FINDING_FAILURE, text_format("chmod %03o %s", (unsigned)allowed, path),
                   "%s has mode %03o", path, (unsigned)mode);
    else
        doctor_add(doctor, name, FINDING_OK, NULL, "%s, mode %03o", path, (unsigned)mode);
}

/* Two agents in one runtime directory would take each other's sockets. */
static void doctor_check_owner(struct doctor *doctor)
{
    const struct launch_place *place = &doctor->cli->place;
    struct launch_owner owner;
    if (!place_find_owner(place, &owner))
        return;
    const bool is_ours = place_compare_state(place, &owner) == PLACE_OWN;
    doctor_add(
        doctor, "runtime owner", is_ours ? FINDING_OK : FINDING_FAILURE,
        text_format("stop that agent (kill %d), or choose another directory with TOLLGATE_RUNTIME_DIR", owner.pid),
        "the agent with pid %d, whose state is in %s", owner.pid, owner.state);
}

/* Of files that are there: nothing beyond `allowed` for anybody but the owner. */
static void doctor_check_modes(struct doctor *doctor)
{
    const struct launch_place *place = &doctor->cli->place;
    const struct {
        const char *path;
        mode_t allowed;
    } rows[] = {
        {place_file(place, TOLLGATE_FILE_ADMIN), 0600},
        {place_file(place, TOLLGATE_FILE_OWNER), 0600},
        {place_file(place, TOLLGATE_FILE_REPORT), place->is_prod ? 0666 : 0600},
        {place_file(place, TOLLGATE_FILE_IDENTITY), place->is_prod ? 0666 : 0600},
        {place_file(place, TOLLGATE_FILE_MAP), 0644},
        {text_format("%s/" TOLLGATE_FILE_STATE_OWNER, place->state), 0600},
        {text_format("%s/agent.log", place->state), 0640},
        {text_format("%s/agent.log.1", place->state), 0640},
        {text_format("%s/start.json", place->state), 0600},
        {text_format("%s/secrets", place->state), 0700},
        {text_format("%s/ledger", place->state), 0700},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stat facts;
        if (lstat(rows[i].path, &facts) != 0 || !(facts.st_mode & 077 & ~rows[i].allowed))
            continue;
        wrong++;
        doctor_add(doctor, "permissions", FINDING_FAILURE,
                   text_format("chmod %03o %s", (unsigned)rows[i].allowed, rows[i].path), "%s has mode %03o",
                   rows[i].path, (unsigned)(facts.st_mode & 0777));
    }
    if (wrong == 0)
        doctor_add(doctor, "permissions", FINDING_OK, NULL, "the agent's files are its owner's alone");
}

static bool doctor_has_certificate(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[256];
    bool has = false;
    while (file && !has && fgets(line, sizeof line, file))
        has = text_starts(line, "-----BEGIN CERTIFICATE-----");
    if (file)
        fclose(file);
    return has;
}

static void doctor_check_ca(struct doctor *doctor)
{
    static const char *const files[] = {TOLLGATE_FILE_CA, TOLLGATE_FILE_BUNDLE};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *path = place_file(&doctor->cli->place, files[i]);
        bool has = doctor_has_certificate(path);
        doctor_add(doctor, files[i], has ? FINDING_OK : FINDING_FAILURE,
                   "tollgate stop; tollgate start writes it again", "%s %s", path,
                   has ? "holds certificates" : "holds no certificate");
    }
    const char *keystore = place_file(&doctor->cli->place, TOLLGATE_FILE_JKS);
    if (access(keystore, R_OK) != 0)
        doctor_add(doctor, TOLLGATE_FILE_JKS, FINDING_WARNING, "tollgate stop; tollgate start writes it again",
                   "%s is missing: Java programs will not trust the agent", keystore);
}

/* ld.so refuses silently for some reasons: only the map of a running process tells. */
static void doctor_check_shim(struct doctor *doctor)
{
    static const char *const arguments[] = {"/bin/cat", "/proc/self/maps", NULL};
    const char *shim = locate_shim();
    if (!shim) {
        doctor_add(doctor, "shim", FINDING_FAILURE,
                   "install " LAUNCH_SHIM_NAME " beside tollgate or in ../lib/tollgate",
                   LAUNCH_SHIM_NAME " is not there");
        return;
    }
    const char *fault = elf_check_library(shim);
    if (fault) {
        doctor_add(doctor, "shim", FINDING_FAILURE, "install it again", "%s %s", shim, fault);
        return;
    }
    struct launch_changes changes = {0};
    int status;
    changes_set(&changes, "LD_PRELOAD", shim);
    const char *output = child_run(arguments, &changes, 5000, &status);
    bool is_loaded = output && status == 0 && strstr(output, LAUNCH_SHIM_NAME) && strstr(output, "r-xp");
    if (is_loaded && !strstr(output, "cannot be preloaded"))
        doctor_add(doctor, "shim", FINDING_OK, NULL, "%s loads", shim);
    else
        doctor_add(doctor, "shim", FINDING_FAILURE, "is it readable, and its file system not mounted noexec?",
                   "%s does not load into /bin/cat", shim);
}

void doctor_check_files(struct doctor *doctor)
{
    const struct launch_place *place = &doctor->cli->place;
    doctor_check_directory(doctor, "state directory", place->state, 0700);
    doctor_check_directory(doctor, "runtime directory", place->runtime, place->is_prod ? 0755 : 0700);
    doctor_check_owner(doctor);
    doctor_check_modes(doctor);
    if (!agent_is_absent(doctor->cli))
        doctor_check_ca(doctor);
    doctor_check_shim(doctor);
}
