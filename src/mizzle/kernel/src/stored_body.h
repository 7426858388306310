/* Drops of a stored map: the corners of a chunk's, and which chunks a band must look at. Included once per instruction set. */

/* Three rows of a stored map around a chunk of row j, one pixel wider on both sides: [row j - 1, j, j + 1][x, y][pixel]. */
typedef double MZ(around)[3][2][MZ_CHUNK + 2];

/* Load a row of it. What lies beyond the outer pixels goes on as a line; beyond that it is not a number. */
static void MZ(load_row)(const mz_map *map, int64_t j, int64_t i0, double (*restrict to)[MZ_CHUNK + 2])
{
    const int64_t nx = map->nx, from = i0 > 0 ? i0 - 1 : 0, end = i0 + MZ_CHUNK + 1 < nx ? i0 + MZ_CHUNK + 1 : nx;
    const int first = (int)(from - (i0 - 1)), last = (int)(end - (i0 - 1)) - 1;
    const double *p = map->pixmap + 2 * (j * nx + from);
    for (int k = first; k <= last; k++) {
        to[0][k] = p[2 * (k - first)];
        to[1][k] = p[2 * (k - first) + 1];
    }
    for (int k = last + 1; k < MZ_CHUNK + 2; k++)
        to[0][k] = to[1][k] = NAN;
    for (int axis = 0; axis < 2; axis++) {
        /* With a single column there is no slope to read: one input pixel spans `step` cells. */
        const double alone = axis == 0 ? map->step : 0.0;
        if (first == 1)
            to[axis][0] = nx > 1 ? 2.0 * to[axis][1] - to[axis][2] : to[axis][1] - alone;
        if (last < MZ_CHUNK + 1)
            to[axis][last + 1] = nx > 1 ? 2.0 * to[axis][last] - to[axis][last - 1] : to[axis][last] + alone;
    }
}

static void MZ(load_around)(const mz_map *map, int64_t j, int64_t i0, MZ(around) to)
{
    const int64_t ny = map->ny;
    MZ(load_row)(map, j, i0, to[1]);
    for (int up = -1; up <= 1; up += 2) {
        const int row = up + 1, other = 1 - up;
        if (j + up >= 0 && j + up < ny) {
            MZ(load_row)(map, j + up, i0, to[row]);
            continue;
        }
        if (ny > 1)
            MZ(load_row)(map, j - up, i0, to[other]);
        for (int axis = 0; axis < 2; axis++) {
            const double alone = axis == 1 ? (double)up * map->step : 0.0;
            for (int k = 0; k < MZ_CHUNK + 2; k++)
                to[row][axis][k] = ny > 1 ? 2.0 * to[1][axis][k] - to[other][axis][k] : to[1][axis][k] + alone;
        }
    }
}

/* Corners of a chunk well within a stored map, each the mean of four centers: x and y as they lie side by side there. */
static void MZ(inner_corners)(const mz_map *map, int64_t j, int64_t i0, MZ(drops) *d)
{
    for (int r = 0; r < 2; r++) {
        const double *low = map->pixmap + 2 * ((j - 1 + r) * map->nx + i0 - 1), *high = low + 2 * map->nx;
        double sum[2 * MZ_CHUNK + 4], edge[2 * MZ_CHUNK + 2];
        for (int k = 0; k < 2 * MZ_CHUNK + 4; k++)
            sum[k] = low[k] + high[k];
        for (int k = 0; k < 2 * MZ_CHUNK + 2; k++)
            edge[k] = 0.25 * (sum[k] + sum[k + 2]) + 0.5;
        for (int k = 0; k <= MZ_CHUNK; k++) {
            d->xs[r][k] = edge[2 * k];
            d->ys[r][k] = edge[2 * k + 1];
        }
    }
}

