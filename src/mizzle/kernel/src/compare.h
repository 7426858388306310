/* How a chip is compared with what is expected of it: shared by rays.c, which flags, and compare.c, which tells where
 * that is worth while. */
#ifndef MIZZLE_COMPARE_H
#define MIZZLE_COMPARE_H

#include "mizzle.h"

/* Units, noise and thresholds: `ThresholdStruct` in native.py. */
typedef struct {
    int64_t ny, nx, negative;
    float gain, rate, sky, floor, quiet, peak, wing;
    float seed_sigma, seed_slope, near_sigma, near_slope, doubt, suspect_slope, trust;
} mz_thresholds;

/* An image, the bounds of its cells, and the chip that looks at it: `ViewStruct` in native.py. */
typedef struct {
    const float *image;     /* (ny, nx) */
    const uint32_t *bounds; /* (ny, nx), packed */
    int64_t ny, nx;
    const float *sci;
    const uint8_t *bad, *extra; /* `extra` may be NULL */
    float probe_level;
} mz_view;

#endif
