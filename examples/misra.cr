# misra.cr: adsorption, NIST's Misra1a data: volume over pressure
input x: f64[n]
input y: f64[n]

param b1: f64 = 500
param b2: f64 = 0.0001

y_hat = b1*(1 - exp(-b2*x))
loss  = mean((y_hat - y)^2)
