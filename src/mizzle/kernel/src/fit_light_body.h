/* Non-negative least squares by greedy coordinate descent: included once per instruction set. */
#if !defined(MZ_FIT_LIGHT_ONCE)
#define MZ_FIT_LIGHT_ONCE
enum { LANES = 4, TILE = 16, ROUNDS = 30, SWEEPS = 60 };
static const double ENOUGH = 0.001; /* what betters chi-square by less ends a fit, and the settling of its templates */

/* One fit: the sum of templates that leaves the least residual, no amplitude negative. `seen` (n) is the data, `rest`
 * (n) what is left; `scaled` (n) is that times `weight`, and `slope` (m) half of what chi-square falls for a little of
 * each template. */
typedef struct {
    const double *templates, *by_pixel, *weight; /* the templates (m, n), and pixel by pixel (n, m) */
    int64_t m, n;                                /* multiples of TILE, and of LANES */
    double good;                                 /* chi-square that needs no better fit */
    double *restrict rest, *restrict seen, *restrict scaled, *restrict norm, *restrict inverse, *restrict slope;
    double *restrict gains; /* room (m) */
} light_fit;

/* The templates that were chosen, their amplitudes and slopes, and the sums of products of one with another: a row of
 * these ends with zeros to a multiple of LANES. */
enum { ROW = (ROUNDS + LANES - 1) / LANES * LANES };
typedef struct {
    int64_t held, template[ROUNDS];
    double light[ROUNDS], norm[ROUNDS], inverse[ROUNDS], slope[ROW], product[ROUNDS][ROW];
} chosen_light;
#endif

