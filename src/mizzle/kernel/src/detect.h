/* Stars: what detect.c is asked to fit. */
#ifndef MIZZLE_DETECT_H
#define MIZZLE_DETECT_H

#include "mizzle.h"

/* What a star looks like, and how it is fitted: `StarStruct` in native.py. */
typedef struct {
    double sigma, halo_sigma, halo;
    double gain, mismatch, settled;
    int64_t radius, iterations;
} mz_star;

#endif
