/* Factorisations of one matrix of doubles, row by row, in place. Emitted C has them too: a function and what it calls are text
 * there, so they know nothing but their arguments and the C library's mathematics. */
#ifndef DEVICE_MATRIX_H
#define DEVICE_MATRIX_H

#include <stdint.h>

/* a becomes (a + t(a))/2. */
void matrix_symmetric(double *a, int64_t n);

/* These give the column in which they failed, or -1. */

/* l, symmetric, becomes its lower factor, with zeros above. */
int64_t matrix_cholesky(double *l, int64_t n);
/* b becomes T^-1 b, T the upper or lower triangle of a; unit: with ones on the diagonal. */
int64_t matrix_substitute(const double *a, int64_t n, double *b, int64_t columns, int upper, int unit);
/* b becomes a^-1 b; a is lost. */
int64_t matrix_solve(double *a, int64_t n, double *b, int64_t columns);

/* log |det a| and its sign; of a singular matrix -inf and 0; a is lost. */
void matrix_logabsdet(double *a, int64_t n, double *size, double *sign);
/* Eigenvalues of the symmetric a, ascending, and v, eigenvectors in its columns: the first of the elements that are largest in
 * size is positive. nan where a is not finite; a is lost. */
void matrix_eigh(double *a, int64_t n, double *value, double *v);

#endif
