/* Cosmic rays: the loops, included once per instruction set. */

#define MZ_BLOCK 64

MZ_INLINE float MZ(least)(float a, float b) { return a < b ? a : b; }
MZ_INLINE float MZ(most)(float a, float b) { return a > b ? a : b; }

/* Median of sorted values first .. stop - 1 of column k. */
MZ_INLINE float MZ(middle)(const float *v, int64_t first, int64_t stop, int k)
{
    return 0.5f * (v[((first + stop - 1) / 2) * MZ_BLOCK + k] + v[((first + stop) / 2) * MZ_BLOCK + k]);
}

/* One block of up to MZ_BLOCK pixels; `v` (n, MZ_BLOCK) is room for the sorted values. */
static void MZ(reduce_block)(const mz_stack *s, int64_t at, int count, float *restrict v, float *restrict out)
{
    int64_t valid[MZ_BLOCK] = {0};
    float best[MZ_BLOCK], second[MZ_BLOCK], worst[MZ_BLOCK] = {0};
    for (int k = 0; k < MZ_BLOCK; k++)
        best[k] = second[k] = INFINITY;
    for (int64_t e = 0; e < s->n; e++) {
        const float *from = s->images + e * s->stride + at;
        for (int k = 0; k < count; k++) {
            const float floor = from[k] - from[k] == 0.0f ? s->floor[e] : INFINITY;
            second[k] = MZ(least)(second[k], MZ(most)(best[k], floor));
            best[k] = MZ(least)(best[k], floor);
        }
    }
    int alone[MZ_BLOCK]; /* one of little noise: where light makes all noisy, the others are asked */
    for (int k = 0; k < MZ_BLOCK; k++) {
        alone[k] = second[k] > s->ratio * best[k] && second[k] < INFINITY;
        best[k] = alone[k] ? second[k] : best[k];
    }
    for (int64_t e = 0; e < s->n; e++) {
        const float *from = s->images + e * s->stride + at;
        const float floor = s->floor[e], ratio = s->ratio;
        float *to = v + e * MZ_BLOCK;
        for (int k = 0; k < count; k++) {
            const int known = (from[k] - from[k] == 0.0f) & (floor <= ratio * best[k]);
            to[k] = known ? from[k] : INFINITY;
            worst[k] = known && floor > worst[k] ? floor : worst[k];
            valid[k] += known;
        }
        for (int k = count; k < MZ_BLOCK; k++)
            to[k] = INFINITY;
    }
    for (int64_t top = s->n - 1; top > 0; top--) /* bubble the greatest up, all columns at once */
        for (int64_t e = 0; e < top; e++) {
            float *a = v + e * MZ_BLOCK, *b = a + MZ_BLOCK;
            for (int k = 0; k < MZ_BLOCK; k++) {
                const float low = MZ(least)(a[k], b[k]), high = MZ(most)(a[k], b[k]);
                a[k] = low;
                b[k] = high;
            }
        }
    float middle[MZ_BLOCK], total[MZ_BLOCK] = {0}, weight[MZ_BLOCK] = {0};
    for (int k = 0; k < count; k++) {
        const int64_t c = valid[k];
        if (c < 2) {
            middle[k] = NAN;
            continue;
        }
        if (s->method == MZ_MEDIAN || s->method == MZ_MEAN) {
            const int64_t low = s->nlow < c - 1 ? s->nlow : c - 1;
            const int64_t high = s->nhigh < c - 1 - low ? s->nhigh : c - 1 - low;
            if (s->method == MZ_MEDIAN) {
                middle[k] = MZ(middle)(v, low, c - high, k);
                continue;
            }
            float sum = 0.0f;
            for (int64_t e = low; e < c - high; e++)
                sum += v[e * MZ_BLOCK + k];
            middle[k] = sum / (float)(c - high - low);
            continue;
        }
        /* One value too low, of pixels beside lost ones, must not stand against the agreement of many. */
        const int64_t lowest = s->method == MZ_CLIPPED ? (c - 1) / MZ_PER_LOW : 0;
        const float minimum = v[lowest * MZ_BLOCK + k], light = MZ(most)(minimum, 0.0f), guess = MZ(middle)(v, 0, c >= 3 ? c - 1 : c, k);
        const float share = c <= 3 ? 0.5f : 1.0f, spread = s->structure * light;
        const float variance = (worst[k] + s->worst_slope * light) * share + spread * spread;
        middle[k] = guess - minimum > s->sigma * sqrtf(variance) ? minimum : guess;
    }
    if (s->method == MZ_CLIPPED) {
        float guess[MZ_BLOCK]; /* variance of the middle */
        for (int k = 0; k < count; k++)
            guess[k] = 0.5f * worst[k] / (float)(valid[k] > 0 ? valid[k] : 1);
        for (int64_t e = 0; e < s->n; e++) {
            const float *from = s->images + e * s->stride + at;
            const float floor = s->floor[e], slope = s->slope[e], share = 1.0f / floor;
            const float structure = s->structure, sigma = s->sigma, ratio = s->ratio;
            for (int k = 0; k < count; k++) {
                const float light = MZ(most)(middle[k], 0.0f), spread = structure * light;
                const float limit = sigma * sqrtf(floor + guess[k] + slope * light + spread * spread);
                const int near = (fabsf(from[k] - middle[k]) <= limit) & (floor <= ratio * best[k]);
                total[k] += near ? from[k] * share : 0.0f;
                weight[k] += near ? share : 0.0f;
            }
        }
        for (int k = 0; k < count; k++)
            middle[k] = weight[k] > 0.0f ? total[k] / weight[k] : middle[k];
    }
    for (int k = 0; k < count; k++)
        out[at + k] = alone[k] && !(s->worst_slope * middle[k] > worst[k]) ? NAN : middle[k];
}

