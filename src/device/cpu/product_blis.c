/* BLIS: by its expert interface, which takes the number of threads with each call. */
#define _POSIX_C_SOURCE 200809L /* blis.h speaks of POSIX threads */
#include "device/cpu/product.h"

#ifdef CR_WITH_BLIS
#include <blis.h>

/* Each call has its own: BLIS notes its memory in it. */
static rntm_t alone(void) {
    rntm_t r = BLIS_RNTM_INITIALIZER;
    bli_rntm_set_num_threads(1, &r);
    return r;
}

#define TILE(T, name, gemm)                                                                               \
    static void name(const struct gemm_tile *t) {                                                         \
        union {                                                                                           \
            const void *from;                                                                             \
            T *it;                                                                                        \
        } a = {t->a}, b = {t->b}; /* never written */                                                     \
        T one = 1, beta = t->add || t->on;                                                                \
        rntm_t r = alone();                                                                               \
        gemm(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, t->rows, t->columns, t->k, &one, a.it, t->rsa, t->csa, \
             b.it, t->rsb, t->csb, &beta, t->c, t->rsc, 1, NULL, &r);                                     \
    }
TILE(float, tile_f32, bli_sgemm_ex)
TILE(double, tile_f64, bli_dgemm_ex)

const struct product product_blis = {"blis", {tile_f32, tile_f64}};
#else
const struct product product_blis = {"blis", {NULL, NULL}};
#endif
