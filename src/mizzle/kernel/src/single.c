/* Cosmic rays of a single exposure: peaks too sharp for a star. The NumPy twin in single/ is the definition. */
#include "select.h"
#include "single.h"

#include <stdlib.h>
#include <string.h>

enum { BAD = 1, BRIGHT = 2, HIGH = 4, STAR = 8 };
enum { KEPT = 8 };       /* rows, a power of two: five medians are needed, and three of all else */
enum { DARK = 10 };     /* which of the 7 x 7 pixels around a peak is its sky, from the darkest on */
enum { SAMPLE = 1024 }; /* pixels that tell about where the median lies */

static const int STEPS[8][2] = {{-1, -1}, {-1, 0}, {-1, 1}, {0, -1}, {0, 1}, {1, -1}, {1, 0}, {1, 1}};

MZ_INLINE float least(float a, float b) { return a < b ? a : b; }
MZ_INLINE float most(float a, float b) { return a > b ? a : b; }

/* Median of five, by exchanges: the least of two lows and the greatest of two highs cannot be the middle one. */
MZ_INLINE float median5(float a, float b, float c, float d, float e)
{
    const float low = most(least(a, b), least(d, e)), high = least(most(a, b), most(d, e));
    return most(least(low, high), least(most(low, high), c));
}

/* Two values between which the median should lie, from a sample; `room` holds it. */
static void bracket(const float *v, const uint8_t *bad, int64_t n, float *room, float *low, float *high)
{
    const int64_t step = n / SAMPLE + 1;
    int64_t held = 0;
    for (int64_t i = 0; i < n; i += step) {
        room[held] = v[i];
        held += !bad[i];
    }
    *low = -INFINITY, *high = INFINITY;
    if (held < SAMPLE / 4)
        return;
    *low = mz_select(room, held, (int64_t)(0.43 * (double)held));
    *high = mz_select(room, held, (int64_t)(0.57 * (double)held));
}

/* Median of the good values, 0 without any; `room` (n) is overwritten. */
static float level_of(const float *v, const uint8_t *bad, int64_t n, float *room)
{
    float low, high;
    int64_t good = 0, below = 0, held = 0;
    bracket(v, bad, n, room, &low, &high);
    for (int64_t i = 0; i < n; i++) {
        good += !bad[i];
        below += !bad[i] & (v[i] < low);
        room[held] = v[i];
        held += !bad[i] & (v[i] >= low) & (v[i] <= high);
    }
    if (!good)
        return 0.0f;
    if ((good - 1) / 2 < below || good / 2 >= below + held) { /* a sample that was not like the rest */
        below = held = 0;
        for (int64_t i = 0; i < n; i++) {
            room[held] = v[i];
            held += !bad[i];
        }
    }
    const float upper = mz_select(room, held, good / 2 - below);
    return good % 2 ? upper : 0.5f * (mz_select(room, held, good / 2 - 1 - below) + upper);
}

/* Medians along one row, with `level` beyond its ends and in bad pixels; `line` (nx + 4) is room. */
static void along_row(const float *v, const uint8_t *bad, int64_t nx, float level, float *restrict line, float *restrict out)
{
    float *row = line + 2;
    for (int64_t i = 0; i < nx; i++)
        row[i] = bad[i] ? level : v[i];
    row[-1] = row[-2] = row[nx] = row[nx + 1] = level;
    for (int64_t i = 0; i < nx; i++)
        out[i] = median5(row[i - 2], row[i - 1], row[i], row[i + 1], row[i + 2]);
}

/* What a row exceeds its background by, its noise, and whether it is bright or high: bits to `flags`. */
static void measure_row(const mz_single *job, const float *v, const float *const r[5], const uint8_t *bad,
                        float *restrict excess, float *restrict noise, uint8_t *restrict flags)
{
    const mz_single q = *job;
    const float *a = r[0], *b = r[1], *c = r[2], *d = r[3], *e = r[4];
    for (int64_t i = 0; i < q.nx; i++) {
        const float sky = median5(a[i], b[i], c[i], d[i], e[i]), light = most(sky, 0.0f), wave = q.structure * light;
        excess[i] = v[i] - sky;
        noise[i] = sqrtf(light + q.floor + wave * wave);
    }
    for (int64_t i = 0; i < q.nx; i++)
        flags[i] = (uint8_t)((bad[i] != 0) | (excess[i] > q.near_sigma * noise[i]) << 1 |
                             (excess[i] > q.sigma * noise[i]) << 2);
}

