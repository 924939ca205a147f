/* What is known of a dtype, and conversion of numbers between them. */
#ifndef TENSOR_DTYPE_H
#define TENSOR_DTYPE_H

#include "chainrule.h"

static inline bool dtype_is_float(cr_dtype d) { return d >= CR_F16; }
static inline bool dtype_is_int(cr_dtype d) { return d == CR_I32 || d == CR_I64; }
/* Storage only: arithmetic takes it to f32. */
static inline bool dtype_is_half(cr_dtype d) { return d == CR_F16 || d == CR_BF16; }
static inline bool dtype_known(int d) { return d >= CR_BOOL && d <= CR_F64; }

/* From its name ("f32"): -1 if there is none. */
int dtype_parse(const char *name, size_t n);

/* Rounds to nearest, ties to even, as IEEE 754 says; nan stays nan. */
float half_to_f32(uint16_t h);
uint16_t half_from_f32(float x);
float bf16_to_f32(uint16_t h);
uint16_t bf16_from_f32(float x);

/* One number. To an integer: truncated, saturated, nan is 0. To bool: not equal to 0. */
double dtype_get(cr_dtype d, const void *data, int64_t i);
void dtype_put(cr_dtype d, void *data, int64_t i, double value);
/* n numbers, strides in elements; i64 to i64 keeps all bits. */
void dtype_convert(cr_dtype to, void *out, int64_t out_stride, cr_dtype from, const void *in,
                   int64_t in_stride, int64_t n);

#endif
