/* Map, mask, weigh, share, add: one chip in one pass. Included once per instruction set.
 *
 * Chunks start at multiples of MZ_CHUNK whatever the band, and the arithmetic of a share never looks at the band: so
 * each cell gets the same numbers in the same order for any number of bands. */

typedef struct {
    double value[MZ_CHUNK], weight[MZ_CHUNK], variance[MZ_CHUNK];
    int any;
} MZ(pixels);

/* Values and weights of a chunk; weight 0 marks what must not be seen. */
static void MZ(load)(const mz_job *job, int64_t j, int64_t i0, MZ(pixels) *restrict p)
{
    const int64_t left = job->map.nx - i0;
    const int count = left < MZ_CHUNK ? (int)left : MZ_CHUNK;
    const int64_t at = j * job->map.nx + i0;
    double raw[MZ_CHUNK];
    if (job->sci)
        for (int k = 0; k < count; k++)
            raw[k] = (double)job->sci[at + k];
    else
        for (int k = 0; k < count; k++)
            raw[k] = job->sci64[at + k];
    for (int k = 0; k < count; k++)
        p->weight[k] = job->weight;
    if (job->relative)
        for (int k = 0; k < count; k++)
            p->weight[k] *= (double)job->relative[at + k];
    if (job->relative64)
        for (int k = 0; k < count; k++)
            p->weight[k] *= job->relative64[at + k];
    if (job->mask)
        for (int k = 0; k < count; k++)
            p->weight[k] = job->mask[at + k] ? 0.0 : p->weight[k];
    const double multiply = job->multiply, subtract = job->subtract, v0 = job->v0, v1 = job->v1;
    for (int k = 0; k < count; k++) {
        const double value = raw[k] * multiply - subtract, variance = v0 + v1 * MZ(max)(raw[k], 0.0);
        /* x - x is 0 for finite numbers only. */
        double weight = p->weight[k];
        weight = value - value == 0.0 ? weight : 0.0;
        weight = weight - weight == 0.0 ? weight : 0.0;
        p->weight[k] = weight != 0.0 ? weight : 0.0;
        p->value[k] = weight != 0.0 ? value : 0.0;
        p->variance[k] = weight != 0.0 ? variance : 0.0;
    }
    if (job->variance)
        for (int k = 0; k < count; k++)
            p->variance[k] = p->weight[k] != 0.0 ? (double)job->variance[at + k] : 0.0;
    if (job->variance64)
        for (int k = 0; k < count; k++)
            p->variance[k] = p->weight[k] != 0.0 ? job->variance64[at + k] : 0.0;
    int any = 0;
    for (int k = 0; k < count; k++)
        any |= p->weight[k] != 0.0;
    for (int k = count; k < MZ_CHUNK; k++)
        p->value[k] = p->weight[k] = p->variance[k] = 0.0;
    p->any = any;
}

/* Add to one cell, which must lie inside the frame and the band. */
MZ_INLINE void MZ(put)(const mz_job *job, int64_t cell, double sum, double part, double variance)
{
    double *to = job->cells + job->lanes * cell;
    to[0] += sum;
    to[1] += part;
    if (job->lanes == 4) {
        int32_t words[2];
        to[2] += part * part * variance;
        memcpy(words, to + 3, sizeof words);
        words[0] |= job->bits[0];
        words[1] |= job->bits[1];
        memcpy(to + 3, words, sizeof words);
    }
    if (job->context)
        job->context[cell] |= job->bit;
    if (job->touched)
        job->touched[cell / MZ_TOGETHER] = 1;
}

/* Add one share of a pixel to one cell. */
MZ_INLINE void MZ(add)(const mz_job *job, int64_t cell, double share, double weight, double value, double variance)
{
    const double part = share * weight;
    MZ(put)(job, cell, part * value, part, variance);
}

/* The cell at (x, y), if it may be written. */
MZ_INLINE int MZ(inside)(const mz_job *job, int64_t x, int64_t y)
{
    return x >= 0 && x < job->out_nx && y >= job->row0 && y < job->row1;
}

static void MZ(drop_point)(const mz_job *job, double x, double y, double weight, double value, double variance)
{
    if (!(fabs(x) < MZ_FAR) || !(fabs(y) < MZ_FAR))
        return;
    const int64_t cx = MZ(cell)(x), cy = MZ(cell)(y);
    if (MZ(inside)(job, cx, cy))
        MZ(add)(job, cy * job->out_nx + cx, 1.0, weight, value, variance);
}

