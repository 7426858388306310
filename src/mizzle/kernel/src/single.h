/* Cosmic rays of a single exposure: what single.c is asked. */
#ifndef MIZZLE_SINGLE_H
#define MIZZLE_SINGLE_H

#include "mizzle.h"

/* What is a peak, and how it is judged: `SingleStruct` in native.py. */
typedef struct {
    int64_t ny, nx, templates, track, grow;
    double doubt, deficit;
    float floor, structure, sigma, near_sigma;
} mz_single;

/* `bad` (ny, nx); `templates` (q->templates, 8); `track` (ny, nx) or NULL; the answer (ny, nx) to `out`. */
int mz_find_single(const mz_single *q, const float *electrons, const uint8_t *bad, const double *templates,
                   const uint8_t *track, uint8_t *out);

#endif
