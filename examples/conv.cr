# conv.cr: a convolutional net for images of 28 x 28
input x: f32[batch, 784]
input y: i32[batch]

images = reshape(x / 255, [batch, 1, 28, 28])

c1 = conv_layer(images, 16, width=5)
p1 = max_pool(relu(c1), [2, 2])
c2 = conv_layer(p1, 32)
p2 = max_pool(relu(c2), [2, 2])

f1     = dense(flatten(p2), 128)
logits = dense(relu(f1), 10)

loss     = mean(cross_entropy(logits, y))
accuracy = mean(argmax(logits) == y)
