/* Non-negative least squares of many small sets of pixels. The NumPy twin in single/ is the definition. */
#include "single.h"

#include <stdlib.h>

#define MZ_BODY "fit_light_body.h"
#include "every_set.h"

/* What is left of each of `count` sets of n pixels when the best sum of m templates, none of them negative, is taken
 * off: in place of the data, in `rest`. m is a multiple of 16, n of 4. A fit ends when its chi-square is no more than
 * `good`. Returns 1 when the job makes no sense, 2 without memory. */
MZ_EXPORT int mz_fit_light(const double *templates, int64_t m, int64_t n, const double *weight, double *rest, int64_t count,
                           double good)
{
    if (m < 1 || n < 1 || m % TILE || n % LANES || count < 0)
        return 1;
    double *room = malloc((size_t)(m * (n + 4) + 2 * n) * sizeof *room);
    if (!room)
        return 2;
    double *rows = room + m * n, *scaled = rows + 4 * m;
    for (int64_t t = 0; t < m; t++)
        for (int64_t i = 0; i < n; i++)
            room[i * m + t] = templates[t * n + i];
    const int level = mz_level(-1);
    for (int64_t k = 0; k < count; k++) {
        const light_fit fit = {
            templates, room,   weight + k * n, m,        n,    good,     rest + k * n,
            scaled + n, scaled, rows,           rows + m, rows + 2 * m, rows + 3 * m,
        };
        MZ_BEST(level, fit_one(&fit))
    }
    free(room);
    return 0;
}
