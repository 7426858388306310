/* Feeds the kernel maps that no sane caller would, from arrays of exactly the size it is told. Built with the address and
 * undefined-behavior sanitizers, which end the program at the first sin. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "mizzle.h"
#include "predict.h"
#include "single.h"

int mz_accumulate(const mz_job *job, int level);
int mz_map_ranges(const mz_map *map, int64_t row0, int64_t row1, double *out);
int mz_split(const double *cells, int64_t lanes, int64_t count, double fill, double *mean, double *weight);
int mz_corner_ranges(const double *ranges, int64_t ny, int64_t chunks, double step, int64_t row0, int64_t row1, double *out);
int mz_blot(const mz_map *map, const float *image, int64_t ny, int64_t nx, int64_t interp, int64_t row0, int64_t row1,
            const uint8_t *wanted, float *out);
int mz_bounds(const float *image, int64_t ny, int64_t nx, int64_t interp, int64_t row0, int64_t row1, uint32_t *out);
int mz_plan(const mz_thresholds *q, const mz_map *map, const mz_view *view, int64_t rim, int64_t unsure, uint8_t *skip,
            uint8_t *known, uint8_t *wanted);
int mz_flag_rays(const mz_thresholds *q, const float *sci, const uint8_t *bad, const float *expected, float *light,
                  uint8_t *marks, uint8_t *out);
int mz_read_means(const mz_source *sources, int64_t n, int64_t top, int64_t rows, int64_t nx, double least, float *out);
int mz_pad(const float *sci, const uint8_t *bad, int64_t ny, int64_t nx, double multiply, double subtract, float *out);

int mz_grown(const uint8_t *mask, int64_t ny, int64_t nx, int64_t radius, uint8_t *out);
int mz_fill_holes(const float *image, int64_t ny, int64_t nx, int64_t row0, int64_t row1, float *out);

int mz_finish(const double *cells, const int32_t *more, int64_t planes, int64_t stride, int64_t count, float fill,
              float *sci, float *err, float *wht, int32_t *ctx);
int mz_images(const double *cells, const double *squares, int64_t lanes, int64_t count, float *mean, float *weight,
              float *variance, int32_t *first, int32_t *second);
int mz_resume(const float *mean, const float *weight, const float *variance, const int32_t *first, const int32_t *second,
              int64_t lanes, int64_t count, double *cells);
int mz_fill_in(double *cells, int32_t *more, const double *spare, const int32_t *spare_more, const uint8_t *touched,
               int64_t planes, int64_t stride, int64_t first, int64_t stop, double enough);

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

/* Offsets for a map, in one of three; what they are to be freed as. */
static double *offsets(mz_map *map, int wild)
{
    if (below(3))
        return NULL;
    map->rows = 2 + below(4);
    map->columns = 2 + below(6);
    for (int k = 0; k < 2; k++) {
        map->first[k] = number(20.0, wild);
        map->spacing[k] = wild ? fabs(number(64.0, wild)) : 0.5 + 70.0 * uniform();
        if (!(map->spacing[k] > 0.0))
            map->spacing[k] = 1.0; /* no spacing is refused */
    }
    map->largest = number(3.0, wild);
    double *values = numbers(2 * map->rows * map->columns, 1.0, wild);
    map->offsets = values;
    return values;
}

static uint8_t *bytes(int64_t n, int64_t often, int most)
{
    uint8_t *a = malloc((size_t)n);
    for (int64_t k = 0; k < n; k++)
        a[k] = below(often) == 0 ? (uint8_t)(1 + below(most)) : 0;
    return a;
}

/* A chip by itself. */
static void single(void)
{
    const int64_t ny = 1 + below(20), nx = 1 + below(70), n = ny * nx;
    const int wild = below(2) == 0;
    mz_single q = {ny, nx, below(5), below(6), 0.0f, 0.1f, 0.0f, 0.0f};
    q.floor = (float)number(30.0, wild);
    q.sigma = (float)number(5.0, wild);
    q.near_sigma = (float)number(2.0, wild);
    float *electrons = singles(n, 100.0, wild);
    uint8_t *bad = bytes(n, 1 + below(20), 255), *track = below(2) ? bytes(n, 2, 1) : NULL, *out = malloc((size_t)n);
    uint8_t *spared = bytes(n, 1 + below(9), 1);
    int64_t *list = malloc((size_t)n * sizeof *list);
    double *sky = malloc((size_t)n * sizeof *sky);
    const int64_t count = mz_single_peaks(&q, electrons, bad, list, sky);
    mz_single_follow(&q, electrons, bad, spared, track, list, count > 0 ? count : 0, out);
    for (int64_t k = 0; k < n; k++)
        if (out[k] > 1 || (out[k] && bad[k])) {
            fprintf(stderr, "a bad pixel was flagged\n");
            abort();
        }
    mz_find_sharp(electrons, bad, ny, nx, q.floor, q.sigma, q.near_sigma, (float)number(2.0, wild), out, below(4) - 1);
    for (int64_t k = 0; k < n; k++)
        if (out[k] > 1 || (out[k] && bad[k])) {
            fprintf(stderr, "a bad pixel was found sharp\n");
            abort();
        }
    free(electrons), free(bad), free(track), free(out), free(spared), free(list), free(sky);
}