/* Corners of the drops of a chunk, from the lines along the drops' lower and upper sides. */
static void MZ(corners)(const mz_job *job, const MZ(line) *low, const MZ(line) *high, int64_t i0, MZ(drops) *d)
{
    const double half = 0.5 * job->pixfrac;
    if (job->pixfrac == 1.0) {
        MZ(shared)(d);
        MZ(along)(&job->map, low, (double)i0 - 0.5, d->xs[0], d->ys[0], MZ_CHUNK + MZ_SPARE);
        MZ(along)(&job->map, high, (double)i0 - 0.5, d->xs[1], d->ys[1], MZ_CHUNK + MZ_SPARE);
        return;
    }
    MZ(apart)(d);
    MZ(along)(&job->map, low, (double)i0 - half, d->xs[0], d->ys[0], MZ_CHUNK);
    MZ(along)(&job->map, low, (double)i0 + half, d->xs[1], d->ys[1], MZ_CHUNK);
    MZ(along)(&job->map, high, (double)i0 + half, d->xs[2], d->ys[2], MZ_CHUNK);
    MZ(along)(&job->map, high, (double)i0 - half, d->xs[3], d->ys[3], MZ_CHUNK);
}

#include "stored_body.h"
#include "scatter_body.h"

/* Part of a separable drop in the cell `d` away from its center along one axis. `scale` is the gaussian's. */
MZ_INLINE double MZ(profile)(const mz_job *job, const double *table, double d, double side, double scale)
{
    if (job->kernel == MZ_TURBO) {
        const double part = MZ(min)(0.5, d + 0.5 * side) - MZ(max)(-0.5, d - 0.5 * side);
        return part > 0.0 ? part / side : 0.0;
    }
    if (job->kernel == MZ_GAUSSIAN)
        return sqrt(scale / MZ_PI) * exp(-scale * d * d);
    const double step = fabs(d) / side * (1000.0 / 3.0) + 0.5;
    return step < (double)mz_lanczos_steps(mz_lanczos_order(job->kernel)) ? table[(int)step] : 0.0;
}

/* Separable drops about a center: a box, or a profile cut at some reach. */
static void MZ(drop_center)(const mz_job *job, const double *table, double x, double y, double weight, double value,
                            double variance)
{
    if (!(fabs(x) < MZ_FAR) || !(fabs(y) < MZ_FAR))
        return;
    const int order = mz_lanczos_order(job->kernel);
    const double side = (order ? 1.0 : job->pixfrac) / job->ratio;
    double reach = 0.5 * side, scale = 0.0;
    if (job->kernel == MZ_GAUSSIAN) {
        /* Full width at half maximum of one drop side, cut at 2.5 sigma but never below 1.2 input pixels. */
        const double fwhm = 2.3548;
        scale = fwhm * fwhm / (side * side) / 2.0;
        reach = MZ(max)(2.5 * side / fwhm, 1.2 / job->ratio);
    } else if (order)
        reach = (double)order * side;
    const double x0 = x - reach, x1 = x + reach, y0 = y - reach, y1 = y + reach;
    if (x1 < 0.0 || x0 > (double)job->out_nx || y1 < (double)job->row0 || y0 > (double)job->row1)
        return;
    int64_t left = MZ(cell)(x0), right = MZ(cell)(x1), bottom = MZ(cell)(y0), top = MZ(cell)(y1);
    left = left < 0 ? 0 : left;
    right = right > job->out_nx - 1 ? job->out_nx - 1 : right;
    bottom = bottom < job->row0 ? job->row0 : bottom;
    top = top > job->row1 - 1 ? job->row1 - 1 : top;
    double wide[16];
    for (int64_t c = left; c <= right && c - left < 16; c++)
        wide[c - left] = MZ(profile)(job, table, x - ((double)c + 0.5), side, scale);
    for (int64_t r = bottom; r <= top; r++) {
        const double high = MZ(profile)(job, table, y - ((double)r + 0.5), side, scale);
        for (int64_t c = left; c <= right; c++) {
            const double along = c - left < 16 ? wide[c - left]
                                               : MZ(profile)(job, table, x - ((double)c + 0.5), side, scale);
            const double share = high * along;
            /* A Lanczos share may be negative, and as small as it likes. */
            if (order ? share == 0.0 : share <= MZ_CRUMB)
                continue;
            MZ(add)(job, r * job->out_nx + c, share, weight, value, variance);
        }
    }
}

/* Range of pixels of a line that can fall into [low, high) of one output axis, from the series' linear part. */
static void MZ(reach)(const double *cheb, int64_t degree, int64_t nx, double low, double high, int64_t *first,
                      int64_t *last)
{
    double rest = 0.0;
    for (int64_t k = 2; k <= degree; k++)
        rest += fabs(cheb[k]);
    const double a = cheb[0], b = degree > 0 ? cheb[1] : 0.0;
    low -= rest;
    high += rest;
    if (fabs(b) < 1e-9 * (fabs(a) + rest + 1.0)) {
        if (a + fabs(b) < low || a - fabs(b) > high)
            *first = nx, *last = -1;
        return;
    }
    double u0 = (low - a) / b, u1 = (high - a) / b;
    if (u0 > u1) {
        const double swap = u0;
        u0 = u1;
        u1 = swap;
    }
    /* u = (2 x - (nx - 1)) / nx, and a pixel of room for the corners. */
    const double n = (double)nx;
    const double x0 = 0.5 * (u0 * n + n - 1.0) - 2.0, x1 = 0.5 * (u1 * n + n - 1.0) + 2.0;
    if (x0 > (double)*first)
        *first = x0 < n ? (int64_t)x0 : nx;
    if (x1 < (double)*last)
        *last = x1 > -1.0 ? (int64_t)x1 : -1;
}

