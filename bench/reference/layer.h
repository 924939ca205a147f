/* Layers by hand, forward and backward, on one thread. Each reads what it needs from layer->in and fills layer->out. */
#ifndef BENCH_REFERENCE_LAYER_H
#define BENCH_REFERENCE_LAYER_H
#include "common/layer.h"

/* Scratch for attention, which needs some; 0, or -1 when memory is out or the sizes are none it is written for. */
int reference_attention_begin(const struct layer *layer);
void reference_attention(struct layer *layer);
void reference_attention_end(void);

#endif
