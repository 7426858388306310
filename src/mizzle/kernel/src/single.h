/* Cosmic rays of a single exposure: what single.c is asked. */
#ifndef MIZZLE_SINGLE_H
#define MIZZLE_SINGLE_H

#include "mizzle.h"

/* What is a peak, and how it is judged: `SingleStruct` in native.py. */
typedef struct {
    int64_t ny, nx, track, grow;
    float floor, structure, sigma, near_sigma;
} mz_single;

/* `bad` (ny, nx); room for ny * nx peaks and their skies. */
int64_t mz_single_peaks(const mz_single *q, const float *electrons, const uint8_t *bad, int64_t *list, double *sky);

/* `bad`, `spared` (ny, nx); `track` (ny, nx) or NULL; the answer (ny, nx) to `out`. */
int mz_single_follow(const mz_single *q, const float *electrons, const uint8_t *bad, const uint8_t *spared,
                     const uint8_t *track, const int64_t *rays, int64_t count, uint8_t *out);

/* `templates` (m, n), m a multiple of 16, n of 4; `weight`, `rest` (count, n). */
int mz_fit_light(const double *templates, int64_t m, int64_t n, const double *weight, double *rest, int64_t count,
                 double good);

/* Pixels sharper than the optics allow, of a chip whose outermost pixels are bad: see laplacian.c. */
int mz_find_sharp(const float *electrons, const uint8_t *bad, int64_t ny, int64_t nx, float floor, float sigma,
                  float near_sigma, float contrast, uint8_t *out, int level);

#endif
