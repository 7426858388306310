/* What smooth light is at a place, from samples around it. The NumPy twin in predict/ is the definition. */
#include "predict.h"

#include <string.h>

/* The noise of a sample is at least this share of the light's variance. */
#define LEAST 1e-10

/* Places at once: by the compiler's own vectors, for it does not find these by itself. */
#if defined(__GNUC__)
#define LANES 8
typedef double mz_lanes __attribute__((vector_size(64)));
typedef uint64_t mz_words __attribute__((vector_size(64)));
#else
#define LANES 1
typedef double mz_lanes;
#endif

/* One of the lanes. */
#define LANE(v, l) (((double *)&(v))[l])

#define MZ_BODY "smooth_body.h"
#include "every_set.h"

MZ_EXPORT int mz_predict(const double *dx, const double *dy, const double *value, const double *noise, int64_t count,
                         int64_t most, const double *amplitude, double length, double *mean, double *variance,
                         int level)
{
    if (count < 0 || most < 1 || most > MZ_MAX_SAMPLES)
        return 1;
    level = mz_level(level);
    for (int64_t first = 0; first < count; first += LANES) {
        const int size = count - first < LANES ? (int)(count - first) : LANES;
        const int64_t at = first * most;
        const double *tables[4] = {dx + at, dy + at, value + at, noise + at}, *bright = amplitude + first;
        MZ_BEST(level, predict(tables, size, (int)most, bright, length, mean + first, variance + first))
    }
    (void)level;
    return 0;
}
