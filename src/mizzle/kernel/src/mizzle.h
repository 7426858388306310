/* Shared declarations of the native kernel: plain C11, arrays in, arrays out, no Python.
 *
 * Every function is reentrant: no globals, no allocation that outlives the call. */
#ifndef MIZZLE_H
#define MIZZLE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define MZ_EXPORT __declspec(dllexport)
#else
#define MZ_EXPORT __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define MZ_INLINE static inline __attribute__((always_inline))
#else
#define MZ_INLINE static inline
#endif

/* So many numbers fill a register of any processor; isa_*.h say it of theirs. */
#define MZ_WIDTH 2

/* Can there be copies of the loops for several instruction sets, the best of which is chosen when the library is loaded? */
#if defined(__GNUC__) && defined(__x86_64__) && !defined(MZ_ONE_ISA)
#define MZ_MANY_ISA
#endif

/* Raised whenever a signature or a structure changes; Python refuses another number. */
#define MZ_ABI 13

#define MZ_MAX_DEGREE 15
#define MZ_TERMS (MZ_MAX_DEGREE + 1)

/* Cells that `touched` speaks of together. */
#define MZ_TOGETHER 64

/* A point of the frame beyond this is outside whatever the frame is (and fits an int32). */
#define MZ_FAR 1e9

enum { MZ_SQUARE = 0, MZ_POINT = 1, MZ_TURBO = 2, MZ_GAUSSIAN = 3, MZ_LANCZOS3 = 4, MZ_LANCZOS2 = 5, MZ_LANCZOS5 = 6 };
enum { MZ_NEAREST = 0, MZ_LINEAR = 1, MZ_POLY3 = 2, MZ_POLY5 = 3, MZ_BLOT_LANCZOS3 = 4, MZ_BLOT_LANCZOS5 = 5 };

/* Instruction set in use: 0 base, 1 AVX2, 2 AVX-512; negative `level` = the best of this processor. */
int mz_level(int level);

/* Where the pixels of a chip fall: either a separable Chebyshev polynomial, or a stored map. */
typedef struct {
    int64_t ny, nx;
    int64_t degree;          /* of the polynomial; unused with a stored map */
    const double *cx, *cy;   /* (degree + 1, degree + 1), index [i of u][j of v] */
    const double *row_edges; /* (ny + 1) shift of each row edge in y, or NULL */
    const double *pixmap;    /* (ny, nx, 2) stored map, or NULL */
    double step;             /* output pixels per input pixel, where a stored map has one row or column */
    const double *offsets;   /* (rows, columns, 2) added to the polynomial, linear between nodes, or NULL */
    int64_t rows, columns;   /* two at least */
    double first[2], spacing[2]; /* x, y of the first node, and pixels between nodes */
    double largest;          /* offset along an axis */
} mz_map;

/* Can such a map be followed? A polynomial, where there is no stored map. */
MZ_INLINE int mz_map_is_sound(const mz_map *map)
{
    if (map->ny < 1 || map->nx < 1)
        return 0;
    if (map->pixmap)
        return !map->offsets;
    if (!map->cx || !map->cy || map->degree < 0 || map->degree > MZ_MAX_DEGREE)
        return 0;
    return !map->offsets || (map->rows >= 2 && map->columns >= 2 && map->spacing[0] > 0.0 && map->spacing[1] > 0.0);
}

/* The node of a grid before a place `steps` away from its first, one before the last at most, whatever the place. */
MZ_INLINE int64_t mz_node(double steps, int64_t count)
{
    const double last = (double)(count - 2);
    steps = steps < last ? steps : last;
    return steps > 0.0 ? (int64_t)steps : 0;
}

/* A chip, and where the cells of a box of the frame fall on it: `SourceStruct` in native.py. */
typedef struct {
    mz_map back;         /* from the box's cells to pixels; no row term */
    int64_t i0, j0;      /* first cell of the box */
    int64_t ny, nx;      /* of the chip */
    const float *shift;  /* (ny) row term at each row's center */
    const float *padded; /* (held + 2, nx + 2), not a number where unknown, the outermost pixels among them */
    int64_t first, held; /* rows of the chip that `padded` holds, between its own first and last */
} mz_source;

/* One chip to drop, and where. */
typedef struct {
    mz_map map;
    const float *sci;         /* (ny, nx), or NULL when sci64 is given */
    const double *sci64;
    const uint8_t *mask;      /* (ny, nx), nonzero = skip, or NULL */
    const float *relative;    /* (ny, nx) relative weight, or NULL */
    const double *relative64;
    int64_t kernel;
    double pixfrac, ratio;
    double multiply, subtract, weight, v0, v1;
    const float *variance;    /* (ny, nx) of the values, in place of v0 and v1, or NULL */
    const double *variance64;
    const double *ranges;     /* (ny, chunks, 2) least and greatest y of the corners of a stored map's drops, or NULL */
    int64_t out_ny, out_nx;
    double *cells;            /* (out_ny, out_nx, lanes): weight * value, weight, and with 4 lanes weight**2 * variance
                                 and two words of context */
    int64_t lanes;            /* 2 or 4 */
    int32_t *context;         /* (out_ny, out_nx) plane of an input beyond the 64th, or NULL */
    uint8_t *touched;         /* set for each MZ_TOGETHER cells that anything falls into, or NULL */
    int32_t bits[2], bit;     /* of this input: in the cells' words, and in the plane */
    int64_t row0, row1;       /* output rows that may be written */
} mz_job;

#endif
