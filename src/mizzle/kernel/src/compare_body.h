/* Plans: the loops, included once per instruction set. */

#include "map_body.h"

static void MZ(bounds)(const float *image, int64_t ny, int64_t nx, const float *overshoot, int64_t row0, int64_t row1,
                       float *restrict room, uint32_t *restrict out)
{
    const int64_t first = row0 - 2, count = row1 - row0 + 5;
    float *low = room, *high = room + count * nx;
    for (int64_t k = 0; k < count; k++) { /* along x: bounds of each row between its points */
        float *restrict l = low + k * nx, *restrict h = high + k * nx;
        const float *row = image + (first + k) * nx;
        const int there = first + k >= 0 && first + k < ny;
        for (int64_t i = 0; i < nx; i++) {
            l[i] = NAN;
            h[i] = NAN;
        }
        const int64_t end = there ? nx - 3 : 0;
        for (int64_t i = 2; i < end; i++) {
            l[i] = mz_bound(row + i, row + i, 1, 1.0f, overshoot);
            h[i] = -mz_bound(row + i, row + i, 1, -1.0f, overshoot);
        }
    }
    for (int64_t j = row0; j < row1; j++) { /* along y: bounds between rows */
        const float *l = low + (j - first) * nx, *h = high + (j - first) * nx;
        uint32_t *restrict to = out + j * nx;
        for (int64_t i = 0; i < nx; i++) {
            const float least = mz_bound(l + i, h + i, nx, 1.0f, overshoot);
            const float most = -mz_bound(l + i, h + i, nx, -1.0f, overshoot);
            const float slack = MZ_SLACK_BOUND * (fabsf(least) + fabsf(most));
            const uint32_t pair = mz_pack(least - slack, most + slack);
            to[i] = slack - slack == 0.0f ? pair : MZ_NO_BOUNDS;
        }
    }
}

/* Places i0 .. i0 + MZ_CHUNK - 1 of row j on the image. */
MZ_INLINE void MZ(places)(const mz_map *map, const MZ(line) *line, int64_t j, int64_t i0, double *restrict x, double *restrict y)
{
    if (map->pixmap)
        MZ(centers)(map, j, i0, x, y);
    else
        MZ(along)(map, line, (double)i0, x, y, MZ_CHUNK);
    for (int k = 0; k < MZ_CHUNK; k++) {
        x[k] -= 0.5;
        y[k] -= 0.5;
    }
}

/* In which cells the readings of row j fall (negative: in none). These are asked for early: a chip lies across the rows of the
 * image, and a row later they are there. */
static void MZ(locate)(const mz_map *map, const mz_view *v, int64_t j, int32_t *cells)
{
    double x[MZ_CHUNK], y[MZ_CHUNK];
    const double wide = (double)v->nx, tall = (double)v->ny;
    const int32_t stride = (int32_t)v->nx;
    MZ(line) line;
    if (!map->pixmap)
        MZ(collapse)(map, MZ(row_position)(map, j, 0.5), &line);
    for (int64_t i0 = 0; i0 < map->nx; i0 += MZ_CHUNK) {
        int32_t *restrict cell = cells + i0;
        MZ(places)(map, &line, j, i0, x, y);
        for (int k = 0; k < MZ_CHUNK; k++) {
            const int inside = (x[k] >= 0.0) & (y[k] >= 0.0) & (x[k] < wide) & (y[k] < tall);
            const int32_t a = (int32_t)(inside ? x[k] : 0.0), b = (int32_t)(inside ? y[k] : 0.0);
            cell[k] = (b * stride + a) | (inside - 1);
        }
        for (int k = 0; k < MZ_CHUNK; k++)
            mz_fetch(v->bounds + (cell[k] < 0 ? 0 : cell[k]));
    }
}

/* Mark where there is nothing to be read, among `count` pixels of row j from i0 on. */
static void MZ(lost)(const mz_map *map, const mz_view *v, int64_t j, int64_t i0, int count, const uint32_t *pair, uint8_t *unknown)
{
    double x[MZ_CHUNK], y[MZ_CHUNK];
    MZ(line) line;
    if (!map->pixmap)
        MZ(collapse)(map, MZ(row_position)(map, j, 0.5), &line);
    MZ(places)(map, &line, j, i0, x, y);
    for (int k = 0; k < count; k++)
        unknown[k] = pair[k] == MZ_NO_BOUNDS && mz_lost(v, x[k], y[k]);
}

