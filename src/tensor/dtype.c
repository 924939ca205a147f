/* Dtypes: names, sizes, conversion. */
#include "tensor/dtype.h"

#include <math.h>
#include <string.h>

const char *cr_dtype_name(cr_dtype dtype) {
    switch (dtype) {
#define CASE(name, number, text, bytes) \
    case name: return text;
        CR_DTYPE_LIST(CASE)
#undef CASE
    }
    return "unknown";
}

size_t cr_dtype_size(cr_dtype dtype) {
    switch (dtype) {
#define CASE(name, number, text, bytes) \
    case name: return bytes;
        CR_DTYPE_LIST(CASE)
#undef CASE
    }
    return 0;
}

int dtype_parse(const char *name, size_t n) {
#define TRY(id, number, text, bytes) \
    if (n == sizeof text - 1 && memcmp(name, text, n) == 0) return id;
    CR_DTYPE_LIST(TRY)
#undef TRY
    return -1;
}

static uint32_t bits_of(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
float half_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, fraction = h & 0x3ff;
    if (exponent == 31) return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
    float small = (float)fraction * 0x1p-24f; /* a denormal: fraction * 2^-24, exact */
    return sign ? -small : small;
}

uint16_t half_from_f32(float x) {
    uint32_t u = bits_of(x), sign = (u >> 16) & 0x8000, rest = u & 0x7fffffff;
    if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00);  /* nan */
    if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and above round to inf */
    if (rest < 0x38800000) { /* below 2^-14: a denormal; adding 0.5 puts the unit 2^-24 at the last place */
        float shifted = float_of(rest) + 0.5f;
        return (uint16_t)(sign | (bits_of(shifted) - 0x3f000000));
    }
    uint32_t odd = (rest >> 13) & 1;
    return (uint16_t)(sign | ((rest - 0x38000000 + 0xfff + odd) >> 13));
}

float bf16_to_f32(uint16_t h) { return float_of((uint32_t)h << 16); }

uint16_t bf16_from_f32(float x) {
    uint32_t u = bits_of(x);
    if ((u & 0x7fffffff) > 0x7f800000) return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

static int64_t to_int(double x, double low, double high) {
    if (isnan(x)) return 0;
    if (x <= low) return low == -0x1p63 ? INT64_MIN : (int64_t)low;
    if (x >= high) return high == 0x1p63 ? INT64_MAX : (int64_t)high;
    return (int64_t)x;
}

double dtype_get(cr_dtype d, const void *data, int64_t i) {
    switch (d) {
    case CR_BOOL: return ((const uint8_t *)data)[i] != 0;
    case CR_I32: return ((const int32_t *)data)[i];
    case CR_I64: return (double)((const int64_t *)data)[i];
    case CR_F16: return (double)half_to_f32(((const uint16_t *)data)[i]);
    case CR_BF16: return (double)bf16_to_f32(((const uint16_t *)data)[i]);
    case CR_F32: return (double)((const float *)data)[i];
    case CR_F64: return ((const double *)data)[i];
    }
    return NAN;
}

void dtype_put(cr_dtype d, void *data, int64_t i, double value) {
    switch (d) {
    case CR_BOOL: ((uint8_t *)data)[i] = value != 0; break; /* nan is true, as in C */
    case CR_I32: ((int32_t *)data)[i] = (int32_t)to_int(value, INT32_MIN, INT32_MAX); break;
    case CR_I64: ((int64_t *)data)[i] = to_int(value, -0x1p63, 0x1p63); break;
    case CR_F16: ((uint16_t *)data)[i] = half_from_f32((float)value); break;
    case CR_BF16: ((uint16_t *)data)[i] = bf16_from_f32((float)value); break;
    case CR_F32: ((float *)data)[i] = (float)value; break;
    case CR_F64: ((double *)data)[i] = value; break;
    }
}

static int64_t get_int(cr_dtype d, const void *data, int64_t i) {
    if (d == CR_I64) return ((const int64_t *)data)[i];
    return d == CR_I32 ? ((const int32_t *)data)[i] : ((const uint8_t *)data)[i] != 0;
}

static void put_int(cr_dtype d, void *data, int64_t i, int64_t value) {
    if (d == CR_I64) ((int64_t *)data)[i] = value;
    else if (d == CR_I32)
        ((int32_t *)data)[i] = (int32_t)(value < INT32_MIN   ? INT32_MIN
                                         : value > INT32_MAX ? INT32_MAX
                                                             : value);
    else ((uint8_t *)data)[i] = value != 0;
}

void dtype_convert(cr_dtype to, void *out, int64_t out_stride, cr_dtype from, const void *in,
                   int64_t in_stride, int64_t n) {
    if (!dtype_is_float(to) && !dtype_is_float(from))
        for (int64_t i = 0; i < n; i++) put_int(to, out, i * out_stride, get_int(from, in, i * in_stride));
    else
        for (int64_t i = 0; i < n; i++)
            dtype_put(to, out, i * out_stride, dtype_get(from, in, i * in_stride));
}
