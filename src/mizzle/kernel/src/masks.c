/* Masks of pixels. The NumPy twin in masks.py is the definition. */
#include "mizzle.h"

/* Mark pixels that have one of `bits`, or are not finite; returns how many. */
MZ_EXPORT int64_t mz_bad_pixels(const float *sci, const uint16_t *dq, uint16_t bits, int64_t count, uint8_t *restrict out)
{
    int64_t marked = 0;
    for (int64_t at = 0; at < count; at += 4096) {
        const int size = count - at < 4096 ? (int)(count - at) : 4096;
        int some = 0;
        for (int k = 0; k < size; k++) {
            const float v = sci[at + k];
            const uint8_t bad = (uint8_t)(((dq[at + k] & bits) != 0) | !(v - v == 0.0f));
            out[at + k] = bad;
            some += bad;
        }
        marked += some;
    }
    return marked;
}

/* Mark pixels that have one of `bits`. */
MZ_EXPORT int mz_has_bits(const uint16_t *dq, uint16_t bits, int64_t count, uint8_t *restrict out)
{
    for (int64_t k = 0; k < count; k++)
        out[k] = (dq[k] & bits) != 0;
    return 0;
}

/* Is every value finite? */
MZ_EXPORT int mz_all_finite(const float *values, int64_t count)
{
    for (int64_t at = 0; at < count; at += 4096) {
        const int size = count - at < 4096 ? (int)(count - at) : 4096;
        int odd = 0;
        for (int k = 0; k < size; k++) {
            const float v = values[at + k];
            odd |= !(v - v == 0.0f);
        }
        if (odd)
            return 0;
    }
    return 1;
}
