/* Feeds the kernel maps that no sane caller would, from arrays of exactly the size it is told. Built with the address and
 * undefined-behavior sanitizers, which end the program at the first sin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"

int mz_accumulate(const mz_job *job, int level);
int mz_blot(const mz_map *map, const float *image, int64_t ny, int64_t nx, int64_t interp, int64_t row0, int64_t row1,
            const uint8_t *wanted, float *out);
int mz_bounds(const float *image, int64_t ny, int64_t nx, int64_t interp, int64_t row0, int64_t row1, uint32_t *out);
int mz_plan(const mz_judge *q, const mz_map *map, const mz_view *view, int64_t rim, int64_t unsure, uint8_t *skip,
            uint8_t *known, uint8_t *wanted);
int mz_judge_chip(const mz_judge *q, const float *sci, const uint8_t *bad, const float *expected, float *light,
                  uint8_t *marks, uint8_t *out);

static uint64_t state = 88172645463325252ULL;

static uint64_t bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double uniform(void) { return (double)(bits() >> 11) / 9007199254740992.0; }

static int64_t below(int64_t n) { return (int64_t)(bits() % (uint64_t)n); }

/* A number, tame or wild. */
static double number(double scale, int wild)
{
    static const double beasts[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e9, -1e9, 2147483648.0, -2147483649.0,
                                    9.3e18, -9.3e18, 0.0, -0.0, 5e-324, 1e-200, 0.5, -0.5};
    if (wild && below(6) == 0)
        return beasts[below(sizeof beasts / sizeof *beasts)];
    return scale * (2.0 * uniform() - 1.0);
}

static double *numbers(int64_t n, double scale, int wild)
{
    double *a = malloc((size_t)n * sizeof *a);
    for (int64_t k = 0; k < n; k++)
        a[k] = number(scale, wild);
    return a;
}

static float *singles(int64_t n, double scale, int wild)
{
    float *a = malloc((size_t)n * sizeof *a);
    for (int64_t k = 0; k < n; k++) {
        const double value = number(scale, wild);
        a[k] = fabs(value) > 3e38 ? (value > 0 ? INFINITY : -INFINITY) : (float)value;
    }
    return a;
}

static uint8_t *some(int64_t n)
{
    uint8_t *a = malloc((size_t)n);
    for (int64_t k = 0; k < n; k++)
        a[k] = (uint8_t)(below(5) == 0);
    return a;
}

/* Hold a chip against an image. */
static void compare(const mz_map *map, const float *image, int64_t oy, int64_t ox, int wild)
{
    const int64_t ny = map->ny, nx = map->nx, interp = below(5), cut = below(oy + 1);
    uint32_t *bounds = malloc((size_t)(oy * ox) * sizeof *bounds);
    mz_bounds(image, oy, ox, interp, 0, cut, bounds);
    mz_bounds(image, oy, ox, interp, cut, oy, bounds);
    float *sci = singles(ny * nx, 100.0, wild), *factors = singles(14, 2.0, wild);
    uint8_t *bad = some(ny * nx), *asked = below(2) ? some(ny * nx) : NULL;
    uint8_t *skip = malloc((size_t)(ny * nx)), *known = malloc((size_t)(ny * nx)), *wanted = malloc((size_t)(ny * nx));
    float *expected = malloc((size_t)(ny * nx) * 4), *light = malloc((size_t)(ny * nx) * 4);
    uint8_t *marks = malloc((size_t)(ny * nx)), *out = malloc((size_t)(ny * nx));
    const mz_judge q = {ny, nx, below(2), factors[0], factors[1], factors[2], factors[3], factors[4], factors[5],
                        factors[6], factors[7], factors[8], factors[9], factors[10], factors[11], factors[12], factors[13]};
    const mz_view view = {image, bounds, oy, ox, sci, bad, asked, (float)number(100.0, 0)};
    mz_plan(&q, map, &view, below(4), 1 + below(2), skip, known, wanted);
    mz_blot(map, image, oy, ox, interp, 0, ny, wanted, expected);
    mz_judge_chip(&q, sci, skip, expected, light, marks, out);
    free(bounds), free(sci), free(factors), free(bad), free(asked), free(skip), free(known), free(wanted);
    free(expected), free(light), free(marks), free(out);
}

