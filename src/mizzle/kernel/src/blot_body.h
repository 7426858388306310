/* The common case of blotting, eight lanes wide: included once per instruction set. */

/* Powers of f in the weights of the six-point polynomial, per point; two idle lanes. */
static const double MZ(powers6)[6][8] = {
    {0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0},
    {1.0 / 20.0, -1.0 / 2.0, -1.0 / 3.0, 1.0, -1.0 / 4.0, 1.0 / 30.0, 0.0, 0.0},
    {-1.0 / 24.0, 2.0 / 3.0, -5.0 / 4.0, 2.0 / 3.0, -1.0 / 24.0, 0.0, 0.0, 0.0},
    {-1.0 / 24.0, -1.0 / 24.0, 5.0 / 12.0, -7.0 / 12.0, 7.0 / 24.0, -1.0 / 24.0, 0.0, 0.0},
    {1.0 / 24.0, -1.0 / 6.0, 1.0 / 4.0, -1.0 / 6.0, 1.0 / 24.0, 0.0, 0.0, 0.0},
    {-1.0 / 120.0, 1.0 / 24.0, -1.0 / 12.0, 1.0 / 12.0, -1.0 / 24.0, 1.0 / 120.0, 0.0, 0.0},
};

/* Weights in y of `count` readings at fractions f: one row for each of the six points. */
MZ_INLINE void MZ(weights_y)(const double *restrict f, double w[6][MZ_CHUNK])
{
    for (int c = 0; c < 6; c++) {
        const double p0 = MZ(powers6)[0][c], p1 = MZ(powers6)[1][c], p2 = MZ(powers6)[2][c], p3 = MZ(powers6)[3][c],
                     p4 = MZ(powers6)[4][c], p5 = MZ(powers6)[5][c];
        for (int k = 0; k < MZ_CHUNK; k++)
            w[c][k] = ((((p5 * f[k] + p4) * f[k] + p3) * f[k] + p2) * f[k] + p1) * f[k] + p0;
    }
}

#if defined(__GNUC__)
/* Eight lanes by the compiler's own vectors: it does not find them by itself here, and keeps in memory what is wider
 * than its registers. */
enum { MZ(parts) = 8 / MZ_WIDTH };
typedef double MZ(lanes) __attribute__((vector_size(8 * MZ_WIDTH)));
typedef float MZ(floats) __attribute__((vector_size(4 * MZ_WIDTH)));

