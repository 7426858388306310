/* One copy of MZ_BODY for each instruction set; MZ(name) is its prefix. MZ_BEST calls the copy for a level of `mz_level`.
 *
 * The compiler fuses nothing by itself: MZ_FMA does, where the processor can. */
#define MZ(name) mz_base_##name
#define MZ_FMA(a, b, c) ((a) * (b) + (c))
#include MZ_BODY
#undef MZ
#if defined(MZ_MANY_ISA)
#undef MZ_FMA
#define MZ_FMA(a, b, c) __builtin_fma(a, b, c)
#include "isa_avx2.h"
#define MZ(name) mz_avx2_##name
#include MZ_BODY
#undef MZ
#include "isa_end.h"
#include "isa_avx512.h"
#define MZ(name) mz_avx512_##name
#include MZ_BODY
#undef MZ
#include "isa_end.h"
#define MZ_BEST(level, ...)            \
    switch (level) {                   \
    case 2:                            \
        mz_avx512_##__VA_ARGS__;       \
        break;                         \
    case 1:                            \
        mz_avx2_##__VA_ARGS__;         \
        break;                         \
    default:                           \
        mz_base_##__VA_ARGS__;         \
    }
#else
#define MZ_BEST(level, ...) (void)(level), mz_base_##__VA_ARGS__;
#endif
