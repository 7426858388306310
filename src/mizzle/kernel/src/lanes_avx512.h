/* Eight drops at a time. */
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
#define MZ_V __m512d
#define MZ_LANES 8
#define MZ_ALL(a) _mm512_set1_pd(a)
#define MZ_LOAD(p) _mm512_loadu_pd(p)
#define MZ_STORE(p, a) _mm512_storeu_pd(p, a)
#define MZ_VMIN(a, b) _mm512_min_pd(a, b)
#define MZ_VMAX(a, b) _mm512_max_pd(a, b)
#define MZ_VABS(a) _mm512_abs_pd(a)
#define MZ_VFLOOR(a) _mm512_roundscale_pd(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
#define MZ_VFMA(a, b, c) _mm512_fmadd_pd(a, b, c)
#define MZ_IF_LESS(a, b, yes, no) _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), no, yes)
#define MZ_LANE_MASKS