/* Sum of products; `n` is a multiple of LANES, and each lane adds up its own. */
MZ_INLINE double MZ(dot)(const double *restrict a, const double *restrict b, int64_t n)
{
    double sum[LANES] = {0.0, 0.0, 0.0, 0.0};
    for (int64_t i = 0; i < n; i += LANES)
        for (int64_t k = 0; k < LANES; k++)
            sum[k] += a[i + k] * b[i + k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Such sums of `a` with each template, or with the square of each, two registers side by side. */
#if defined(__GNUC__)
/* By the compiler's own vectors, no wider than a register: wider ones it keeps in memory. */
typedef double MZ(part) __attribute__((vector_size(8 * MZ_WIDTH), aligned(8), may_alias));

MZ_INLINE void MZ(dots)(const light_fit *f, const double *restrict a, const int square, double *restrict out)
{
    for (int64_t t = 0; t < f->m; t += 2 * MZ_WIDTH) {
        MZ(part) low[LANES] = {{0.0}}, high[LANES] = {{0.0}};
        for (int64_t i = 0; i < f->n; i += LANES)
            for (int64_t k = 0; k < LANES; k++) {
                const double *at = f->by_pixel + (i + k) * f->m + t;
                const MZ(part) star = *(const MZ(part) *)at, next = *(const MZ(part) *)(at + MZ_WIDTH);
                low[k] += square ? a[i + k] * star * star : a[i + k] * star;
                high[k] += square ? a[i + k] * next * next : a[i + k] * next;
            }
        *(MZ(part) *)(out + t) = (low[0] + low[1]) + (low[2] + low[3]);
        *(MZ(part) *)(out + t + MZ_WIDTH) = (high[0] + high[1]) + (high[2] + high[3]);
    }
}
#else
MZ_INLINE void MZ(dots)(const light_fit *f, const double *restrict a, const int square, double *restrict out)
{
    for (int64_t t = 0; t < f->m; t++) {
        double sum[LANES] = {0.0};
        for (int64_t i = 0; i < f->n; i++) {
            const double star = f->by_pixel[i * f->m + t];
            sum[i % LANES] += square ? a[i] * star * star : a[i] * star;
        }
        out[t] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}
#endif

/* The template of which a little helps most; -1 where none helps enough. */
MZ_INLINE int64_t MZ(most_helpful)(const light_fit *f)
{
    double *restrict gains = f->gains, top[TILE] = {0.0}, most = ENOUGH;
    const double *restrict slope = f->slope, *restrict inverse = f->inverse;
    MZ(dots)(f, f->scaled, 0, f->slope);
    for (int64_t t = 0; t < f->m; t++)
        gains[t] = slope[t] > 0.0 ? slope[t] * slope[t] * inverse[t] : 0.0;
    for (int64_t t = 0; t < f->m; t += TILE)
        for (int64_t u = 0; u < TILE; u++)
            top[u] = gains[t + u] > top[u] ? gains[t + u] : top[u];
    for (int64_t u = 0; u < TILE; u++)
        most = top[u] > most ? top[u] : most;
    for (int64_t t = 0; t < f->m; t++)
        if (gains[t] >= most)
            return t;
    return -1;
}

/* Add a template to those chosen, without light; `scaled` is overwritten. */
MZ_INLINE void MZ(choose)(const light_fit *f, chosen_light *c, int64_t t)
{
    const double *star = f->templates + t * f->n;
    const int64_t last = c->held++;
    c->template[last] = t, c->light[last] = 0.0, c->norm[last] = f->norm[t], c->inverse[last] = f->inverse[t];
    for (int64_t i = 0; i < f->n; i++)
        f->scaled[i] = f->weight[i] * star[i];
    if (last % LANES == 0)
        for (int64_t r = last; r < last + LANES; r++) {
            c->slope[r] = 0.0;
            for (int64_t s = 0; s < last; s++)
                c->product[s][r] = 0.0;
        }
    for (int64_t r = 0; r < last / LANES * LANES + LANES; r++)
        c->product[last][r] = 0.0;
    for (int64_t s = 0; s <= last; s++) {
        c->slope[s] = f->slope[c->template[s]];
        c->product[s][last] = c->product[last][s] = MZ(dot)(f->scaled, f->templates + c->template[s] * f->n, f->n);
    }
}

/* Give each template that was chosen its best amplitude, the last first; return what chi-square falls. */
MZ_INLINE double MZ(sweep)(chosen_light *c)
{
    double gained = 0.0;
    for (int64_t s = c->held - 1; s >= 0; s--) {
        const double now = c->light[s], to = now + c->slope[s] * c->inverse[s], move = (to > 0.0 ? to : 0.0) - now;
        gained += move * (2.0 * c->slope[s] - move * c->norm[s]);
        c->light[s] = now + move;
        for (int64_t r = 0; r < c->held; r += LANES)
            for (int64_t k = 0; k < LANES; k++)
                c->slope[r + k] -= move * c->product[s][r + k];
    }
    return gained;
}

/* Take the light of the templates chosen off the data; return chi-square. */
MZ_INLINE double MZ(take_off)(const light_fit *f, const chosen_light *c)
{
    for (int64_t i = 0; i < f->n; i++)
        f->rest[i] = f->seen[i];
    for (int64_t s = 0; s < c->held; s++) {
        const double *restrict star = f->templates + c->template[s] * f->n;
        for (int64_t i = 0; i < f->n; i++)
            f->rest[i] -= c->light[s] * star[i];
    }
    for (int64_t i = 0; i < f->n; i++)
        f->scaled[i] = f->weight[i] * f->rest[i];
    return MZ(dot)(f->scaled, f->rest, f->n);
}

/* Choose templates one by one; after each, light moves among those chosen until it settles. */
static void MZ(fit_one)(const light_fit *f)
{
    chosen_light c;
    c.held = 0;
    MZ(dots)(f, f->weight, 1, f->norm);
    for (int64_t t = 0; t < f->m; t++)
        f->inverse[t] = f->norm[t] > 0.0 ? 1.0 / f->norm[t] : 0.0;
    for (int64_t i = 0; i < f->n; i++)
        f->seen[i] = f->rest[i];
    double chi2 = MZ(take_off)(f, &c);
    while (c.held < ROUNDS && chi2 > f->good) {
        const int64_t best = MZ(most_helpful)(f);
        if (best < 0)
            return;
        MZ(choose)(f, &c, best);
        for (int k = 0; k < SWEEPS && MZ(sweep)(&c) >= ENOUGH; k++)
            continue;
        chi2 = MZ(take_off)(f, &c);
    }
}
