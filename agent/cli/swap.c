/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See swap.h: /proc/swaps (proc(5)), and for each area what its block device is made of, by /sys. The device mapper's
 * name says nothing (LVM has it, too): its uuid begins with who made the table, and dm-crypt's may be below another.
 */
#include "cli/swap.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { DEPTH_MAX = 8, TYPE_BYTES = 16, UUID_BYTES = 160 };

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* cryptsetup's uuids: CRYPT-LUKS2-…, CRYPT-PLAIN-…; but what it makes of dm-verity and dm-integrity hides nothing. */
static bool is_crypt(const char *device)
{
    static const char *const readable[] = {"CRYPT-VERITY-", "CRYPT-INTEGRITY-", "CRYPT-SUBDEV-"};
    char path[SWAP_PATH_BYTES], uuid[UUID_BYTES] = "";
    if (snprintf(path, sizeof path, "%s/dm/uuid", device) >= (int)sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    bool is_read = file && fgets(uuid, sizeof uuid, file);
    if (file)
        fclose(file);
    for (size_t i = 0; is_read && i < sizeof readable / sizeof *readable; i++)
        is_read = !starts_with(uuid, readable[i]);
    return is_read && starts_with(uuid, "CRYPT-");
}

/* Of a directory of /sys: dm-crypt itself, or all that it lies on. */
static bool is_encrypted(const char *root, const char *device, unsigned depth)
{
    char path[SWAP_PATH_BYTES];
    if (is_crypt(device))
        return true;
    DIR *entries = snprintf(path, sizeof path, "%s/slaves", device) < (int)sizeof path ? opendir(path) : NULL;
    if (!entries)
        return false;
    bool is_so = depth < DEPTH_MAX;
    unsigned count = 0;
    for (const struct dirent *entry; is_so && (entry = readdir(entries)); count += entry->d_name[0] != '.')
        is_so = entry->d_name[0] == '.' ||
                (snprintf(path, sizeof path, "%s/sys/class/block/%s", root, entry->d_name) < (int)sizeof path &&
                 is_encrypted(root, path, depth + 1));
    closedir(entries);
    return is_so && count > 0;
}

/* The directory of /sys of a swap device, or of the file system that a swap file is on. */
static bool find_device(const char *root, const char *area, bool is_file, char ret_device[SWAP_PATH_BYTES])
{
    char path[SWAP_PATH_BYTES];
    struct stat facts;
    if (!is_file &&
        snprintf(ret_device, SWAP_PATH_BYTES, "%s/sys/class/block%s", root, strrchr(area, '/')) < SWAP_PATH_BYTES &&
        access(ret_device, F_OK) == 0)
        return true;
    if (snprintf(path, sizeof path, "%s%s", root, area) >= (int)sizeof path || stat(path, &facts) != 0)
        return false;
    const dev_t number = is_file ? facts.st_dev : facts.st_rdev;
    return snprintf(ret_device, SWAP_PATH_BYTES, "%s/sys/dev/block/%u:%u", root, major(number), minor(number)) <
           SWAP_PATH_BYTES;
}

/* The kernel writes space, tab, newline and backslash as \ooo (seq_path). */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && strspn(from + 1, "01234567") >= 3) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* Compressed memory is none of a disk. */
static bool is_plain(const char *root, const char *area, bool is_file)
{
    char device[SWAP_PATH_BYTES];
    return !starts_with(area, "/dev/zram") &&
           (!find_device(root, area, is_file, device) || !is_encrypted(root, device, 0));
}

int swap_count_plain(const char *root, char ret_first[SWAP_PATH_BYTES])
{
    char path[SWAP_PATH_BYTES], *line = NULL;
    size_t size = 0;
    int count = 0;
    ret_first[0] = '\0';
    FILE *file = snprintf(path, sizeof path, "%s/proc/swaps", root) < (int)sizeof path ? fopen(path, "re") : NULL;
    if (!file)
        return -1;
    while (getline(&line, &size, file) > 0) {
        char area[SWAP_PATH_BYTES], type[TYPE_BYTES];
        if (line[0] != '/' || sscanf(line, "%4095s %15s", area, type) != 2)
            continue; /* the head */
        unescape(area);
        if (is_plain(root, area, strcmp(type, "file") == 0) && count++ == 0)
            memcpy(ret_first, area, sizeof area);
    }
    free(line);
    fclose(file);
    return count;
}