static void one(void)
{
    mz_job job;
    memset(&job, 0, sizeof job);
    const int64_t ny = 1 + below(6), nx = 1 + below(140), oy = 1 + below(40), ox = 1 + below(40);
    const int wild = below(3) == 0;
    const double scale = (double)(1 << below(12));
    job.map.ny = ny;
    job.map.nx = nx;
    double *cx = NULL, *cy = NULL, *edges = NULL, *pixmap = NULL;
    if (below(2)) {
        const int64_t d = below(MZ_MAX_DEGREE + 1), n = (d + 1) * (d + 1);
        job.map.degree = d;
        job.map.cx = cx = numbers(n, scale, wild);
        job.map.cy = cy = numbers(n, scale, wild);
        if (below(2))
            job.map.row_edges = edges = numbers(ny + 1, 0.1, wild);
    } else {
        job.map.pixmap = pixmap = numbers(ny * nx * 2, scale, wild);
        if (below(2))
            for (int64_t k = 0; k < ny * nx; k++) { /* a usual map, here and there broken */
                pixmap[2 * k] = (double)(k % nx) * 0.7 + number(0.1, wild);
                pixmap[2 * k + 1] = (double)(k / nx) * 0.7 + number(0.1, wild);
            }
        job.map.step = uniform() * 9.0;
    }
    float *sci = NULL, *relative = NULL, *image = singles(oy * ox, 10.0, wild), *out = malloc((size_t)(ny * nx) * 4);
    double *sci64 = NULL, *relative64 = NULL, *variance = NULL;
    if (below(2))
        job.sci = sci = singles(ny * nx, 10.0, wild);
    else
        job.sci64 = sci64 = numbers(ny * nx, 10.0, wild);
    if (below(3) == 0)
        job.relative = relative = singles(ny * nx, 1.0, wild);
    else if (below(2))
        job.relative64 = relative64 = numbers(ny * nx, 1.0, wild);
    uint8_t *mask = NULL;
    if (below(2))
        job.mask = mask = some(ny * nx);
    job.kernel = below(5);
    job.pixfrac = below(2) ? 1.0 : 0.001 + 0.999 * uniform();
    job.ratio = below(8) ? 0.05 + 4.0 * uniform() : 0.01;
    job.multiply = number(2.0, 0);
    job.subtract = number(2.0, 0);
    job.weight = number(2.0, 0);
    job.v0 = uniform();
    job.v1 = uniform();
    job.out_ny = oy;
    job.out_nx = ox;
    job.row0 = below(oy);
    job.row1 = job.row0 + below(oy - job.row0 + 1);
    double *sums = calloc((size_t)(oy * ox * 2), sizeof *sums);
    job.sums = sums;
    if (below(2))
        job.variance = variance = calloc((size_t)(oy * ox), sizeof *variance);
    int32_t *context = NULL;
    if (below(2)) {
        job.context = context = calloc((size_t)(oy * ox), sizeof *context);
        job.bit = (int32_t)(1u << below(32));
    }
    mz_accumulate(&job, (int)below(3));
    for (int64_t k = 0; k < oy * ox; k++)
        if ((k < job.row0 * ox || k >= job.row1 * ox) && (sums[2 * k] != 0.0 || sums[2 * k + 1] != 0.0)) {
            fprintf(stderr, "a row outside the band was written\n");
            abort();
        }
    mz_blot(&job.map, image, oy, ox, below(5), 0, ny, NULL, out);
    compare(&job.map, image, oy, ox, wild);
    free(cx), free(cy), free(edges), free(pixmap), free(sci), free(sci64), free(relative), free(relative64);
    free(mask), free(sums), free(variance), free(context), free(image), free(out);
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    for (int k = 0; k < rounds; k++)
        one();
    printf("%d rounds\n", rounds);
    return 0;
}
