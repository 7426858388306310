/* Samples of light around places on a grid. The NumPy twins in predict/ are the definition. */
#include "predict.h"

#include <stdlib.h>
#include <string.h>

/* Value at y of the row term: linear between the edges of rows, constant beyond the outermost. */
static double row_term(const mz_map *map, double y)
{
    const double t = y + 0.5;
    if (!(t > 0.0))
        return map->row_edges[0];
    if (t >= (double)map->ny)
        return map->row_edges[map->ny];
    const int64_t j = (int64_t)t;
    return map->row_edges[j] + (t - (double)j) * (map->row_edges[j + 1] - map->row_edges[j]);
}

/* Chebyshev polynomials 0 .. d at u. */
static void chebyshev(double u, int64_t d, double *t)
{
    t[0] = 1.0;
    if (d > 0)
        t[1] = u;
    for (int64_t k = 2; k <= d; k++)
        t[k] = 2.0 * u * t[k - 1] - t[k - 2];
}

/* Place on the grid of a chip's position. */
static void to_grid(const mz_map *map, double x, double y, double *gx, double *gy)
{
    const int64_t d = map->degree, n = d + 1;
    double across[MZ_TERMS], along[MZ_TERMS];
    const double shifted = y + row_term(map, y);
    chebyshev((2.0 * x - (double)(map->nx - 1)) / (double)map->nx, d, across);
    chebyshev((2.0 * shifted - (double)(map->ny - 1)) / (double)map->ny, d, along);
    *gx = *gy = 0.0;
    for (int64_t i = 0; i <= d; i++) {
        double sx = 0.0, sy = 0.0;
        for (int64_t j = 0; j <= d; j++) {
            sx += map->cx[i * n + j] * along[j];
            sy += map->cy[i * n + j] * along[j];
        }
        *gx += sx * across[i];
        *gy += sy * across[i];
    }
    if (!map->offsets)
        return;
    const double a = (x - map->first[0]) / map->spacing[0], b = (shifted - map->first[1]) / map->spacing[1];
    const int64_t i = mz_node(a, map->columns), j = mz_node(b, map->rows);
    const double f = a - (double)i, g = b - (double)j;
    const double *low = map->offsets + 2 * (j * map->columns + i), *high = low + 2 * map->columns;
    const double left[2] = {low[0] + g * (high[0] - low[0]), low[1] + g * (high[1] - low[1])};
    const double right[2] = {low[2] + g * (high[2] - low[2]), low[3] + g * (high[3] - low[3])};
    *gx += left[0] + f * (right[0] - left[0]);
    *gy += left[1] + f * (right[1] - left[1]);
}

MZ_INLINE double clipped(double value, double low, double high)
{
    return value < low ? low : (value > high ? high : value);
}

/* The pixel nearest to a place on the grid, and its own place; 0 where there is none, or it lies on the chip's edge. */
static int nearest_pixel(const mz_sampler *q, double x, double y, int64_t *i, int64_t *j, double *gx, double *gy)
{
    const double nx = (double)q->map.nx, ny = (double)q->map.ny, *back = q->back;
    double away_x = x - q->place[0], away_y = y - q->place[1];
    double a = q->middle[0] + (back[0] * away_x + back[1] * away_y), b = q->middle[1] + (back[2] * away_x + back[3] * away_y);
    if (!(a > -q->bend && a < nx - 1.0 + q->bend && b > -q->bend && b < ny - 1.0 + q->bend))
        return 0;
    for (int step = 0; step < 2; step++) {
        double hx, hy;
        a = clipped(a, -1.0, nx), b = clipped(b, -1.0, ny);
        to_grid(&q->map, a, b, &hx, &hy);
        away_x = x - hx, away_y = y - hy;
        a += back[0] * away_x + back[1] * away_y;
        b += back[2] * away_x + back[3] * away_y;
    }
    a = rint(a), b = rint(b);
    if (!(a > 0.0 && a < nx - 1.0 && b > 0.0 && b < ny - 1.0))
        return 0;
    *i = (int64_t)a, *j = (int64_t)b;
    to_grid(&q->map, a, b, gx, gy);
    return 1;
}

