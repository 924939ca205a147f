# mlp.cr: a two-layer classifier
input x: f32[batch, 784]
input y: i32[batch]

param W1: f32[784, 128] = he_normal()
param b1: f32[128]      = 0
param W2: f32[128, 10]  = he_normal()
param b2: f32[10]       = 0

h        = relu(x / 255 @ W1 + b1)
logits   = h @ W2 + b2
loss     = mean(cross_entropy(logits, y))
accuracy = mean(argmax(logits, axis=-1) == y)
