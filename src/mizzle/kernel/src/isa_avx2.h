/* From here on for AVX2, up to isa_end.h. */
#undef MZ_WIDTH
#define MZ_WIDTH 4
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
