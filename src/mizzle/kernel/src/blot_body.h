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

#if defined(__GNUC__)
/* Eight lanes by the compiler's own vectors: it does not find them by itself here. */
typedef double MZ(lanes) __attribute__((vector_size(64)));
typedef float MZ(floats) __attribute__((vector_size(32)));

MZ_INLINE void MZ(weights6)(double f, MZ(lanes) * w)
{
    MZ(lanes) row;
    memcpy(w, MZ(powers6)[5], sizeof row);
    for (int m = 4; m >= 0; m--) {
        memcpy(&row, MZ(powers6)[m], sizeof row);
        *w = *w * f + row;
    }
}

MZ_INLINE double MZ(sum6)(const float *p, int64_t nx, double fx, double fy)
{
    MZ(lanes) wx, wy, sum = {0};
    MZ(weights6)(fx, &wx);
    MZ(weights6)(fy, &wy);
#pragma GCC unroll 6
    for (int r = 0; r < 6; r++, p += nx) {
        MZ(floats) row;
        memcpy(&row, p, sizeof row);
        sum += wy[r] * __builtin_convertvector(row, MZ(lanes));
    }
    sum *= wx;
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}
#else
MZ_INLINE double MZ(sum6)(const float *p, int64_t nx, double fx, double fy)
{
    double wx[8], wy[8], sum[8] = {0};
    for (int c = 0; c < 8; c++) {
        wx[c] = wy[c] = MZ(powers6)[5][c];
        for (int m = 4; m >= 0; m--) {
            wx[c] = wx[c] * fx + MZ(powers6)[m][c];
            wy[c] = wy[c] * fy + MZ(powers6)[m][c];
        }
    }
    for (int r = 0; r < 6; r++, p += nx)
        for (int c = 0; c < 8; c++)
            sum[c] += wy[r] * (double)p[c];
    for (int c = 0; c < 8; c++)
        sum[c] *= wx[c];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}
#endif

/* Read an image by the six-point polynomial at `count` places; not a number where a point is missing, or where the
 * two idle lanes would leave the row: the caller looks again there. */
static void MZ(read6)(const float *image, int64_t ny, int64_t nx, const double *x, const double *y, int count, float *out)
{
    for (int k = 0; k < count; k++) {
        out[k] = NAN;
        if (!(fabs(x[k]) < MZ_FAR) || !(fabs(y[k]) < MZ_FAR))
            continue;
        const double fx = floor(x[k]), fy = floor(y[k]);
        const int64_t i = (int64_t)fx - 2, j = (int64_t)fy - 2;
        if (i < 0 || j < 0 || i + 8 > nx || j + 6 > ny)
            continue;
        out[k] = (float)MZ(sum6)(image + j * nx + i, nx, x[k] - fx, y[k] - fy);
    }
}
