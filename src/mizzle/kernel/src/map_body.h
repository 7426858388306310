/* Mapping of one chunk of a chip's row: included once per instruction set. */

/* Chebyshev series in u of one line of constant v, and the same as powers of u. */
typedef struct {
    double cheb_x[MZ_TERMS], cheb_y[MZ_TERMS];
    double x[MZ_TERMS], y[MZ_TERMS];
    int64_t degree;
    const double *nodes; /* offsets of the row of nodes before the line, if the map has any */
    double share;        /* of the next row of nodes */
} MZ(line);

/* Chebyshev coefficients to powers, by the recurrence T(k+1) = 2 u T(k) - T(k-1). */
static void MZ(to_powers)(const double *cheb, double *power, int64_t degree)
{
    double before[MZ_TERMS] = {0}, now[MZ_TERMS] = {0};
    for (int64_t k = 0; k <= degree; k++)
        power[k] = 0.0;
    before[0] = 1.0;
    power[0] += cheb[0];
    if (degree < 1)
        return;
    now[1] = 1.0;
    power[1] += cheb[1];
    for (int64_t k = 2; k <= degree; k++) {
        double next[MZ_TERMS];
        for (int64_t i = 0; i <= degree; i++)
            next[i] = (i > 0 ? 2.0 * now[i - 1] : 0.0) - before[i];
        for (int64_t i = 0; i <= degree; i++) {
            before[i] = now[i];
            now[i] = next[i];
            power[i] += cheb[k] * next[i];
        }
    }
}

/* Collapse the polynomial at row position y (row term included); output shifted by 0.5, so cell k is [k, k+1). */
static void MZ(collapse)(const mz_map *map, double y, MZ(line) *line)
{
    const int64_t d = map->degree, n = d + 1;
    const double v = (2.0 * y - (double)(map->ny - 1)) / (double)map->ny;
    double t[MZ_TERMS];
    t[0] = 1.0;
    if (d > 0)
        t[1] = v;
    for (int64_t j = 2; j <= d; j++)
        t[j] = 2.0 * v * t[j - 1] - t[j - 2];
    for (int64_t i = 0; i <= d; i++) {
        double sx = 0.0, sy = 0.0;
        for (int64_t j = 0; j <= d; j++) {
            sx += map->cx[i * n + j] * t[j];
            sy += map->cy[i * n + j] * t[j];
        }
        line->cheb_x[i] = sx;
        line->cheb_y[i] = sy;
    }
    line->cheb_x[0] += 0.5;
    line->cheb_y[0] += 0.5;
    line->degree = d;
    line->nodes = NULL;
    if (map->offsets) {
        const double steps = (y - map->first[1]) / map->spacing[1];
        const int64_t row = mz_node(steps, map->rows);
        line->nodes = map->offsets + 2 * row * map->columns;
        line->share = steps - (double)row;
    }
    MZ(to_powers)(line->cheb_x, line->x, d);
    MZ(to_powers)(line->cheb_y, line->y, d);
}

/* Position in y of the fraction f (0 bottom edge, 1 top edge) of row j, row term included. */
MZ_INLINE double MZ(row_position)(const mz_map *map, int64_t j, double f)
{
    double y = (double)j - 0.5 + f;
    if (map->row_edges)
        y += map->row_edges[j] + f * (map->row_edges[j + 1] - map->row_edges[j]);
    return y;
}

/* The same with offsets from the polynomial. Between two nodes they are a straight line, which is folded into the
 * polynomial's first two terms: a chunk whose points all lie between the same two nodes costs no more than without. */
static void MZ(along_offsets)(const mz_map *map, const MZ(line) *line, double first, double *restrict x,
                              double *restrict y, int count)
{
    const double n = (double)map->nx, scale = 2.0 / n, offset = (2.0 * first - (n - 1.0)) / n;
    const int64_t d = line->degree;
    double u[MZ_CHUNK + MZ_SPARE];
    for (int k = 0; k < count; k++) {
        u[k] = offset + scale * (double)k;
        x[k] = d > 1 ? line->x[d] : 0.0;
        y[k] = d > 1 ? line->y[d] : 0.0;
    }
    for (int64_t i = d - 1; i > 1; i--) {
        const double px = line->x[i], py = line->y[i];
        for (int k = 0; k < count; k++) {
            x[k] = MZ_FMA(x[k], u[k], px);
            y[k] = MZ_FMA(y[k], u[k], py);
        }
    }
    for (int from = 0, to; from < count; from = to) {
        const int64_t cell = mz_node((first + (double)from - map->first[0]) / map->spacing[0], map->columns);
        const double node = map->first[0] + (double)cell * map->spacing[0];
        to = count;
        if (cell < map->columns - 2) {
            const double last = node + map->spacing[0] - first; /* a point on the next node belongs to both */
            to = last < (double)(count - 1) ? (int)last + 1 : count;
            to = to > from ? to : from + 1;
        }
        const double *low = line->nodes + 2 * cell, *high = low + 2 * map->columns;
        double o[4];
        for (int k = 0; k < 4; k++)
            o[k] = low[k] + line->share * (high[k] - low[k]);
        const double sx = (o[2] - o[0]) / map->spacing[0], sy = (o[3] - o[1]) / map->spacing[0];
        const double middle = 0.5 * (n - 1.0) - node; /* x = (n u + n - 1) / 2 */
        const double x0 = line->x[0] + (o[0] + sx * middle), y0 = line->y[0] + (o[1] + sy * middle);
        const double x1 = (d > 0 ? line->x[1] : 0.0) + 0.5 * n * sx, y1 = (d > 0 ? line->y[1] : 0.0) + 0.5 * n * sy;
        for (int k = from; k < to; k++) {
            const double at = offset + scale * (double)k;
            x[k] = MZ_FMA(MZ_FMA(x[k], at, x1), at, x0);
            y[k] = MZ_FMA(MZ_FMA(y[k], at, y1), at, y0);
        }
    }
}

