/* Adding the shares of a chunk of drops to the cells: included once per instruction set. */

MZ_INLINE double MZ(turn)(const double *x, const double *y, int a, int b, int c)
{
    return (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]);
}

/* Do the segments ab and cd cross? */
static int MZ(cross)(const double *x, const double *y, int a, int b, int c, int d)
{
    return MZ(turn)(x, y, a, b, c) * MZ(turn)(x, y, a, b, d) < 0.0 &&
           MZ(turn)(x, y, c, d, a) * MZ(turn)(x, y, c, d, b) < 0.0;
}

/* Any quadrilateral, however large or bent; one folded over itself falls as a point at its middle. */
static void MZ(drop_any)(const mz_job *job, const double *x, const double *y, double weight, double value,
                         double variance)
{
    double x0 = x[0], x1 = x[0], y0 = y[0], y1 = y[0];
    for (int e = 0; e < 4; e++) {
        if (!(fabs(x[e]) < MZ_FAR) || !(fabs(y[e]) < MZ_FAR))
            return;
        x0 = MZ(min)(x0, x[e]);
        x1 = MZ(max)(x1, x[e]);
        y0 = MZ(min)(y0, y[e]);
        y1 = MZ(max)(y1, y[e]);
    }
    if (x1 < 0.0 || x0 > (double)job->out_nx || y1 < (double)job->row0 || y0 > (double)job->row1)
        return;
    const double area = 0.5 * (MZ(turn)(x, y, 0, 1, 2) + MZ(turn)(x, y, 0, 2, 3));
    if (!(fabs(area) > 1e-12) || MZ(cross)(x, y, 0, 1, 2, 3) || MZ(cross)(x, y, 1, 2, 3, 0)) {
        MZ(drop_point)(job, 0.25 * (x[0] + x[1] + x[2] + x[3]), 0.25 * (y[0] + y[1] + y[2] + y[3]), weight, value,
                       variance);
        return;
    }
    int64_t left = MZ(cell)(x0), right = MZ(cell)(x1), bottom = MZ(cell)(y0), top = MZ(cell)(y1);
    left = left < 0 ? 0 : left;
    right = right > job->out_nx - 1 ? job->out_nx - 1 : right;
    bottom = bottom < job->row0 ? job->row0 : bottom;
    top = top > job->row1 - 1 ? job->row1 - 1 : top;
    for (int64_t r = bottom; r <= top; r++)
        for (int64_t c = left; c <= right; c++) {
            double overlap = 0.0;
            for (int e = 0; e < 4; e++) {
                const int f = (e + 1) & 3;
                overlap += MZ(edge_in_cell)(x[e] - (double)c, y[e] - (double)r, x[f] - (double)c, y[f] - (double)r);
            }
            const double share = overlap / area;
            if (share > MZ_CRUMB)
                MZ(add)(job, r * job->out_nx + c, share, weight, value, variance);
        }
}

/* Which drops lie wholly inside frame and band with their n x n cells, and where; those alone that are seen and, with `full` (cells
 * have four lanes), whose variance is a number: a share of nothing would make none of it. */
MZ_INLINE void MZ(locate)(const mz_job *job, MZ(drops) *d, const MZ(pixels) *p, const int n, int from, int to, const int full)
{
    const double wide = (double)job->out_nx, right = wide - (double)n, low = (double)job->row0, top = (double)(job->row1 - n);
    for (int k = from; k < to; k++) {
        const double x = d->left[k], y = d->below[k], variance = full ? p->variance[k] : 0.0;
        const int inside = (p->weight[k] != 0.0) & (d->fits[k] != 0.0) & (x >= 0.0) & (x <= right) & (y >= low) & (y <= top) &
                           (variance - variance == 0.0);
        d->cell[k] = (int64_t)(inside ? y * wide + x : -1.0);
    }
}

/* Ask for the cells of drop k: a chip lies across the rows of the output, so that no processor guesses what comes next. What
 * lies behind on the way along the chip's row was asked for by its neighbor: left are a column and a row of cells. */
MZ_INLINE void MZ(fetch)(const mz_job *job, const MZ(drops) *d, int k, const int n, int64_t column, int64_t row, const int full)
{
#if defined(__GNUC__)
    if (d->cell[k] < 0)
        return;
    const int lanes = full ? 4 : 2;
    const double *cell = job->cells + lanes * d->cell[k], *to = cell + lanes * column;
    for (int r = 0; r < n; r++, to += lanes * job->out_nx)
        __builtin_prefetch(to, 1);
    __builtin_prefetch(cell + lanes * (row * job->out_nx + (n - 1 - column)), 1);
#else
    (void)job, (void)d, (void)k, (void)n, (void)column, (void)row, (void)full;
#endif
}