/* A pixel, sharpened: half the lost variance times the Laplacian, more where it raises, less where it lowers. */
MZ_INLINE float MZ(sharp)(const mz_thresholds *q, float here, float left, float right, float below, float above)
{
    const float lost = 4.0f * here - (below + above + left + right);
    const float value = here + (lost > 0.0f ? q->peak : q->wing) * lost;
    return q->rate * (value - value == 0.0f ? value : here);
}

static void MZ(sharpen)(const mz_thresholds *job, const float *image, float *restrict out)
{
    const mz_thresholds q = *job;
    const int64_t ny = q.ny, last = q.nx - 1;
    for (int64_t j = 0; j < ny; j++) {
        const float *here = image + j * q.nx, *below = j > 0 ? here - q.nx : here, *above = j < ny - 1 ? here + q.nx : here;
        float *restrict to = out + j * q.nx;
        for (int64_t i = 1; i < last; i++)
            to[i] = MZ(sharp)(&q, here[i], here[i - 1], here[i + 1], below[i], above[i]);
        for (int64_t side = 0; side < 2; side++) { /* the edge is its own neighbor */
            const int64_t i = side ? last : 0, left = i > 0 ? i - 1 : 0, right = i < last ? i + 1 : last;
            to[i] = MZ(sharp)(&q, here[i], here[left], here[right], below[i], above[i]);
        }
    }
}