/* A chip, and what is measured on it: of the rows only those around the one at work are kept. */
typedef struct {
    const mz_single *q;
    const float *image;
    float *medians, *excess, *noise, *line; /* room: KEPT rows each, and nx + 4 */
    uint8_t *flags;
} scene;

/* Where row j is kept. */
MZ_INLINE float *kept(const scene *s, float *rows, int64_t j) { return rows + (j & (KEPT - 1)) * s->q->nx; }

/* Flags of a pixel; beyond the chip all are bad. */
MZ_INLINE uint8_t flags_at(const scene *s, int64_t j, int64_t i)
{
    return j < 0 || i < 0 || j >= s->q->ny || i >= s->q->nx ? BAD : s->flags[j * s->q->nx + i];
}

/* Is a high pixel the greatest of its good neighbors? Of equals the last is. */
static int is_peak(const scene *s, int64_t j, int64_t i)
{
    const float here = kept(s, s->excess, j)[i];
    for (int n = 0; n < 8; n++) {
        const int64_t y = j + STEPS[n][0], x = i + STEPS[n][1];
        if (flags_at(s, y, x) & BAD)
            continue;
        const float other = kept(s, s->excess, y)[x];
        if (!(n < 4 ? here > other : here >= other))
            return 0;
    }
    return 1;
}

/* Row (or column) of a chip that lies at `at`: the outermost counts twice, then comes the mirror. */
static int64_t mirrored(int64_t at, int64_t size)
{
    int64_t framed = at + 1;
    framed = framed < 0 ? -framed : framed;
    framed = framed > size + 1 ? 2 * (size + 1) - framed : framed;
    return framed < 1 ? 0 : (framed > size ? size - 1 : framed - 1);
}

/* The dark surroundings of a peak: an early element of its sorted 7 x 7 pixels; 0 where too few are numbers. */
static double dark_around(const scene *s, int64_t j, int64_t i)
{
    const int64_t ny = s->q->ny, nx = s->q->nx;
    float low[DARK + 2];
    int held = 0;
    for (int64_t y = j - 3; y <= j + 3; y++)
        for (int64_t x = i - 3; x <= i + 3; x++) {
            const float value = s->image[mirrored(y, ny) * nx + mirrored(x, nx)];
            if (!(value - value == 0.0f) || (held > DARK && value >= low[DARK]))
                continue;
            int at = held > DARK ? DARK : held++;
            for (; at > 0 && low[at - 1] > value; at--)
                low[at] = low[at - 1];
            low[at] = value;
        }
    return held > DARK ? (double)low[DARK] : 0.0;
}

/* Add the neighbors within `radius` of pixels `from` .. `stop` - 1 of the list that are free and in `track` (or bright,
 * without one). */
static int64_t grow(const scene *s, int64_t radius, const uint8_t *track, int64_t *list, int64_t from, int64_t stop,
                    uint8_t *out)
{
    const int64_t ny = s->q->ny, nx = s->q->nx;
    int64_t held = stop;
    for (int64_t k = from; k < stop; k++) {
        const int64_t j = list[k] / nx, i = list[k] % nx;
        for (int64_t y = j > radius ? j - radius : 0; y <= j + radius && y < ny; y++)
            for (int64_t x = i > radius ? i - radius : 0; x <= i + radius && x < nx; x++) {
                const int64_t at = y * nx + x;
                if (out[at] || (s->flags[at] & (BAD | STAR)) || !(track ? track[at] : s->flags[at] & BRIGHT))
                    continue;
                out[at] = 1;
                list[held++] = at;
            }
    }
    return held;
}

/* Measure row j; before the first row and behind the last lies `level`. */
static void measure(const scene *s, const uint8_t *bad, float level, int64_t j)
{
    const int64_t ny = s->q->ny, nx = s->q->nx;
    for (int64_t y = j ? j + 2 : -2; y <= j + 2; y++) {
        float *to = kept(s, s->medians, y);
        if (y >= 0 && y < ny)
            along_row(s->image + y * nx, bad + y * nx, nx, level, s->line, to);
        else
            for (int64_t i = 0; i < nx; i++)
                to[i] = level;
    }
    const float *near[5];
    for (int64_t k = 0; k < 5; k++)
        near[k] = kept(s, s->medians, j + k - 2);
    measure_row(s->q, s->image + j * nx, near, bad + j * nx, kept(s, s->excess, j), kept(s, s->noise, j), s->flags + j * nx);
}

