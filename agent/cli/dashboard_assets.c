/* SPDX-License-Identifier: Apache-2.0 */
/* The page's files inside the program: gzipped by the Makefile, taken in by the assembler. Called by dashboard_route.c.
 */
#include "cli/dashboard.h"

#include <string.h>

#define ASSET(symbol, file, type)                                                                                      \
    __asm__(".pushsection .rodata\n"                                                                                   \
            "dashboard_" #symbol ": .incbin \"" file ".gz\"\n"                                                         \
            "dashboard_" #symbol "_end: .byte 0\n"                                                                     \
            ".popsection\n");                                                                                          \
    extern const unsigned char dashboard_##symbol[], dashboard_##symbol##_end[];
#include "cli/dashboard_assets.def"
#undef ASSET

static const struct dashboard_asset assets[] = {
#define ASSET(symbol, file, type) {file, type, dashboard_##symbol, dashboard_##symbol##_end},
#include "cli/dashboard_assets.def"
#undef ASSET
};

const struct dashboard_asset *dashboard_find_asset(const char *name)
{
    for (size_t i = 0; i < sizeof assets / sizeof *assets; i++)
        if (strcmp(assets[i].name, *name ? name : "index.html") == 0)
            return &assets[i];
    return NULL;
}
