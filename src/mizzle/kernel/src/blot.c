/* Blotting: read an image at the places where a chip's pixels fall. */
#include "mizzle.h"

#include <string.h>

#define MZ_CHUNK 64
#define MZ_SPARE 8
#define MZ_FMA(a, b, c) ((a) * (b) + (c))
/* Weights of the n-point polynomial through the points -(n/2 - 1) .. n/2, read at 0 <= f < 1 (Lagrange's form). */
static void polynomial_weights(int n, double f, double *w)
{
    if (n == 2) {
        w[0] = 1.0 - f;
        w[1] = f;
    } else if (n == 4) {
        const double a = f + 1.0, b = f, c = f - 1.0, d = f - 2.0;
        w[0] = -b * c * d / 6.0;
        w[1] = a * c * d / 2.0;
        w[2] = -a * b * d / 2.0;
        w[3] = a * b * c / 6.0;
    } else {
        const double a = f + 2.0, b = f + 1.0, c = f, d = f - 1.0, e = f - 2.0, g = f - 3.0;
        w[0] = -b * c * d * e * g / 120.0;
        w[1] = a * c * d * e * g / 24.0;
        w[2] = -a * b * d * e * g / 12.0;
        w[3] = a * b * c * e * g / 12.0;
        w[4] = -a * b * c * d * g / 24.0;
        w[5] = a * b * c * d * e / 120.0;
    }
}

/* Windowed sinc over six points, scaled so that a flat image stays flat. All sines follow from those of f. */
static void lanczos_weights(double f, double *w)
{
    /* cos(k pi / 3), sin(k pi / 3) for k = 2, 1, 0, -1, -2, -3 */
    static const double c[6] = {-0.5, 0.5, 1.0, 0.5, -0.5, -1.0};
    static const double s[6] = {0.8660254037844386, 0.8660254037844386, 0.0, -0.8660254037844386, -0.8660254037844386, 0.0};
    const double pi = 3.14159265358979323846;
    const double sine = sin(pi * f), low = sin(pi * f / 3.0), high = cos(pi * f / 3.0);
    double sum = 0.0;
    for (int k = 0; k < 6; k++) {
        const double t = pi * (f + 2.0 - (double)k);
        w[k] = (k & 1 ? -3.0 : 3.0) * sine * (low * c[k] + high * s[k]) / (t * t);
        if (fabs(t) < 1e-7)
            w[k] = 1.0;
        sum += w[k];
    }
    for (int k = 0; k < 6; k++)
        w[k] /= sum;
}

/* The same over ten points. */
static void lanczos5_weights(double f, double *w)
{
    const double pi = 3.14159265358979323846;
    double sum = 0.0;
    for (int k = 0; k < 10; k++) {
        const double t = pi * (f + 4.0 - (double)k);
        w[k] = fabs(t) < 1e-7 ? 1.0 : 5.0 * sin(t) * sin(t / 5.0) / (t * t);
        sum += w[k];
    }
    for (int k = 0; k < 10; k++)
        w[k] /= sum;
}

/* Weights of n points for a reading at 0 <= f < 1. */
MZ_INLINE void point_weights(int n, int lanczos, double f, double *w)
{
    if (!lanczos)
        polynomial_weights(n, f, w);
    else if (n == 10)
        lanczos5_weights(f, w);
    else
        lanczos_weights(f, w);
}

/* The image at (x, y) from n x n pixels; not a number where one of them is missing. */
MZ_INLINE double read_points(const float *image, int64_t ny, int64_t nx, double x, double y, int n, int lanczos)
{
    const double fx = floor(x), fy = floor(y);
    const int64_t i = (int64_t)fx - (n / 2 - 1), j = (int64_t)fy - (n / 2 - 1);
    if (i < 0 || j < 0 || i + n > nx || j + n > ny)
        return NAN;
    double wx[10], wy[10];
    point_weights(n, lanczos, x - fx, wx);
    point_weights(n, lanczos, y - fy, wy);
    const float *p = image + j * nx + i;
    double sum = 0.0;
    for (int r = 0; r < n; r++, p += nx) {
        double row = 0.0;
        for (int c = 0; c < n; c++)
            row += wx[c] * (double)p[c];
        sum += wy[r] * row;
    }
    return sum;
}

