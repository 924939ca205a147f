/* As many floats at once as a register of this processor holds, by the compiler's vectors, for the references. */
#ifndef BENCH_VECTOR_H
#define BENCH_VECTOR_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

typedef float vector __attribute__((vector_size(VECTOR_BYTES), aligned(4)));
enum { LANES = VECTOR_BYTES / 4 };

static inline vector vector_of(float x) { return x - (vector){0}; }
/* Not by memcpy, which gcc does by halves where registers have 32 bytes. */
typedef vector vector_anywhere __attribute__((may_alias));
static inline vector vector_load(const float *p) { return *(const vector_anywhere *)p; }
static inline void vector_store(float *p, vector v) { *(vector_anywhere *)p = v; }
static inline float vector_sum(vector v) {
#ifdef __AVX512F__
    return _mm512_reduce_add_ps((__m512)v);
#else
    float s = 0;
    for (int i = 0; i < LANES; i++) s += v[i];
    return s;
#endif
}

/* e^x to 2 ulp where the result is a normal number, clamped elsewhere: x = n log 2 + r, |r| <= log(2)/2. A polynomial without
 * branches, so that the compiler makes vectors of a loop with it: of its own accord it does not call the C library's vector
 * functions. */
static inline float exponential(float x) {
    const float shift = 0x1.8p23f; /* added, it leaves n in the low bits */
    x = x < -87 ? -87 : x > 88 ? 88 : x;
    float z = fmaf(x, 1.44269504f, shift), n = z - shift;
    float r = fmaf(n, -0x1.7f7d1cp-20f, fmaf(n, -0x1.62e400p-1f, x));
    float p = fmaf(r, 1.3888889e-3f, 8.3333333e-3f);
    p = fmaf(p, r, 4.1666667e-2f);
    p = fmaf(p, r, 1.6666667e-1f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1);
    p = fmaf(p, r, 1);
    uint32_t bits;
    memcpy(&bits, &z, sizeof bits);
    bits = (bits << 23) + 0x3f800000u; /* 2^n */
    memcpy(&z, &bits, sizeof z);
    return p * z;
}

typedef int32_t vector_bits __attribute__((vector_size(VECTOR_BYTES), aligned(4)));

static inline vector vector_most(vector a, vector b) {
#ifdef __AVX512F__
    return (vector)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX__)
    return (vector)_mm256_max_ps((__m256)a, (__m256)b);
#else
    vector_bits first = a > b;
    return (vector)((first & (vector_bits)a) | (~first & (vector_bits)b));
#endif
}

static inline float vector_greatest(vector v) {
#ifdef __AVX512F__
    return _mm512_reduce_max_ps((__m512)v);
#else
    float most = v[0];
    for (int i = 1; i < LANES; i++) most = v[i] > most ? v[i] : most;
    return most;
#endif
}

/* The same for a vector, in two parts: e^r, and n with the bits that exponential has it in. */
static const float vector_shift = 0x1.8p23f;
static inline vector vector_exp_series(vector x, vector *z) {
    const vector one = vector_of(1);
    *z = x * 1.44269504f + vector_shift;
    vector n = *z - vector_shift, r = n * -0x1.7f7d1cp-20f + (n * -0x1.62e400p-1f + x);
    vector p = r * 1.3888889e-3f + 8.3333333e-3f;
    p = p * r + 4.1666667e-2f;
    p = p * r + 1.6666667e-1f;
    p = p * r + 0.5f;
    p = p * r + one;
    return p * r + one;
}
static inline vector vector_scaled(vector p, vector z) {
    return p * (vector)(((vector_bits)z << 23) + 0x3f800000);
}

/* The same for -1e5 < x < 1e5, infinity and 0 where it is that, where a register holds a table and 2^n is one instruction: e^x = 2^n 2^(k/16) e^r,
 * |r| <= log(2)/32, for which a polynomial of degree 3 does. 8 ticks of a Zen 4 for 16 numbers where the series and two clamps take 10. */
static inline vector vector_exponential(vector x) {
#ifdef __AVX512F__
    static const float root[16] = {0x1p0f,        0x1.0b5586p0f, 0x1.172b84p0f, 0x1.2387a6p0f,
                                   0x1.306fep0f,  0x1.3dea64p0f, 0x1.4bfdaep0f, 0x1.5ab07ep0f,
                                   0x1.6a09e6p0f, 0x1.7a1148p0f, 0x1.8ace54p0f, 0x1.9c4918p0f,
                                   0x1.ae89fap0f, 0x1.c199bep0f, 0x1.d5818ep0f, 0x1.ea4afap0f};
    const float shift = 0x1.8p19f; /* added, it leaves 16 n + k in the low bits */
    vector z = x * 1.44269504f + shift, n = z - shift, r = n * -0x1.7f7d1cp-20f + (n * -0x1.62e400p-1f + x);
    vector t = (vector)_mm512_permutexvar_ps((__m512i)z, (__m512)vector_load(root));
    vector q = (r * 1.6666667e-1f + 0.5f) * r + vector_of(1);
    return (vector)_mm512_scalef_ps((__m512)(t * (q * r) + t), (__m512)n); /* which rounds n down */
#else
    x = -vector_most(vector_of(-88), -vector_most(vector_of(-87), x));
    vector z, p = vector_exp_series(x, &z);
    return vector_scaled(p, z);
#endif
}

static inline vector vector_choose(vector_bits first, vector a, vector b) {
    return (vector)((first & (vector_bits)a) | (~first & (vector_bits)b));
}

/* x Phi(x) and, times g, its derivative, Phi to 1e-7 by Abramowitz and Stegun, Handbook, 7.1.26; the exponential there is that of the density too. */
static inline vector vector_gelu(vector x, vector g, vector *dx) {
    const float root = 0.70710678f;
    vector e = vector_exponential(x * -0.5f * x), t = 1 / (vector_most(x, -x) * (0.3275911f * root) + 1);
    vector p = t * (0.5f * 1.061405429f) - 0.5f * 1.453152027f;
    p = p * t + 0.5f * 1.421413741f;
    p = p * t - 0.5f * 0.284496736f;
    p = p * t + 0.5f * 0.254829592f;
    vector tail = p * t * e, phi = vector_choose(x < 0, tail, 1 - tail);
    *dx = g * (x * 0.39894228f * e + phi);
    return x * phi;
}

static inline void vector_store_past(float *p, vector v) { /* p aligned to a vector */
#if defined(__AVX512F__)
    _mm512_stream_ps(p, (__m512)v);
#elif defined(__AVX__)
    _mm256_stream_ps(p, (__m256)v);
#else
    vector_store(p, v);
#endif
}

/* Numbers that are not read again, past the caches where the processor can: a plain store would read the line first. */
static inline void vector_stream(float *restrict to, const float *restrict from, size_t n) {
    size_t k = 0;
    for (; k < n && (uintptr_t)(to + k) % VECTOR_BYTES; k++) to[k] = from[k];
    for (; k + LANES <= n; k += LANES) vector_store_past(to + k, vector_load(from + k));
    for (; k < n; k++) to[k] = from[k];
}

#endif