/* Light that explains some pixels. */
static void light(void)
{
    const int64_t m = 8 * (1 + below(3)), n = 4 * (1 + below(7)), count = below(9);
    const int wild = below(2) == 0;
    double *templates = numbers(m * n, 1.0, wild), *weight = numbers(count * n, 1.0, wild), *rest = numbers(count * n, 9.0, wild);
    mz_fit_light(templates, m, n, weight, rest, count, below(2) ? 0.0 : 9.0 * n);
    free(templates), free(weight), free(rest);
}

/* An image with holes, which are most of it, or few. */
static void holes(void)
{
    const int64_t ny = 1 + below(9), nx = 1 + below(200), row0 = below(ny), row1 = row0 + below(ny - row0 + 1);
    const int64_t often = 1 + below(9), less = below(2);
    float *image = singles(ny * nx, 10.0, below(2) == 0), *out = malloc((size_t)(ny * nx) * sizeof *out);
    for (int64_t k = 0; k < ny * nx; k++)
        if ((below(often) == 0) == less)
            image[k] = NAN;
    mz_fill_holes(image, ny, nx, row0, row1, out);
    mz_fill_holes(image, ny, nx, row0, row1, image);
    for (int64_t k = row0 * nx; k < row1 * nx; k++)
        if (memcmp(image + k, out + k, sizeof *out) != 0) {
            fprintf(stderr, "holes in place are filled otherwise\n");
            abort();
        }
    uint8_t *mask = bytes(ny * nx, 9, 1), *wide = malloc((size_t)(ny * nx));
    mz_grown(mask, ny, nx, below(4) ? below(9) : below(1000000), wide);
    free(image), free(out), free(mask), free(wide);
}

/* A chip that looks at places on a grid. */
static mz_samples look(int wild, int64_t places)
{
    const int64_t ny = 1 + below(9), nx = 1 + below(30), n = ny * nx, d = below(2) ? 1 : below(MZ_MAX_DEGREE + 1);
    mz_sampler q;
    memset(&q, 0, sizeof q);
    double *cx = numbers((d + 1) * (d + 1), 3.0, wild), *cy = numbers((d + 1) * (d + 1), 3.0, wild);
    double *edges = numbers(ny + 1, 0.3, wild), *x = numbers(places, 20.0, wild), *y = numbers(places, 20.0, wild);
    if (d == 1 && below(4)) { /* a usual map */
        memset(cx, 0, 4 * sizeof *cx), memset(cy, 0, 4 * sizeof *cy);
        cx[2] = 0.5 * (double)nx, cy[1] = 0.5 * (double)ny;
    }
    q.map.ny = ny, q.map.nx = nx, q.map.degree = d, q.map.cx = cx, q.map.cy = cy, q.map.row_edges = edges;
    double *grid = offsets(&q.map, wild);
    for (int k = 0; k < 4; k++)
        q.back[k] = number(0.1, wild) + (k % 3 == 0), q.matrix[k] = number(0.1, wild) + (k % 3 == 0);
    q.middle[0] = 0.5 * (double)(nx - 1), q.middle[1] = 0.5 * (double)(ny - 1);
    q.bend = number(9.0, wild), q.gain = number(15.0, wild), q.sky = number(9.0, wild), q.floor = number(50.0, wild);
    q.unit = number(1.0, wild), q.reach = number(4.0, wild), q.bits = 1 + below(3);
    float *sci = singles(n, 100.0, wild);
    uint16_t *dq = calloc((size_t)n, sizeof *dq);
    uint8_t *hit = bytes((n + 7) / 8, 4, 255);
    int64_t *which = malloc((size_t)(places + 1) * sizeof *which), *owner = malloc((size_t)(9 * places + 1) * sizeof *owner);
    double *samples = malloc((size_t)(36 * places + 1) * sizeof *samples);
    for (int64_t k = 0; k < n; k++)
        dq[k] = (uint16_t)(below(5) == 0);
    for (int64_t k = 0; k < places; k++)
        which[k] = wild ? below(2 * places) : 2 * k;
    const mz_samples seen = {owner, samples, mz_sample(&q, sci, dq, hit, places, which, x, y, owner, samples)};
    if (seen.count < 0 || seen.count > 9 * places) {
        fprintf(stderr, "more samples than there is room\n");
        abort();
    }
    free(cx), free(cy), free(edges), free(x), free(y), free(sci), free(dq), free(hit), free(which);
    free(grid);
    return seen;
}

