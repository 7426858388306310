/* Stacks of images: what rays.c is asked to reduce. */
#ifndef MIZZLE_STACK_H
#define MIZZLE_STACK_H

#include "mizzle.h"

/* A stack and how to reduce it: `StackStruct` in native.py. */
typedef struct {
    const float *images; /* n images, `stride` apart */
    int64_t n, stride;
    const float *floor, *slope; /* (n) noise of each image */
    int64_t method, nlow, nhigh;
    float sigma, structure, ratio, worst_slope;
} mz_stack;

#endif
