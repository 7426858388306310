/* The steps of L.A.Cosmic, image by image: included once per instruction set. */
#if !defined(MZ_LAPLACIAN_ONCE)
#define MZ_LAPLACIAN_ONCE
typedef struct {
    float floor, sigma, near_sigma, contrast;
} mz_limits;

/* Nothing is darker, and no fine structure less, than this. */
#define MZ_DARKEST 1e-5f
#define MZ_LEAST_STRUCTURE 0.01f

MZ_INLINE float mz_low(float a, float b) { return a < b ? a : b; }
MZ_INLINE float mz_high(float a, float b) { return a > b ? a : b; }

MZ_INLINE void mz_sort(float *a, float *b)
{
    const float low = mz_low(*a, *b);
    *b = mz_high(*a, *b);
    *a = low;
}

/* Medians of five, seven and nine by forgetting: the least and the greatest of more than half of the values cannot be
 * the middle one. They are brought to the ends, the next value takes the place of the first, until three are left. */
MZ_INLINE void mz_ends4(float *a, float *b, float *c, float *d)
{
    mz_sort(a, d), mz_sort(b, c), mz_sort(a, b), mz_sort(c, d);
}

MZ_INLINE void mz_ends5(float *a, float *b, float *c, float *d, float *e)
{
    mz_sort(a, e), mz_sort(b, d), mz_sort(a, b), mz_sort(a, c), mz_sort(d, e), mz_sort(c, e);
}

MZ_INLINE void mz_ends6(float *a, float *b, float *c, float *d, float *e, float *f)
{
    mz_sort(a, f), mz_sort(b, e), mz_sort(c, d), mz_sort(a, b), mz_sort(a, c), mz_sort(e, f), mz_sort(d, f);
}

MZ_INLINE float mz_median(const float *at, int64_t s, const int reach)
{
    float a = at[-2 * s], b = at[-s], c = at[0], d = at[s], e, f;
    if (reach > 2) {
        e = at[2 * s];
        if (reach > 3) {
            f = at[-3 * s];
            mz_ends6(&a, &b, &c, &d, &e, &f);
            a = at[-4 * s];
            mz_ends5(&a, &b, &c, &d, &e);
            a = at[4 * s];
        } else {
            mz_ends5(&a, &b, &c, &d, &e);
            a = at[-3 * s];
        }
        mz_ends4(&a, &b, &c, &d);
        a = at[3 * s];
    } else {
        mz_ends4(&a, &b, &c, &d);
        a = at[2 * s];
    }
    return mz_high(mz_low(a, b), mz_low(mz_high(a, b), c));
}
#endif

/* Medians along rows of a whole image, then along columns; near the ends a line keeps what it holds. */
MZ_INLINE void MZ(medians)(const float *v, int64_t ny, int64_t nx, const int reach, float *restrict between,
                           float *restrict out)
{
    for (int64_t j = 0; j < ny; j++) {
        const float *row = v + j * nx;
        float *restrict to = between + j * nx;
        memcpy(to, row, (size_t)nx * sizeof *v);
        for (int64_t i = reach; i < nx - reach; i++)
            to[i] = mz_median(row + i, 1, reach);
    }
    for (int64_t j = 0; j < ny; j++) {
        const float *row = between + j * nx;
        float *restrict to = out + j * nx;
        if (j < reach || j >= ny - reach)
            memcpy(to, row, (size_t)nx * sizeof *v);
        else
            for (int64_t i = 0; i < nx; i++)
                to[i] = mz_median(row + i, nx, reach);
    }
}

/* The Laplacian of an image of twice the pixels, negative parts left out, averaged back: of a pixel's four quarters,
 * each between two neighbors and the pixel itself, over its noise and that way of taking it. Beyond the image is 0. */
static void MZ(sharpness)(const float *v, const float *noise, int64_t ny, int64_t nx, float *restrict out)
{
    for (int64_t j = 0; j < ny; j++)
        for (int64_t i = 0; i < nx; i++) {
            const float *at = v + j * nx + i, twice = 2.0f * at[0];
            const float left = i ? at[-1] : 0.0f, right = i < nx - 1 ? at[1] : 0.0f;
            const float down = j ? at[-nx] : 0.0f, up = j < ny - 1 ? at[nx] : 0.0f;
            const float sum = mz_high(twice - down - left, 0.0f) + mz_high(twice - down - right, 0.0f) +
                              (mz_high(twice - up - left, 0.0f) + mz_high(twice - up - right, 0.0f));
            out[j * nx + i] = 0.25f * sum / (2.0f * noise[j * nx + i]);
        }
}

/* Of a mark and its neighbors, is there any? */
MZ_INLINE uint8_t MZ(around)(const uint8_t *m, int64_t nx)
{
    return (uint8_t)(m[-nx - 1] | m[-nx] | m[-nx + 1] | m[-1] | m[0] | m[1] | m[nx - 1] | m[nx] | m[nx + 1]);
}

/* Marks and what is next to them stay, or become, marks where nothing blocks them and they are sharper than a limit. */
static void MZ(spread)(const uint8_t *marks, const uint8_t *blocked, const float *sharp, float limit, int64_t ny,
                       int64_t nx, uint8_t *restrict out)
{
    memset(out, 0, (size_t)(ny * nx));
    for (int64_t j = 1; j < ny - 1; j++)
        for (int64_t k = j * nx + 1; k < (j + 1) * nx - 1; k++)
            out[k] = (uint8_t)((MZ(around)(marks + k, nx) != 0) & !blocked[k] & (sharp[k] > limit));
}

/* The whole of it; `room` holds five images. */
static void MZ(find_sharp)(const float *v, const uint8_t *bad, int64_t ny, int64_t nx, const mz_limits *q, float *room,
                           uint8_t *out)
{
    const int64_t size = ny * nx;
    float *noise = room, *sharp = room + size, *a = room + 2 * size, *b = room + 3 * size, *between = room + 4 * size;
    uint8_t *seeds = (uint8_t *)between, *blocked = seeds + size, *again = seeds + 2 * size;
    MZ(medians)(v, ny, nx, 3, between, noise);
    for (int64_t k = 0; k < size; k++)
        noise[k] = sqrtf(mz_high(noise[k], MZ_DARKEST) + q->floor);
    MZ(sharpness)(v, noise, ny, nx, sharp);
    MZ(medians)(sharp, ny, nx, 3, between, a); /* what large bright things have */
    for (int64_t k = 0; k < size; k++)
        sharp[k] -= a[k];
    MZ(medians)(v, ny, nx, 2, between, a);
    MZ(medians)(a, ny, nx, 4, between, b);
    memset(blocked, 1, (size_t)size);
    for (int64_t j = 1; j < ny - 1; j++)
        for (int64_t k = j * nx + 1; k < (j + 1) * nx - 1; k++)
            blocked[k] = MZ(around)(bad + k, nx);
    for (int64_t k = 0; k < size; k++) {
        const float fine = mz_high((a[k] - b[k]) / noise[k], MZ_LEAST_STRUCTURE);
        seeds[k] = (uint8_t)((sharp[k] > q->sigma) & (sharp[k] / fine > q->contrast) & !blocked[k]);
    }
    MZ(spread)(seeds, blocked, sharp, q->sigma, ny, nx, again);
    MZ(spread)(again, blocked, sharp, q->near_sigma, ny, nx, out);
}
