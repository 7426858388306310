/* From here on a product and a sum may be one operation, up to isa_end.h (or, with clang, to the end). */
#if defined(__clang__)
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif
