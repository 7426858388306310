/* A chip against what it should show: blot, steepest step, noise and two-pass thresholds, strip by strip. */
#include "mizzle.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int64_t ny, nx;
    const float *sci;       /* (ny, nx) */
    const uint8_t *bad;     /* (ny, nx), nonzero = never judged, or NULL */
    const float *expected;  /* (ny, nx), not finite = never judged */
    double gain, rate, sky, floor, quiet;
    double seed_sigma, seed_slope, near_sigma, near_slope;
    int64_t both_sides;
    uint8_t *mask;          /* (ny, nx): 1 where flagged */
} mz_comparison;

MZ_EXPORT int64_t mz_comparison_size(void) { return (int64_t)sizeof(mz_comparison); }

static float larger(float a, float b) { return a > b ? a : b; }

/* One row: 1 where a pixel passes the neighbors' limit, 3 where it passes the seeds' too. */
static void judge_row(const mz_comparison *c, int64_t j, uint8_t *restrict flag, float *restrict step)
{
    const float *restrict e = c->expected + j * c->nx, *restrict d = c->sci + j * c->nx;
    const float *below = j > 0 ? e - c->nx : e, *above = j + 1 < c->ny ? e + c->nx : e;
    const uint8_t *bad = c->bad ? c->bad + j * c->nx : NULL;
    const float gain = (float)c->gain, rate = (float)c->rate, sky = (float)c->sky, floor = (float)c->floor;
    const float quiet = (float)c->quiet;
    const float s1 = (float)c->seed_sigma, k1 = (float)c->seed_slope, s2 = (float)c->near_sigma, k2 = (float)c->near_slope;
    /* A neighbor that is no number compares false and says nothing. */
    for (int64_t i = 0; i < c->nx; i++) {
        const float here = e[i] * rate, down = fabsf(below[i] * rate - here), up = fabsf(above[i] * rate - here);
        step[i] = larger(down > 0.0f ? down : 0.0f, up > 0.0f ? up : 0.0f);
    }
    for (int64_t i = 0; i + 1 < c->nx; i++) {
        const float jump = fabsf(e[i + 1] * rate - e[i] * rate);
        step[i] = jump > step[i] ? jump : step[i];
    }
    for (int64_t i = 1; i < c->nx; i++) {
        const float jump = fabsf(e[i] * rate - e[i - 1] * rate);
        step[i] = jump > step[i] ? jump : step[i];
    }
    for (int64_t i = 0; i < c->nx; i++) {
        const float light = e[i] * rate, total = light + sky;
        const float sigma = sqrtf((total > 0.0f ? total : 0.0f) + floor);
        float excess = d[i] * gain - sky - light;
        excess = c->both_sides ? fabsf(excess) : excess;
        const float slope = step[i] > quiet ? step[i] - quiet : 0.0f;
        flag[i] = (uint8_t)((excess > s2 * sigma + k2 * slope) | ((excess > s1 * sigma + k1 * slope) << 1));
    }
    if (bad)
        for (int64_t i = 0; i < c->nx; i++)
            flag[i] = bad[i] ? 0 : flag[i];
}

/* Flag seeds, and their neighbors above the lower limit. Returns 0; 1 for a wrong job, 2 when memory is short. */
MZ_EXPORT int mz_compare(const mz_comparison *c)
{
    if (c->ny < 1 || c->nx < 1 || !c->sci || !c->expected || !c->mask)
        return 1;
    const size_t wide = (size_t)c->nx + 2;
    uint8_t *flags = calloc(3 * wide, 1), *rows[3];
    float *step = malloc((size_t)c->nx * sizeof *step);
    if (!flags || !step) {
        free(flags);
        free(step);
        return 2;
    }
    for (int k = 0; k < 3; k++)
        rows[k] = flags + (size_t)k * wide; /* each with a zero at both ends */
    judge_row(c, 0, rows[1] + 1, step);
    for (int64_t j = 0; j < c->ny; j++) {
        if (j + 1 < c->ny)
            judge_row(c, j + 1, rows[2] + 1, step);
        else
            memset(rows[2], 0, wide);
        uint8_t *out = c->mask + j * c->nx;
        for (int64_t i = 0; i < c->nx; i++) {
            const uint8_t *a = rows[0] + i, *b = rows[1] + i, *d = rows[2] + i;
            const uint8_t seeds = (uint8_t)((a[0] | a[1] | a[2] | b[0] | b[1] | b[2] | d[0] | d[1] | d[2]) >> 1);
            out[i] = (uint8_t)((b[1] >> 1) | (b[1] & seeds & 1));
        }
        uint8_t *turn = rows[0];
        rows[0] = rows[1];
        rows[1] = rows[2];
        rows[2] = turn;
    }
    free(flags);
    free(step);
    return 0;
}
