/* For any processor again. */
#undef MZ_WIDTH
#define MZ_WIDTH 2
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
