/* Where a chip must be read off the reference to be judged: only few of its pixels stand high enough to be anything but sky.
 *
 * `mz_bounds` gives, once for an image, the least and the greatest value that any reading within each of its cells (from
 * one pixel's center to the next) can have; `mz_plan` finds the pixels of a chip that could be flagged, suspect or bright,
 * and everything that their judgment looks at. The NumPy twin reads all pixels: the verdicts are the same. */
#include "compare.h"

#include <stdlib.h>
#include <string.h>

#define MZ_CHUNK 64
#define MZ_SPARE 8
/* Bits of a plan: may be a seed or suspect; may be a neighbor; its light is asked for. */
enum { MZ_MAYBE = 1, MZ_BESIDE = 2, MZ_ASKED = 4 };
/* What 32 bits may lose, with room to spare: of a bound, and of a pixel's excess. */
#define MZ_SLACK_BOUND 1e-4f
#define MZ_SLACK 1e-5f

/* Working memory: cells of two rows of readings (whole chunks), three rows of their bounds, and two planes of flags. */
typedef struct {
    int32_t *cells[2];
    float *rows;
    uint8_t *flags, *light;
} mz_room;

/* How much the points beside a reading's cell weigh at most, by interpolation: the nearest ones count negative, those
 * beyond positive, and the cell's own two lie between 0 and 1 whatever the place within. */
static const float mz_overshoot[5][2] = {{0.0f, 0.0f}, {0.0f, 0.0f}, {0.0642f, 0.0f}, {0.1002f, 0.0119f}, {0.1481f, 0.0314f}};

MZ_INLINE float mz_positive(float a) { return a > 0.0f ? a : 0.0f; }

/* Bound from below (sign 1), or the negative of one from above (sign -1), of a reading between the points 0 and `step`. Each
 * point is known to lie between `low` and `high`; where one is not known at all, the bound is no number. */
MZ_INLINE float mz_bound(const float *low, const float *high, int64_t step, float sign, const float *overshoot)
{
    const float *mine = sign > 0.0f ? low : high, *other = sign > 0.0f ? high : low;
    const float a = sign * mine[0], b = sign * mine[step], base = a < b ? a : b;
    const float c = sign * other[-step], d = sign * other[2 * step], e = sign * mine[-2 * step], f = sign * mine[3 * step];
    const float sum = ((a + b) + (c + d)) + (e + f), near = mz_positive(c - base) + mz_positive(d - base);
    const float far = mz_positive(base - e) + mz_positive(base - f);
    return base - overshoot[0] * near - overshoot[1] * far + (sum - sum);
}

/* Two bounds in 32 bits: the upper halves of floats, the lower bound rounded down and the upper one up. */
#define MZ_NO_BOUNDS 0x7f80ff80u
MZ_INLINE uint32_t mz_pack(float low, float high)
{
    uint32_t a, b;
    memcpy(&a, &low, sizeof a);
    memcpy(&b, &high, sizeof b);
    a += a >> 31 ? 0xffffu : 0u; /* a negative number falls as its magnitude grows */
    b += b >> 31 ? 0u : 0xffffu;
    return a >> 16 | (b & 0xffff0000u);
}

MZ_INLINE void mz_fetch(const void *place)
{
#if defined(__GNUC__)
    __builtin_prefetch(place);
#else
    (void)place;
#endif
}

/* Is there nothing to be read at (x, y)? The same as in blot.c. */
static uint8_t mz_lost(const mz_view *v, double x, double y)
{
    if (!(fabs(x) < MZ_FAR) || !(fabs(y) < MZ_FAR))
        return 1;
    const int64_t i = (int64_t)floor(x + 0.5), j = (int64_t)floor(y + 0.5);
    return i < 0 || j < 0 || i >= v->nx || j >= v->ny || isnan(v->image[j * v->nx + i]);
}

/* From where the image is not known (`skip` 1) to what is to be skipped. */
static void mz_skip(const mz_thresholds *q, const uint8_t *restrict bad, int64_t rim, uint8_t unsure, uint8_t *restrict skip,
                    uint8_t *restrict known)
{
    const int64_t ny = q->ny, nx = q->nx;
    memset(known, 1, (size_t)(ny * nx));
    for (int64_t j = 0; j < ny; j++) {
        const uint8_t *row = skip + j * nx, *end = row + nx;
        const int64_t low = j > rim ? j - rim : 0, high = j + rim < ny ? j + rim : ny - 1;
        for (const uint8_t *at = row; (at = memchr(at, 1, (size_t)(end - at))) != NULL; at++) {
            const int64_t i = at - row, left = i > rim ? i - rim : 0, right = i + rim < nx ? i + rim : nx - 1;
            for (int64_t r = low; r <= high; r++)
                memset(known + r * nx + left, 0, (size_t)(right - left + 1));
        }
    }
    for (int64_t k = 0; k < ny * nx; k++) {
        const uint8_t never = (skip[k] | bad[k]) != 0, rest = (uint8_t)((known[k] ^ 1) * unsure);
        skip[k] = never ? 1 : rest;
    }
}

#define MZ_BODY "compare_body.h"
#include "every_set.h"

/* Bounds of the cells row0 .. row1 - 1 of an image: `out` (ny, nx) gets the least (lower half) and the greatest value
 * that can be read from x to x + 1, y to y + 1. Returns 2 without memory. */
MZ_EXPORT int mz_bounds(const float *image, int64_t ny, int64_t nx, int64_t interp, int64_t row0, int64_t row1,
                        uint32_t *out)
{
    if (ny < 1 || nx < 1 || row0 < 0 || row0 > row1 || row1 > ny || interp < 0 || interp > MZ_BLOT_LANCZOS3)
        return 1;
    float *room = malloc((size_t)(row1 - row0 + 5) * (size_t)nx * 2 * sizeof(float));
    if (!room)
        return 2;
    MZ_BEST(mz_level(-1), bounds(image, ny, nx, mz_overshoot[interp], row0, row1, room, out))
    free(room);
    return 0;
}

/* Where an image must be read (`wanted`) so that a chip can be judged; what the judgment is to skip (1 bad or beyond the
 * image, `unsure` within `rim` pixels of that end); and where the image is `known`, the rim left out. */
MZ_EXPORT int mz_plan(const mz_thresholds *q, const mz_map *map, const mz_view *view, int64_t rim, int64_t unsure, uint8_t *skip,
                      uint8_t *known, uint8_t *wanted)
{
    if (!mz_map_is_sound(map) || map->ny != q->ny || map->nx != q->nx || view->ny < 1 || view->nx < 1 || rim < 0 ||
        view->ny > INT32_MAX / view->nx)
        return 1;
    const size_t count = (size_t)q->ny * (size_t)q->nx, wide = ((size_t)q->nx + MZ_CHUNK - 1) / MZ_CHUNK * MZ_CHUNK;
    float *rows = malloc((size_t)q->nx * 6 * sizeof(float));
    int32_t *cells = malloc(wide * 2 * sizeof(int32_t));
    uint8_t *planes = malloc(count * 2);
    const int status = rows && cells && planes ? 0 : 2;
    if (!status) {
        const mz_room room = {{cells, cells + wide}, rows, planes, planes + count};
        MZ_BEST(mz_level(-1), plan(q, map, view, &room, skip, wanted))
        mz_skip(q, view->bad, rim, (uint8_t)unsure, skip, known);
    }
    free(rows);
    free(cells);
    free(planes);
    return status;
}
