/* Drizzling: entry point, and one copy of the loops for each instruction set. */
#include "mizzle.h"

#include <string.h>

#define MZ_CORNERS
#define MZ_CHUNK 64
#define MZ_SPARE 8
#define MZ_AHEAD 12
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

/* Least and greatest y of the centers of each chunk of rows row0 .. row1 - 1; infinite and reversed where none is a number. */
static void map_ranges(const mz_map *map, int64_t row0, int64_t row1, double *restrict out)
{
    const int64_t nx = map->nx, chunks = (nx + MZ_CHUNK - 1) / MZ_CHUNK;
    for (int64_t j = row0; j < row1; j++)
        for (int64_t c = 0; c < chunks; c++) {
            const double *p = map->pixmap + 2 * (j * nx + c * MZ_CHUNK) + 1;
            const int64_t left = nx - c * MZ_CHUNK;
            const int count = left < MZ_CHUNK ? (int)left : MZ_CHUNK;
            double low[8], high[8];
            for (int l = 0; l < 8; l++) {
                low[l] = INFINITY;
                high[l] = -INFINITY;
            }
            for (int k = 0; k < count; k += 8)
                for (int l = 0; l < 8 && k + l < count; l++) {
                    const double y = p[2 * (k + l)];
                    low[l] = y < low[l] ? y : low[l];
                    high[l] = y > high[l] ? y : high[l];
                }
            for (int l = 1; l < 8; l++) {
                low[0] = low[l] < low[0] ? low[l] : low[0];
                high[0] = high[l] > high[0] ? high[l] : high[0];
            }
            double *to = out + 2 * (j * chunks + c);
            to[0] = low[0];
            to[1] = high[0];
        }
}

/* Where the chunks of a stored map lie: for each row and MZ_CHUNK columns, least and greatest y of the centers, to `out`
 * (ny, chunks, 2). Rows may be shared among threads. */
MZ_EXPORT int mz_map_ranges(const mz_map *map, int64_t row0, int64_t row1, double *out)
{
    if (!mz_map_is_sound(map) || !map->pixmap || row0 < 0 || row1 > map->ny)
        return 1;
    map_ranges(map, row0, row1, out);
    return 0;
}
