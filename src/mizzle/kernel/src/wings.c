/* Bright peaks, and the light on the four sides of each. The NumPy twin in wings/ is the definition. */
#include "select.h"

#include <stdlib.h>

enum { SIDES = 4, LEAST_FAR = 10, LEAST_NEAR = 5, FIGURES = 5 };

/* Pixels brighter than `limit` that none of their good neighbors outshines, `edge` (1 at least) or more from the border:
 * their places in the image, in order, to `list`, and how many. */
MZ_EXPORT int64_t mz_bright_peaks(const float *image, const uint8_t *bad, int64_t ny, int64_t nx, int64_t edge,
                                  float limit, int64_t *list)
{
    const int64_t steps[8] = {-nx - 1, -nx, -nx + 1, -1, 1, nx - 1, nx, nx + 1};
    int64_t count = 0;
    for (int64_t y = edge; y < ny - edge; y++) {
        for (int64_t x = edge; x < nx - edge; x++) {
            const int64_t at = y * nx + x;
            const float here = image[at];
            if (!(here > limit) || bad[at])
                continue;
            int top = 1;
            for (int k = 0; k < 8; k++)
                top &= bad[at + steps[k]] | (here >= image[at + steps[k]]);
            list[count] = at;
            count += top;
        }
    }
    return count;
}

typedef struct {
    const float *image;
    const uint8_t *off;
    int64_t ny, nx;
} picture;

/* The pixel so far from a peak, where it is on the picture and says something. */
MZ_INLINE int is_known(const picture *p, int64_t y, int64_t x, float *value)
{
    if (y < 0 || y >= p->ny || x < 0 || x >= p->nx || p->off[y * p->nx + x])
        return 0;
    *value = p->image[y * p->nx + x];
    return *value - *value == 0.0f;
}

/* Level and width of some values: their median and what lies below it, then the mean of those near the median. */
static void surroundings(float *v, int64_t n, double sigma, double *level, double *width)
{
    double percentiles[2];
    const double shares[2] = {0.16, 0.5};
    int64_t sorted = 0; /* so many of the least stand in front */
    for (int k = 0; k < 2; k++) {
        const double place = (double)(n - 1) * shares[k];
        const int64_t before = (int64_t)place;
        const double low = mz_select(v + sorted, n - sorted, before - sorted);
        double high = low;
        if (before + 1 < n) {
            float next = v[before + 1];
            for (int64_t i = before + 2; i < n; i++)
                next = v[i] < next ? v[i] : next;
            high = next;
        }
        percentiles[k] = low + (high - low) * (place - (double)before);
        sorted = before;
    }
    *width = percentiles[1] - percentiles[0] > sigma ? percentiles[1] - percentiles[0] : sigma;
    double sum = 0.0;
    int64_t near = 0;
    for (int64_t i = 0; i < n; i++) {
        if (fabs((double)v[i] - percentiles[1]) <= 3.0 * *width) {
            sum += (double)v[i];
            near++;
        }
    }
    *level = sum / (double)(near > 1 ? near : 1);
}

/* What surrounds each of `count` peaks (row, column): its height, the wings on the faintest side and over all sides, the
 * noise of a side, the level around, (count, 5). `far` (n_far, 2) are the steps to the pixels around, `near`
 * (n_near, 3) those to the wings, and the side each is on. Returns 1 when a peak is not on the image, 2 without memory. */
MZ_EXPORT int mz_wings(const float *image, const uint8_t *off, int64_t ny, int64_t nx, const int64_t *peaks, int64_t count,
                       const int64_t *far, int64_t n_far, const int64_t *near, int64_t n_near, double sigma, double *out)
{
    const picture p = {image, off, ny, nx};
    float *room = malloc((size_t)(n_far + 1) * sizeof *room), value;
    if (!room)
        return 2;
    int64_t reach = 0;
    for (int64_t i = 0; i < 2 * n_far; i++)
        reach = far[i] > reach ? far[i] : -far[i] > reach ? -far[i] : reach;
    for (int64_t k = 0; k < count; k++, out += FIGURES) {
        const int64_t y = peaks[2 * k], x = peaks[2 * k + 1];
        if (y < 0 || y >= ny || x < 0 || x >= nx) {
            free(room);
            return 1;
        }
        int64_t around = 0, beside = 0, sides = 0, counts[SIDES] = {0};
        double sums[SIDES] = {0.0};
        if (y >= reach && y < ny - reach && x >= reach && x < nx - reach) {
            for (int64_t i = 0; i < n_far; i++) { /* most peaks: nothing around them lies outside */
                const int64_t at = (y + far[2 * i]) * nx + x + far[2 * i + 1];
                room[around] = image[at];
                around += !off[at] & (image[at] - image[at] == 0.0f);
            }
        } else {
            for (int64_t i = 0; i < n_far; i++)
                if (is_known(&p, y + far[2 * i], x + far[2 * i + 1], &value))
                    room[around++] = value;
        }
        for (int64_t i = 0; i < n_near; i++) {
            const int64_t side = near[3 * i + 2];
            if (is_known(&p, y + near[3 * i], x + near[3 * i + 1], &value)) {
                sums[side] += (double)value;
                counts[side]++;
                beside++;
            }
        }
        out[0] = image[y * nx + x];
        out[1] = out[2] = out[4] = 0.0;
        out[3] = sigma;
        if (around < LEAST_FAR || beside < LEAST_NEAR)
            continue;
        double level, width, least = INFINITY, total = 0.0, fewest = (double)n_near;
        surroundings(room, around, sigma, &level, &width);
        for (int s = 0; s < SIDES; s++) {
            const double held = (double)(counts[s] > 1 ? counts[s] : 1);
            fewest = held < fewest ? held : fewest;
            if (!counts[s])
                continue;
            const double mean = sums[s] / held - level;
            least = mean < least ? mean : least;
            total += mean;
            sides++;
        }
        out[0] -= level;
        out[1] = least;
        out[2] = total / (double)sides;
        out[3] = width / sqrt(fewest);
        out[4] = level;
    }
    free(room);
    return 0;
}
