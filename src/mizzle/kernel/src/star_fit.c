/* Profiles fitted to stars. The NumPy twin in detect/ is the definition. */
#include "detect.h"

#include <string.h>

#define MAX_RADIUS 8
#define MAX_SIDE (2 * MAX_RADIUS + 1)
#define ROOT2 1.4142135623730951
#define ROOT2PI 2.5066282746310002

enum { N_COLUMNS = 11 }; /* dx dy flux sky chi2 x_err y_err flux_err sharpness roundness used */

/* Share of a Gaussian in each pixel along one axis, and its derivative by the center.
 *
 * The edges are evenly spaced, so that exp(-z * z) follows from that at the first edge by two products a step. */
static void axis_integrals(double center, double sigma, int64_t radius, double *integral, double *slope)
{
    const double step = 1.0 / (ROOT2 * sigma), first = (-(double)radius - 0.5 - center) * step;
    double gauss = exp(-first * first), ratio = exp(-step * (2.0 * first + step));
    const double bend = exp(-2.0 * step * step);
    const int steep = first * first > 300.0; /* the first product would be 0, and so all others */
    double before = 0.0, density_before = 0.0;
    for (int64_t k = 0; k <= 2 * radius + 1; k++) {
        double z = first + (double)k * step;
        if (steep) gauss = exp(-z * z);
        double t = 1.0 / (1.0 + 0.3275911 * fabs(z));
        double poly =
            t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
        double cumulative = 0.5 * copysign(1.0 - poly * gauss, z), density = gauss / (ROOT2PI * sigma);
        if (k > 0) {
            integral[k - 1] = cumulative - before;
            slope[k - 1] = density_before - density;
        }
        before = cumulative;
        density_before = density;
        gauss *= ratio;
        ratio *= bend;
    }
}

/* Weights of four samples around a place, and their derivatives by it, of a cubic B-spline; `t` from the second sample. */
static void spline_weights(double t, double value[4], double slope[4])
{
    const double r = 1.0 - t;
    value[0] = r * r * r / 6.0, value[3] = t * t * t / 6.0;
    value[1] = 2.0 / 3.0 - t * t * (1.0 - 0.5 * t), value[2] = 2.0 / 3.0 - r * r * (1.0 - 0.5 * r);
    slope[0] = -0.5 * r * r, slope[3] = 0.5 * t * t;
    slope[1] = t * (1.5 * t - 2.0), slope[2] = r * (2.0 - 1.5 * r);
}

/* The same as `stamp`, of a sampled star: all its pixels lie equally between samples. */
static void sampled_stamp(const mz_star *star, double dx, double dy, double *value, double *by_x, double *by_y)
{
    const int64_t side = 2 * star->radius + 1, width = star->table_side, step = star->oversampling;
    const double scale = (double)step, x = (double)(width / 2) - dx * scale, y = (double)(width / 2) - dy * scale;
    double wx[4], sx[4], wy[4], sy[4];
    spline_weights(x - floor(x), wx, sx);
    spline_weights(y - floor(y), wy, sy);
    const int64_t left = (int64_t)floor(x) - 1 - star->radius * step, low = (int64_t)floor(y) - 1 - star->radius * step;
    for (int64_t j = 0; j < side; j++) {
        for (int64_t i = 0; i < side; i++) {
            const double *at = star->table + (low + j * step) * width + left + i * step;
            double v = 0.0, along = 0.0, across = 0.0;
            for (int64_t a = 0; a < 4; a++, at += width) {
                const double line = wx[0] * at[0] + wx[1] * at[1] + wx[2] * at[2] + wx[3] * at[3];
                v += wy[a] * line;
                across += sy[a] * line;
                along += wy[a] * (sx[0] * at[0] + sx[1] * at[1] + sx[2] * at[2] + sx[3] * at[3]);
            }
            value[j * side + i] = v;
            by_x[j * side + i] = -scale * along;
            by_y[j * side + i] = -scale * across;
        }
    }
}

/* Profile of unit flux and its derivatives, `side * side` each. */
static void stamp(const mz_star *star, double dx, double dy, double *value, double *by_x, double *by_y)
{
    if (star->table) {
        sampled_stamp(star, dx, dy, value, by_x, by_y);
        return;
    }
    int64_t side = 2 * star->radius + 1;
    double ix[MAX_SIDE], sx[MAX_SIDE], iy[MAX_SIDE], sy[MAX_SIDE];
    memset(value, 0, (size_t)(side * side) * sizeof *value);
    memset(by_x, 0, (size_t)(side * side) * sizeof *by_x);
    memset(by_y, 0, (size_t)(side * side) * sizeof *by_y);
    for (int part = 0; part < 2; part++) {
        double sigma = part ? star->halo_sigma : star->sigma, share = part ? star->halo : 1.0 - star->halo;
        axis_integrals(dx, sigma, star->radius, ix, sx);
        axis_integrals(dy, sigma, star->radius, iy, sy);
        for (int64_t j = 0; j < side; j++) {
            for (int64_t i = 0; i < side; i++) {
                value[j * side + i] += share * iy[j] * ix[i];
                by_x[j * side + i] += share * iy[j] * sx[i];
                by_y[j * side + i] += share * sy[j] * ix[i];
            }
        }
    }
}

