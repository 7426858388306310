/* Drizzling: entry point, and one copy of the loops for each instruction set. */
#include "mizzle.h"

#include <string.h>

#define MZ_CORNERS
#define MZ_CHUNK 64
#define MZ_SPARE 8
#define MZ_AHEAD 12
#define MZ_ASKEW 6.0 /* rows that a chunk reaches across where its cells are asked for early */
#define MZ_MAX_SPAN 5

/* A cell's sums are loaded and stored as one: the next drop adds to an overlapping set of cells at once, and a load that
 * spans two stores still under way would wait for both (half of all time, when tried). Two lanes: the plain sums. Four:
 * variance and context with them, so that a cell is half a line of the cache and one place to go to. */
typedef double mz_pair __attribute__((vector_size(16), aligned(8), may_alias));
typedef double mz_four __attribute__((vector_size(32), aligned(8), may_alias));
typedef int64_t mz_bits __attribute__((vector_size(32)));

#define MZ_PI 3.14159265358979323846

/* Zeros of a Lanczos window to one side of its middle; 0 for other drops. */
MZ_INLINE int mz_lanczos_order(int64_t kernel)
{
    return kernel == MZ_LANCZOS3 ? 3 : kernel == MZ_LANCZOS2 ? 2 : kernel == MZ_LANCZOS5 ? 5 : 0;
}

/* Lanczos windows in steps of 0.003 up to their last zero, read at the nearest step as the drizzle package does. */
#define MZ_LANCZOS_MOST 1667
MZ_INLINE int mz_lanczos_steps(int order) { return (1000 * order + 2) / 3; }
static void mz_lanczos_table(int order, double *table)
{
    table[0] = 1.0;
    for (int k = 1; k < mz_lanczos_steps(order); k++) {
        const double t = MZ_PI * 3.0 * (double)k / 1000.0;
        table[k] = sin(t) * sin(t / (double)order) * (double)order / (t * t);
    }
}

/* Contraction is off (see CMakeLists.txt): a fused multiply-add stands only where it is written, so the vector and the
 * scalar form of a line, and with them a pixel in the middle and at the edge of a band, round alike. */
#include "lanes_base.h"
#define MZ(name) mz_base_##name
#include "map_body.h"
#include "square_body.h"
#include "accumulate_body.h"
#undef MZ

#if defined(MZ_MANY_ISA)
#include <immintrin.h>
#include "isa_avx2.h"
#include "lanes_avx2.h"
#define MZ(name) mz_avx2_##name
#include "map_body.h"
#include "square_body.h"
#include "accumulate_body.h"
#undef MZ
#include "isa_end.h"
#include "isa_avx512.h"
#include "lanes_avx512.h"
#define MZ(name) mz_avx512_##name
#include "map_body.h"
#include "square_body.h"
#include "accumulate_body.h"
#undef MZ
#include "isa_end.h"
#endif

/* 0 base, 1 AVX2, 2 AVX-512; negative `level` = the best this processor has. */
static int level_of(int level)
{
    int best = 0;
#ifdef MZ_MANY_ISA
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        best = 1;
    if (best && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        best = 2;
#endif
    return level < 0 || level > best ? best : level;
}

MZ_EXPORT int mz_level(int level) { return level_of(level); }

/* Drop one chip. Returns 0, or 1 when the job makes no sense (the caller has checked it before). */
MZ_EXPORT int mz_accumulate(const mz_job *job, int level)
{
    if (!mz_map_is_sound(&job->map) || job->out_ny < 1 || job->out_nx < 1 || job->row0 < 0 ||
        job->row1 > job->out_ny || (!job->sci && !job->sci64) || !job->cells ||
        (job->lanes != 2 && job->lanes != 4) || !(job->pixfrac > 0.0) ||
        !(job->ratio > 0.0) || job->map.ny > INT32_MAX || job->map.nx > INT32_MAX || job->out_ny > (int64_t)MZ_FAR ||
        job->out_nx > (int64_t)MZ_FAR)
        return 1;
    if (job->row0 >= job->row1)
        return 0;
    switch (level_of(level)) {
#ifdef MZ_MANY_ISA
    case 2:
        mz_avx512_accumulate(job, mz_avx512_usual_span(job));
        break;
    case 1:
        mz_avx2_accumulate(job, mz_avx2_usual_span(job));
        break;
#endif
    default:
        mz_base_accumulate(job, mz_base_usual_span(job));
    }
    return 0;
}

/* Where the chunks of a stored map lie: for each row and MZ_CHUNK columns, least and greatest y, then x, of the centers, to `out`
 * (ny, chunks, 4). Rows may be shared among threads. */
MZ_EXPORT int mz_map_ranges(const mz_map *map, int64_t row0, int64_t row1, double *out)
{
    if (!mz_map_is_sound(map) || !map->pixmap || row0 < 0 || row1 > map->ny)
        return 1;
    switch (level_of(-1)) {
#ifdef MZ_MANY_ISA
    case 2:
        mz_avx512_map_ranges(map, row0, row1, out);
        break;
    case 1:
        mz_avx2_map_ranges(map, row0, row1, out);
        break;
#endif
    default:
        mz_base_map_ranges(map, row0, row1, out);
    }
    return 0;
}

/* The same of the corners of their drops, which lie between the centers around: least and greatest y of each chunk of rows row0 ..
 * row1 - 1, to `out` (ny, chunks, 2). At the map's border corners lie beyond, by half a step along both axes. */
MZ_EXPORT int mz_corner_ranges(const double *ranges, int64_t ny, int64_t chunks, double step, int64_t row0, int64_t row1,
                               double *restrict out)
{
    if (ny < 1 || chunks < 1 || row0 < 0 || row1 > ny)
        return 1;
    for (int64_t j = row0; j < row1; j++)
        for (int64_t c = 0; c < chunks; c++) {
            const int edge = j == 0 || c == 0 || j == ny - 1 || c == chunks - 1;
            double low = INFINITY, high = -INFINITY;
            for (int64_t r = j > 0 ? j - 1 : 0; r <= j + 1 && r < ny; r++)
                for (int64_t k = c > 0 ? c - 1 : 0; k <= c + 1 && k < chunks; k++) {
                    const double *range = ranges + 4 * (r * chunks + k);
                    low = range[0] < low ? range[0] : low;
                    high = range[1] > high ? range[1] : high;
                }
            const double wide = edge ? 1.5 * (high - low) + step : 0.0;
            out[2 * (j * chunks + c)] = low - wide;
            out[2 * (j * chunks + c) + 1] = high + wide;
        }
    return 0;
}
