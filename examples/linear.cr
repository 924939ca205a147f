# linear.cr: linear regression on several columns, with a ridge
input x: f64[n, k]
input y: f64[n]

param w: f64[k] = 0
param b: f64    = 0

y_hat = x @ w + b
ridge = 1e-6*sum(w^2)
loss  = mean((y_hat - y)^2) + ridge