/* Nearest pixel; not a number outside. */
static double read_nearest(const float *image, int64_t ny, int64_t nx, double x, double y)
{
    const int64_t i = (int64_t)floor(x + 0.5), j = (int64_t)floor(y + 0.5);
    return i < 0 || j < 0 || i >= nx || j >= ny ? NAN : (double)image[j * nx + i];
}

/* Where the wanted points are not all there, fewer serve: 10, 6, 4, 2, 1. */
static double read_image(const float *image, int64_t ny, int64_t nx, double x, double y, int64_t interp)
{
    if (!(fabs(x) < MZ_FAR) || !(fabs(y) < MZ_FAR))
        return NAN;
    /* The nearest pixel is among the points of all: where it is missing nothing can be read. */
    double value = read_nearest(image, ny, nx, x, y);
    if (isnan(value))
        return value;
    switch (interp) {
    case MZ_BLOT_LANCZOS5:
        value = read_points(image, ny, nx, x, y, 10, 1);
        if (!isnan(value))
            return value;
        /* fall through */
    case MZ_BLOT_LANCZOS3:
        value = read_points(image, ny, nx, x, y, 6, 1);
        if (!isnan(value))
            return value;
        /* fall through */
    case MZ_POLY5:
        value = read_points(image, ny, nx, x, y, 6, 0);
        if (!isnan(value))
            return value;
        /* fall through */
    case MZ_POLY3:
        value = read_points(image, ny, nx, x, y, 4, 0);
        if (!isnan(value))
            return value;
        /* fall through */
    case MZ_LINEAR:
        value = read_points(image, ny, nx, x, y, 2, 0);
        if (!isnan(value))
            return value;
        /* fall through */
    default:
        return read_nearest(image, ny, nx, x, y);
    }
}

/* An image and how it is read. */
typedef struct {
    const float *image;
    int64_t ny, nx, interp;
} mz_picture;

#define MZ_WIDEN(v, wide) __builtin_convertvector(v, wide)
/* Eight numbers, in parts of MZ_WIDTH, are added up in one order by all. */
#if defined(__GNUC__)
#define MZ_HALF(s) ((s[0] + s[2]) + (s[1] + s[3]))
#define MZ_SUM8(s) (MZ_HALF(s)[0] + MZ_HALF(s)[1])
#else
#define MZ_SUM8(s) (((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])))
#endif
#define MZ(name) mz_base_##name
#include "map_body.h"
#include "blot_body.h"
#undef MZ
#if defined(MZ_MANY_ISA)
#include <immintrin.h>
#undef MZ_FMA
#define MZ_FMA(a, b, c) __builtin_fma(a, b, c)
#undef MZ_SUM8
#define MZ_SUM8(s) (((s[0] + s[1])[0] + (s[0] + s[1])[2]) + ((s[0] + s[1])[1] + (s[0] + s[1])[3]))
#include "isa_avx2.h"
#include "contract.h"
#define MZ(name) mz_avx2_##name
#include "map_body.h"
#include "blot_body.h"
#undef MZ
#include "isa_end.h"
#undef MZ_WIDEN
#undef MZ_SUM8
#include "isa_avx512.h"
#include "contract.h"
/* One instruction, where the compiler's own conversion takes four; the same for the sum. */
#define MZ_WIDEN(v, wide) ((wide)_mm512_cvtps_pd((__m256)(v)))
#define MZ_SUM8(s) _mm512_reduce_add_pd((__m512d)(s)[0])
#define MZ(name) mz_avx512_##name
#include "map_body.h"
#include "blot_body.h"
#undef MZ
#include "isa_end.h"
#endif

/* Blot rows row0 .. row1 - 1 of a chip; with `wanted` (ny, nx) the pixels that it marks only, the others are no number. */
MZ_EXPORT int mz_blot(const mz_map *map, const float *image, int64_t ny, int64_t nx, int64_t interp, int64_t row0,
                      int64_t row1, const uint8_t *wanted, float *out)
{
    if (!mz_map_is_sound(map) || ny < 1 || nx < 1 || row0 < 0 || row1 > map->ny)
        return 1;
    const mz_picture picture = {image, ny, nx, interp};
    switch (mz_level(-1)) {
#ifdef MZ_MANY_ISA
    case 2:
        mz_avx512_blot_rows(map, &picture, row0, row1, wanted, out);
        break;
    case 1:
        mz_avx2_blot_rows(map, &picture, row0, row1, wanted, out);
        break;
#endif
    default:
        mz_base_blot_rows(map, &picture, row0, row1, wanted, out);
    }
    return 0;
}
