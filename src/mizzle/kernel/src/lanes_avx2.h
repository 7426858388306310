/* Four drops at a time. */
#undef MZ_FMA
#undef MZ_V
#undef MZ_LANES
#undef MZ_ALL
#undef MZ_LOAD
#undef MZ_STORE
#undef MZ_VMIN
#undef MZ_VMAX
#undef MZ_VABS
#undef MZ_VFLOOR
#undef MZ_VFMA
#undef MZ_IF_LESS
#define MZ_FMA(a, b, c) __builtin_fma(a, b, c)
#define MZ_V __m256d
#define MZ_LANES 4
#define MZ_ALL(a) _mm256_set1_pd(a)
#define MZ_LOAD(p) _mm256_loadu_pd(p)
#define MZ_STORE(p, a) _mm256_storeu_pd(p, a)
#define MZ_VMIN(a, b) _mm256_min_pd(a, b)
#define MZ_VMAX(a, b) _mm256_max_pd(a, b)
#define MZ_VABS(a) _mm256_andnot_pd(_mm256_set1_pd(-0.0), a)
#define MZ_VFLOOR(a) _mm256_floor_pd(a)
#define MZ_VFMA(a, b, c) _mm256_fmadd_pd(a, b, c)
#define MZ_IF_LESS(a, b, yes, no) _mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_LT_OQ))
