/* Reading chips at the places of a frame's cells, a row at a time: included once per instruction set. */

#include "map_body.h"

/* Add one chunk of a row: sums of weight * value and of weight over the four nearest pixels that are known.
 *
 * Places beyond the chip fall on its frame of unknowns: what is known of their four pixels has no weight. */
MZ_INLINE void MZ(read_chunk)(const mz_source *s, const double *restrict x, const double *restrict y, int count,
                              float *restrict sum, float *restrict weight)
{
    int32_t at[MZ_CHUNK], row[MZ_CHUNK];
    float fx[MZ_CHUNK], fy[MZ_CHUNK], shift[MZ_CHUNK];
    const float *restrict padded = s->padded, *restrict shifts = s->shift;
    const int32_t wide = (int32_t)s->nx + 2, first = (int32_t)s->first, most = (int32_t)s->held;
    const double right = (double)s->nx + MZ_BELOW_ONE, top = (double)s->ny + MZ_BELOW_ONE, last = (double)s->ny - 1.0;
    for (int k = 0; k < MZ_CHUNK; k++) {
        const double near = y[k] < last ? y[k] : last;
        row[k] = (int32_t)(near > 0.0 ? near : 0.0);
    }
    for (int k = 0; k < MZ_CHUNK; k++)
        shift[k] = shifts[row[k]];
    for (int k = 0; k < MZ_CHUNK; k++) {
        /* The line is shifted by half a pixel: x - 0.5 is the place, and the frame of unknowns is one pixel wide. */
        double px = x[k] + 0.5, py = y[k] + 0.5 - (double)shift[k];
        px = px < right ? px : right;
        py = py < top ? py : top;
        px = px > 0.0 ? px : 0.0;
        py = py > 0.0 ? py : 0.0;
        const int32_t i = (int32_t)px, j = (int32_t)py;
        fx[k] = (float)(px - (double)i);
        fy[k] = (float)(py - (double)j);
        int32_t held = j - first;
        held = held < most ? held : most;
        at[k] = (held > 0 ? held : 0) * wide + i;
    }
    for (int k = 0; k < count; k++) {
        const float *p = padded + at[k], *q = p + wide;
        const float f = fx[k], g = fy[k];
        const float low = p[0] + f * (p[1] - p[0]), high = q[0] + f * (q[1] - q[0]), value = low + g * (high - low);
        if (value == value) { /* all four are known: the common case */
            sum[k] += value;
            weight[k] += 1.0f;
            continue;
        }
        const float v[4] = {p[0], p[1], q[0], q[1]};
        const float w[4] = {(1.0f - f) * (1.0f - g), f * (1.0f - g), (1.0f - f) * g, f * g};
        for (int n = 0; n < 4; n++) {
            if (v[n] == v[n]) {
                sum[k] += w[n] * v[n];
                weight[k] += w[n];
            }
        }
    }
}

/* One row of the frame: means of all chips that reach it. */
static void MZ(read_row)(const mz_source *sources, int64_t n, int64_t j, int64_t nx, float least, float *sum,
                         float *weight, float *out)
{
    double x[MZ_CHUNK + MZ_SPARE], y[MZ_CHUNK + MZ_SPARE];
    memset(sum, 0, (size_t)nx * sizeof *sum);
    memset(weight, 0, (size_t)nx * sizeof *weight);
    for (int64_t k = 0; k < n; k++) {
        const mz_source *s = sources + k;
        const int64_t row = j - s->j0;
        if (row < 0 || row >= s->back.ny)
            continue;
        MZ(line) line;
        MZ(collapse)(&s->back, (double)row, &line);
        for (int64_t i = 0; i < s->back.nx; i += MZ_CHUNK) {
            const int count = s->back.nx - i < MZ_CHUNK ? (int)(s->back.nx - i) : MZ_CHUNK;
            MZ(along)(&s->back, &line, (double)i, x, y, MZ_CHUNK);
            MZ(read_chunk)(s, x, y, count, sum + s->i0 + i, weight + s->i0 + i);
        }
    }
    for (int64_t i = 0; i < nx; i++)
        out[i] = weight[i] >= least ? sum[i] / weight[i] : NAN;
}
