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

/* Add the cells of `spare` to those of `sums` that weigh less than `enough`, where the spare weighs anything. */
MZ_EXPORT int mz_fill_in(double *sums, double *variance, int32_t *context, const double *spare_sums,
                         const double *spare_variance, const int32_t *spare_context, int64_t planes, int64_t stride,
                         int64_t count, double enough)
{
    if (count < 0 || planes < 0)
        return 1;
    for (int64_t k = 0; k < count; k++) {
        if (!(spare_sums[2 * k + 1] > 0.0) || !(sums[2 * k + 1] < enough))
            continue;
        sums[2 * k] += spare_sums[2 * k];
        sums[2 * k + 1] += spare_sums[2 * k + 1];
        variance[k] += spare_variance[k];
        for (int64_t p = 0; p < planes; p++)
            context[p * stride + k] |= spare_context[p * stride + k];
    }
    return 0;
}