/* Add one share to a cell of four lanes: the same roundings as `put`. */
MZ_INLINE void MZ(put_four)(double *cell, double share, const mz_four *all, const mz_four *last, const mz_bits *bits)
{
#ifdef MZ_LANE_MASKS
    const __m256d parts = _mm256_mul_pd(_mm256_set1_pd(share), (__m256d)*all), before = _mm256_loadu_pd(cell);
    const __m256d square = _mm256_mask_mov_pd(_mm256_set1_pd(1.0), 4, parts);
    const __m256d sum = _mm256_mask_add_pd(before, 7, before, _mm256_mul_pd(_mm256_mul_pd(parts, square), (__m256d)*last));
    const __mmask8 any = (__mmask8)(_mm_cmp_sd_mask(_mm_set_sd(share), _mm_setzero_pd(), _CMP_GT_OQ) << 3);
    _mm256_storeu_pd(cell, _mm256_mask_or_pd(sum, any, sum, (__m256d)*bits));
#else
    const mz_bits third = {0, 0, -1, 0}, fourth = {0, 0, 0, -1};
    const mz_four ones = {1.0, 1.0, 0.0, 1.0}, parts = share * *all, before = *(mz_four *)cell;
    const mz_four square = (mz_four)(((mz_bits)parts & third) | (mz_bits)ones);
    const mz_bits sum = (mz_bits)(before + parts * square * *last), marked = *bits & -(int64_t)(share > 0.0);
    *(mz_four *)cell = (mz_four)((sum & ~fourth) | (((mz_bits)before | marked) & fourth));
#endif
}

/* Add the shares of drop k to columns 0 .. columns - 1 and rows 0 .. rows - 1 from `cell` on: all inside the frame. */
MZ_INLINE void MZ(add_inside)(const mz_job *job, const MZ(drops) *d, const MZ(pixels) *p, int k, int64_t cell, const int n,
                              int rows, const int columns, const int full)
{
    const double weight = p->weight[k], sum = weight * p->value[k];
    const mz_pair both = {sum, weight};
    const mz_four all = {sum, weight, weight, 0.0}, last = {1.0, 1.0, p->variance[k], 0.0};
    mz_bits bits = {0};
    memcpy((char *)&bits + 3 * sizeof(int64_t), job->bits, sizeof job->bits);
    double *row = job->cells + (full ? 4 : 2) * cell;
    for (int r = 0; r < rows; r++, row += (full ? 4 : 2) * job->out_nx)
#pragma GCC unroll 8
        for (int c = 0; c < columns; c++) {
            const double share = d->share[r * n + c][k];
            if (full)
                MZ(put_four)(row + 4 * c, share, &all, &last, &bits);
            else
                *(mz_pair *)(row + 2 * c) += share * both;
        }
}

/* Add the shares of drop k cell by cell: near the edge of frame or band, or where more than the cells is kept. */
static void MZ(add_each)(const mz_job *job, const MZ(drops) *d, const MZ(pixels) *p, int k, const int n)
{
    const int64_t bx = (int64_t)d->left[k], by = (int64_t)d->below[k];
    const double weight = p->weight[k], sum = weight * p->value[k];
    for (int r = 0; r < n; r++)
        for (int c = 0; c < n; c++) {
            const double share = d->share[r * n + c][k];
            if (share > 0.0 && MZ(inside)(job, bx + c, by + r))
                MZ(put)(job, (by + r) * job->out_nx + bx + c, share * sum, share * weight, p->variance[k]);
        }
}

/* Add drop k wherever it lies, if it is seen. */
static void MZ(add_other)(const mz_job *job, const MZ(drops) *d, const MZ(pixels) *p, int k, const int n)
{
    if (p->weight[k] == 0.0)
        return;
    if (d->fits[k] != 0.0) {
        MZ(add_each)(job, d, p, k, n);
        return;
    }
    const double x[4] = {d->x[0][k], d->x[1][k], d->x[2][k], d->x[3][k]};
    const double y[4] = {d->y[0][k], d->y[1][k], d->y[2][k], d->y[3][k]};
    MZ(drop_any)(job, x, y, p->weight[k], p->value[k], p->variance[k]);
}