/* Bounds of the readings of row j, and whether there is nothing to be read. */
static void MZ(look)(const mz_map *map, const mz_view *v, int64_t j, const int32_t *cells, float *restrict low,
                     float *restrict high, uint8_t *restrict unknown)
{
    const int64_t nx = map->nx;
    const uint32_t *bounds = v->bounds;
    for (int64_t i0 = 0; i0 < nx; i0 += MZ_CHUNK) {
        const int32_t *cell = cells + i0;
        const int count = nx - i0 < MZ_CHUNK ? (int)(nx - i0) : MZ_CHUNK;
        uint32_t pair[MZ_CHUNK];
        for (int k = 0; k < MZ_CHUNK; k++)
            pair[k] = cell[k] < 0 ? MZ_NO_BOUNDS : bounds[cell[k]];
        int lost = 0;
        for (int k = 0; k < count; k++) {
            const uint32_t a = pair[k] << 16, b = pair[k] & 0xffff0000u;
            memcpy(low + i0 + k, &a, sizeof a);
            memcpy(high + i0 + k, &b, sizeof b);
            lost |= pair[k] == MZ_NO_BOUNDS;
        }
        memset(unknown + i0, 0, (size_t)count);
        if (lost)
            MZ(lost)(map, v, j, i0, count, pair, unknown + i0);
    }
}

/* Bits of a pixel that reads between `low` and `high` and its neighbors in sum between `around_low` and `around_high`. */
MZ_INLINE uint8_t MZ(chance)(const mz_thresholds *q, float probe_level, float dn, float low, float high, float around_low,
                             float around_high, int skip, int blind, int extra)
{
    const float less = 4.0f * low - around_high, more = 4.0f * high - around_low;
    const float least = q->rate * (low + (less < 0.0f ? q->wing * less : 0.0f));
    const float most = q->rate * (high + (more > 0.0f ? q->peak * more : 0.0f));
    const float light = least + q->sky > 0.0f ? least + q->sky : 0.0f, sigma = sqrtf(light + q->floor);
    const float slack = MZ_SLACK * (fabsf(dn * q->gain) + fabsf(q->sky) + fabsf(least));
    const float excess = dn * q->gain - q->sky - least + slack;
    /* What is not a number is never shown to be harmless. */
    const int maybe = !(excess <= q->seed_sigma * sigma), beside = !(excess <= q->near_sigma * sigma);
    const int glows = !(most <= probe_level), above = !(excess <= 0.0f), lit = blind ? 0 : glows | (extra & above);
    return (uint8_t)((maybe & !skip) | (beside & !skip) << 1 | lit << 2);
}

/* What each pixel of row j may be, from the bounds of its readings and of those in the rows beside. */
static void MZ(row_chances)(const mz_thresholds *job, const mz_view *v, int64_t j, const float *rows[3][2], const uint8_t *unknown,
                            uint8_t *restrict flags)
{
    const mz_thresholds q = *job;
    const int64_t last = q.nx - 1;
    const float probe_level = v->probe_level;
    const float *dn = v->sci + j * q.nx, *l = rows[1][0], *h = rows[1][1];
    const float *lb = rows[0][0], *hb = rows[0][1], *la = rows[2][0], *ha = rows[2][1];
    const uint8_t *bad = v->bad + j * q.nx, *extra = v->extra ? v->extra + j * q.nx : NULL;
    for (int64_t i = 1; i < last; i++)
        flags[i] = MZ(chance)(&q, probe_level, dn[i], l[i], h[i], lb[i] + la[i] + (l[i - 1] + l[i + 1]),
                              hb[i] + ha[i] + (h[i - 1] + h[i + 1]), bad[i] | unknown[i], unknown[i], 0);
    for (int64_t i = 1; extra && i < last; i++)
        if (extra[i])
            flags[i] |= MZ(chance)(&q, probe_level, dn[i], l[i], h[i], lb[i] + la[i] + (l[i - 1] + l[i + 1]),
                                   hb[i] + ha[i] + (h[i - 1] + h[i + 1]), bad[i] | unknown[i], unknown[i], 1);
    for (int64_t side = 0; side < 2; side++) { /* the edge is its own neighbor */
        const int64_t i = side ? last : 0, left = i > 0 ? i - 1 : 0, right = i < last ? i + 1 : last;
        flags[i] = MZ(chance)(&q, probe_level, dn[i], l[i], h[i], lb[i] + la[i] + (l[left] + l[right]),
                              hb[i] + ha[i] + (h[left] + h[right]), bad[i] | unknown[i], unknown[i], extra && extra[i]);
    }
}

