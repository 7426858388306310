/* Pixels sharper than the optics allow: L.A.Cosmic. The NumPy twin in single/ is the definition. */
#include "single.h"

#include <stdlib.h>
#include <string.h>

#define MZ_BODY "laplacian_body.h"
#include "every_set.h"

/* Find the sharp pixels of a chip whose outermost pixels are `bad`. `electrons`, `bad`, `out` (ny, nx); no bad pixel
 * is sharp. Returns 1 when the job makes no sense, 2 without memory. */
MZ_EXPORT int mz_find_sharp(const float *electrons, const uint8_t *bad, int64_t ny, int64_t nx, float floor,
                            float sigma, float near_sigma, float contrast, uint8_t *out, int level)
{
    if (ny < 1 || nx < 1)
        return 1;
    const size_t size = (size_t)(ny * nx);
    float *room = malloc(5 * size * sizeof *room);
    if (!room)
        return 2;
    const mz_limits limits = {floor, sigma, near_sigma, contrast};
    level = mz_level(level);
    MZ_BEST(level, find_sharp(electrons, bad, ny, nx, &limits, room, out))
    free(room);
    return 0;
}
