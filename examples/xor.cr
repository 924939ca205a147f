# xor.cr: what no line separates, by a small net
input x: f64[batch, 2]
input y: f64[batch]

param W1: f64[2, 8] = glorot_normal()
param b1: f64[8]    = 0
param W2: f64[8]    = normal()
param b2: f64       = 0

h    = tanh(x @ W1 + b1)
z    = h @ W2 + b2
p    = sigmoid(z)
loss = mean(bce_with_logits(z, y))
