/* Sums to images: one pass. The NumPy twin in drop/finish.py is the definition. */
#include "mizzle.h"

#include <string.h>

/* Words of context of a cell. */
MZ_INLINE void mz_words(const double *cell, int32_t *words) { memcpy(words, cell + 3, 2 * sizeof *words); }

/* Cells 0 .. count - 1 (four lanes): mean, 1 sigma, weight and context; `fill` and weight 0 where nothing fell, and no context
 * there. `ctx` gets `planes` planes, `stride` apart; those beyond the second come from `more`. */
MZ_EXPORT int mz_finish(const double *cells, const int32_t *more, int64_t planes, int64_t stride, int64_t count, float fill,
                        float *sci, float *err, float *wht, int32_t *ctx)
{
    if (count < 0 || planes < 1)
        return 1;
    for (int64_t k = 0; k < count; k++) {
        const double *cell = cells + 4 * k, weight = cell[1];
        const int there = weight > 0.0;
        int32_t words[2];
        mz_words(cell, words);
        const double scale = 1.0 / weight;
        sci[k] = there ? (float)(cell[0] * scale) : fill;
        err[k] = there ? (float)(sqrt(cell[2]) * scale) : fill;
        wht[k] = there ? (float)weight : 0.0f;
        for (int64_t p = 0; p < planes; p++)
            ctx[p * stride + k] = !there ? 0 : p < 2 ? words[p] : more[(p - 2) * stride + k];
    }
    return 0;
}

/* One cell more. */
static void mz_join(double *cell, const double *spare)
{
    int32_t words[2], others[2];
    for (int lane = 0; lane < 3; lane++)
        cell[lane] += spare[lane];
    mz_words(cell, words);
    mz_words(spare, others);
    words[0] |= others[0];
    words[1] |= others[1];
    memcpy(cell + 3, words, sizeof words);
}

/* Add the spare cells first .. stop - 1 (four lanes) to those that weigh less than `enough`, where the spare weighs anything:
 * nowhere but where it was `touched` (may be NULL: anywhere). `planes` of context beyond the cells, `stride` apart. */
MZ_EXPORT int mz_fill_in(double *cells, int32_t *more, const double *spare, const int32_t *spare_more, const uint8_t *touched,
                         int64_t planes, int64_t stride, int64_t first, int64_t stop, double enough)
{
    if (first < 0 || planes < 0)
        return 1;
    for (int64_t at = first, end; at < stop; at = end) {
        end = (at / MZ_TOGETHER + 1) * MZ_TOGETHER;
        if (touched && !touched[at / MZ_TOGETHER])
            continue;
        for (int64_t k = at; k < end && k < stop; k++) {
            if (!(spare[4 * k + 1] > 0.0) || !(cells[4 * k + 1] < enough))
                continue;
            mz_join(cells + 4 * k, spare + 4 * k);
            for (int64_t p = 0; p < planes; p++)
                more[p * stride + k] |= spare_more[p * stride + k];
        }
    }
    return 0;
}

/* Mean and weight of `count` cells of two lanes, or four; the mean is `fill` where nothing fell. */
MZ_EXPORT int mz_split(const double *cells, int64_t lanes, int64_t count, double fill, double *restrict mean,
                       double *restrict weight)
{
    if ((lanes != 2 && lanes != 4) || count < 0)
        return 1;
    for (int64_t k = 0; k < count; k++) {
        const double total = cells[lanes * k + 1], value = cells[lanes * k] / total;
        weight[k] = total;
        mean[k] = total != 0.0 ? value : fill;
    }
    return 0;
}

/* Two numbers divided at once. */
typedef double mz_quotients __attribute__((vector_size(16)));

/* `count` cells to images: mean, weight and its variance (from the third lane of `squares`, four lanes) where anything fell,
 * elsewhere they stay as they are; the two words of context are added to what two planes hold. Any image may be NULL. */
MZ_EXPORT int mz_images(const double *cells, const double *squares, int64_t lanes, int64_t count, float *restrict mean,
                        float *restrict weight, float *restrict variance, int32_t *restrict first, int32_t *restrict second)
{
    if ((lanes != 2 && lanes != 4) || count < 0 || (variance && !squares) || ((first || second) && lanes != 4))
        return 1;
    for (int64_t k = 0; k < count; k++) {
        const double *cell = cells + lanes * k, total = cell[1];
        if (first || second) {
            int32_t words[2];
            mz_words(cell, words);
            if (first)
                first[k] |= words[0];
            if (second)
                second[k] |= words[1];
        }
        if (total == 0.0)
            continue;
        /* Both quotients at once: division is most of the time. */
        const mz_quotients both = {cell[0], variance ? squares[4 * k + 2] : 0.0}, by = {total, total * total}, value = both / by;
        if (mean)
            mean[k] = (float)value[0];
        if (weight)
            weight[k] = (float)total;
        if (variance)
            variance[k] = (float)value[1];
    }
    return 0;
}

/* Images back to `count` cells of two lanes, or four: the sums of which they are the mean, the weight and, with four lanes, the
 * variance and two planes of context (each may be NULL). Where the weight is 0 nothing is taken of mean and variance. */
MZ_EXPORT int mz_resume(const float *mean, const float *weight, const float *variance, const int32_t *first,
                        const int32_t *second, int64_t lanes, int64_t count, double *restrict cells)
{
    if ((lanes != 2 && lanes != 4) || count < 0 || ((variance || first || second) && lanes != 4))
        return 1;
    for (int64_t k = 0; k < count; k++) {
        const double total = (double)weight[k], square = total * total;
        double *cell = cells + lanes * k;
        cell[0] = total != 0.0 ? (double)mean[k] * total : 0.0;
        cell[1] = total;
        if (lanes == 2)
            continue;
        const int32_t words[2] = {first ? first[k] : 0, second ? second[k] : 0};
        cell[2] = variance && total != 0.0 ? (double)variance[k] * square : 0.0;
        memcpy(cell + 3, words, sizeof words);
    }
    return 0;
}