/* What several chips saw, sorted and weighed; and marks. */
static void second(void)
{
    const int wild = below(2) == 0;
    const int64_t n = below(5), places = below(12), most = 1 + below(MZ_MAX_SAMPLES), first = (int64_t)number(9.0, 0);
    const int64_t size = below(30), marks = below(40), room = below(9);
    mz_samples parts[4];
    for (int64_t p = 0; p < n; p++)
        parts[p] = look(wild, places);
    double *tables = malloc((size_t)(4 * size * most + 1) * sizeof *tables), *amplitude = numbers(size, 99.0, wild);
    double *mean = malloc((size_t)(size + 1) * sizeof *mean), *variance = malloc((size_t)(size + 1) * sizeof *variance);
    mz_nearest(parts, n, first, first + size, most, tables);
    const int64_t plane = size * most;
    mz_predict(tables, tables + plane, tables + 2 * plane, tables + 3 * plane, size, most, amplitude, number(2.0, wild),
               mean, variance, (int)below(3));
    uint8_t *some = bytes(marks, 5, 255);
    int64_t *where = malloc((size_t)(room + 1) * sizeof *where);
    mz_marked(some, marks, (uint8_t)below(256), room, where);
    for (int64_t p = 0; p < n; p++)
        free((void *)parts[p].owner), free((void *)parts[p].samples);
    free(tables), free(amplitude), free(mean), free(variance), free(some), free(where);
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
    const mz_thresholds q = {ny, nx, below(2), factors[0], factors[1], factors[2], factors[3], factors[4], factors[5],
                        factors[6], factors[7], factors[8], factors[9], factors[10], factors[11], factors[12], factors[13]};
    const mz_view view = {image, bounds, oy, ox, sci, bad, asked, (float)number(100.0, 0)};
    mz_plan(&q, map, &view, below(4), 1 + below(2), skip, known, wanted);
    mz_blot(map, image, oy, ox, interp, 0, ny, wanted, expected);
    mz_flag_rays(&q, sci, skip, expected, light, marks, out);
    free(bounds), free(sci), free(factors), free(bad), free(asked), free(skip), free(known), free(wanted);
    free(expected), free(light), free(marks), free(out);
}

/* Make images of what was dropped; the cells serve as their own spares. */
static void use(const mz_job *job, int32_t *plane)
{
    const int64_t count = job->out_ny * job->out_nx, planes = plane ? 3 : 1 + below(2), first = below(count + 1);
    int32_t *ctx = malloc((size_t)(planes * count) * sizeof *ctx);
    float *images = malloc((size_t)(3 * count) * sizeof *images);
    double *spare = malloc((size_t)(4 * count) * sizeof *spare);
    memcpy(spare, job->cells, (size_t)(4 * count) * sizeof *spare);
    mz_fill_in(job->cells, plane, spare, plane, job->touched, plane ? 1 : 0, count, first, count, number(2.0, 0));
    mz_finish(job->cells, plane, planes, count, count, NAN, images, images + count, images + 2 * count, ctx);
    memset(ctx, 0, (size_t)(planes * count) * sizeof *ctx);
    mz_images(job->cells, spare, 4, count, images, below(2) ? images + count : NULL, below(2) ? images + 2 * count : NULL, ctx,
              planes > 1 ? ctx + count : NULL);
    mz_resume(images, images + count, below(2) ? images + 2 * count : NULL, ctx, planes > 1 ? ctx + count : NULL, 4, count, spare);
    free(ctx), free(images), free(spare);
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
    double *cx = NULL, *cy = NULL, *edges = NULL, *pixmap = NULL, *grid = NULL, *ranges = NULL, *variance = NULL;
    if (below(2)) {
        const int64_t d = below(MZ_MAX_DEGREE + 1), n = (d + 1) * (d + 1);
        job.map.degree = d;
        job.map.cx = cx = numbers(n, scale, wild);
        job.map.cy = cy = numbers(n, scale, wild);
        if (below(2))
            job.map.row_edges = edges = numbers(ny + 1, 0.1, wild);
        grid = offsets(&job.map, wild);
    } else {
        job.map.pixmap = pixmap = numbers(ny * nx * 2, scale, wild);
        if (below(2))
            for (int64_t k = 0; k < ny * nx; k++) { /* a usual map, here and there broken */
                pixmap[2 * k] = (double)(k % nx) * 0.7 + number(0.1, wild);
                pixmap[2 * k + 1] = (double)(k / nx) * 0.7 + number(0.1, wild);
            }
        job.map.step = uniform() * 9.0;
        if (below(2)) {
            const int64_t chunks = ny * ((nx + 63) / 64);
            double *both = malloc((size_t)(4 * chunks) * sizeof *both);
            mz_map_ranges(&job.map, 0, ny, both);
            job.ranges = ranges = malloc((size_t)(2 * chunks) * sizeof *ranges);
            mz_corner_ranges(both, ny, chunks / ny, job.map.step, 0, ny, ranges);
            free(both);
        }
    }
    float *sci = NULL, *relative = NULL, *image = singles(oy * ox, 10.0, wild), *out = malloc((size_t)(ny * nx) * 4);
    double *sci64 = NULL, *relative64 = NULL;
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
    if (below(3) == 0)
        job.variance64 = variance = numbers(ny * nx, 3.0, wild);
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
    job.lanes = below(2) ? 2 : 4;
    double *cells = calloc((size_t)(oy * ox * job.lanes), sizeof *cells);
    job.cells = cells;
    int32_t *context = NULL;
    if (below(3) == 0)
        job.context = context = calloc((size_t)(oy * ox), sizeof *context);
    uint8_t *touched = NULL;
    if (below(3) == 0)
        job.touched = touched = calloc((size_t)(oy * ox + MZ_TOGETHER - 1) / MZ_TOGETHER, 1);
    job.bit = job.bits[below(2)] = (int32_t)(1u << below(32));
    mz_accumulate(&job, (int)below(3));
    for (int64_t k = 0; k < oy * ox; k++)
        if ((k < job.row0 * ox || k >= job.row1 * ox) && (cells[job.lanes * k] != 0.0 || cells[job.lanes * k + 1] != 0.0)) {
            fprintf(stderr, "a row outside the band was written\n");
            abort();
        }
    double *split = malloc((size_t)(2 * oy * ox) * sizeof *split);
    mz_split(cells, job.lanes, oy * ox, NAN, split, split + oy * ox);
    free(split);
    if (job.lanes == 4)
        use(&job, context);
    mz_blot(&job.map, image, oy, ox, below(5), 0, ny, NULL, out);
    compare(&job.map, image, oy, ox, wild);
    free(cx), free(cy), free(edges), free(pixmap), free(grid), free(ranges), free(variance), free(sci), free(sci64), free(relative), free(relative64);
    free(mask), free(cells), free(context), free(touched), free(image), free(out);
}

