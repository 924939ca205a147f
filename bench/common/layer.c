/* The data of bench/common/layer.h. */
#include "common/layer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *formula,
        *in; /* a letter each: x the shape of the value, v a vector along the last axis, g as x */
    int words;
} known[] = {{"softmax", "sum(cross_entropy(x, y))", "x", 2},
             {"layer_norm", "layer_norm(x, gain, bias)", "xvvg", 2},
             {"gelu", "gelu(x)", "xg", 2},
             {"attention", "attention(q, k, v, causal=true)", "xxxg", 3}};

uint32_t layer_hash(uint64_t i) { return (uint32_t)(2654435761u * i) >> 16; }

enum { line = 64 }; /* of a cache: where the tensors of frameworks start */

static struct layer_tensor tensor(const char *name, int rank, const int64_t dim[]) {
    struct layer_tensor t = {.name = name, .rank = rank, .count = 1};
    for (int i = 0; i < rank; i++) t.count *= (size_t)(t.dim[i] = dim[i]);
    size_t bytes = (t.count * sizeof *t.at + line - 1) / line * line;
    t.at = aligned_alloc(line, bytes);
    if (t.at) memset(t.at, 0, bytes);
    return t;
}

static int complete(struct layer *l) {
    for (int j = 0; j < l->inputs; j++) {
        if (!l->in[j].at) return -1;
        for (size_t k = 0; k < l->in[j].count; k++)
            l->in[j].at[k] = (float)layer_hash(k + 1 + 1000003 * (uint64_t)j) / 16384 - 2;
    }
    for (int j = 0; j < l->outputs; j++)
        if (!l->out[j].at) return -1;
    l->classes = calloc((size_t)l->rows, sizeof *l->classes);
    for (int64_t k = 0; l->classes && k < l->rows; k++)
        l->classes[k] = (int32_t)(layer_hash((uint64_t)k) % (uint32_t)l->in[0].dim[l->in[0].rank - 1]);
    return l->classes ? 0 : -1;
}

/* Names of the inputs in the order of the letters; the gradient of each but g is a result. */
static void tensors(struct layer *l, const char *letters, int rank, const int64_t dim[]) {
    static const char *const names[2][LAYER_MOST] = {{"x", "gain", "bias", "g"}, {"q", "k", "v", "g"}};
    static const char *const of[] = {"d0", "d1", "d2"};
    l->value_is_tensor = strchr(letters, 'g') != NULL;
    l->out[l->outputs++] = tensor("value", l->value_is_tensor ? rank : 0, dim);
    for (const char *c = letters; *c; c++) {
        bool vector = *c == 'v';
        const char *name = *c == 'g' ? "g" : names[rank == 3][l->inputs];
        l->in[l->inputs++] = tensor(name, vector ? 1 : rank, vector ? dim + rank - 1 : dim);
        if (*c == 'g') continue;
        l->out[l->outputs] = tensor(of[l->outputs - 1], vector ? 1 : rank, vector ? dim + rank - 1 : dim);
        l->outputs++;
    }
}

int layer_make(struct layer *out, int words, char **word) {
    int64_t dim[3] = {0};
    *out = (struct layer){0};
    for (size_t i = 0; words && i < sizeof known / sizeof *known; i++) {
        if (strcmp(word[0], known[i].name) || words != known[i].words + 1) continue;
        for (int k = 1; k < words; k++)
            if ((dim[k - 1] = strtol(word[k], NULL, 10)) < 1) return fprintf(stderr, "expected sizes\n"), -1;
        out->name = known[i].name;
        out->formula = known[i].formula;
        out->rows = dim[0];
        tensors(out, known[i].in, words - 1, dim);
        return complete(out) ? fprintf(stderr, "out of memory\n"), -1 : 0;
    }
    return fprintf(stderr,
                   "expected softmax, layer_norm or gelu ROWS COLUMNS, or attention HEADS LENGTH WIDTH\n"),
           -1;
}

double layer_sample(const struct layer *l, size_t i) {
    const struct layer_tensor *t = &l->out[i % (size_t)l->outputs];
    return (double)t->at[7919 * i % t->count];
}

void layer_free(struct layer *l) {
    for (int j = 0; j < l->inputs; j++) free(l->in[j].at);
    for (int j = 0; j < l->outputs; j++) free(l->out[j].at);
    free(l->classes);
}