/* Corners of a chunk at the border of a stored map. */
static void MZ(outer_corners)(const mz_job *job, int64_t j, int64_t i0, double h, MZ(drops) *d)
{
    MZ(around) v;
    MZ(load_around)(&job->map, j, i0, v);
    for (int axis = 0; axis < 2; axis++) {
        double(*to)[MZ_CHUNK + MZ_SPARE] = axis ? d->ys : d->xs;
        if (job->pixfrac == 1.0) {
            for (int r = 0; r < 2; r++) {
                const double *low = v[r][axis], *high = v[r + 1][axis];
                for (int k = 0; k <= MZ_CHUNK; k++)
                    to[r][k] = 0.25 * ((low[k] + high[k]) + (low[k + 1] + high[k + 1])) + 0.5;
            }
            continue;
        }
        const double *low = v[0][axis], *mid = v[1][axis], *high = v[2][axis];
        for (int k = 0; k < MZ_CHUNK; k++) {
            /* The three rows at the drop's left side, and at its right one. */
            const double l0 = low[k + 1] + h * (low[k] - low[k + 1]), r0 = low[k + 1] + h * (low[k + 2] - low[k + 1]);
            const double l1 = mid[k + 1] + h * (mid[k] - mid[k + 1]), r1 = mid[k + 1] + h * (mid[k + 2] - mid[k + 1]);
            const double l2 = high[k + 1] + h * (high[k] - high[k + 1]), r2 = high[k + 1] + h * (high[k + 2] - high[k + 1]);
            to[0][k] = l1 + h * (l0 - l1) + 0.5;
            to[1][k] = r1 + h * (r0 - r1) + 0.5;
            to[2][k] = r1 + h * (r2 - r1) + 0.5;
            to[3][k] = l1 + h * (l2 - l1) + 0.5;
        }
    }
}

/* The same where drops are smaller than pixels: the three rows at a drop's left and right side, then between them. */
static void MZ(inner_drops)(const mz_map *map, int64_t j, int64_t i0, double h, MZ(drops) *d)
{
    double left[3][2 * MZ_CHUNK], right[3][2 * MZ_CHUNK];
    for (int r = 0; r < 3; r++) {
        const double *p = map->pixmap + 2 * ((j - 1 + r) * map->nx + i0 - 1);
        for (int k = 0; k < 2 * MZ_CHUNK; k++) {
            left[r][k] = p[k + 2] + h * (p[k] - p[k + 2]);
            right[r][k] = p[k + 2] + h * (p[k + 4] - p[k + 2]);
        }
    }
    for (int e = 0; e < 4; e++) {
        double(*side)[2 * MZ_CHUNK] = e == 0 || e == 3 ? left : right, *other = side[e < 2 ? 0 : 2];
        double corner[2 * MZ_CHUNK];
        for (int k = 0; k < 2 * MZ_CHUNK; k++)
            corner[k] = side[1][k] + h * (other[k] - side[1][k]) + 0.5;
        for (int k = 0; k < MZ_CHUNK; k++) {
            d->xs[e][k] = corner[2 * k];
            d->ys[e][k] = corner[2 * k + 1];
        }
    }
}

/* Corners of the drops of a chunk of a stored map, read between four centers each. */
static void MZ(stored_corners)(const mz_job *job, int64_t j, int64_t i0, MZ(drops) *d)
{
    const double h = 0.5 * job->pixfrac;
    const int inner = i0 > 0 && i0 + MZ_CHUNK < job->map.nx && j > 0 && j < job->map.ny - 1, whole = job->pixfrac == 1.0;
    if (whole)
        MZ(shared)(d);
    else
        MZ(apart)(d);
    if (inner && whole)
        MZ(inner_corners)(&job->map, j, i0, d);
    else if (inner)
        MZ(inner_drops)(&job->map, j, i0, h, d);
    else
        MZ(outer_corners)(job, j, i0, h, d);
}

/* Can the drops of a chunk of a stored map touch the band: 0 none, 1 perhaps some, 2 all lie within. */
MZ_INLINE int MZ(near_band)(const mz_job *job, int64_t j, int64_t i0, double reach)
{
    const int64_t chunks = (job->map.nx + MZ_CHUNK - 1) / MZ_CHUNK;
    const double *range = job->ranges + 2 * (j * chunks + i0 / MZ_CHUNK), room = reach + 1.0;
    const double low = range[0] - room, high = range[1] + room;
    if (low >= (double)job->row0 && high <= (double)job->row1)
        return 2;
    return low <= (double)job->row1 && high >= (double)job->row0;
}

