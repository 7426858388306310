/* Finding stars: background mesh and peaks. The NumPy twin in detect/ is the definition. */
#include "detect.h"
#include "select.h"

#include <stdlib.h>

enum { BAD = 1, FULL = 2 };

/* Median of n values, and how far below it their 15.9th percentile lies. */
static double lower_scatter(float *values, int64_t n, double *median)
{
    double upper = mz_select(values, n, n / 2);
    double lower = upper; /* of an even number: the greatest of the lower half */
    if (n % 2 == 0) {
        lower = values[0];
        for (int64_t q = 1; q < n / 2; q++) lower = values[q] > lower ? values[q] : lower;
    }
    *median = 0.5 * (lower + upper);
    return *median - mz_select(values, n / 2, (int64_t)nearbyint(0.15866 * (double)(n - 1)));
}

/* Median and upward scatter of the usable pixels of every second row and column, cell by cell. Cells with too few get
 * NaN. `scratch` holds at least one cell. */
MZ_EXPORT void mz_background(const float *sci, const uint8_t *flags, int64_t nx, int64_t my, int64_t mx,
                             const int64_t *y_edges, const int64_t *x_edges, float *scratch, double *level,
                             double *noise)
{
    for (int64_t j = 0; j < my; j++) {
        for (int64_t i = 0; i < mx; i++) {
            int64_t n = 0, all = 0;
            for (int64_t y = y_edges[j] + (y_edges[j] & 1); y < y_edges[j + 1]; y += 2) {
                for (int64_t x = x_edges[i] + (x_edges[i] & 1); x < x_edges[i + 1]; x += 2) {
                    all++;
                    if (!flags[y * nx + x]) scratch[n++] = sci[y * nx + x];
                }
            }
            int64_t least = all / 5 > 8 ? all / 5 : 8;
            if (n < least)
                level[j * mx + i] = noise[j * mx + i] = NAN;
            else
                noise[j * mx + i] = lower_scatter(scratch, n, level + j * mx + i);
        }
    }
}

/* Scatter of pixels about the mean of four around them, two pixels away, cell by cell: blind to what is smooth over five
 * pixels. Every second pixel of every fourth row is asked. Cells with too few get NaN. */
MZ_EXPORT void mz_fine_scatter(const float *sci, const uint8_t *flags, int64_t ny, int64_t nx, int64_t my, int64_t mx,
                               const int64_t *y_edges, const int64_t *x_edges, float *scratch, double *scatter)
{
    for (int64_t j = 0; j < my; j++) {
        for (int64_t i = 0; i < mx; i++) {
            int64_t n = 0;
            for (int64_t y = (y_edges[j] + 3) / 4 * 4; y < y_edges[j + 1]; y += 4) {
                if (y < 2 || y >= ny - 2) continue;
                for (int64_t x = (x_edges[i] + 1) / 2 * 2; x < x_edges[i + 1]; x += 2) {
                    if (x < 2 || x >= nx - 2) continue;
                    const float *p = sci + y * nx + x;
                    const uint8_t *bad = flags + y * nx + x;
                    if (bad[0] | bad[-2] | bad[2] | bad[-2 * nx] | bad[2 * nx]) continue;
                    scratch[n++] = p[0] - 0.25f * (p[-2] + p[2] + p[-2 * nx] + p[2 * nx]);
                }
            }
            double median;
            scatter[j * mx + i] = n < 100 ? NAN : lower_scatter(scratch, n, &median);
        }
    }
}

/* Position of a pixel between the centers of two cells. */
static int64_t between(int64_t at, int64_t size, int64_t cells, float *share)
{
    if (cells == 1) {
        *share = 0.0f;
        return 0;
    }
    double t = ((double)at + 0.5) * (double)cells / (double)size - 0.5;
    t = t < 0.0 ? 0.0 : (t > (double)(cells - 1) ? (double)(cells - 1) : t);
    int64_t low = (int64_t)t;
    if (low > cells - 2) low = cells - 2;
    *share = (float)(t - (double)low);
    return low;
}

/* One row of a mesh, interpolated linearly. Between the centers of two cells (from `first[i]` on) the cells stay the
 * same, so that the inner loop reads in a row. */
