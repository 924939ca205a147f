/* How the processor treats denormals, on the calling thread: the host's choice, changed for a while only. */
#ifndef BASE_MODE_H
#define BASE_MODE_H

#include <stdint.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

/* Results and operands that are denormal count as 0 until mode_restore is given what this gave. On processors
 * other than x86-64 and ARM64: no effect. */
static inline uint64_t mode_flush(void) {
#if defined(__SSE2__)
    const unsigned both = 0x8040; /* MXCSR: flush to zero, denormals are zero (Intel SDM, volume 1, 10.2.3) */
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | both);
    return before;
#elif defined(__aarch64__)
    uint64_t before; /* FPCR, bit 24: FZ (Arm ARM, C5.2.8) */
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | 1u << 24));
    return before;
#else
    return 0;
#endif
}

static inline void mode_restore(uint64_t before) {
#if defined(__SSE2__)
    _mm_setcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
    (void)before;
#endif
}

#endif
