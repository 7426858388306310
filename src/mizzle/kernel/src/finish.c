/* Sums to images: one pass. The NumPy twin in finish.py is the definition. */
#include "mizzle.h"

/* Cells 0 .. count - 1: mean, 1 sigma and weight; `fill` and weight 0 where nothing fell, and no context there. */
MZ_EXPORT int mz_finish(const double *sums, const double *variance, int32_t *context, int64_t planes, int64_t stride,
                        int64_t count, float fill, float *sci, float *err, float *wht)
{
    if (count < 0 || planes < 0)
        return 1;
    for (int64_t k = 0; k < count; k++) {
        const double weight = sums[2 * k + 1];
        if (weight > 0.0) {
            const double scale = 1.0 / weight;
            sci[k] = (float)(sums[2 * k] * scale);
            err[k] = (float)(sqrt(variance[k]) * scale);
            wht[k] = (float)weight;
            continue;
        }
        sci[k] = err[k] = fill;
        wht[k] = 0.0f;
        for (int64_t p = 0; p < planes; p++)
            if (context[p * stride + k])
                context[p * stride + k] = 0;
    }
    return 0;
}
