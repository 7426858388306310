/* Masks that grow to all sides. The NumPy twin in pixels/ is the definition. */
#include "mizzle.h"

#include <stdlib.h>
#include <string.h>

/* Mark what lies within `radius` rows and columns of a mark (0 or 1). Returns 1 when the job makes no sense, 2 without
 * memory. */
MZ_EXPORT int mz_grown(const uint8_t *mask, int64_t ny, int64_t nx, int64_t radius, uint8_t *restrict out)
{
    if (ny < 1 || nx < 1 || radius < 0)
        return 1;
    radius = radius > ny + nx ? ny + nx : radius;
    uint8_t *room = calloc((size_t)(nx + 2 * radius), 1);
    if (!room)
        return 2;
    uint8_t *restrict row = room + radius;
    for (int64_t j = 0; j < ny; j++) {
        uint8_t *restrict to = out + j * nx;
        memset(row, 0, (size_t)nx);
        for (int64_t y = j > radius ? j - radius : 0; y <= j + radius && y < ny; y++)
            for (int64_t i = 0; i < nx; i++)
                row[i] |= mask[y * nx + i];
        memcpy(to, row, (size_t)nx);
        for (int64_t step = -radius; step <= radius; step++)
            for (int64_t i = 0; i < nx; i++)
                to[i] |= row[i + step];
    }
    free(room);
    return 0;
}
