# norris.cr: a line through NIST's Norris data
input x: f64[n]
input y: f64[n]

param b0: f64 = 0
param b1: f64 = 0

y_hat = b0 + b1*x
loss  = mean((y_hat - y)^2)
