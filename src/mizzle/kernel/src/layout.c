/* What Python checks before it trusts this library: its version, and how it lays out the structures they share. */
#include "compare.h"
#include "detect.h"
#include "predict.h"
#include "single.h"
#include "stack.h"

#include <string.h>

MZ_EXPORT int mz_abi(void) { return MZ_ABI; }

/* Bytes of a structure by its name, or -1. */
MZ_EXPORT int64_t mz_size_of(const char *name)
{
#define MZ_SIZE(type) {#type, (int64_t)sizeof(type)}
    static const struct {
        const char *name;
        int64_t size;
    } known[] = {MZ_SIZE(mz_map),  MZ_SIZE(mz_job),    MZ_SIZE(mz_source),  MZ_SIZE(mz_stack),   MZ_SIZE(mz_thresholds),
                 MZ_SIZE(mz_view), MZ_SIZE(mz_single), MZ_SIZE(mz_sampler), MZ_SIZE(mz_samples), MZ_SIZE(mz_star)};
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
        if (!strcmp(name, known[k].name))
            return known[k].size;
    return -1;
}