/* Chips read at the places of a frame's cells, through maps that lead anywhere. */
static void one_read(void)
{
    mz_source sources[3];
    void *held[15];
    int n_held = 0;
    const int64_t n = below(4), nx = 1 + below(150), rows = below(5);
    const int wild = below(3) == 0;
    memset(sources, 0, sizeof sources);
    for (int64_t k = 0; k < n; k++) {
        mz_source *s = sources + k;
        const int64_t d = below(MZ_MAX_DEGREE + 1), terms = (d + 1) * (d + 1);
        const double scale = (double)(1 << below(12));
        s->ny = 1 + below(8);
        s->nx = 1 + below(100);
        s->first = below(s->ny);
        s->held = 1 + below(s->ny - s->first);
        s->i0 = below(nx);
        s->back.nx = 1 + below(nx - s->i0);
        s->j0 = below(6);
        s->back.ny = 1 + below(6);
        s->back.degree = d;
        float *sci = singles(s->held * s->nx, 10.0, wild), *full = malloc((size_t)((s->held + 2) * (s->nx + 2)) * 4);
        uint8_t *bad = calloc((size_t)(s->held * s->nx), 1);
        bad[below(s->held * s->nx)] = 1;
        mz_pad(sci, bad, s->held, s->nx, number(2.0, wild), number(2.0, wild), full);
        free(sci), free(bad);
        s->padded = held[n_held++] = full;
        s->back.cx = held[n_held++] = numbers(terms, scale, wild);
        s->back.cy = held[n_held++] = numbers(terms, scale, wild);
        s->shift = held[n_held++] = singles(s->ny, 0.1, wild);
        held[n_held++] = offsets(&s->back, wild);
    }
    float *out = malloc((size_t)(rows * nx + 1) * sizeof *out);
    if (mz_read_means(sources, n, below(6), rows, nx, 0.3, out)) {
        fprintf(stderr, "a good job was refused\n");
        abort();
    }
    if (n > 0) {
        sources[0].i0 = nx; /* leaves the frame */
        if (!mz_read_means(sources, n, 0, rows, nx, 0.3, out))
            abort();
    }
    while (n_held > 0)
        free(held[--n_held]);
    free(out);
}

int main(int argc, char **argv)
{
    const int rounds = argc > 1 ? atoi(argv[1]) : 1000;
    for (int k = 0; k < rounds; k++) {
        one();
        one_read();
        single();
        light();
        second();
        holes();
    }
    printf("%d rounds\n", rounds);
    return 0;
}
