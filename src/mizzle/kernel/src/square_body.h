/* Overlap of quadrilaterals with the cells of the output: included once per instruction set.
 *
 * For a closed polygon, walked corner by corner, the signed area of its part with x >= c and y >= r is the sum over the
 * edges of the integral of max(x - c, 0) dy over the edge's part with y >= r. Cells are differences of four such areas.
 * Along a straight edge the integrand is linear (edge right of c), zero (left) or, across c, a triangle: no square
 * roots, no branches, one division an edge. */

/* Shares below this part of a drop are rounding, and count as nothing. */
#define MZ_CRUMB 1e-11

MZ_INLINE double MZ(min)(double a, double b) { return a < b ? a : b; }
MZ_INLINE double MZ(max)(double a, double b) { return a > b ? a : b; }

typedef struct {
    const double *x[4], *y[4]; /* corners, in order around the drop; cell k is [k, k + 1). Neighbors may share theirs */
    double xs[4][MZ_CHUNK + MZ_SPARE], ys[4][MZ_CHUNK + MZ_SPARE]; /* room for them */
    double share[MZ_MAX_SPAN * MZ_MAX_SPAN][MZ_CHUNK];
    double left[MZ_CHUNK], below[MZ_CHUNK]; /* lower left cell */
    double wide[MZ_CHUNK], high[MZ_CHUNK];  /* how far it reaches from that cell's lower left corner */
    double fits[MZ_CHUNK];                  /* not 0: convex, finite, and within span x span cells */
    int64_t cell[MZ_CHUNK];                 /* the lower left cell of one whose cells all lie inside; else -1 */
} MZ(drops);

/* Let each drop have corners of its own. */
MZ_INLINE void MZ(apart)(MZ(drops) *d)
{
    for (int e = 0; e < 4; e++) {
        d->x[e] = d->xs[e];
        d->y[e] = d->ys[e];
    }
}

/* Let neighbors share their corners: those of row 0 of the room lie below, those of row 1 above. */
MZ_INLINE void MZ(shared)(MZ(drops) *d)
{
    for (int e = 0; e < 4; e++) {
        const int row = e > 1, next = e == 1 || e == 2;
        d->x[e] = d->xs[row] + next;
        d->y[e] = d->ys[row] + next;
    }
}

/* Largest whole number <= v as int32, for any v (NaN included). */
MZ_INLINE int32_t MZ(cell)(double v)
{
    v = v > -MZ_FAR ? v : -MZ_FAR;
    v = v < MZ_FAR ? v : MZ_FAR;
    const int32_t t = (int32_t)v;
    return t - ((double)t > v);
}

/* Shares of the drops from .. to - 1 (whole groups of lanes) in the n x n cells from each one's lower left one, of the side x side
 * that are kept; nothing in the others. MZ_V holds MZ_LANES drops (lanes.h). */
MZ_INLINE void MZ(shares)(MZ(drops) *restrict d, const int n, const int side, int from, int to)
{
    const MZ_V zero = MZ_ALL(0.0);
    for (int k = from; k < to; k += MZ_LANES) {
        MZ_V x[5], y[5];
#pragma GCC unroll 4
        for (int e = 0; e < 4; e++) {
            x[e] = MZ_LOAD(&d->x[e][k]);
            y[e] = MZ_LOAD(&d->y[e][k]);
        }
        const MZ_V x0 = MZ_VMIN(MZ_VMIN(x[0], x[1]), MZ_VMIN(x[2], x[3]));
        const MZ_V x1 = MZ_VMAX(MZ_VMAX(x[0], x[1]), MZ_VMAX(x[2], x[3]));
        const MZ_V y0 = MZ_VMIN(MZ_VMIN(y[0], y[1]), MZ_VMIN(y[2], y[3]));
        const MZ_V y1 = MZ_VMAX(MZ_VMAX(y[0], y[1]), MZ_VMAX(y[2], y[3]));
        const MZ_V bx = MZ_VFLOOR(x0), by = MZ_VFLOOR(y0);
#pragma GCC unroll 4
        for (int e = 0; e < 4; e++) {
            x[e] -= bx;
            y[e] -= by;
        }
        x[4] = x[0];
        y[4] = y[0];
        /* Twice the areas of the four corner triangles: one sign for all = convex. */
        const MZ_V t1 = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0]);
        const MZ_V t2 = (x[2] - x[0]) * (y[3] - y[0]) - (x[3] - x[0]) * (y[2] - y[0]);
        const MZ_V t3 = (x[1] - x[0]) * (y[3] - y[0]) - (x[3] - x[0]) * (y[1] - y[0]);
        const MZ_V t4 = (t1 + t2) - t3;
        const MZ_V area = MZ_ALL(0.5) * (t1 + t2);
        const MZ_V least = MZ_VMIN(MZ_VMIN(t1, t2), MZ_VMIN(t3, t4)), most = MZ_VMAX(MZ_VMAX(t1, t2), MZ_VMAX(t3, t4));
        const MZ_V wide = x1 - bx, high = y1 - by;
        MZ_STORE(&d->left[k], bx);
        MZ_STORE(&d->below[k], by);
        MZ_STORE(&d->wide[k], wide);
        MZ_STORE(&d->high[k], high);
        MZ_V s[MZ_MAX_SPAN + 1][MZ_MAX_SPAN + 1];
