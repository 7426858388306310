/* Cosmic rays: stacks to a reference, and a chip against it. The NumPy twins in stack/ and compare/ are the definition. */
#include "compare.h"
#include "stack.h"

#include <stdlib.h>
#include <string.h>

enum { MZ_CLIPPED = 0, MZ_MINMED = 1, MZ_MEDIAN = 2, MZ_MEAN = 3 };

/* So many values of a pixel make up for one that is too low: PER_LOW of the NumPy twin. */
enum { MZ_PER_LOW = 6 };

#define MZ_BODY "rays_body.h"
#include "every_set.h"

/* Reduce pixels 0 .. count - 1. Returns 1 when the job makes no sense, 2 without memory. */
MZ_EXPORT int mz_reduce_stack(const mz_stack *s, int64_t count, float *out)
{
    if (s->n < 1 || count < 0 || s->nlow < 0 || s->nhigh < 0)
        return 1;
    float *room = malloc((size_t)s->n * 64 * sizeof(float));
    if (!room)
        return 2;
    const int level = mz_level(-1);
    for (int64_t at = 0; at < count; at += 64) {
        const int size = count - at < 64 ? (int)(count - at) : 64;
        MZ_BEST(level, reduce_block(s, at, size, room, out))
    }
    free(room);
    return 0;
}

/* Flag a chip: the sharpened expectation to `light`, what each pixel exceeds to `marks`, the answer to `out`. */
MZ_EXPORT int mz_flag_rays(const mz_thresholds *q, const float *sci, const uint8_t *bad, const float *expected, float *light,
                            uint8_t *marks, uint8_t *out)
{
    if (q->ny < 1 || q->nx < 1)
        return 1;
    const int level = mz_level(-1);
    MZ_BEST(level, sharpen(q, expected, light))
    MZ_BEST(level, mark(q, sci, bad, expected, light, marks))
    MZ_BEST(level, join(q, marks, out))
    return 0;
}

/* Means of cells of two lanes, weighted value and weight; not a number below `least` weight. The cells are left empty: they
 * are at hand now, and serve the next exposure. */
MZ_EXPORT int mz_means(double *cells, int64_t count, double least, float *out)
{
    for (int64_t k = 0; k < count; k++) {
        const double weight = cells[2 * k + 1], mean = cells[2 * k] / weight;
        out[k] = weight >= least ? (float)mean : NAN;
        cells[2 * k] = cells[2 * k + 1] = 0.0;
    }
    return 0;
}

/* How many of some values are not a number. */
static int64_t unknown(const float *v, int64_t n)
{
    int32_t count = 0;
    for (int64_t k = 0; k < n; k++)
        count += v[k] != v[k];
    return count;
}

/* A hole and what fills it. */
typedef struct {
    int64_t at;
    float value;
} mz_hole;

/* The greatest of a hole's neighbors to `value`; 0 where fewer than five are known. */
static int filling(const float *image, int64_t nx, int64_t at, float *value)
{
    int known = 0;
    *value = -INFINITY;
    for (int64_t row = at - nx; row <= at + nx; row += nx)
        for (int64_t k = row - 1; k <= row + 1; k++) {
            known += !isnan(image[k]);
            *value = image[k] > *value ? image[k] : *value;
        }
    return known >= 5;
}

/* Holes of columns first .. stop - 1 of row j to the list, which has room for all. Most pieces have none, or only such. */
static int64_t find_holes(const float *image, int64_t nx, int64_t j, int64_t first, int64_t stop, mz_hole *list)
{
    const float *row = image + j * nx;
    const int64_t size = stop - first, missing = unknown(row + first, size);
    int64_t held = 0;
    if (!missing)
        return 0;
    if (missing == size) {
        const int64_t wide = size + 2;
        if (unknown(row - nx + first - 1, wide) + unknown(row + first - 1, wide) + unknown(row + nx + first - 1, wide) == 3 * wide)
            return 0;
    }
    for (int64_t i = first; i < stop; i++) {
        float value;
        if (isnan(row[i]) && filling(image, nx, j * nx + i, &value))
            list[held++] = (mz_hole){j * nx + i, value};
    }
    return held;
}

/* Holes of an image (not a number) with five known neighbors at least become the greatest of them; rows row0 .. row1 - 1.
 * `out` may be the image itself. Returns 1 when the job makes no sense, 2 without memory. */
MZ_EXPORT int mz_fill_holes(const float *image, int64_t ny, int64_t nx, int64_t row0, int64_t row1, float *out)
{
    if (ny < 1 || nx < 1 || row0 < 0 || row1 > ny)
        return 1;
    int64_t held = 0, room = 1024;
    mz_hole *list = malloc((size_t)room * sizeof *list);
    for (int64_t j = row0 > 1 ? row0 : 1; list && j < row1 && j < ny - 1; j++)
        for (int64_t i = 1; list && i < nx - 1; i += 64) {
            if (held + 64 > room) {
                mz_hole *more = realloc(list, (size_t)(room *= 2) * sizeof *list);
                if (!more)
                    free(list);
                list = more;
            }
            if (list)
                held += find_holes(image, nx, j, i, i + 64 < nx - 1 ? i + 64 : nx - 1, list + held);
        }
    if (!list)
        return 2;
    if (out != image && row1 > row0)
        memcpy(out + row0 * nx, image + row0 * nx, (size_t)((row1 - row0) * nx) * sizeof *out);
    for (int64_t k = 0; k < held; k++)
        out[list[k].at] = list[k].value;
    free(list);
    return 0;
}
