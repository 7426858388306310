/* Reading chips at the places of a frame's cells. The NumPy twin in resample/ is the definition. */
#include "mizzle.h"

#include <stdlib.h>
#include <string.h>

#define MZ_CHUNK 64
#define MZ_SPARE 8
#define MZ_NO_CENTERS
#define MZ_BELOW_ONE 0.9999999 /* still below one as a float */

#define MZ_BODY "resample_body.h"
#include "every_set.h"

/* Scale a chip, and frame it with one row or column of unknowns; bad pixels become unknown. */
MZ_EXPORT int mz_pad(const float *sci, const uint8_t *bad, int64_t ny, int64_t nx, double multiply, double subtract,
                     float *restrict out)
{
    const float m = (float)multiply, z = (float)subtract;
    const int64_t wide = nx + 2;
    for (int64_t i = 0; i < wide; i++)
        out[i] = out[(ny + 1) * wide + i] = NAN;
    for (int64_t j = 0; j < ny; j++) {
        float *row = out + (j + 1) * wide;
        row[0] = row[wide - 1] = NAN;
        for (int64_t i = 0; i < nx; i++)
            row[i + 1] = bad[j * nx + i] ? NAN : sci[j * nx + i] * m - z;
    }
    return 0;
}

static int usable(const mz_source *s, int64_t frame_nx)
{
    const mz_map *back = &s->back;
    return mz_map_is_sound(back) && !back->pixmap && !back->row_edges && s->ny >= 1 && s->nx >= 1 && s->ny < 1 << 14 &&
           s->nx < 1 << 14 && s->i0 >= 0 && s->i0 + back->nx <= frame_nx && s->shift && s->padded &&
           s->first >= 0 && s->held >= 1 && s->held <= s->ny - s->first;
}

/* Rows `top` .. `top + rows - 1` of a frame `nx` wide: the mean over chips of what is read at each cell's center; not
 * a number where the weights of known pixels sum to less than `least` (more than 0). */
MZ_EXPORT int mz_read_means(const mz_source *sources, int64_t n, int64_t top, int64_t rows, int64_t nx, double least,
                            float *out)
{
    if (rows < 0 || nx < 1)
        return 1;
    for (int64_t k = 0; k < n; k++)
        if (!usable(sources + k, nx))
            return 1;
    float *sum = malloc((size_t)nx * 2 * sizeof *sum);
    if (!sum)
        return 2;
    float *weight = sum + nx;
    const int level = mz_level(-1);
    for (int64_t j = 0; j < rows; j++) {
        MZ_BEST(level, read_row(sources, n, top + j, nx, (float)least, sum, weight, out + j * nx))
    }
    free(sum);
    return 0;
}
