/* Smooth light from the pixels around: what predict.c and smooth.c are asked. */
#ifndef MIZZLE_PREDICT_H
#define MIZZLE_PREDICT_H

#include "mizzle.h"

/* Most samples of one place. */
#define MZ_MAX_SAMPLES 32

/* How one chip samples places on a grid: `SamplerStruct` in native.py. */
typedef struct {
    mz_map map;                                      /* a polynomial */
    double middle[2], place[2], back[4], matrix[4];  /* its straight line: see maps/inverse.py */
    double bend, gain, sky, floor, unit, reach;
    int64_t bits;                                    /* of bad pixels */
} mz_sampler;

/* What one chip saw: `SamplesStruct` in native.py. */
typedef struct {
    const int64_t *owner;  /* (count), rising */
    const double *samples; /* (count, 4): dx, dy, value, variance */
    int64_t count;
} mz_samples;

/* Samples around `count` places (x, y), numbered `which`, to `owner` and `samples`, which have room for nine of each
 * place; `hit` are packed bits. Returns how many were written, or -1 when the job makes no sense. */
int64_t mz_sample(const mz_sampler *q, const float *sci, const uint16_t *dq, const uint8_t *hit, int64_t count,
                const int64_t *which, const double *x, const double *y, int64_t *owner, double *samples);

/* The nearest of what `n` chips saw around places first .. stop - 1, to tables (stop - first, most) of dx, dy, value and
 * variance, one after the other. Returns 1 when the job makes no sense, 2 without memory. */
int mz_nearest(const mz_samples *parts, int64_t n, int64_t first, int64_t stop, int64_t most, double *tables);

/* What smooth light is at `count` places, from such tables, by an instruction set (`mz_level`; -1: the best). Returns 1
 * when the job makes no sense. */
int mz_predict(const double *dx, const double *dy, const double *value, const double *noise, int64_t count, int64_t most,
               const double *amplitude, double length, double *mean, double *variance, int level);

/* Places of the bytes that have one of `bits`, the first `room` of them; returns how many there are. */
int64_t mz_marked(const uint8_t *marks, int64_t count, uint8_t bits, int64_t room, int64_t *where);

#endif