/* Add a chunk's shares; n and `full` (cells have four lanes) are constants in every call, so the loops unroll. */
MZ_INLINE void MZ(scatter_sums)(const mz_job *job, MZ(drops) *d, const MZ(pixels) *p, const int n, int from, int to,
                                const int full)
{
    MZ(locate)(job, d, p, n, from, to, full);
    const int64_t column = from < to && d->left[to - 1] >= d->left[from] ? n - 1 : 0;
    const int64_t row = from < to && d->below[to - 1] >= d->below[from] ? n - 1 : 0;
    for (int k = from; k < from + MZ_AHEAD && k < to; k++)
        MZ(fetch)(job, d, k, n, column, row, full);
    const int odd = job->context || job->touched;
    for (int k = from; k < to; k++) {
        if (k + MZ_AHEAD < to)
            MZ(fetch)(job, d, k + MZ_AHEAD, n, column, row, full);
        if (d->cell[k] < 0 || odd) {
            MZ(add_other)(job, d, p, k, n);
            continue;
        }
        /* Most drops do not reach the last row, or the last column, that a usual one can. */
        const int rows = n == 2 || d->high[k] > (double)(n - 1) ? n : n - 1;
        if (n == 2 || d->wide[k] > (double)(n - 1))
            MZ(add_inside)(job, d, p, k, d->cell[k], n, rows, n, full);
        else
            MZ(add_inside)(job, d, p, k, d->cell[k], n, rows, n - 1, full);
    }
}

MZ_INLINE void MZ(scatter)(const mz_job *job, MZ(drops) *d, const MZ(pixels) *p, const int n, int from, int to)
{
    if (job->lanes == 4)
        MZ(scatter_sums)(job, d, p, n, from, to, 1);
    else
        MZ(scatter_sums)(job, d, p, n, from, to, 0);
}

/* Ask for the cells of a chunk's drops while their shares are worked out, where the chunk lies across many rows: small drops are shared
 * and added faster than memory answers. */
MZ_INLINE void MZ(fetch_early)(const mz_job *job, const MZ(drops) *d, int from, int to)
{
#if defined(__GNUC__)
    const double wide = (double)(job->out_nx - 1), low = (double)job->row0, top = (double)(job->row1 - 1);
    if (from >= to || !(fabs(d->y[0][to - 1] - d->y[0][from]) > MZ_ASKEW))
        return;
    for (int k = from; k < to; k++) {
        const double x = 0.5 * (d->x[0][k] + d->x[2][k]) - 0.5, y = 0.5 * (d->y[0][k] + d->y[2][k]) - 0.5;
        if (!((x >= 0.0) & (x < wide) & (y >= low) & (y < top)))
            continue;
        const double *cell = job->cells + job->lanes * ((int64_t)y * job->out_nx + (int64_t)x);
        __builtin_prefetch(cell, 1);
        __builtin_prefetch(cell + job->lanes * job->out_nx, 1);
    }
#else
    (void)job, (void)d, (void)from, (void)to;
#endif
}

/* Share and add the drops from .. to - 1 of a chunk; each usually touches span x span cells at most. */
static void MZ(square_chunk)(const mz_job *job, MZ(drops) *d, const MZ(pixels) *p, int span, int from, int to)
{
    /* What lies within 2 x 2 cells is worked out so: the same numbers, and fewer zeros. */
    const int groups = (to - from) / MZ_LANES;
    const uint32_t narrow = span == 3 ? MZ(narrow)(d, from, to) : 0;
    int few = 0;
    for (int g = 0; g < 32; g++)
        few += (int)(narrow >> g & 1);
    if (span <= 2 || few == groups) {
        MZ(fetch_early)(job, d, from, to);
        MZ(shares)(d, 2, 2, from, to);
        MZ(scatter)(job, d, p, 2, from, to);
    } else if (span == 3) {
        if (4 * few < groups)
            MZ(shares)(d, 3, 3, from, to);
        else
            for (int k = from, g = 0; k < to; k += MZ_LANES, g++)
                if (narrow >> g & 1)
                    MZ(shares)(d, 2, 3, k, k + MZ_LANES);
                else
                    MZ(shares)(d, 3, 3, k, k + MZ_LANES);
        MZ(scatter)(job, d, p, 3, from, to);
    } else if (span == 4) {
        MZ(shares)(d, 4, 4, from, to);
        MZ(scatter)(job, d, p, 4, from, to);
    } else {
        MZ(shares)(d, 5, 5, from, to);
        MZ(scatter)(job, d, p, 5, from, to);
    }
}

/* Share and add upright boxes: part of a column times part of a row. */
static void MZ(box_chunk)(const mz_job *job, MZ(drops) *d, const MZ(pixels) *p, int span, int from, int to)
{
    if (span <= 2 || (span == 3 && MZ(all_narrow)(d, from, to))) {
        MZ(fetch_early)(job, d, from, to);
        MZ(boxes)(d, 2, from, to);
        MZ(scatter)(job, d, p, 2, from, to);
    } else if (span == 3) {
        MZ(boxes)(d, 3, from, to);
        MZ(scatter)(job, d, p, 3, from, to);
    } else {
        MZ(boxes)(d, 4, from, to);
        MZ(scatter)(job, d, p, 4, from, to);
    }
}