/* Leave out the drops at both ends of from .. to that cannot touch the band, in whole groups of eight. */
static void MZ(trim)(const mz_job *job, const MZ(drops) *d, int *from, int *to)
{
    uint8_t near[MZ_CHUNK / 8];
    for (int g = 0; g < MZ_CHUNK / 8; g++) {
        double low[MZ_LANES], high[MZ_LANES];
        MZ_V least = MZ_ALL(INFINITY), most = MZ_ALL(-INFINITY);
        for (int k = 8 * g; k < 8 * g + 8; k += MZ_LANES)
            for (int e = 0; e < 4; e++) { /* what is no number leaves the others as they are */
                const MZ_V y = MZ_LOAD(&d->y[e][k]);
                least = MZ_VMIN(y, least);
                most = MZ_VMAX(y, most);
            }
        MZ_STORE(low, least);
        MZ_STORE(high, most);
        near[g] = 0;
        for (int l = 0; l < MZ_LANES; l++) {
            low[0] = low[l] < low[0] ? low[l] : low[0];
            high[0] = high[l] > high[0] ? high[l] : high[0];
        }
        near[g] = low[0] <= (double)job->row1 && high[0] >= (double)job->row0;
    }
    while (*from < *to && !near[*from / 8])
        *from += 8;
    while (*to > *from && !near[*to / 8 - 1])
        *to -= 8;
}

/* Least and greatest y, then x, of `count` places of a map; infinite and reversed where none is a number, and those of x infinite
 * where one is none. */
MZ_INLINE void MZ(range_of)(const double *restrict places, int count, double *restrict to)
{
    MZ_V least[8 / MZ_LANES], most[8 / MZ_LANES], rest[8 / MZ_LANES];
    double low[8], high[8], none[8]; /* x and y lie side by side */
    for (int l = 0; l < 8 / MZ_LANES; l++) {
        least[l] = MZ_ALL(INFINITY);
        most[l] = MZ_ALL(-INFINITY);
        rest[l] = MZ_ALL(0.0);
    }
    int k = 0;
    for (; k + 4 <= count; k += 4)
        for (int l = 0; l < 8 / MZ_LANES; l++) { /* what is no number leaves the others as they are */
            const MZ_V v = MZ_LOAD(places + 2 * k + l * MZ_LANES);
            least[l] = MZ_VMIN(v, least[l]);
            most[l] = MZ_VMAX(v, most[l]);
            rest[l] += v - v;
        }
    for (int l = 0; l < 8 / MZ_LANES; l++) {
        MZ_STORE(low + l * MZ_LANES, least[l]);
        MZ_STORE(high + l * MZ_LANES, most[l]);
        MZ_STORE(none + l * MZ_LANES, rest[l]);
    }
    for (int l = 0; l < 2 * (count - k); l++) {
        const double v = places[2 * k + l];
        low[l] = MZ(min)(v, low[l]);
        high[l] = MZ(max)(v, high[l]);
        none[l] += v - v;
    }
    for (int l = 2; l < 8; l++) {
        low[l % 2] = MZ(min)(low[l], low[l % 2]);
        high[l % 2] = MZ(max)(high[l], high[l % 2]);
        none[l % 2] += none[l];
    }
    const int whole = none[0] + none[1] == 0.0;
    to[0] = low[1];
    to[1] = high[1];
    to[2] = whole ? low[0] : -INFINITY;
    to[3] = whole ? high[0] : INFINITY;
}

/* The same of each chunk of rows row0 .. row1 - 1. */
static void MZ(map_ranges)(const mz_map *map, int64_t row0, int64_t row1, double *restrict out)
{
    const int64_t nx = map->nx, chunks = (nx + MZ_CHUNK - 1) / MZ_CHUNK;
    for (int64_t j = row0; j < row1; j++)
        for (int64_t c = 0; c < chunks; c++) {
            const double *places = map->pixmap + 2 * (j * nx + c * MZ_CHUNK);
            const int64_t left = nx - c * MZ_CHUNK;
            if (left >= MZ_CHUNK) /* a constant: the compiler makes lanes of it */
                MZ(range_of)(places, MZ_CHUNK, out + 4 * (j * chunks + c));
            else
                MZ(range_of)(places, (int)left, out + 4 * (j * chunks + c));
        }
}