/* Output positions of `count` points x = first, first + 1, ... of a line. */
MZ_INLINE void MZ(along)(const mz_map *map, const MZ(line) *line, double first, double *restrict x,
                         double *restrict y, int count)
{
    if (map->offsets) {
        MZ(along_offsets)(map, line, first, x, y, count);
        return;
    }
    const double scale = 2.0 / (double)map->nx;
    const double offset = (2.0 * first - (double)(map->nx - 1)) / (double)map->nx;
    const int64_t d = line->degree;
    double u[MZ_CHUNK + MZ_SPARE];
    for (int k = 0; k < count; k++) {
        u[k] = offset + scale * (double)k;
        x[k] = line->x[d];
        y[k] = line->y[d];
    }
    for (int64_t i = d - 1; i >= 0; i--) {
        const double px = line->x[i], py = line->y[i];
        for (int k = 0; k < count; k++) {
            x[k] = MZ_FMA(x[k], u[k], px);
            y[k] = MZ_FMA(y[k], u[k], py);
        }
    }
}

#ifdef MZ_CORNERS
/* Stored map at a fractional place: bilinear, extended linearly beyond the outer pixels. */
static void MZ(stored)(const mz_map *map, double x, double y, double *px, double *py)
{
    int64_t i = (int64_t)floor(x), j = (int64_t)floor(y);
    const int64_t nx = map->nx, ny = map->ny;
    i = i < 0 ? 0 : i;
    i = i > nx - 2 ? nx - 2 : i;
    j = j < 0 ? 0 : j;
    j = j > ny - 2 ? ny - 2 : j;
    i = i < 0 ? 0 : i; /* one column, or one row: see below */
    j = j < 0 ? 0 : j;
    const double f = x - (double)i, g = y - (double)j;
    const double *p = map->pixmap + 2 * (j * nx + i);
    const double *right = nx > 1 ? p + 2 : NULL, *up = ny > 1 ? p + 2 * nx : NULL;
    double out[2];
    for (int k = 0; k < 2; k++) {
        /* With a single column (row) there is no slope to read: one input pixel spans `step` cells. */
        const double alone_x = k == 0 ? map->step : 0.0, alone_y = k == 1 ? map->step : 0.0;
        const double bottom = f == 0.0 ? p[k] : p[k] + f * (right ? right[k] - p[k] : alone_x);
        double top = bottom;
        if (g != 0.0) {
            if (!up)
                top = bottom + alone_y;
            else
                top = f == 0.0 ? up[k] : up[k] + f * (right ? up[2 + k] - up[k] : alone_x);
        }
        out[k] = g == 0.0 ? bottom : bottom + g * (top - bottom);
    }
    *px = out[0] + 0.5;
    *py = out[1] + 0.5;
}

#endif

#ifndef MZ_NO_CENTERS
/* Centers of the pixels i0 .. i0 + MZ_CHUNK - 1 of row j. Beyond the row: not a number. */
static void MZ(centers)(const mz_map *map, int64_t j, int64_t i0, double *restrict x, double *restrict y)
{
    if (!map->pixmap) {
        MZ(line) line;
        MZ(collapse)(map, MZ(row_position)(map, j, 0.5), &line);
        MZ(along)(map, &line, (double)i0, x, y, MZ_CHUNK);
        return;
    }
    for (int k = 0; k < MZ_CHUNK; k++) {
        const int64_t i = i0 + k;
        const double *p = map->pixmap + 2 * (j * map->nx + (i < map->nx ? i : 0));
        x[k] = i < map->nx ? p[0] + 0.5 : NAN;
        y[k] = i < map->nx ? p[1] + 0.5 : NAN;
    }
}
#endif
