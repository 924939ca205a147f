/* The host's state that a guest leaves alone: the floating-point mode (rounding, denormals, traps; not the sticky flags, which any
 * arithmetic sets) and the locale.
 *
 *     struct fpenv before = fpenv_now();
 *     ... calls of the library ...
 *     fpenv_assert_same(before); */
#ifndef FPENV_H
#define FPENV_H

#include <fenv.h>
#include <locale.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

struct fpenv {
    uint64_t control; /* MXCSR without its flags, FPCR; 0 where there is none */
    int rounding;
    char locale[256];
};

static inline uint64_t fpenv_control(void) {
#if defined(__SSE2__)
    return _mm_getcsr() & ~0x3Fu; /* bits 0 to 5: the sticky flags (Intel SDM, volume 1, 10.2.3) */
#elif defined(__aarch64__)
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
#else
    return 0;
#endif
}

static inline struct fpenv fpenv_now(void) {
    struct fpenv f;
    memset(&f, 0, sizeof f);
    f.control = fpenv_control();
    f.rounding = fegetround();
    strncpy(f.locale, setlocale(LC_ALL, NULL), sizeof f.locale - 1);
    return f;
}

/* Flushes denormals or keeps them, and rounds as asked: what a host may have set. False: not on this machine. */
static inline bool fpenv_set(bool flush, int rounding) {
    if (fesetround(rounding)) return false;
#if defined(__SSE2__)
    const unsigned both = 0x8040; /* FTZ, DAZ */
    _mm_setcsr(flush ? _mm_getcsr() | both : _mm_getcsr() & ~both);
    return true;
#else
    return !flush;
#endif
}

#define fpenv_assert_same(before)                            \
    do {                                                     \
        struct fpenv now_ = fpenv_now(), before_ = (before); \
        assert_int_equal(now_.control, before_.control);     \
        assert_int_equal(now_.rounding, before_.rounding);   \
        assert_string_equal(now_.locale, before_.locale);    \
    } while (0)

#endif