#pragma GCC unroll 8
        for (int r = 0; r <= n; r++)
#pragma GCC unroll 8
            for (int c = 0; c <= n; c++)
                s[r][c] = zero;
        s[0][0] = area;
#pragma GCC unroll 4
        for (int e = 0; e < 4; e++) {
            const MZ_V dx = x[e + 1] - x[e], dy = y[e + 1] - y[e];
            const MZ_V product = dx * dy;
            /* Along an axis there is nothing to divide: the quotients are never used, but must be finite. */
            const MZ_V t = MZ_ALL(1.0) / MZ_IF_LESS(MZ_VABS(product), MZ_ALL(1e-200), MZ_ALL(1e300), product);
            const MZ_V slope = dx * dx * t;
            const MZ_V half = MZ_ALL(0.5) * dy * MZ_VABS(dy * t);
#pragma GCC unroll 8
            for (int r = 0; r < n; r++) {
                const MZ_V edge = MZ_ALL((double)r);
                const MZ_V ya = r ? MZ_VMAX(y[e], edge) : y[e];
                const MZ_V yb = r ? MZ_VMAX(y[e + 1], edge) : y[e + 1];
                const MZ_V h = yb - ya;
                const MZ_V xa = r ? MZ_VFMA(ya - y[e], slope, x[e]) : x[e];
                const MZ_V xb = r ? MZ_VFMA(h, slope, xa) : x[e + 1];
                const MZ_V low = MZ_VMIN(xa, xb), high = MZ_VMAX(xa, xb);
                const MZ_V whole = MZ_ALL(0.5) * h * (xa + xb);
                if (r)
                    s[r][0] += whole;
#pragma GCC unroll 8
                for (int c = 1; c < n; c++) {
                    const MZ_V bound = MZ_ALL((double)c);
                    const MZ_V over = MZ_VMAX(high - bound, zero);
                    const MZ_V across = over * over * half;
                    const MZ_V beyond = MZ_VFMA(h, -bound, whole);
                    s[r][c] += MZ_IF_LESS(low, bound, across, beyond);
                }
            }
        }
        /* A corner that is no number makes an area none, which is not above the least one. */
        MZ_V fits = MZ_IF_LESS(zero, MZ_VMAX(least, zero - most), MZ_ALL(1.0), zero);
        fits = MZ_IF_LESS(MZ_ALL(1e-12), MZ_VABS(area), fits, zero);
        fits = MZ_IF_LESS(MZ_ALL((double)n), MZ_VMAX(wide, high), zero, fits);
        fits = MZ_IF_LESS(MZ_VMAX(MZ_VABS(bx), MZ_VABS(by)), MZ_ALL(MZ_FAR), fits, zero);
        MZ_STORE(&d->fits[k], fits);
        const MZ_V inverse = MZ_ALL(1.0) / area;
#pragma GCC unroll 8
        for (int r = 0; r < n; r++)
#pragma GCC unroll 8
            for (int c = 0; c < n; c++) {
                const MZ_V part = ((s[r][c] - s[r + 1][c]) - (s[r][c + 1] - s[r + 1][c + 1])) * inverse;
                MZ_STORE(&d->share[r * side + c][k], MZ_IF_LESS(MZ_ALL(MZ_CRUMB), part, part, zero));
            }
        for (int c = 0; c < side * side; c++)
            if (c % side >= n || c / side >= n)
                MZ_STORE(&d->share[c][k], zero);
    }
}

/* Shares of upright boxes, whose corners 0 and 2 are the least and the greatest: the same for drops along the cells. */
MZ_INLINE void MZ(boxes)(MZ(drops) *restrict d, const int n, int from, int to)
{
    const MZ_V zero = MZ_ALL(0.0);
    for (int k = from; k < to; k += MZ_LANES) {
        const MZ_V x0 = MZ_LOAD(&d->x[0][k]), y0 = MZ_LOAD(&d->y[0][k]), bx = MZ_VFLOOR(x0), by = MZ_VFLOOR(y0);
        const MZ_V left = x0 - bx, low = y0 - by, wide = MZ_LOAD(&d->x[2][k]) - bx, high = MZ_LOAD(&d->y[2][k]) - by;
        const MZ_V area = (wide - left) * (high - low), inverse = MZ_ALL(1.0) / area;
        MZ_V across[MZ_MAX_SPAN], up[MZ_MAX_SPAN];
#pragma GCC unroll 8
        for (int c = 0; c < n; c++) {
            const MZ_V begin = MZ_ALL((double)c), end = MZ_ALL((double)(c + 1));
            across[c] = MZ_VMAX(MZ_VMIN(wide, end) - MZ_VMAX(left, begin), zero) * inverse;
            up[c] = MZ_VMAX(MZ_VMIN(high, end) - MZ_VMAX(low, begin), zero);
        }
        MZ_V fits = MZ_IF_LESS(MZ_ALL(1e-12), area, MZ_ALL(1.0), zero);
        fits = MZ_IF_LESS(MZ_ALL((double)n), MZ_VMAX(wide, high), zero, fits);
        fits = MZ_IF_LESS(MZ_VMAX(MZ_VABS(bx), MZ_VABS(by)), MZ_ALL(MZ_FAR), fits, zero);
        MZ_STORE(&d->left[k], bx);
        MZ_STORE(&d->below[k], by);
        MZ_STORE(&d->wide[k], wide);
        MZ_STORE(&d->high[k], high);
        MZ_STORE(&d->fits[k], fits);
#pragma GCC unroll 8
        for (int r = 0; r < n; r++)
#pragma GCC unroll 8
            for (int c = 0; c < n; c++) {
                const MZ_V part = across[c] * up[r];
                MZ_STORE(&d->share[r * n + c][k], MZ_IF_LESS(MZ_ALL(MZ_CRUMB), part, part, zero));
            }
    }
}

