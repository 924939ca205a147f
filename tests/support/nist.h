/* A problem of NIST's Statistical Reference Datasets, read from its .dat file: formula, data, starts, certified values. */
#ifndef NIST_H
#define NIST_H

#include "support/test.h"

enum { nist_most_params = 11, nist_most_columns = 7, nist_most_rows = 256 };

struct nist {
    char name[32];
    char model[1024]; /* in the formula language: inputs, parameters, loss */
    int params, columns, rows;
    char param[nist_most_params][8];
    char column[nist_most_columns][8];
    double data[nist_most_columns][nist_most_rows];
    double start[2][nist_most_params]; /* of the linear ones: zeros */
    double certified[nist_most_params], deviation[nist_most_params];
    double rss, residual_deviation, r2; /* r2 of the linear ones only */
};

/* path below tests/data/nist: "nls/Misra1a.dat". Fails the test if the file is not as it should be. */
void nist_read(struct nist *p, const char *path);

/* Digits that agree: -log10 of the relative error, at most 15; of a certified 0, of the error itself. */
double nist_digits(double found, double certified);

#endif
