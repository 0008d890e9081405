/* SPDX-License-Identifier: Apache-2.0 */
/* The part of tollgate doctor --prod that is about the machine and the agent's process. */
#include "cli/cli.h"
#include "cli/swap.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define PROD_FREE_MIB_MIN 1024
#define PROD_BACKUP_HOURS 48
#define PROD_FDS_MIN      16384 /* limits.connections_max is 8,192, each with a connection to a provider */
#define PROD_FDS_WANTED   65536

/* ---- the machine ---- */

static void prod_check_swap(struct doctor *doctor)
{
    char first[SWAP_PATH_BYTES];
    const int count = swap_count_plain("", first);
    doctor_add(doctor, "swap", count ? FINDING_WARNING : FINDING_OK, "swapoff -a, or encrypt it (crypttab: swap)", "%s",
               count < 0    ? "the kernel does not say whether it swaps to a disk"
               : count == 0 ? "no swap area is on a plain disk"
                            : text_format("swap areas on plain disks: %d, the first is %s", count, first));
    doctor_explain(doctor, "prompts, and keys that could not be locked in memory, stay on the disk");
}

static void prod_check_clock(struct doctor *doctor)
{
    struct timex facts = {0};
    int state = adjtimex(&facts);
    if (state < 0)
        doctor_add(doctor, "clock", FINDING_WARNING, "timedatectl",
                   "the kernel does not say whether it is synchronised");
    else
        doctor_add(doctor, "clock", facts.status & STA_UNSYNC ? FINDING_WARNING : FINDING_OK,
                   "systemctl enable --now systemd-timesyncd, or chrony", "the kernel's clock is %ssynchronised",
                   facts.status & STA_UNSYNC ? "not " : "");
    doctor_explain(doctor, "budgets begin, and reports count, by this clock");
}

static void prod_check_disk(struct doctor *doctor)
{
    const char *state = doctor->cli->place.state;
    struct statvfs disk;
    if (statvfs(state, &disk) != 0) {
        doctor_add(doctor, "prod disk", FINDING_WARNING, "run this as root", "%s: %s", state, strerror(errno));
        return;
    }
    unsigned long long mib = (unsigned long long)disk.f_bavail * disk.f_frsize >> 20;
    bool has_inodes = disk.f_files == 0 || disk.f_favail > 10000;
    doctor_add(doctor, "prod disk", mib < PROD_FREE_MIB_MIN || !has_inodes ? FINDING_WARNING : FINDING_OK,
               "free some space, or give the state directory a file system of its own", "%llu MiB and %s inodes free",
               mib, has_inodes ? "enough" : "few");
    doctor_explain(doctor, "when it is full, paid requests are refused");
}

/* 20261123-203000, or 20261123T203000Z; 0: another name, which says nothing about backups. */
static time_t prod_parse_backup(const char *name)
{
    struct tm parts = {0};
    const char *end =
        strptime(name, name[strspn(name, "0123456789")] == 'T' ? "%Y%m%dT%H%M%SZ" : "%Y%m%d-%H%M%S", &parts);
    return end && !*end ? timegm(&parts) : 0;
}

static time_t prod_find_newest(const char *path)
{
    DIR *entries = opendir(path);
    time_t newest = 0;
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        const time_t made = prod_parse_backup(entry->d_name);
        newest = made > newest ? made : newest;
    }
    if (entries)
        closedir(entries);
    return newest;
}

/* Where the policy wants them, or in the state while they cannot go there. */
static void prod_check_backups(struct doctor *doctor)
{
    const char *own = text_format("%s/backups", doctor->cli->place.state);
    const char *path = api_text(doctor->hello, "backups", own);
    const time_t there = prod_find_newest(path), here = prod_find_newest(own), newest = there > here ? there : here;
    long long hours = (long long)(time(NULL) - newest) / 3600;
    if (!newest)
        doctor_add(doctor, "recent backup", FINDING_WARNING, "tollgate backup --env prod", "none is seen in %s", path);
    else
        doctor_add(doctor, "recent backup", hours > PROD_BACKUP_HOURS ? FINDING_WARNING : FINDING_OK,
                   "tollgate backup --env prod; the agent's log says why none was made", "the last is %lld hours old",
                   hours);
    doctor_explain(doctor, "a lost ledger is lost money; copy backups to another machine, too");
}

