/* Smooth light at LANES places: included once per instruction set. No products are fused: all sets round alike. */

/* exp(*x) of numbers that are not above 0: 2^n times a series for what is left, at most ln(2) / 2; exp(-700) below that. */
MZ_INLINE void MZ(decay)(mz_lanes *x)
{
    /* Added to a number of this size, a number is rounded to a whole one, which stands in the lowest bits. */
    const double whole = 6755399441055744.0, log2e = 1.4426950408889634;
    const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
#if defined(__GNUC__)
    const mz_words some = (mz_words)(*x > -700.0);
    mz_lanes low = {-700.0, -700.0, -700.0, -700.0, -700.0, -700.0, -700.0, -700.0};
    *x = (mz_lanes)(((mz_words)*x & some) | ((mz_words)low & ~some));
#else
    *x = *x > -700.0 ? *x : -700.0;
#endif
    const mz_lanes shifted = *x * log2e + whole, n = shifted - whole, r = (*x - n * ln2_high) - n * ln2_low;
    mz_lanes p = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
#if defined(__GNUC__)
    *x = (mz_lanes)((mz_words)p + ((mz_words)shifted << 52));
#else
    uint64_t bits, power;
    memcpy(&bits, &p, sizeof bits);
    memcpy(&power, &shifted, sizeof power);
    bits += power << 52;
    memcpy(x, &bits, sizeof bits);
#endif
}

/* Tables of one group of places, sample by sample: what does not exist is 0, and `use` says so. */
typedef struct {
    mz_lanes dx[MZ_MAX_SAMPLES], dy[MZ_MAX_SAMPLES], value[MZ_MAX_SAMPLES], noise[MZ_MAX_SAMPLES], use[MZ_MAX_SAMPLES];
    mz_lanes power;
} MZ(group);

/* Read a group; returns the number of samples that any of its places has. */
static int MZ(gather)(const double *const tables[4], int size, int most, const double *amplitude, MZ(group) *g)
{
    int used = 0;
    memset(g, 0, sizeof *g);
    for (int l = 0; l < LANES; l++)
        LANE(g->power, l) = l < size ? amplitude[l] * amplitude[l] : 1.0;
    for (int l = 0; l < size; l++)
        for (int k = 0; k < most; k++) {
            const int at = l * most + k;
            const double variance = tables[3][at], noise = variance / LANE(g->power, l);
            if (!(variance - variance == 0.0))
                continue;
            LANE(g->dx[k], l) = tables[0][at], LANE(g->dy[k], l) = tables[1][at], LANE(g->value[k], l) = tables[2][at];
            LANE(g->noise[k], l) = noise > LEAST ? noise : LEAST;
            LANE(g->use[k], l) = 1.0;
            used = k >= used ? k + 1 : used;
        }
    return used;
}

/* The equations by Cholesky's method, and both right sides solved half the way: that is all that is asked. */
static void MZ(predict)(const double *const tables[4], int size, int most, const double *amplitude, double length,
                        double *mean, double *variance)
{
    MZ(group) g;
    const int used = MZ(gather)(tables, size, most, amplitude, &g);
    const double scale = -0.5 / (length * length);
    mz_lanes root[MZ_MAX_SAMPLES][MZ_MAX_SAMPLES], share[MZ_MAX_SAMPLES], value[MZ_MAX_SAMPLES];
    mz_lanes total = {0}, known = {0};
    for (int i = 0; i < used; i++) {
        mz_lanes s = scale * (g.dx[i] * g.dx[i] + g.dy[i] * g.dy[i]), v = g.value[i], pivot = g.noise[i] + 1.0;
        MZ(decay)(&s);
        s *= g.use[i];
        for (int j = 0; j < i; j++) {
            const mz_lanes x = g.dx[i] - g.dx[j], y = g.dy[i] - g.dy[j];
            mz_lanes a = scale * (x * x + y * y);
            MZ(decay)(&a);
            a *= g.use[i] * g.use[j];
            for (int k = 0; k < j; k++)
                a -= root[i][k] * root[j][k];
            root[i][j] = a *= root[j][j];
            pivot -= a * a;
            s -= a * share[j];
            v -= a * value[j];
        }
        mz_lanes inverse; /* of the root's diagonal */
        for (int l = 0; l < LANES; l++)
            LANE(inverse, l) = 1.0 / sqrt(LANE(pivot, l));
        root[i][i] = inverse;
        share[i] = s * inverse;
        value[i] = v * inverse;
        total += share[i] * value[i];
        known += share[i] * share[i];
    }
    for (int l = 0; l < size; l++) {
        const double left = 1.0 - LANE(known, l);
        mean[l] = LANE(total, l);
        variance[l] = (left > 0.0 ? left : 0.0) * LANE(g.power, l);
    }
}