/* The cells of points, which lie at corner 0. */
static void MZ(points)(MZ(drops) *d)
{
    const MZ_V zero = MZ_ALL(0.0), one = MZ_ALL(1.0);
    for (int e = 0; e < 4; e++) {
        d->x[e] = d->xs[0];
        d->y[e] = d->ys[0];
    }
    for (int k = 0; k < MZ_CHUNK; k += MZ_LANES) {
        const MZ_V bx = MZ_VFLOOR(MZ_LOAD(&d->xs[0][k])), by = MZ_VFLOOR(MZ_LOAD(&d->ys[0][k]));
        MZ_V fits = MZ_IF_LESS(MZ_VABS(bx), MZ_ALL(MZ_FAR), one, zero);
        fits = MZ_IF_LESS(MZ_VABS(by), MZ_ALL(MZ_FAR), fits, zero);
        MZ_STORE(&d->left[k], bx);
        MZ_STORE(&d->below[k], by);
        MZ_STORE(&d->wide[k], one);
        MZ_STORE(&d->high[k], one);
        MZ_STORE(&d->fits[k], fits);
        MZ_STORE(&d->share[0][k], one);
    }
}

/* Do the drops from k on that fill a group of lanes lie within 2 x 2 cells? */
MZ_INLINE int MZ(narrow_group)(const MZ(drops) *d, int k)
{
    MZ_V reach = MZ_ALL(0.0);
    for (int axis = 0; axis < 2; axis++) {
        const double *const *p = axis ? d->y : d->x;
        const MZ_V a = MZ_LOAD(&p[0][k]), b = MZ_LOAD(&p[1][k]), c = MZ_LOAD(&p[2][k]), e = MZ_LOAD(&p[3][k]);
        const MZ_V low = MZ_VMIN(MZ_VMIN(a, b), MZ_VMIN(c, e)), high = MZ_VMAX(MZ_VMAX(a, b), MZ_VMAX(c, e));
        reach = MZ_VMAX(reach, high - MZ_VFLOOR(low));
    }
    double wide[MZ_LANES];
    MZ_STORE(wide, reach);
    int all = 1;
    for (int l = 0; l < MZ_LANES; l++)
        all &= wide[l] <= 2.0;
    return all;
}

/* Do all drops from .. to - 1? Where they do not, one of the first tells. */
static int MZ(all_narrow)(const MZ(drops) *d, int from, int to)
{
    for (int k = from; k < to; k += MZ_LANES)
        if (!MZ(narrow_group)(d, k))
            return 0;
    return 1;
}

/* Which groups of lanes of the drops from .. to - 1 lie within 2 x 2 cells: bits, the first group's lowest. On a grid that lies
 * along the chip nearly all do. */
static uint32_t MZ(narrow)(const MZ(drops) *d, int from, int to)
{
    uint32_t groups = 0;
    for (int k = from; k < to; k += MZ_LANES)
        groups |= (uint32_t)MZ(narrow_group)(d, k) << (k - from) / MZ_LANES % 32;
    return groups;
}

/* Signed overlap of a polygon edge with one cell, the cell's corner being the origin: any edge, anywhere. */
static double MZ(edge_in_cell)(double x0, double y0, double x1, double y1)
{
    const double ya = MZ(min)(MZ(max)(y0, 0.0), 1.0), yb = MZ(min)(MZ(max)(y1, 0.0), 1.0);
    const double h = yb - ya;
    if (!(fabs(h) > 0.0))
        return 0.0;
    const double slope = (x1 - x0) / (y1 - y0);
    const double xa = x0 + (ya - y0) * slope, xb = x0 + (yb - y0) * slope;
    const double low = MZ(min)(xa, xb), high = MZ(max)(xa, xb);
    double result[2];
    for (int c = 0; c < 2; c++) {
        const double l = low - (double)c, u = high - (double)c;
        if (l >= 0.0)
            result[c] = h * 0.5 * (l + u);
        else if (u <= 0.0)
            result[c] = 0.0;
        else
            result[c] = h * u * u / (2.0 * (u - l));
    }
    return result[0] - result[1];
}
