# logistic.cr: logistic regression; y is 0 or 1
input x: f64[n, k]
input y: f64[n]

param w: f64[k] = 0
param b: f64    = 0

score    = x @ w + b # the logarithm of the odds
p        = sigmoid(score)
loss     = mean(bce_with_logits(score, y))
accuracy = mean((p > 0.5) == (y > 0.5))