MZ_EXPORT int64_t mz_sample(const mz_sampler *q, const float *sci, const uint16_t *dq, const uint8_t *hit, int64_t count,
                          const int64_t *which, const double *x, const double *y, int64_t *owner, double *samples)
{
    const mz_map *map = &q->map;
    if (!mz_map_is_sound(map) || map->pixmap || !map->row_edges)
        return -1;
    int64_t held = 0;
    for (int64_t k = 0; k < count; k++) {
        int64_t i, j;
        double gx, gy;
        if (!nearest_pixel(q, x[k], y[k], &i, &j, &gx, &gy))
            continue;
        for (int n = 0; n < 9; n++) {
            const int dy = n / 3 - 1, dx = n % 3 - 1;
            const int64_t at = (j + dy) * map->nx + i + dx;
            const double away_x = gx - x[k] + q->matrix[0] * dx + q->matrix[1] * dy;
            const double away_y = gy - y[k] + q->matrix[2] * dx + q->matrix[3] * dy;
            const float value = sci[at];
            if (!(away_x * away_x + away_y * away_y < q->reach * q->reach) || (dq[at] & q->bits) ||
                !(value - value == 0.0f) || (hit[at >> 3] >> (7 - (at & 7)) & 1))
                continue;
            const double dn = (double)value, light = dn * q->gain;
            double *to = samples + 4 * held;
            owner[held++] = which[k];
            to[0] = away_x, to[1] = away_y;
            to[2] = (dn - q->sky) * q->gain * q->unit;
            to[3] = ((light > 0.0 ? light : 0.0) + q->floor) * (q->unit * q->unit);
        }
    }
    return held;
}

/* The first of a chip's samples whose owner is not below `first`. */
static int64_t start_of(const mz_samples *part, int64_t first)
{
    int64_t low = 0, high = part->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (part->owner[middle] < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Put a sample where its distance belongs among the nearest; equals stay in order. Returns how many are held. */
static int64_t insert(const double **nearest, double *distance, int64_t held, int64_t most, const double *sample)
{
    const double far = sample[0] * sample[0] + sample[1] * sample[1];
    if (held == most && !(far < distance[most - 1]))
        return held;
    int64_t at = held < most ? held++ : most - 1;
    for (; at > 0 && distance[at - 1] > far; at--) {
        distance[at] = distance[at - 1];
        nearest[at] = nearest[at - 1];
    }
    distance[at] = far;
    nearest[at] = sample;
    return held;
}

MZ_EXPORT int mz_nearest(const mz_samples *parts, int64_t n, int64_t first, int64_t stop, int64_t most, double *tables)
{
    if (n < 0 || stop < first || most < 1 || most > MZ_MAX_SAMPLES)
        return 1;
    const int64_t size = (stop - first) * most;
    int64_t *next = malloc((size_t)(n + 1) * sizeof *next);
    if (!next)
        return 2;
    for (int64_t p = 0; p < n; p++)
        next[p] = start_of(parts + p, first);
    for (int64_t place = first; place < stop; place++) {
        const double *nearest[MZ_MAX_SAMPLES];
        double distance[MZ_MAX_SAMPLES], *row = tables + (place - first) * most;
        int64_t held = 0;
        for (int64_t p = 0; p < n; p++)
            for (; next[p] < parts[p].count && parts[p].owner[next[p]] == place; next[p]++)
                held = insert(nearest, distance, held, most, parts[p].samples + 4 * next[p]);
        for (int64_t k = 0; k < most; k++)
            for (int64_t column = 0; column < 4; column++)
                row[column * size + k] = k < held ? nearest[k][column] : (column == 3 ? INFINITY : 0.0);
    }
    free(next);
    return 0;
}

MZ_EXPORT int64_t mz_marked(const uint8_t *marks, int64_t count, uint8_t bits, int64_t room, int64_t *where)
{
    const uint64_t eight = 0x0101010101010101u * bits;
    int64_t found = 0;
    for (int64_t at = 0; at < count; at += 8) {
        const int64_t stop = count - at < 8 ? count : at + 8;
        uint64_t word = eight; /* the last, shorter ones are looked at one by one */
        if (stop - at == 8)
            memcpy(&word, marks + at, sizeof word);
        if (!(word & eight))
            continue;
        for (int64_t k = at; k < stop; k++)
            if (marks[k] & bits) {
                if (found < room)
                    where[found] = k;
                found++;
            }
    }
    return found;
}