static void spread_row(const double *mesh, int64_t my, int64_t mx, int64_t y, int64_t ny, const int64_t *first,
                       const float *share, float *mixed, float *restrict row)
{
    float t;
    int64_t j = between(y, ny, my, &t), next = my > 1 ? j + 1 : j;
    for (int64_t i = 0; i < mx; i++)
        mixed[i] = (1.0f - t) * (float)mesh[j * mx + i] + t * (float)mesh[next * mx + i];
    mixed[mx] = mixed[mx - 1];
    for (int64_t i = 0; i < mx; i++) {
        const float left = mixed[i], right = mixed[i + 1];
        for (int64_t x = first[i]; x < first[i + 1]; x++)
            row[x] = (1.0f - share[x]) * left + share[x] * right;
    }
}

/* Image less background (0 where bad), and the noise of every pixel. Returns 1 when memory is short. */
MZ_EXPORT int mz_excess(const float *sci, const uint8_t *flags, int64_t ny, int64_t nx, int64_t top, int64_t bottom,
                        const double *level, const double *noise, int64_t my, int64_t mx, float *excess,
                        float *noise_image)
{
    int64_t *first = malloc((size_t)(mx + 1) * sizeof *first);
    float *share = malloc((size_t)nx * sizeof *share);
    float *mixed = malloc((size_t)(mx + 1) * sizeof *mixed);
    if (!first || !share || !mixed) {
        free(first), free(share), free(mixed);
        return 1;
    }
    int64_t cell = 0;
    first[0] = 0;
    for (int64_t x = 0; x < nx; x++)
        for (int64_t low = between(x, nx, mx, share + x); cell < low;) first[++cell] = x;
    while (cell < mx) first[++cell] = nx;
    for (int64_t y = top; y < bottom; y++) {
        float *row = excess + (y - top) * nx;
        const float *image = sci + y * nx;
        const uint8_t *bad = flags + y * nx;
        spread_row(noise, my, mx, y, ny, first, share, mixed, noise_image + (y - top) * nx);
        spread_row(level, my, mx, y, ny, first, share, mixed, row);
        for (int64_t x = 0; x < nx; x++) row[x] = (bad[x] & BAD) ? 0.0f : image[x] - row[x];
    }
    free(first), free(share), free(mixed);
    return 0;
}

/* Peaks above three times the noise that could be stars. `tilt` is the profile less its mean, `power` its square summed,
 * `cross` the least light of the four neighbors over the peak's. Returns how many were written. */
MZ_EXPORT int64_t mz_peaks(const float *excess, const float *noise, const uint8_t *flags, int64_t ny, int64_t nx,
                           int64_t edge, int64_t radius, const double *tilt, double power, double cross,
                           double threshold, int64_t capacity, int64_t *index, double *signal)
{
    int64_t found = 0, side = 2 * radius + 1;
    const int64_t steps[8] = {-nx - 1, -nx, -nx + 1, -1, 1, nx - 1, nx, nx + 1};
    for (int64_t y = edge; y < ny - edge; y++) {
        for (int64_t x = edge; x < nx - edge; x++) {
            int64_t at = y * nx + x;
            const float *p = excess + at;
            float value = *p, sigma = noise[at];
            if (!(value > 3.0f * sigma)) continue;
            int top = 1;
            for (int s = 0; s < 4 && top; s++) top = value >= p[steps[s]];
            for (int s = 4; s < 8 && top; s++) top = value > p[steps[s]];
            if (!top) continue;
            int bad = flags[at] & BAD, core_full = flags[at] & FULL;
            for (int s = 0; s < 8; s++) {
                bad |= flags[at + steps[s]] & BAD;
                core_full |= flags[at + steps[s]] & FULL;
            }
            if (bad) continue;
            double sum = 0.0;
            int64_t used = 0;
            for (int64_t j = 0; j < side; j++) {
                for (int64_t i = 0; i < side; i++) {
                    int64_t q = at + (j - radius) * nx + (i - radius);
                    if (flags[q]) continue;
                    used++;
                    sum += tilt[j * side + i] * (double)excess[q];
                }
            }
            if ((double)used < 0.6 * (double)(side * side)) continue;
            double strength = core_full ? (double)value : sum / power; /* a filter without its center says nothing */
            if (!core_full && !(strength * sqrt(power) > 0.5 * threshold * (double)sigma)) continue;
            double four = (double)p[-1] + (double)p[1] + (double)p[-nx] + (double)p[nx];
            if (!core_full && !(four > cross * (double)value - 6.0 * (double)sigma)) continue;
            if (found < capacity) {
                index[found] = at;
                signal[found] = strength;
                found++;
            }
        }
    }
    return found;
}
