/* Masks of pixels, and their bytes. The NumPy twins in pixels/ are the definition. */
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

/* Turn the bytes of `count` numbers of `width` bytes around, in place. Returns 1 for a width no number has. */
MZ_EXPORT int mz_swap(void *values, int64_t count, int64_t width)
{
    uint16_t *two = values;
    uint32_t *four = values;
    uint64_t *eight = values;
    if (width == 2) {
        for (int64_t k = 0; k < count; k++)
            two[k] = (uint16_t)(two[k] << 8 | two[k] >> 8);
    } else if (width == 4) {
        for (int64_t k = 0; k < count; k++) {
            const uint32_t v = four[k];
            four[k] = v << 24 | (v & 0xFF00u) << 8 | (v >> 8 & 0xFF00u) | v >> 24;
        }
    } else if (width == 8) {
        for (int64_t k = 0; k < count; k++) {
            uint64_t v = eight[k];
            v = (v & 0x00FF00FF00FF00FFull) << 8 | (v >> 8 & 0x00FF00FF00FF00FFull);
            v = (v & 0x0000FFFF0000FFFFull) << 16 | (v >> 16 & 0x0000FFFF0000FFFFull);
            eight[k] = v << 32 | v >> 32;
        }
    } else {
        return width != 1;
    }
    return 0;
}