/* List the peaks of row j, and the sky of each. */
static int64_t list_row(const scene *s, int64_t j, int64_t *list, double *sky, int64_t held)
{
    const int64_t nx = s->q->nx;
    for (int64_t i = 0; i < nx; i++)
        if ((s->flags[j * nx + i] & (HIGH | BAD)) == HIGH && is_peak(s, j, i)) {
            sky[held] = dark_around(s, j, i);
            list[held++] = j * nx + i;
        }
    return held;
}

/* Follow the rays of the list along `track`, which may be NULL. */
static void follow(const scene *s, const uint8_t *track, int64_t *list, int64_t held, uint8_t *out)
{
    int64_t from = 0;
    memset(out, 0, (size_t)(s->q->ny * s->q->nx));
    for (int64_t k = 0; k < held; k++)
        out[list[k]] = 1;
    for (int64_t step = 0; step < s->q->track && from < held; step++) {
        const int64_t stop = held;
        held = grow(s, 1, track, list, from, stop, out);
        from = stop;
    }
    grow(s, s->q->grow, NULL, list, 0, held, out);
}

/* Room for a scene; 0 without memory. */
static int open_scene(scene *s, const mz_single *q, const float *electrons)
{
    float *rows = malloc((size_t)((3 * KEPT + 1) * q->nx + 4) * sizeof *rows);
    *s = (scene){q, electrons, rows, rows, rows, rows, malloc((size_t)(q->ny * q->nx))};
    if (!rows || !s->flags)
        return 0;
    s->excess = rows + KEPT * q->nx, s->noise = rows + 2 * KEPT * q->nx, s->line = rows + 3 * KEPT * q->nx;
    return 1;
}

static void close_scene(scene *s) { free(s->medians), free(s->flags); }

static int is_sound(const mz_single *q) { return q->ny > 0 && q->nx > 0 && q->track >= 0 && q->grow >= 0 && q->grow <= 1000; }

/* List the peaks of a chip, row by row, and the sky of each. Returns their number; -1 when the job makes no sense, -2
 * without memory. */
MZ_EXPORT int64_t mz_single_peaks(const mz_single *q, const float *electrons, const uint8_t *bad, int64_t *list, double *sky)
{
    if (!is_sound(q))
        return -1;
    scene s;
    int64_t held = -2;
    float *room = malloc((size_t)(q->ny * q->nx) * sizeof *room);
    if (open_scene(&s, q, electrons) && room) {
        const float level = level_of(electrons, bad, q->ny * q->nx, room);
        held = 0;
        for (int64_t j = 0; j < q->ny; j++) {
            measure(&s, bad, level, j);
            if (j > 0)
                held = list_row(&s, j - 1, list, sky, held);
        }
        held = list_row(&s, q->ny - 1, list, sky, held);
    }
    close_scene(&s), free(room);
    return held;
}

/* Mark `count` rays and what hangs on them; pixels that are `spared` are left out. Returns 1 when the job makes no
 * sense, 2 without memory. */
MZ_EXPORT int mz_single_follow(const mz_single *q, const float *electrons, const uint8_t *bad, const uint8_t *spared,
                               const uint8_t *track, const int64_t *rays, int64_t count, uint8_t *out)
{
    const int64_t n = q->ny * q->nx;
    if (!is_sound(q) || count < 0 || count > n)
        return 1;
    scene s;
    float *room = malloc((size_t)n * sizeof *room);
    int64_t *list = malloc((size_t)n * sizeof *list); /* as much as it takes; what stays empty costs nothing */
    const int ready = open_scene(&s, q, electrons) && room && list;
    if (ready) {
        const float level = level_of(electrons, bad, n, room);
        for (int64_t j = 0; j < q->ny; j++)
            measure(&s, bad, level, j);
        for (int64_t k = 0; k < n; k++)
            s.flags[k] |= spared[k] ? STAR : 0;
        memcpy(list, rays, (size_t)count * sizeof *list);
        follow(&s, track, list, count, out);
    }
    close_scene(&s), free(room), free(list);
    return ready ? 0 : 2;
}
