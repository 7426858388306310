/* Any processor: two drops at a time by the compiler's own vectors (SSE2, NEON), or one where it has none. A vector's lanes
 * round as a number does. */
#define MZ_FMA(a, b, c) ((a) * (b) + (c))
#define MZ_VFMA(a, b, c) ((a) * (b) + (c))
#if defined(__GNUC__)
typedef double mz_two __attribute__((vector_size(16)));
typedef double mz_loose_two __attribute__((vector_size(16), aligned(8), may_alias));
typedef int64_t mz_choice __attribute__((vector_size(16)));

MZ_INLINE mz_two mz_choose(mz_choice which, mz_two yes, mz_two no)
{
    return (mz_two)(((mz_choice)yes & which) | ((mz_choice)no & ~which));
}

MZ_INLINE mz_two mz_least(mz_two a, mz_two b) { return mz_choose((mz_choice)(a < b), a, b); }
MZ_INLINE mz_two mz_most(mz_two a, mz_two b) { return mz_choose((mz_choice)(a > b), a, b); }

/* Numbers of 2^51 and more, all of them whole and far outside any frame, may come out as their neighbors. */
MZ_INLINE mz_two mz_floor(mz_two v)
{
    const double whole = 6755399441055744.0; /* added to, a number is rounded to a whole one */
    const mz_two t = (v + whole) - whole, one = {1.0, 1.0};
    return t - (mz_two)((mz_choice)one & (mz_choice)(t > v));
}

#define MZ_V mz_two
#define MZ_LANES 2
#define MZ_ALL(a) ((mz_two){(a), (a)})
#define MZ_LOAD(p) (*(const mz_loose_two *)(p))
#define MZ_STORE(p, a) (*(mz_loose_two *)(p) = (a))
#define MZ_VMIN(a, b) mz_least(a, b)
#define MZ_VMAX(a, b) mz_most(a, b)
#define MZ_VABS(a) ((mz_two)((mz_choice)(a) & INT64_MAX))
#define MZ_VFLOOR(a) mz_floor(a)
#define MZ_IF_LESS(a, b, yes, no) mz_choose((mz_choice)((a) < (b)), yes, no)
#else
#define MZ_V double
#define MZ_LANES 1
#define MZ_ALL(a) (a)
#define MZ_LOAD(p) (*(p))
#define MZ_STORE(p, a) (*(p) = (a))
#define MZ_VMIN(a, b) mz_base_min(a, b)
#define MZ_VMAX(a, b) mz_base_max(a, b)
#define MZ_VABS(a) fabs(a)
#define MZ_VFLOOR(a) floor(a)
#define MZ_IF_LESS(a, b, yes, no) ((a) < (b) ? (yes) : (no))
#endif
