# transformer.cr: the next byte of a text, from all those before it in a window
input text: i32[batch, length]

width = 128
heads = 4
x     = text[:, :-1]
y     = text[:, 1:]

param positions: f32[length - 1, width] = 0.02*normal()

tokens = embedding_layer(x, 256, width, dtype=f32)
h1     = transformer_layer(tokens + positions, heads=heads, causal=true)
h2     = transformer_layer(h1, heads=heads, causal=true)
h3     = transformer_layer(h2, heads=heads, causal=true)
h4     = transformer_layer(h3, heads=heads, causal=true)
h      = layer_norm_layer(h4)
logits = dense(h, 256)

loss = mean(cross_entropy(logits, y))
bits = loss/log(2) # of information in a byte
