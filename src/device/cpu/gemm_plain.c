/* Micro-kernels in plain C, for processors without vectors that we know. */
#include "device/cpu/gemm.h"

static inline float multiply_add_f32(float a, float b, float c) { return c + a * b; }
static inline double multiply_add_f64(double a, double b, double c) { return c + a * b; }
static inline float load_f32(const float *x) { return *x; }
static inline double load_f64(const double *x) { return *x; }
static inline void store_f32(float *to, float x) { *to = x; }
static inline void store_f64(double *to, double x) { *to = x; }

#define NAME      micro_f32
#define T         float
#define VECTOR    float
#define LANES     1
#define ROWS      4
#define COLUMNS   8
#define LOAD      load_f32
#define STORE     store_f32
#define ZERO()    0
#define SPREAD(x) (x)
#define FMA       multiply_add_f32
#include "device/cpu/gemm_micro.inc"

#define NAME      micro_f64
#define T         double
#define VECTOR    double
#define LANES     1
#define ROWS      4
#define COLUMNS   8
#define LOAD      load_f64
#define STORE     store_f64
#define ZERO()    0
#define SPREAD(x) (x)
#define FMA       multiply_add_f64
#include "device/cpu/gemm_micro.inc"

struct gemm_shape gemm_shape_plain(bool is_f64) {
    return is_f64 ? (struct gemm_shape){4, 8, micro_f64} : (struct gemm_shape){4, 8, micro_f32};
}
