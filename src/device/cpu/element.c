/* Which kernels run an elementwise node, a reduction, argmax or scatter_add; and casts, whose kernels go by two dtypes. */
#include "device/cpu/element.h"

#include "tensor/dtype.h"

#define CAST(to_name, to, R, from_name, from, T)                                                   \
    static void cast_##to_name##_##from_name(int64_t count, void *y, const void *a, const void *b, \
                                             const void *c, int64_t n) {                           \
        R *out = y;                                                                                \
        const T *in = a;                                                                           \
        (void)b, (void)c, (void)n;                                                                 \
        for (int64_t i = 0; i < count; i++) out[i] = (R)in[i];                                     \
    }
#define CAST_SLOW(to_name, to, R, from_name, from, T)                                              \
    static void cast_##to_name##_##from_name(int64_t count, void *y, const void *a, const void *b, \
                                             const void *c, int64_t n) {                           \
        (void)b, (void)c, (void)n;                                                                 \
        dtype_convert(to, y, 1, from, a, 1, count);                                                \
    }

/* From every dtype to one: plain C where C rounds as we say, dtype_convert for halves, bool and fraction to
 * integer. */
#define CASTS_FLOAT(M, to_name, to, R)                 \
    M(to_name, to, R, b8, CR_BOOL, uint8_t)            \
    M(to_name, to, R, i32, CR_I32, int32_t)            \
    M(to_name, to, R, i64, CR_I64, int64_t)            \
    CAST_SLOW(to_name, to, R, f16, CR_F16, uint16_t)   \
    CAST_SLOW(to_name, to, R, bf16, CR_BF16, uint16_t) \
    M(to_name, to, R, f32, CR_F32, float)              \
    M(to_name, to, R, f64, CR_F64, double)
#define CASTS_INT(to_name, to, R)                      \
    CAST_SLOW(to_name, to, R, b8, CR_BOOL, uint8_t)    \
    CAST_SLOW(to_name, to, R, i32, CR_I32, int32_t)    \
    CAST_SLOW(to_name, to, R, i64, CR_I64, int64_t)    \
    CAST_SLOW(to_name, to, R, f16, CR_F16, uint16_t)   \
    CAST_SLOW(to_name, to, R, bf16, CR_BF16, uint16_t) \
    CAST_SLOW(to_name, to, R, f32, CR_F32, float)      \
    CAST_SLOW(to_name, to, R, f64, CR_F64, double)
CASTS_FLOAT(CAST, f64, CR_F64, double)
CASTS_FLOAT(CAST, f32, CR_F32, float)
CASTS_FLOAT(CAST_SLOW, f16, CR_F16, uint16_t)
CASTS_FLOAT(CAST_SLOW, bf16, CR_BF16, uint16_t)
CASTS_INT(i64, CR_I64, int64_t)
CASTS_INT(i32, CR_I32, int32_t)
CASTS_INT(b8, CR_BOOL, uint8_t)

#define FROM_ALL(to)                                                                         \
    {                                                                                        \
        cast_##to##_b8, cast_##to##_i32, cast_##to##_i64, cast_##to##_f16, cast_##to##_bf16, \
            cast_##to##_f32, cast_##to##_f64                                                 \
    }
static element_fn *const casts[][CR_F64 + 1] = {
    [CR_BOOL] = FROM_ALL(b8),   [CR_I32] = FROM_ALL(i32), [CR_I64] = FROM_ALL(i64), [CR_F16] = FROM_ALL(f16),
    [CR_BF16] = FROM_ALL(bf16), [CR_F32] = FROM_ALL(f32), [CR_F64] = FROM_ALL(f64),
};

const struct kernel_set *cpu_kernels(void) {
#ifdef ELEMENT_X86
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
                   ? &kernels_avx512
                   : &kernels_avx2;
#endif
    return &kernels_base;
}

/* As math.inc and math_table.inc look at what the compiler was told. */
#define HAS_AVX2 "defined(__AVX2__) && defined(__FMA__)"
#define HAS_AVX512 \
    "defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)"
#define GUARD(is_good, expected) \
    "#if !(" is_good ")\n#error made for another processor: expected one with " expected "\n#endif\n"

const char *cpu_kernels_guard(void) {
#ifdef ELEMENT_X86
    const struct kernel_set *k = cpu_kernels();
    if (k == &kernels_avx512) return GUARD(HAS_AVX2 " && " HAS_AVX512, "AVX-512");
    if (k == &kernels_avx2) return GUARD(HAS_AVX2 " && !(" HAS_AVX512 ")", "AVX2 and FMA, not AVX-512");
#endif
#if defined(__AVX2__) && defined(__FMA__)
    return GUARD(HAS_AVX2, "AVX2 and FMA");
#elif defined(__x86_64__) || defined(__i386__)
    return GUARD("!(" HAS_AVX2 ")", "no AVX2 and FMA");
#else
    return "";
#endif
}

element_fn *cpu_element(int op, cr_dtype from, cr_dtype to) {
    return op == OP_cast ? casts[to][from] : cpu_kernels()->element(op, from);
}
const struct fold *cpu_fold(int op, cr_dtype dtype) { return cpu_kernels()->fold(op, dtype); }
extreme_fn *cpu_extreme(int op, cr_dtype dtype) { return cpu_kernels()->extreme(op, dtype); }
scatter_fn *cpu_scatter(cr_dtype dtype) { return cpu_kernels()->scatter(dtype); }