/* Inverse of a symmetric 4 x 4 matrix with a unit diagonal (and a touch more), by Gauss-Jordan steps. */
static void invert4(double a[4][4], double inverse[4][4])
{
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) inverse[i][j] = i == j;
    for (int i = 0; i < 4; i++) {
        double pivot = 1.0 / a[i][i];
        for (int j = 0; j < 4; j++) a[i][j] *= pivot, inverse[i][j] *= pivot;
        for (int r = 0; r < 4; r++) {
            if (r == i) continue;
            double factor = a[r][i];
            for (int j = 0; j < 4; j++) a[r][j] -= factor * a[i][j], inverse[r][j] -= factor * inverse[i][j];
        }
    }
}

/* One star: its cut-out, the current fit and the sums of the equations. */
typedef struct {
    int64_t n;
    double data[MAX_SIDE * MAX_SIDE], use[MAX_SIDE * MAX_SIDE], model[MAX_SIDE * MAX_SIDE];
    double value[MAX_SIDE * MAX_SIDE], by_x[MAX_SIDE * MAX_SIDE], by_y[MAX_SIDE * MAX_SIDE];
    double noise2, dx, dy, flux, sky;
    double inverse[4][4], right[4], meat[4][4], chi2;
} fit_state;

/* Build and invert the equations at the current fit. `last`: also the sums that the errors need. */
static void equations(fit_state *f, const mz_star *star, int last)
{
    double normal[4][4] = {{0}}, scale[4];
    memset(f->right, 0, sizeof f->right);
    memset(f->meat, 0, sizeof f->meat);
    f->chi2 = 0.0;
    stamp(star, f->dx, f->dy, f->value, f->by_x, f->by_y);
    for (int64_t q = 0; q < f->n; q++) {
        f->model[q] = f->flux * f->value[q];
        if (f->use[q] == 0.0) continue;
        double photon = f->noise2 + (f->model[q] > 0.0 ? f->model[q] : 0.0) / star->gain;
        double misfit = star->mismatch * f->model[q], weight = 1.0 / (photon + misfit * misfit);
        double residual = f->data[q] - f->model[q] - f->sky;
        double d[4] = {f->flux * f->by_x[q], f->flux * f->by_y[q], f->value[q], 1.0};
        f->chi2 += weight * residual * residual;
        for (int i = 0; i < 4; i++) {
            f->right[i] += weight * d[i] * residual;
            for (int j = i; j < 4; j++) {
                normal[i][j] += weight * d[i] * d[j];
                if (last) f->meat[i][j] += weight * weight * photon * d[i] * d[j];
            }
        }
    }
    for (int i = 0; i < 4; i++) scale[i] = 1.0 / sqrt(normal[i][i] > 1e-300 ? normal[i][i] : 1e-300);
    for (int i = 0; i < 4; i++) {
        for (int j = i; j < 4; j++) normal[i][j] = normal[j][i] = normal[i][j] * scale[i] * scale[j];
        for (int j = 0; j < i; j++) f->meat[i][j] = f->meat[j][i];
    }
    for (int i = 0; i < 4; i++) normal[i][i] += 1e-9;
    invert4(normal, f->inverse);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) f->inverse[i][j] *= scale[i] * scale[j];
}

static double clipped(double value, double limit) { return value > limit ? limit : (value < -limit ? -limit : value); }

static double error_of(const fit_state *f, int k)
{
    double sum = 0.0;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) sum += f->inverse[k][i] * f->meat[i][j] * f->inverse[j][k];
    return sqrt(sum);
}

static double roundness(const fit_state *f, int64_t radius)
{
    int64_t side = 2 * radius + 1, middle = radius * side + radius;
    double along_x = 0.0, along_y = 0.0;
    for (int64_t k = -1; k <= 1; k++) {
        const int64_t four[4] = {middle + k * side - 1, middle + k * side + 1, middle - side + k, middle + side + k};
        for (int s = 0; s < 4; s++)
            *(s < 2 ? &along_x : &along_y) += f->use[four[s]] * (f->data[four[s]] - f->sky);
    }
    double total = fabs(along_x) + fabs(along_y);
    return 2.0 * (along_y - along_x) / (total > 1e-9 ? total : 1e-9);
}

