/* SPDX-License-Identifier: Apache-2.0 */
/* base/zone: any file; of one that is accepted, local time goes forward as the contract says. */
#include "fuzz.h"

#include "base/zone.h"
#include "base/zone_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t instants[] = {-400000000000, -5000000000, -1,         0,           1,
                                       951782400,     1700000000,  4102444800, 32503680000, 400000000000};
    struct arena *arena = arena_new(1024);
    const struct zone *zone = zone_parse(arena, fuzz_slice(data, size));
    for (size_t i = 0; zone && i < sizeof instants / sizeof *instants; i++) {
        int32_t offset = zone_offset_at(zone, instants[i]);
        FUZZ_REQUIRE(offset >= ZONE_OFFSET_MIN && offset <= ZONE_OFFSET_MAX, "%d", offset);
        int64_t local = instants[i] + offset, instant = zone_instant_of(zone, local);
        FUZZ_REQUIRE(instant <= instants[i], "%lld is before %lld", (long long)instants[i], (long long)instant);
        FUZZ_REQUIRE(instant + zone_offset_at(zone, instant) >= local, "local time of %lld", (long long)instant);
    }
    arena_free(arena);
    return 0;
}