/* The lines of one row's drops, and the pixels that can touch the band. */
typedef struct {
    MZ(line) low, high;
    int64_t first, last;
    double reach; /* of a drop that is not square, from its center */
} MZ(row);

static void MZ(prepare)(const mz_job *job, int64_t j, MZ(row) *row)
{
    const mz_map *map = &job->map;
    const int square = job->kernel == MZ_SQUARE;
    row->first = 0;
    row->last = map->nx - 1;
    row->reach = square || job->kernel == MZ_POINT ? 0.0 : 3.0 * MZ(max)(job->pixfrac, 1.0) / job->ratio + 1.2 / job->ratio;
    if (map->pixmap)
        return;
    const double half = square ? 0.5 * job->pixfrac : 0.0;
    MZ(collapse)(map, MZ(row_position)(map, j, 0.5 - half), &row->low);
    if (square)
        MZ(collapse)(map, MZ(row_position)(map, j, 0.5 + half), &row->high);
    else
        row->high = row->low;
    /* How far a drop reaches from the line, besides what its corners tell; and the row's own height, so that one line
     * speaks for both. */
    double rise = 1.0, run = 1.0;
    if (map->offsets) {
        rise += 2.0 * map->largest;
        run += 2.0 * map->largest;
    }
    rise += row->reach;
    run += row->reach;
    for (int64_t k = 0; k <= map->degree; k++) {
        rise += fabs(row->high.cheb_y[k] - row->low.cheb_y[k]);
        run += fabs(row->high.cheb_x[k] - row->low.cheb_x[k]);
    }
    MZ(reach)(row->low.cheb_y, map->degree, map->nx, (double)job->row0 - rise, (double)job->row1 + rise, &row->first,
              &row->last);
    MZ(reach)(row->low.cheb_x, map->degree, map->nx, -run, (double)job->out_nx + run, &row->first, &row->last);
}

/* Is a whole chunk masked? */
MZ_INLINE int MZ(hidden)(const uint8_t *mask)
{
    int seen = 0;
    for (int k = 0; k < MZ_CHUNK; k++)
        seen |= mask[k] == 0;
    return !seen;
}

/* Ask for what the next chunk reads. */
MZ_INLINE void MZ(expect)(const mz_job *job, int64_t j, int64_t i0)
{
#if defined(__GNUC__)
    const int64_t at = j * job->map.nx + i0;
    if (i0 + MZ_CHUNK > job->map.nx)
        return;
    for (int k = 0; k < MZ_CHUNK; k += 16) {
        if (job->sci)
            __builtin_prefetch(job->sci + at + k);
        if (job->relative)
            __builtin_prefetch(job->relative + at + k);
        if (job->variance)
            __builtin_prefetch(job->variance + at + k);
    }
    if (job->map.pixmap && j + 1 < job->map.ny)
        for (int k = 0; k < MZ_CHUNK; k += 4)
            __builtin_prefetch(job->map.pixmap + 2 * (at + job->map.nx + k));
#else
    (void)job, (void)j, (void)i0;
#endif
}

