/* SPDX-License-Identifier: Apache-2.0 */
/* Which swap areas the doctor calls plain: made-up machines, each a tree of /proc and /sys. */
#include "tests/unit/suite.h"

#include "base/check.h"
#include "cli/swap.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char root[64];

static void make(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        check(mkdir(path, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
    FILE *file = fopen(path, "we");
    check(file && fputs(text, file) >= 0);
    fclose(file);
}

static void begin(const char *swaps)
{
    char text[1024];
    snprintf(root, sizeof root, "/tmp/test-swap-XXXXXX");
    check(mkdtemp(root) != NULL);
    snprintf(text, sizeof text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n%s", swaps);
    make("/proc/swaps", text);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    check(system(command) == 0);
}

TEST(areas_by_what_is_below_them)
{
    static const struct row {
        const char *what, *area, *files[6][2];
        int plain;
    } rows[] = {
        {"none", "", {{0}}, 0},
        {"a partition", "/dev/sda2 partition 1 0 -2\n", {{"/sys/class/block/sda2/partition", "2\n"}}, 1},
        {"a partition that /sys does not know", "/dev/sdz9 partition 1 0 -2\n", {{0}}, 1},
        {"compressed memory", "/dev/zram0 partition 1 0 100\n", {{0}}, 0},
        {"dm-crypt", "/dev/dm-0 partition 1 0 -2\n", {{"/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-00-swap\n"}}, 0},
        {"a key of each boot's own",
         "/dev/dm-0 partition 1 0 -2\n",
         {{"/sys/class/block/dm-0/dm/uuid", "CRYPT-PLAIN-swap\n"}},
         0},
        {"LVM",
         "/dev/dm-1 partition 1 0 -2\n",
         {{"/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"},
          {"/sys/class/block/dm-1/slaves/sda3", ""},
          {"/sys/class/block/sda3/partition", "3\n"}},
         1},
        {"LVM on dm-crypt",
         "/dev/dm-1 partition 1 0 -2\n",
         {{"/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"},
          {"/sys/class/block/dm-1/slaves/dm-0", ""},
          {"/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS1-0\n"}},
         0},
        {"LVM on one disk that is and one that is not",
         "/dev/dm-1 partition 1 0 -2\n",
         {{"/sys/class/block/dm-1/dm/uuid", "LVM-abc\n"},
          {"/sys/class/block/dm-1/slaves/dm-0", ""},
          {"/sys/class/block/dm-1/slaves/sdb", ""},
          {"/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS1-0\n"},
          {"/sys/class/block/sdb/size", "1\n"}},
         1},
        {"RAID on dm-crypt",
         "/dev/md0 partition 1 0 -2\n",
         {{"/sys/class/block/md0/slaves/dm-0", ""}, {"/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS1-0\n"}},
         0},
        {"a device mapper of no uuid", "/dev/dm-0 partition 1 0 -2\n", {{"/sys/class/block/dm-0/dm/uuid", "\n"}}, 1},
        {"one with checksums alone",
         "/dev/dm-0 partition 1 0 -2\n",
         {{"/sys/class/block/dm-0/dm/uuid", "CRYPT-INTEGRITY-x\n"}},
         1},
        {"one below itself",
         "/dev/dm-0 partition 1 0 -2\n",
         {{"/sys/class/block/dm-0/dm/uuid", "LVM-x\n"}, {"/sys/class/block/dm-0/slaves/dm-0", ""}},
         1},
        {"two of three",
         "/dev/sda2 partition 1 0 -2\n/dev/dm-0 partition 1 0 -3\n/dev/sdb2 partition 1 0 -4\n",
         {{"/sys/class/block/dm-0/dm/uuid", "CRYPT-LUKS2-00-swap\n"}},
         2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char first[SWAP_PATH_BYTES];
        begin(rows[i].area);
        for (unsigned j = 0; j < 6 && rows[i].files[j][0]; j++)
            make(rows[i].files[j][0], rows[i].files[j][1]);
        int plain = swap_count_plain(root, first);
        EXPECT(plain == rows[i].plain, "%s: %d", rows[i].what, plain);
        EXPECT((plain == 0) == (first[0] == '\0'), "%s: the first is %s", rows[i].what, first);
        end();
    }
}

/* By the device that the file's system is on. */
TEST(swap_files)
{
    char first[SWAP_PATH_BYTES], name[128];
    struct stat facts;
    begin("/swap\\040file file 1 0 -2\n");
    make("/swap file", "");
    EXPECT_INTEGER(swap_count_plain(root, first), 1);
    EXPECT_STRING(first, "/swap file");
    check(stat(root, &facts) == 0);
    snprintf(name, sizeof name, "/sys/dev/block/%u:%u/dm/uuid", major(facts.st_dev), minor(facts.st_dev));
    make(name, "CRYPT-LUKS2-0-root\n");
    EXPECT_INTEGER(swap_count_plain(root, first), 0);
    end();
}

TEST(a_kernel_that_does_not_say)
{
    char first[SWAP_PATH_BYTES];
    EXPECT_INTEGER(swap_count_plain("/nonexistent", first), -1);
}