/* Marks of a pixel that expects `e` among its neighbors, `plain` unsharpened; what is not known makes no step. */
MZ_INLINE uint8_t MZ(verdict)(const mz_thresholds *q, float dn, float plain, float e, float left, float right, float below,
                              float above, uint8_t skip)
{
    const float a = fabsf(e - left), b = fabsf(e - right), c = fabsf(e - below), d = fabsf(e - above);
    float step = a > 0.0f ? a : 0.0f, top = left > e ? left : e;
    step = b > step ? b : step;
    step = c > step ? c : step;
    step = d > step ? d : step;
    step = MZ(most)(step - q->quiet, 0.0f);
    top = right > top ? right : top;
    top = below > top ? below : top;
    top = above > top ? above : top;
    const float sigma = sqrtf(MZ(most)(e + q->sky, 0.0f) + q->floor);
    float excess = dn * q->gain - q->sky - e;
    excess = q->negative ? fabsf(excess) : excess;
    const int odd = excess > q->seed_sigma * sigma + q->suspect_slope * step;
    excess -= q->doubt * MZ(most)(e - q->rate * plain, 0.0f);
    const int seed = (excess > q->seed_sigma * sigma + q->seed_slope * step) & !(top > q->trust) & (skip < 2);
    const int near = excess > q->near_sigma * sigma + q->near_slope * step;
    return skip == 1 ? 0 : (uint8_t)(seed | near << 1 | (odd & !seed) << 2);
}

/* Bit 1: above the seeds' threshold, bit 2: above the neighbors', bit 4: suspect. */
static void MZ(mark)(const mz_thresholds *job, const float *sci, const uint8_t *bad, const float *plain, const float *light,
                     uint8_t *restrict out)
{
    const mz_thresholds q = *job;
    const int64_t ny = q.ny, last = q.nx - 1;
    for (int64_t j = 0; j < ny; j++) {
        const float *here = light + j * q.nx, *below = j > 0 ? here - q.nx : here, *above = j < ny - 1 ? here + q.nx : here;
        const float *dn = sci + j * q.nx, *raw = plain + j * q.nx;
        const uint8_t *skip = bad + j * q.nx;
        uint8_t *restrict to = out + j * q.nx;
        for (int64_t i = 1; i < last; i++)
            to[i] = MZ(verdict)(&q, dn[i], raw[i], here[i], here[i - 1], here[i + 1], below[i], above[i], skip[i]);
        for (int64_t side = 0; side < 2; side++) {
            const int64_t i = side ? last : 0, left = i > 0 ? i - 1 : 0, right = i < last ? i + 1 : last;
            to[i] = MZ(verdict)(&q, dn[i], raw[i], here[i], here[left], here[right], below[i], above[i], skip[i]);
        }
    }
}

/* Bit 1: seed, or neighbor in the 3 x 3 pixels around one; bit 2: neighbor of a seed or suspect. */
MZ_INLINE uint8_t MZ(beside)(uint8_t here, uint8_t around)
{
    const uint8_t near = here >> 1 & 1;
    return (uint8_t)((here & 1) | (near & around) | (near & (around | around >> 2)) << 1);
}

/* The answer; and neighbors that have nothing beside them lose their mark. */
static void MZ(join)(const mz_thresholds *q, uint8_t *marks, uint8_t *restrict out)
{
    const int64_t ny = q->ny, nx = q->nx;
    for (int64_t j = 0; j < ny; j++) {
        uint8_t *here = marks + j * nx;
        const uint8_t *below = j > 0 ? here - nx : here, *above = j < ny - 1 ? here + nx : here;
        uint8_t *restrict to = out + j * nx;
        for (int64_t i = 1; i < nx - 1; i++)
            to[i] = MZ(beside)(here[i], (uint8_t)(here[i - 1] | here[i] | here[i + 1] | below[i - 1] | below[i] |
                                                  below[i + 1] | above[i - 1] | above[i] | above[i + 1]));
        for (int64_t side = 0; side < 2; side++) {
            const int64_t i = side ? nx - 1 : 0, other = side ? (nx > 1 ? nx - 2 : 0) : (nx > 1 ? 1 : 0);
            to[i] = MZ(beside)(here[i], (uint8_t)(here[i] | here[other] | below[i] | below[other] | above[i] |
                                                  above[other]));
        }
        /* No verdict looks at another pixel's second bit, so that of this row can go. */
        for (int64_t i = 0; i < nx; i++) {
            here[i] &= to[i] | 5;
            to[i] &= 1;
        }
    }
}

#undef MZ_BLOCK