void doctor_check_prod_system(struct doctor *doctor)
{
    prod_check_swap(doctor);
    prod_check_clock(doctor);
    prod_check_disk(doctor);
    prod_check_backups(doctor);
}

/* ---- the agent's process ---- */

/* The soft limit of a row of /proc/PID/limits; -1: unknown, -2: unlimited. */
static long long prod_read_limit(long long pid, const char *row)
{
    char line[256];
    long long limit = -1;
    FILE *file = fopen(text_format("/proc/%lld/limits", pid), "re");
    while (file && fgets(line, sizeof line, file))
        if (text_starts(line, row)) {
            const char *value = line + strlen(row) + strspn(line + strlen(row), " ");
            limit = text_starts(value, "unlimited") ? -2 : strtoll(value, NULL, 10);
        }
    if (file)
        fclose(file);
    return limit;
}

static void prod_check_files_limit(struct doctor *doctor, long long pid)
{
    long long limit = prod_read_limit(pid, "Max open files");
    enum finding_status status = limit == -2 || limit >= PROD_FDS_WANTED ? FINDING_OK
                                 : limit >= PROD_FDS_MIN || limit < 0    ? FINDING_WARNING
                                                                         : FINDING_FAILURE;
    doctor_add(doctor, "descriptors", status, "LimitNOFILE=65536 in the unit, or ulimit -n 65536 before the start",
               limit < 0 ? "the agent's limit of descriptors: %s" : "the agent may have %s descriptors",
               limit == -2   ? "unlimited"
               : limit == -1 ? "not seen"
                             : text_format("%lld", limit));
    doctor_explain(doctor, "a call takes two, a stream holds them for minutes; without one, accepting pauses");
}

static void prod_check_core(struct doctor *doctor, long long pid)
{
    long long limit = prod_read_limit(pid, "Max core file size");
    doctor_add(doctor, "core dumps",
               limit == 0    ? FINDING_OK
               : limit == -1 ? FINDING_WARNING
                             : FINDING_FAILURE,
               "LimitCORE=0 in the unit; tollgate restart --env prod", "%s",
               limit == 0    ? "the agent dumps no core"
               : limit == -1 ? "the agent's limits cannot be seen"
                             : "the agent may dump core");
    doctor_explain(doctor, "a core holds keys and prompts");
}

/* As the agent's own word on it is: a member "hardening", {"missing": what is not in force}. */
static void prod_check_hardening(struct doctor *doctor)
{
    const json_t *hardening = json_object_get(doctor->hello, "hardening");
    const char *missing = json_is_object(hardening) ? api_text(hardening, "missing", "") : NULL;
    doctor_add(doctor, "hardening in force", missing && !*missing ? FINDING_OK : FINDING_WARNING,
               "agent: {hardening: …} in the policy, a newer kernel, or a newer agent", "%s%s",
               !missing   ? "the agent does not say"
               : *missing ? "missing: "
                          : "the agent has given up what it does not need",
               missing ? missing : "");
    doctor_explain(doctor, "who takes over a parser must find nothing to go on with");
}

void doctor_check_prod_process(struct doctor *doctor)
{
    long long pid = api_integer(doctor->hello, "pid", 0);
    if (pid <= 0) {
        doctor_add(doctor, "agent's process", FINDING_WARNING, "start prod's agent, and ask again",
                   "no agent answers: its limits, its hardening and its policy were not looked at");
        doctor_explain(doctor, "they are what it has, not what files say");
        return;
    }
    prod_check_files_limit(doctor, pid);
    prod_check_core(doctor, pid);
    prod_check_hardening(doctor);
}
