/* Layers that every framework has, forward and backward: what is asked of each side, and the data it starts from.
 *
 *     softmax ROWS COLUMNS        the sum of cross_entropy(x, y) over rows; its gradient by x
 *     layer_norm ROWS COLUMNS     layer_norm(x, gain, bias) and, for the cotangent g, the gradients by x, gain and bias
 *     gelu ROWS COLUMNS           gelu(x) and, for g, the gradient by x
 *     attention HEADS LENGTH WIDTH    attention(q, k, v, causal=true), [HEADS, LENGTH, WIDTH] each, and the three gradients
 *
 * Tensor j holds at place k the number hash(k + 1 + 1000003 j) / 16384 - 2, in [-2, 2), hash(i) being the upper 16 bits of
 * 2654435761 i modulo 2^32; the class of row k is hash(k) % COLUMNS. A step gives one number of what it has computed: with n
 * results, step i gives place 7919 i % count of result i % n; so comparing twenty steps compares all results. */
#ifndef BENCH_LAYER_H
#define BENCH_LAYER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAYER_MOST = 4 };

struct layer_tensor {
    const char *name;
    int rank;
    int64_t dim[3];
    size_t count;
    float *at;
};

struct layer {
    const char *name, *formula; /* over the names of inputs, and y: the classes, or NULL: none */
    int inputs;
    bool value_is_tensor; /* then input "g", the last, is its cotangent, and not differentiated by */
    struct layer_tensor in[LAYER_MOST],
        out[LAYER_MOST + 1]; /* out: the value, then the gradient by each input */
    int outputs;
    int64_t rows; /* of classes */
    int32_t *classes;
};

uint32_t layer_hash(uint64_t i);

/* From the words of a command line. 0, or -1 (the reason is on standard error). */
int layer_make(struct layer *out, int words, char **word);
double layer_sample(const struct layer *layer, size_t i);
void layer_free(struct layer *layer);

#endif
