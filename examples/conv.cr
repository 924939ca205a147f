# conv.cr: a convolutional net for images of 28 x 28
input x: f32[batch, 784]
input y: i32[batch]

images = reshape(x / 255, [batch, 1, 28, 28])

c1 = conv_layer(images, 16)
n1 = batch_norm_layer(c1)
p1 = max_pool(relu(n1), [2, 2])

c2 = conv_layer(p1, 32)
n2 = batch_norm_layer(c2)
p2 = max_pool(relu(n2), [2, 2])

f1     = dense(flatten(p2), 128)
h      = dropout(relu(f1), rate=0.3)
logits = dense(h, 10)

loss     = mean(cross_entropy(logits, y))
accuracy = mean(argmax(logits) == y)
