/* Single numbers by indices: eight at a time where the processor gathers. */
#include "device/cpu/pick.h"

#include "device/cpu/element.h"

#ifdef ELEMENT_X86
#include <immintrin.h>

#define FOR_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl")))

/* Where eight indices point, in bytes; those outside to the first number. */
FOR_AVX512 static inline __m512i places(const int64_t *index, int64_t step, int64_t limit, __mmask8 *good) {
    __m512i all = _mm512_set1_epi64(limit), i = _mm512_loadu_si512(index);
    i = _mm512_mask_add_epi64(i, _mm512_movepi64_mask(i), i, all);
    __mmask8 in = _mm512_cmplt_epu64_mask(i, all);
    *good = *good & in;
    return _mm512_mullo_epi64(_mm512_maskz_mov_epi64(in, i), _mm512_set1_epi64(step));
}

FOR_AVX512 static int64_t pick_avx512(size_t size, char *to, const char *from, int64_t step, int64_t limit,
                                      const int64_t *index, int64_t n, bool *good) {
    __mmask8 all = 0xff;
    int64_t i = 0;
    if (size == 8)
        for (; i + 8 <= n; i += 8) {
            __m512i at = places(index + i, step, limit, &all);
            _mm512_storeu_si512(to + 8 * i, _mm512_i64gather_epi64(at, from, 1));
        }
    else
        for (; i + 8 <= n; i += 8) {
            __m512i at = places(index + i, step, limit, &all);
            _mm256_storeu_si256((void *)(to + 4 * i), _mm512_i64gather_epi32(at, from, 1));
        }
    *good = *good && all == 0xff;
    return i;
}
#endif

int64_t cpu_pick(size_t size, void *to, const void *from, int64_t step, int64_t limit, const int64_t *index,
                 int64_t n, bool *good) {
#ifdef ELEMENT_X86
    if (cpu_kernels() == &kernels_avx512) return pick_avx512(size, to, from, step, limit, index, n, good);
#endif
    (void)size, (void)to, (void)from, (void)step, (void)limit, (void)index, (void)n, (void)good;
    return 0;
}
