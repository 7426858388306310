/* How a chip is judged: shared by rays.c, which judges, and plan.c, which tells where that is worth while. */
#ifndef MIZZLE_JUDGE_H
#define MIZZLE_JUDGE_H

#include "mizzle.h"

/* `JudgeStruct` in rays.py. */
typedef struct {
    int64_t ny, nx, negative;
    float gain, rate, sky, floor, quiet, peak, wing;
    float seed_sigma, seed_slope, near_sigma, near_slope, doubt, suspect_slope, trust;
} mz_judge;

/* An image, the bounds of its cells, and the chip that looks at it. */
typedef struct {
    const float *image;     /* (ny, nx) */
    const uint32_t *bounds; /* (ny, nx), packed */
    int64_t ny, nx;
    const float *sci;
    const uint8_t *bad, *asked; /* `asked` may be NULL */
    float bright;
} mz_view;

#endif
