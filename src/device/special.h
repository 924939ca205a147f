/* Functions of the op table that the C library does not have, in double precision, and Philox. */
#ifndef DEVICE_SPECIAL_H
#define DEVICE_SPECIAL_H

#include <stdint.h>

double special_lgamma(double x); /* as lgamma, but leaves the global signgam alone */
double special_erfinv(double x);
/* Derivative n+1 of lgamma: digamma for n = 0. Exact to some 1e-14 relative for x > 0; x < -1e6: nan for n >
 * 0. */
double special_polygamma(double x, int64_t n);
/* c_n(x) = sum over j of (-x)^j / (2j+n)!. */
double special_stumpff(double x, int64_t n);
double special_powi(double x, int64_t n);

/* Philox4x32-10 (Salmon et al., SC11). */
void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* The 64 random bits of element i under a key. */
uint64_t philox_bits(int64_t key, int64_t i);
/* The key that a key and a number make. */
int64_t philox_fold(int64_t key, int64_t n);

#endif