/* One step from flags to what must be read: `box` holds the bits of the eight pixels around, `cross` those of the four. */
MZ_INLINE uint8_t MZ(step)(const int kind, uint8_t here, uint8_t cross, uint8_t box)
{
    if (kind == 0) /* what may be beside a seed is judged; the light around what may be one, and what is asked for, is told */
        return (uint8_t)((here >> 1 & (here | cross | box) & 1) | (((here | cross | box) & (MZ_MAYBE | MZ_ASKED)) != 0) << 1);
    if (kind == 1) /* a judgment looks at the light of its neighbors */
        return (uint8_t)((here | here >> 1 | cross) & 1);
    return here | cross; /* and sharpening at the neighbors of that */
}

MZ_INLINE void MZ(spread)(const int kind, int64_t ny, int64_t nx, const uint8_t *from, uint8_t *restrict to)
{
    for (int64_t j = 0; j < ny; j++) {
        const uint8_t *here = from + j * nx, *below = j > 0 ? here - nx : here, *above = j < ny - 1 ? here + nx : here;
        uint8_t *restrict out = to + j * nx;
        for (int64_t i = 1; i < nx - 1; i++)
            out[i] = MZ(step)(kind, here[i], (uint8_t)(here[i - 1] | here[i + 1] | below[i] | above[i]),
                              (uint8_t)(below[i - 1] | below[i + 1] | above[i - 1] | above[i + 1]));
        for (int64_t side = 0; side < 2; side++) {
            const int64_t i = side ? nx - 1 : 0, left = i > 0 ? i - 1 : 0, right = i < nx - 1 ? i + 1 : nx - 1;
            out[i] = MZ(step)(kind, here[i], (uint8_t)(here[left] | here[right] | below[i] | above[i]),
                              (uint8_t)(below[left] | below[right] | above[left] | above[right]));
        }
    }
}

static void MZ(plan)(const mz_thresholds *q, const mz_map *map, const mz_view *v, const mz_room *room, uint8_t *restrict unknown,
                     uint8_t *restrict wanted)
{
    const int64_t ny = q->ny, nx = q->nx;
    float *rows[3][2];
    for (int k = 0; k < 3; k++)
        for (int side = 0; side < 2; side++)
            rows[k][side] = room->rows + (2 * k + side) * nx;
    MZ(locate)(map, v, 0, room->cells[0]);
    MZ(locate)(map, v, ny > 1, room->cells[1]);
    MZ(look)(map, v, 0, room->cells[0], rows[0][0], rows[0][1], unknown);
    for (int64_t j = 0; j < ny; j++) {
        const int64_t below = j > 0 ? j - 1 : j, above = j < ny - 1 ? j + 1 : j;
        if (above < ny - 1)
            MZ(locate)(map, v, above + 1, room->cells[(above + 1) % 2]);
        if (above > j)
            MZ(look)(map, v, above, room->cells[above % 2], rows[above % 3][0], rows[above % 3][1], unknown + above * nx);
        const float *three[3][2] = {{rows[below % 3][0], rows[below % 3][1]},
                                    {rows[j % 3][0], rows[j % 3][1]},
                                    {rows[above % 3][0], rows[above % 3][1]}};
        MZ(row_chances)(q, v, j, three, unknown + j * nx, room->flags + j * nx);
    }
    MZ(spread)(0, ny, nx, room->flags, room->light);
    MZ(spread)(1, ny, nx, room->light, room->flags);
    MZ(spread)(2, ny, nx, room->flags, wanted);
}