MZ_INLINE double MZ(sum6)(const float *p, int64_t nx, double fx, const double *wy)
{
    MZ(lanes) wx[MZ(parts)], power, sum[MZ(parts)] = {{0}};
#pragma GCC unroll 4
    for (int h = 0; h < MZ(parts); h++) {
        memcpy(&wx[h], MZ(powers6)[5] + h * MZ_WIDTH, sizeof power);
        for (int m = 4; m >= 0; m--) {
            memcpy(&power, MZ(powers6)[m] + h * MZ_WIDTH, sizeof power);
            wx[h] = wx[h] * fx + power;
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < 6; r++, p += nx)
#pragma GCC unroll 4
        for (int h = 0; h < MZ(parts); h++) {
            MZ(floats) row;
            memcpy(&row, p + h * MZ_WIDTH, sizeof row);
            sum[h] += wy[r * MZ_CHUNK] * MZ_WIDEN(row, MZ(lanes));
        }
#pragma GCC unroll 4
    for (int h = 0; h < MZ(parts); h++)
        sum[h] *= wx[h];
    return MZ_SUM8(sum);
}
#else
MZ_INLINE double MZ(sum6)(const float *p, int64_t nx, double fx, const double *wy)
{
    double wx[8], sum[8] = {0};
    for (int c = 0; c < 8; c++) {
        wx[c] = MZ(powers6)[5][c];
        for (int m = 4; m >= 0; m--)
            wx[c] = wx[c] * fx + MZ(powers6)[m][c];
    }
    for (int r = 0; r < 6; r++, p += nx)
        for (int c = 0; c < 8; c++)
            sum[c] += wy[r * MZ_CHUNK] * (double)p[c];
    for (int c = 0; c < 8; c++)
        sum[c] *= wx[c];
    return MZ_SUM8(sum);
}
#endif

/* Read an image by the six-point polynomial at `count` places; not a number where a point is missing, or where the
 * two idle lanes would leave the row: the caller looks again there. */
static void MZ(read6)(const float *image, int64_t ny, int64_t nx, const double *x, const double *y, int count, float *out)
{
    double fx[MZ_CHUNK], fy[MZ_CHUNK], wy[6][MZ_CHUNK];
    int64_t from[MZ_CHUNK]; /* first of the 36 points; negative where they are not all there */
    for (int k = 0; k < MZ_CHUNK; k++) {
        const int near = (fabs(x[k]) < MZ_FAR) & (fabs(y[k]) < MZ_FAR);
        const double px = near ? x[k] : -9.0, py = near ? y[k] : -9.0;
        const double cx = floor(px), cy = floor(py);
        const int64_t i = (int32_t)cx - 2, j = (int32_t)cy - 2;
        const int outside = (i < 0) | (j < 0) | (i + 8 > nx) | (j + 6 > ny);
        fx[k] = px - cx;
        fy[k] = py - cy;
        from[k] = (j * nx + i) | -(int64_t)outside;
    }
#if defined(__GNUC__)
    for (int k = 0; k < count; k++)
        for (int r = 0; r < 6; r++)
            __builtin_prefetch(image + (from[k] < 0 ? 0 : from[k]) + r * nx);
#endif
    MZ(weights_y)(fy, wy);
    for (int k = 0; k < count; k++)
        out[k] = from[k] < 0 ? NAN : (float)MZ(sum6)(image + from[k], nx, fx[k], &wy[0][k]);
}

/* Places where the image is still to be read, and which pixels of the chip they are. */
typedef struct {
    double x[2 * MZ_CHUNK], y[2 * MZ_CHUNK];
    int64_t at[2 * MZ_CHUNK];
    int count;
} MZ(places);

/* Read an image at `count` places. */
static void MZ(read)(const mz_picture *p, const double *x, const double *y, int count, float *out)
{
    if (p->interp == MZ_POLY5)
        MZ(read6)(p->image, p->ny, p->nx, x, y, count, out);
    for (int k = 0; k < count; k++)
        if (p->interp != MZ_POLY5 || isnan(out[k]))
            out[k] = (float)read_image(p->image, p->ny, p->nx, x[k], y[k], p->interp);
}

/* Read the first chunk of places that wait. */
static void MZ(settle)(const mz_picture *p, MZ(places) *waiting, float *out)
{
    float values[MZ_CHUNK];
    const int count = waiting->count < MZ_CHUNK ? waiting->count : MZ_CHUNK;
    MZ(read)(p, waiting->x, waiting->y, count, values);
    for (int k = 0; k < count; k++)
        out[waiting->at[k]] = values[k];
    waiting->count -= count;
    for (int k = 0; k < waiting->count; k++) {
        waiting->x[k] = waiting->x[count + k];
        waiting->y[k] = waiting->y[count + k];
        waiting->at[k] = waiting->at[count + k];
    }
}

/* Put the wanted ones of `count` places on the list. */
MZ_INLINE void MZ(enlist)(MZ(places) *waiting, const uint8_t *wanted, const double *x, const double *y, int64_t at, int count)
{
    int n = waiting->count;
    for (int k0 = 0; k0 < count; k0 += 8) {
        const int size = count - k0 < 8 ? count - k0 : 8;
        uint64_t eight = 0;
        memcpy(&eight, wanted + k0, (size_t)size);
        for (int k = k0; eight && k < k0 + size; k++) { /* no branch: nobody can guess which are wanted */
            waiting->x[n] = x[k];
            waiting->y[n] = y[k];
            waiting->at[n] = at + k;
            n += wanted[k] != 0;
        }
    }
    waiting->count = n;
}

/* Blot rows row0 .. row1 - 1. Where only some pixels are wanted, they are read by the chunk all the same. */
static void MZ(blot_rows)(const mz_map *map, const mz_picture *picture, int64_t row0, int64_t row1, const uint8_t *wanted,
                          float *out)
{
    double x[MZ_CHUNK], y[MZ_CHUNK];
    MZ(places) waiting = {{0.0}, {0.0}, {0}, 0};
    for (int64_t j = row0; j < row1; j++) {
        MZ(line) line;
        if (!map->pixmap)
            MZ(collapse)(map, MZ(row_position)(map, j, 0.5), &line);
        for (int64_t i0 = 0; i0 < map->nx; i0 += MZ_CHUNK) {
            const int count = map->nx - i0 < MZ_CHUNK ? (int)(map->nx - i0) : MZ_CHUNK;
            const int64_t at = j * map->nx + i0;
            int some = !wanted;
            for (int k = 0; wanted && k < count; k++) {
                some |= wanted[at + k];
                out[at + k] = NAN;
            }
            if (!some)
                continue;
            if (map->pixmap)
                MZ(centers)(map, j, i0, x, y);
            else
                MZ(along)(map, &line, (double)i0, x, y, MZ_CHUNK);
            for (int k = 0; k < MZ_CHUNK; k++) {
                x[k] -= 0.5;
                y[k] -= 0.5;
            }
            if (!wanted) {
                MZ(read)(picture, x, y, count, out + at);
                continue;
            }
            MZ(enlist)(&waiting, wanted + at, x, y, at, count);
            if (waiting.count >= MZ_CHUNK)
                MZ(settle)(picture, &waiting, out);
        }
    }
    MZ(settle)(picture, &waiting, out);
}