/* Drop the pixels i0 .. i0 + MZ_CHUNK - 1 of row j. */
static void MZ(drop_chunk)(const mz_job *job, const double *table, int64_t j, int64_t i0, const MZ(row) *row, int span)
{
    MZ(drops) d;
    MZ(pixels) p;
    if (job->mask && i0 + MZ_CHUNK <= job->map.nx && MZ(hidden)(job->mask + j * job->map.nx + i0))
        return;
    const int near = job->map.pixmap && job->ranges ? MZ(near_band)(job, j, i0, row->reach) : 2;
    if (!near)
        return;
    MZ(expect)(job, j, i0 + MZ_CHUNK);
    MZ(load)(job, j, i0, &p);
    if (!p.any)
        return;
    if (job->kernel == MZ_SQUARE) {
        if (job->map.pixmap)
            MZ(stored_corners)(job, j, i0, &d);
        else
            MZ(corners)(job, &row->low, &row->high, i0, &d);
        /* The rest of the chunk lies in other bands; whole groups of lanes, so that a share never looks at the band. */
        const int64_t first = row->first > i0 ? row->first - i0 : 0, end = row->last + 1 - i0;
        int from = (int)(first - first % 8), to = end < MZ_CHUNK ? (int)((end + 7) / 8 * 8) : MZ_CHUNK;
        if (near == 1)
            MZ(trim)(job, &d, &from, &to);
        MZ(square_chunk)(job, &d, &p, span, from, to);
        return;
    }
    MZ(apart)(&d);
    if (job->map.pixmap)
        MZ(centers)(&job->map, j, i0, d.xs[0], d.ys[0]);
    else
        MZ(along)(&job->map, &row->low, (double)i0, d.xs[0], d.ys[0], MZ_CHUNK);
    int from = 0, to = MZ_CHUNK;
    if (job->kernel == MZ_POINT) {
        MZ(points)(&d);
        if (near == 1)
            MZ(trim)(job, &d, &from, &to);
        MZ(scatter)(job, &d, &p, 1, from, to);
        return;
    }
    if (job->kernel == MZ_TURBO && span < MZ_MAX_SPAN) { /* squares that lie along the cells */
        const double half = 0.5 * job->pixfrac / job->ratio;
        for (int k = 0; k < MZ_CHUNK; k++) {
            const double x = d.xs[0][k], y = d.ys[0][k];
            d.xs[0][k] = d.xs[3][k] = x - half;
            d.xs[1][k] = d.xs[2][k] = x + half;
            d.ys[0][k] = d.ys[1][k] = y - half;
            d.ys[2][k] = d.ys[3][k] = y + half;
        }
        if (near == 1)
            MZ(trim)(job, &d, &from, &to);
        MZ(box_chunk)(job, &d, &p, span, from, to);
        return;
    }
    for (int k = 0; k < MZ_CHUNK; k++)
        if (p.weight[k] != 0.0)
            MZ(drop_center)(job, table, d.xs[0][k], d.ys[0][k], p.weight[k], p.value[k], p.variance[k]);
}

/* Drop the pixels of one chip into rows row0 .. row1 - 1 of the output. `span`: cells a usual drop can touch.
 *
 * Whole rows, one after the other: blocks of rows and columns would keep closer to the cache, but measured slower. */
static void MZ(accumulate)(const mz_job *job, int span)
{
    MZ(row) row;
    double table[MZ_LANCZOS_MOST];
    if (mz_lanczos_order(job->kernel))
        mz_lanczos_table(mz_lanczos_order(job->kernel), table);
    for (int64_t j = 0; j < job->map.ny; j++) {
        MZ(prepare)(job, j, &row);
        for (int64_t i0 = row.first - row.first % MZ_CHUNK; i0 <= row.last; i0 += MZ_CHUNK)
            MZ(drop_chunk)(job, table, j, i0, &row, span);
    }
}

/* Cells a usual drop can touch along an axis, from drops sampled over the chip; the same for every band. */
static int MZ(usual_span)(const mz_job *job)
{
    const mz_map *map = &job->map;
    const double half = 0.5 * job->pixfrac;
    double most = job->kernel == MZ_TURBO ? job->pixfrac / job->ratio : 0.0;
    for (int64_t a = 0; job->kernel == MZ_SQUARE && a < 5; a++) {
        const int64_t j = a * (map->ny - 1) / 4;
        MZ(line) low, high;
        if (!map->pixmap) {
            MZ(collapse)(map, MZ(row_position)(map, j, 0.5 - half), &low);
            MZ(collapse)(map, MZ(row_position)(map, j, 0.5 + half), &high);
        }
        for (int64_t b = 0; b < 5; b++) {
            const double i = (double)(b * (map->nx - 1) / 4);
            double x[4], y[4];
            if (map->pixmap) {
                for (int e = 0; e < 4; e++)
                    MZ(stored)(map, i + (e == 1 || e == 2 ? half : -half), (double)j + (e > 1 ? half : -half), x + e,
                               y + e);
            } else {
                MZ(along)(map, &low, i - half, x, y, 1);
                MZ(along)(map, &low, i + half, x + 1, y + 1, 1);
                MZ(along)(map, &high, i + half, x + 2, y + 2, 1);
                MZ(along)(map, &high, i - half, x + 3, y + 3, 1);
            }
            for (int e = 0; e < 4; e++)
                for (int f = 0; f < e; f++) {
                    const double wide = MZ(max)(fabs(x[e] - x[f]), fabs(y[e] - y[f]));
                    if (wide < 10.0 && wide > most)
                        most = wide;
                }
        }
    }
    /* A drop of extent w < n touches at most n + 1 cells; a little room for those between the samples. */
    if (most > 10.0)
        return MZ_MAX_SPAN;
    const int span = 2 + (int)floor(most * 1.0005 - 1e-9);
    return span < 2 ? 2 : span > MZ_MAX_SPAN ? MZ_MAX_SPAN : span;
}
