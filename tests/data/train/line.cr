input x: f64[n]
input y: f64[n]
param a: f64 = 0
param b: f64 = 0
y_hat = a*x + b
error = mean(abs(y_hat - y))
loss = mean((y_hat - y)^2)
