/* Dense QR by Householder reflections, and what least squares needs of it. Matrices are column-major without gaps. */
#ifndef TRAIN_QR_H
#define TRAIN_QR_H

#include <stdint.h>

double qr_dot(int64_t n, const double *a, const double *b);
/* As if in twice the precision, then rounded (Ogita, Rump and Oishi 2005, Dot2). */
double qr_dot_exact(int64_t n, const double *a, const double *b);
/* sqrt(sum of squares), without overflow or underflow on the way. */
double qr_norm(int64_t n, const double *a);

/* A P = Q R of a [rows, n], rows >= n: R above the diagonal, reflections below it and in tau [n] (Golub and Van Loan, Matrix
 * Computations, 5.1.6 and 5.4.2). perm [n]: column k of R is column perm[k] of a; the largest rest comes first. perm NULL:
 * columns stay in order. */
void qr_factor(int64_t rows, int n, double *a, double *tau, int *perm);
/* b [rows] becomes Q^T b, or Q b. */
void qr_apply(int64_t rows, int n, const double *a, const double *tau, double *b);
void qr_apply_transpose(int64_t rows, int n, const double *a, const double *tau, double *b);
/* Solves R x = b, or R^T x = b, in place, for the leading n columns of R with lead rows. */
void qr_solve(int64_t lead, int n, const double *r, double *b);
void qr_solve_transpose(int64_t lead, int n, const double *r, double *b);

/* Singular values s [n] and right singular vectors v [n, n] of a [n, n], which is overwritten: one-sided Jacobi (Hestenes 1958;
 * Demmel and Veselic 1992: small singular values keep their relative accuracy). */
void qr_svd(int n, double *a, double *s, double *v);

#endif
