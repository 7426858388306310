/* A stack of images to one image, a row of pixels at a time: sorted by a network, many pixels abreast. */
#include "mizzle.h"

#include <stdlib.h>

#define WIDTH 128

enum { MZ_MEDIAN = 0, MZ_MEAN = 1, MZ_MINMED = 2, MZ_CLIPPED = 3 };

typedef struct {
    int64_t n, ny, nx;
    const float *stack;        /* (n, ny, nx); not finite = absent */
    int64_t plane, row;        /* distances [float] between images, and between rows */
    const float *floor, *slope; /* (n) variance = floor + slope * max(value, 0); minmed and clipped only */
    int64_t method, nlow, nhigh, least;
    double sigma, structure;
    float *image;              /* (ny, nx) */
    uint8_t *count;            /* (ny, nx) values present, 255 at most, or NULL */
} mz_stack;

MZ_EXPORT int64_t mz_stack_size(void) { return (int64_t)sizeof(mz_stack); }

/* Sort the n values of each of WIDTH pixels (Batcher's odd-even merge network, which never looks at the data). */
static void sort_columns(float *v, int64_t n)
{
    for (int64_t p = 1; p < n; p <<= 1)
        for (int64_t k = p; k >= 1; k >>= 1)
            for (int64_t j = k % p; j + k < n; j += 2 * k)
                for (int64_t i = 0; i < k && i + j + k < n; i++)
                    if ((i + j) / (2 * p) == (i + j + k) / (2 * p)) {
                        float *restrict a = v + (i + j) * WIDTH, *restrict b = v + (i + j + k) * WIDTH;
                        for (int64_t x = 0; x < WIDTH; x++) {
                            const float low = a[x] < b[x] ? a[x] : b[x], high = a[x] < b[x] ? b[x] : a[x];
                            a[x] = low;
                            b[x] = high;
                        }
                    }
}

/* Mean of the two middle values of ordered[first .. stop - 1]. */
static float middle_of(const float *ordered, int64_t x, int64_t first, int64_t stop)
{
    return 0.5f * (ordered[((first + stop - 1) / 2) * WIDTH + x] + ordered[((first + stop) / 2) * WIDTH + x]);
}

/* Median without the highest value, or the lowest where that is far below it. */
static float guarded(const mz_stack *s, const float *ordered, int64_t x, int64_t count, float floor, float slope)
{
    const float middle = middle_of(ordered, x, 0, count >= 3 ? count - 1 : count), least = ordered[x];
    const float light = least > 0.0f ? least : 0.0f, structure = (float)s->structure * light;
    /* Two values: their mean is half a difference away from the lower one. */
    const float share = count <= 3 ? 0.5f : 1.0f;
    const float variance = (floor + slope * light) * share + structure * structure;
    return middle - least > (float)s->sigma * sqrtf(variance) ? least : middle;
}

/* Noise-weighted means of the values near `middle`; `middle` itself where none is. */
static void clipped(const mz_stack *s, const float *raw, float *middle)
{
    float total[WIDTH] = {0}, weight[WIDTH] = {0};
    for (int64_t k = 0; k < s->n; k++) {
        const float *restrict v = raw + k * WIDTH;
        const float floor = s->floor[k], slope = s->slope[k], share = 1.0f / floor;
        const float limit = (float)(s->sigma * s->sigma), structure = (float)(s->structure * s->structure);
        for (int64_t x = 0; x < WIDTH; x++) {
            const float light = middle[x] > 0.0f ? middle[x] : 0.0f, off = v[x] - middle[x];
            /* Absent values are infinite: never near. */
            const int near = off * off <= limit * (floor + slope * light + structure * light * light);
            total[x] += near ? v[x] * share : 0.0f;
            weight[x] += near ? share : 0.0f;
        }
    }
    for (int64_t x = 0; x < WIDTH; x++)
        middle[x] = weight[x] > 0.0f ? total[x] / weight[x] : middle[x];
}

static float reduced(const mz_stack *s, const float *ordered, int64_t x, int64_t count, float floor, float slope)
{
    if (s->method == MZ_MINMED || s->method == MZ_CLIPPED)
        return guarded(s, ordered, x, count, floor, slope);
    const int64_t low = s->nlow < count - 1 ? s->nlow : count - 1;
    const int64_t high = s->nhigh < count - 1 - low ? s->nhigh : count - 1 - low;
    if (s->method == MZ_MEDIAN)
        return middle_of(ordered, x, low, count - high);
    double sum = 0.0;
    for (int64_t k = low; k < count - high; k++)
        sum += (double)ordered[k * WIDTH + x];
    return (float)(sum / (double)(count - high - low));
}

/* Reduce rows of a stack. Returns 0; 1 for a job that makes no sense, 2 when memory is short. */
MZ_EXPORT int mz_combine(const mz_stack *s)
{
    if (s->n < 1 || s->ny < 1 || s->nx < 1 || !s->stack || !s->image || s->nlow < 0 || s->nhigh < 0 ||
        (s->method >= MZ_MINMED && (!s->floor || !s->slope)))
        return 1;
    float *raw = malloc((size_t)s->n * WIDTH * 2 * sizeof *raw);
    if (!raw)
        return 2;
    float *ordered = raw + s->n * WIDTH, floor = 0.0f, slope = 0.0f;
    for (int64_t k = 0; k < s->n && s->method >= MZ_MINMED; k++) {
        floor = s->floor[k] > floor ? s->floor[k] : floor;
        slope = s->slope[k] > slope ? s->slope[k] : slope;
    }
    for (int64_t j = 0; j < s->ny; j++)
        for (int64_t i0 = 0; i0 < s->nx; i0 += WIDTH) {
            const int64_t count_x = s->nx - i0 < WIDTH ? s->nx - i0 : WIDTH;
            int32_t count[WIDTH] = {0};
            float answer[WIDTH];
            for (int64_t k = 0; k < s->n; k++) {
                const float *in = s->stack + k * s->plane + j * s->row + i0;
                float *restrict v = raw + k * WIDTH, *restrict o = ordered + k * WIDTH;
                for (int64_t x = 0; x < count_x; x++) {
                    const int there = in[x] - in[x] == 0.0f;
                    v[x] = o[x] = there ? in[x] : INFINITY;
                    count[x] += there;
                }
                for (int64_t x = count_x; x < WIDTH; x++)
                    v[x] = o[x] = INFINITY;
            }
            sort_columns(ordered, s->n);
            for (int64_t x = 0; x < WIDTH; x++)
                answer[x] = count[x] ? reduced(s, ordered, x, count[x], floor, slope) : 0.0f;
            if (s->method == MZ_CLIPPED)
                clipped(s, raw, answer);
            float *out = s->image + j * s->nx + i0;
            for (int64_t x = 0; x < count_x; x++)
                out[x] = count[x] && count[x] >= s->least ? answer[x] : NAN;
            if (s->count)
                for (int64_t x = 0; x < count_x; x++)
                    s->count[j * s->nx + i0 + x] = (uint8_t)(count[x] < 255 ? count[x] : 255);
        }
    free(raw);
    return 0;
}