/* Fit every peak; `out` is (n, N_COLUMNS). Returns 1 when the window is too large for this code. */
MZ_EXPORT int mz_fit_stars(const float *excess, const float *noise, const uint8_t *flags, int64_t nx,
                           const int64_t *index, int64_t n, const mz_star *star, double *out)
{
    int64_t radius = star->radius, side = 2 * radius + 1, middle = radius * side + radius;
    if (radius < 1 || radius > MAX_RADIUS) return 1;
    fit_state f;
    f.n = side * side;
    for (int64_t k = 0; k < n; k++) {
        double used = 0.0;
        for (int64_t j = 0; j < side; j++) {
            for (int64_t i = 0; i < side; i++) {
                int64_t q = index[k] + (j - radius) * nx + (i - radius);
                f.data[j * side + i] = (double)excess[q];
                f.use[j * side + i] = flags[q] ? 0.0 : 1.0;
                used += f.use[j * side + i];
            }
        }
        f.noise2 = (double)noise[index[k]] * (double)noise[index[k]];
        f.dx = f.dy = f.sky = 0.0;
        stamp(star, 0.0, 0.0, f.value, f.by_x, f.by_y);
        f.flux = (f.data[middle] > 0.0 ? f.data[middle] : 0.0) / f.value[middle];
        for (int64_t step = 0; step < star->iterations; step++) {
            double change[4] = {0};
            equations(&f, star, 0);
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) change[i] += f.inverse[i][j] * f.right[j];
            double old = f.flux;
            f.dx = clipped(f.dx + clipped(change[0], 0.4), 1.2);
            f.dy = clipped(f.dy + clipped(change[1], 0.4), 1.2);
            f.flux = f.flux + change[2] > 0.1 * old ? f.flux + change[2] : 0.1 * old;
            f.sky += change[3];
            if (fabs(change[0]) < star->settled && fabs(change[1]) < star->settled) break;
        }
        equations(&f, star, 1);
        double freedom = used - 4.0 > 1.0 ? used - 4.0 : 1.0;
        double *row = out + k * N_COLUMNS;
        row[0] = f.dx, row[1] = f.dy, row[2] = f.flux, row[3] = f.sky;
        row[4] = f.chi2 / freedom;
        row[5] = error_of(&f, 0), row[6] = error_of(&f, 1), row[7] = error_of(&f, 2);
        row[8] = (f.data[middle] - f.sky) / (f.model[middle] > 1e-9 ? f.model[middle] : 1e-9);
        row[9] = roundness(&f, radius);
        row[10] = used;
    }
    return 0;
}

/* One step of Gauss and Newton from a star's place, and chi-square of the linear fit around it; free are the place, the
 * light and the sky. */
static double image_step(const double *seen, const double *weight, const mz_star *star, const double limits[2],
                         double place[2])
{
    double columns[3][MAX_SIDE * MAX_SIDE], normal[4][4] = {{0}}, right[4] = {0}, answer[4], most = 0.0, chi2 = 0.0;
    const int64_t n = (2 * star->radius + 1) * (2 * star->radius + 1);
    sampled_stamp(star, place[0], place[1], columns[0], columns[1], columns[2]);
    for (int64_t q = 0; q < n; q++) {
        const double d[4] = {columns[0][q], columns[1][q], columns[2][q], 1.0};
        for (int i = 0; i < 4; i++) {
            const double part = weight[q] * d[i];
            right[i] += part * seen[q];
            for (int j = 0; j <= i; j++) normal[i][j] += part * d[j];
        }
    }
    for (int i = 0; i < 4; i++) most = normal[i][i] > most ? normal[i][i] : most;
    /* Without light a place means nothing: a little of the diagonal keeps the equations solvable. Cholesky. */
    for (int i = 0; i < 4; i++) {
        normal[i][i] += 1e-9 * most;
        for (int j = 0; j <= i; j++) {
            double sum = normal[i][j];
            for (int k = 0; k < j; k++) sum -= normal[i][k] * normal[j][k];
            normal[i][j] = i == j ? sqrt(sum > 0.0 ? sum : 1e-300) : sum / normal[j][j];
        }
        double sum = right[i];
        for (int k = 0; k < i; k++) sum -= normal[i][k] * right[k];
        right[i] = sum / normal[i][i];
    }
    for (int i = 3; i >= 0; i--) {
        double sum = right[i];
        for (int k = i + 1; k < 4; k++) sum -= normal[k][i] * answer[k];
        answer[i] = sum / normal[i][i];
    }
    for (int64_t q = 0; q < n; q++) {
        const double rest = seen[q] - answer[0] * columns[0][q] - answer[1] * columns[1][q] - answer[2] * columns[2][q] -
                            answer[3];
        chi2 += weight[q] * rest * rest;
    }
    const double light = answer[0] > 1e-9 ? answer[0] : 1e-9;
    for (int axis = 0; axis < 2; axis++)
        place[axis] = clipped(place[axis] + clipped(answer[1 + axis] / light, limits[0]), limits[1]);
    return chi2;
}

/* How badly a sampled image fits each of some stars, (count, n) pixels each with one over their variance, after
 * `star->iterations` steps from `place` (count, 2), which is moved. `limits`: the longest step, and the farthest place.
 * Returns 1 when the window is too large for this code. */
MZ_EXPORT int mz_image_misfits(const double *seen, const double *weight, int64_t count, const mz_star *star,
                               const double *limits, double *place, double *out)
{
    if (star->radius < 0 || star->radius > MAX_RADIUS || !star->table) return 1;
    const int64_t n = (2 * star->radius + 1) * (2 * star->radius + 1);
    for (int64_t k = 0; k < count; k++)
        for (int64_t step = 0; step < star->iterations; step++)
            out[k] = image_step(seen + k * n, weight + k * n, star, limits, place + 2 * k);
    return 0;
}
