/* The k-th of some values, by their order. */
#ifndef MIZZLE_SELECT_H
#define MIZZLE_SELECT_H

#include "mizzle.h"

/* Move the values below `pivot` (or, with `equal`, not above it) to the front of a range; return where the others begin.
 * No branch depends on a value: which side it falls to is a toss, and a wrong guess costs more than all the moves. */
MZ_INLINE int64_t mz_parted(float *v, int64_t low, int64_t high, float pivot, int equal)
{
    int64_t to = low;
    for (int64_t i = low; i <= high; i++) {
        const float here = v[i];
        v[i] = v[to];
        v[to] = here;
        to += equal ? here <= pivot : here < pivot;
    }
    return to;
}

/* Element k of the sorted values, by quickselect; afterwards the k least stand before it. */
MZ_INLINE float mz_select(float *v, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        const float a = v[low], b = v[low + (high - low) / 2], c = v[high];
        const float pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        const int64_t middle = mz_parted(v, low, high, pivot, 0);
        if (k < middle) {
            high = middle - 1;
            continue;
        }
        const int64_t above = mz_parted(v, middle, high, pivot, 1); /* the pivot's equals, itself among them */
        if (k < above || above == low) break; /* found; or nothing can be compared */
        low = above;
    }
    return v[k];
}

#endif
