// What the op table's value column calls besides Math: the C library's functions that JavaScript lacks, and the table's own
// helpers (src/device/cpu/element.inc). Functions of src/device/special.c are translated by the build and stand above this.
const {abs, sqrt, exp, expm1, log, log2, log10, log1p, sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh,
  floor, ceil, trunc, pow, atan2, hypot} = Math;
const fabs = abs, powi = special_powi, erfinv = special_erfinv, polygamma = special_polygamma, stumpff = special_stumpff;
const isnan = Number.isNaN, isinf = a => a === Infinity || a === -Infinity;
const sign = a => a > 0 ? 1 : a < 0 ? -1 : a;
const maximum = (a, b) => a > b || isnan(a) ? a : b, minimum = (a, b) => a < b || isnan(a) ? a : b;
const copysign = (a, b) => b < 0 || Object.is(b, -0) ? -abs(a) : abs(a);
const exp2 = a => pow(2, a), fmod = (a, b) => a % b, floordiv = (a, b) => floor(a / b);
const mod = (a, b) => { const r = a % b; return r !== 0 && (r < 0) !== (b < 0) ? r + b : r; };
// To the nearest integer, ties to even.
const rint = a => { const r = Math.round(a); return r - a === 0.5 && r % 2 !== 0 ? r - 1 : r; };

const sigmoid = x => (x < 0 ? exp(x) : 1) / (1 + exp(-abs(x))), softplus = x => maximum(x, 0) + log1p(exp(-abs(x)));
// erf(x) = 2/sqrt(pi) e^(-x^2) sum over n of 2^n x^(2n+1) / (2n+1)!!: no term has another sign (Abramowitz and Stegun 7.1.6).
function erfSeries(x) {
  let term = x, sum = x;
  for (let n = 1; abs(term) > 1e-17 * abs(sum) && n < 200; n++) term *= 2 * x * x / (2 * n + 1), sum += term;
  return 2 / sqrt(Math.PI) * exp(-x * x) * sum;
}
// erfc(x) = e^(-x^2)/sqrt(pi) / (x + 1/2/(x + 1/(x + 3/2/(x + ...)))), from far down upwards, for x >= 2 (7.1.14).
function erfcFraction(x) {
  let f = x;
  for (let n = 120; n > 0; n--) f = x + n / 2 / f;
  return exp(-x * x) / sqrt(Math.PI) / f;
}
const erf = x => isnan(x) ? x : abs(x) < 2 ? erfSeries(x) : copysign(1 - erfcFraction(abs(x)), x);
const erfc = x => isnan(x) ? x : x < 2 ? 1 - erf(x) : erfcFraction(x);

// log gamma(1 + z) = -log(1 + z) + z (1 - Euler's constant) + sum over k >= 2 of (zeta(k) - 1) (-z)^k / k (6.1.33).
function lgammaNearOne(z) {
  let sum = -log1p(z) + z * (1 - 0.57721566490153286061), power = z * z;
  for (let k = 2; k < 60; k++, power *= -z) sum += hurwitz(k, 2) * power / k;
  return sum;
}
// Near its zeros at 1 and 2 by the series, for 10 and more by Stirling's (6.1.41), between them by gamma(x + 1) = x gamma(x).
function lgamma(x) {
  if (isnan(x) || isinf(x)) return abs(x);
  if (x <= 0) return x === floor(x) ? Infinity : log(Math.PI / abs(sin(Math.PI * (x - floor(x))))) - lgamma(1 - x);
  if (x < 0.5) return lgammaNearOne(x) - log(x);
  if (x < 1.5) return lgammaNearOne(x - 1);
  if (x < 2.5) return log1p(x - 2) + lgammaNearOne(x - 2);
  let product = 1;
  for (; x < 10; x++) product *= x;
  const r = 1 / (x * x);
  return (x - 0.5) * log(x) - x + 0.91893853320467274178 - log(product) +
    (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r * (1 / 1188 - r * (691 / 360360 - r / 156)))))) / x;
}
