/* Stars: what star_fit.c is asked to fit. */
#ifndef MIZZLE_DETECT_H
#define MIZZLE_DETECT_H

#include "mizzle.h"

/* What a star looks like, and how it is fitted: `StarStruct` in native.py. With a `table`, it is the star: coefficients
 * of a cubic B-spline, `table_side` squared, `oversampling` of them per pixel, the star's center at table_side / 2. */
typedef struct {
    double sigma, halo_sigma, halo;
    double gain, mismatch, settled;
    int64_t radius, iterations, table_side, oversampling;
    const double *table;
} mz_star;

#endif
