# layers.cr: a classifier made of layers, one of which is used twice
fn block(x, n, rate=0.1) { # residual: the result has the shape of x
    a = dense(x, n)
    b = dense(gelu(a), size(x, axis=-1))
    x + dropout(b, rate=rate)
}

input x: f32[batch, features]
input y: i32[batch]

h0     = dense(x / 255, 16)
h1     = block(h0, 32)
h2     = block(h1, 32, like=h1) # shares h1.a.W, h1.a.b, h1.b.W and h1.b.b
logits = dense(h2, 3)

decay    = 1e-4*(sum(h0.W^2) + sum(logits.W^2))
loss     = mean(cross_entropy(logits, y)) + decay
accuracy = mean(argmax(logits) == y)
