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
/* Eight lanes by the compiler's own vectors: it does not find them by itself here. */
typedef double MZ(lanes) __attribute__((vector_size(64)));
typedef float MZ(floats) __attribute__((vector_size(32)));

MZ_INLINE double MZ(sum6)(const float *p, int64_t nx, double fx, const double *wy)
{
    MZ(lanes) wx, power, sum = {0};
    memcpy(&wx, MZ(powers6)[5], sizeof wx);
    for (int m = 4; m >= 0; m--) {
        memcpy(&power, MZ(powers6)[m], sizeof power);
        wx = wx * fx + power;
    }
#pragma GCC unroll 6
    for (int r = 0; r < 6; r++, p += nx) {
        MZ(floats) row;
        memcpy(&row, p, sizeof row);
        sum += wy[r * MZ_CHUNK] * MZ_WIDEN(row, MZ(lanes));
    }
    sum *= wx;
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
        const int near = k < count && fabs(x[k]) < MZ_FAR && fabs(y[k]) < MZ_FAR;
        const double px = near ? x[k] : -9.0, py = near ? y[k] : -9.0;
        const double cx = floor(px), cy = floor(py);
        const int64_t i = (int64_t)cx - 2, j = (int64_t)cy - 2;
        fx[k] = px - cx;
        fy[k] = py - cy;
        from[k] = i < 0 || j < 0 || i + 8 > nx || j + 6 > ny ? -1 : j * nx + i;
    }
    MZ(weights_y)(fy, wy);
    for (int k = 0; k < count; k++)
        out[k] = from[k] < 0 ? NAN : (float)MZ(sum6)(image + from[k], nx, fx[k], &wy[0][k]);
}

/* Blot rows row0 .. row1 - 1. */
static void MZ(blot_rows)(const mz_map *map, const float *image, int64_t ny, int64_t nx, int64_t interp, int64_t row0,
                          int64_t row1, float *out)
{
    double x[MZ_CHUNK], y[MZ_CHUNK];
    for (int64_t j = row0; j < row1; j++) {
        MZ(line) line;
        if (!map->pixmap)
            MZ(collapse)(map, MZ(row_position)(map, j, 0.5), &line);
        for (int64_t i0 = 0; i0 < map->nx; i0 += MZ_CHUNK) {
            if (map->pixmap)
                MZ(centers)(map, j, i0, x, y);
            else
                MZ(along)(map, &line, (double)i0, x, y, MZ_CHUNK);
            const int count = map->nx - i0 < MZ_CHUNK ? (int)(map->nx - i0) : MZ_CHUNK;
            float *to = out + j * map->nx + i0;
            for (int k = 0; k < MZ_CHUNK; k++) {
                x[k] -= 0.5;
                y[k] -= 0.5;
            }
            if (interp == MZ_POLY5)
                MZ(read6)(image, ny, nx, x, y, count, to);
            for (int k = 0; k < count; k++)
                if (interp != MZ_POLY5 || isnan(to[k]))
                    to[k] = (float)read_image(image, ny, nx, x[k], y[k], interp);
        }
    }
}
