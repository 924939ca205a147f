#!/usr/bin/env python3
"""The coefficients of src/device/cpu/series.inc: polynomials of the least greatest error, rounded to their format.

    tools/minimax.py [NAME ..]     all of them, as C; beside each the greatest error that the rounded polynomial has, as a power of 2

Remez's exchange (Remez 1934) in 60 digits; then each coefficient is rounded, the lowest first, and the others are fitted
again to what rounding changed. Needs mpmath."""
import sys

from mpmath import mp, mpf

mp.dps = 60


def solve_equioscillating(f, weight, points, powers):
    """Coefficients p and the level h with weight (p - f) = +-h at the points."""
    n = len(powers)
    a, b = mp.matrix(n + 1, n + 1), mp.matrix(n + 1, 1)
    for i, x in enumerate(points):
        for j, k in enumerate(powers):
            a[i, j] = x**k
        a[i, n] = (-1) ** i / max(weight(x), mpf(10) ** -6)
        b[i] = f(x)
    s = mp.lu_solve(a, b)
    return [s[j] for j in range(n)]


def extrema(error, low, high, count):
    """The points where the error is greatest between its changes of sign, from a fine grid."""
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / 400) for i in range(401)]
    values = [error(x) for x in grid]
    found = []
    for x, e in zip(grid, values):
        if found and (e >= 0) == (found[-1][1] >= 0):
            if abs(e) > abs(found[-1][1]):
                found[-1] = (x, e)
        else:
            found.append((x, e))
    while len(found) > count:
        found.pop(0 if abs(found[0][1]) < abs(found[-1][1]) else -1)
    return [x for x, _ in found], max(abs(e) for e in values)


def remez(f, weight, low, high, powers):
    n = len(powers)
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / (n + 1)) for i in range(n + 1)]
    best = None
    for _ in range(25):
        p = solve_equioscillating(f, weight, points, powers)
        new, worst = extrema(lambda x: weight(x) * (sum(c * x**k for c, k in zip(p, powers)) - f(x)), low, high, n + 1)
        if best is None or worst < best[1]:
            best = (p, worst)
        elif worst > best[1] * mpf("0.9999"):
            break
        if len(new) < n + 1:
            break
        points = new
    return best[0]


def rounded(x, bits):
    m, e = mp.frexp(x)
    return mp.ldexp(mp.nint(mp.ldexp(m, bits)), int(e) - bits)


def replaced(weight, low, high, power, powers):
    """The combination of powers that is nearest to one power, by weighted least squares."""
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / 80) for i in range(80)]
    a = mp.matrix([[weight(x) * x**k for k in powers] for x in points])
    b = mp.matrix([weight(x) * x**power for x in points])
    return mp.lu_solve(a.T * a, a.T * b)


def value(p, x):
    return sum(c * x**k for k, c in enumerate(p))


def fit(f, weight, low, high, degree, bits):
    """Coefficients from x^0 on, each a number of so many bits, and the greatest error."""
    low, high = mpf(low), mpf(high)
    c = remez(f, weight, low, high, list(range(degree + 1)))
    for k in range(degree + 1):
        lost, c[k] = c[k] - rounded(c[k], bits), rounded(c[k], bits)
        above = list(range(k + 1, degree + 1))
        for j, part in zip(above, replaced(weight, low, high, k, above) if above else []):
            c[j] += lost * part
    _, worst = extrema(lambda x: weight(x) * (sum(d * x**i for i, d in enumerate(c)) - f(x)), low, high, 1)
    return c, worst


def denominator(f, weight, low, high, degree, bits):
    """Of p/q, both of this degree and q(0) = 1, with the least greatest error: Remez's exchange, where the level times q is taken from the round before."""
    low, high, n, q = mpf(low), mpf(high), 2 * degree + 2, [mpf(1)] + [mpf(0)] * degree
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * (i + mpf(1) / 2) / n) for i in range(n)]
    best = None
    for _ in range(12):
        for _ in range(25):
            a, b = mp.matrix(n, n), mp.matrix(n, 1)
            for i, x in enumerate(points):
                for k in range(degree + 1):
                    a[i, k] = x**k
                for k in range(1, degree + 1):
                    a[i, degree + k] = -f(x) * x**k
                a[i, n - 1] = (-1) ** i * value(q, x) / weight(x)
                b[i] = f(x)
            s = mp.lu_solve(a, b)
            p, q = [s[k] for k in range(degree + 1)], [mpf(1)] + [s[degree + k] for k in range(1, degree + 1)]
        points, worst = extrema(lambda x: weight(x) * (value(p, x) / value(q, x) - f(x)), low, high, n)
        if best is None or worst < best[1]:
            best = (q, worst)
        if len(points) < n or worst < abs(s[n - 1]) * mpf("1.001"):
            break
    return [rounded(x, bits) for x in best[0]]


def away(f, at, value):
    """f, and its limit where the quotient that defines it is 0/0."""
    return lambda x: value if abs(x - at) < mpf(10) ** -25 else f(x)


half_log2 = mp.log(2) / 2 * mpf("1.0001")
root = mp.sqrt(2) - 1
exp2 = away(lambda r: (mp.exp(r) - 1 - r) / r**2, 0, mpf(1) / 2)
log3 = away(lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3, 0, mpf(1) / 3)
atanh2 = away(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z, 0, mpf(2) / 3)

# where the digits of atanh cancel: its series
atanh5 = lambda z: sum(mpf(2) / (2 * j + 5) * z**j for j in range(45))
sin3 = away(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 0, mpf(-1) / 6)
cos4 = away(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, 0, mpf(1) / 24)
quarter = (mp.pi / 4) ** 2 * mpf("1.001")
erf0 = away(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z), 0, 2 / mp.sqrt(mp.pi))


def erfcx(a):
    """e^(a^2) erfc(a); of large a by the continued fraction of Laplace."""
    if a < 6:
        return mp.exp(a * a) * mp.erfc(a)
    y = a
    for n in range(400, 0, -1):
        y = a + mpf(n) / 2 / y
    return 1 / (y * mp.sqrt(mp.pi))


def erfc_end(middle):
    """(middle + a) e^(a^2) erfc(a) in t = (a - middle)/(a + middle)."""
    middle = mpf(middle)

    def f(t):
        a = middle * (1 + t) / (1 - t)
        return (middle + a) * erfcx(a)
    return f


# e^(-a far(a)) = erfc(a), beside erf(a)
far = lambda a: -mp.log(mp.erfc(a)) / a
far_weight = lambda a: a * mp.erfc(a) / mp.erf(a)


# lgamma(1 + t)/t and lgamma(2 + t)/t
gamma1 = away(lambda t: mp.loggamma(1 + t) / t, 0, -mp.euler)
gamma2 = away(lambda t: mp.loggamma(2 + t) / t, 0, 1 - mp.euler)
atan3 = away(lambda z: (mp.atan(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, 0, mpf(-1) / 3)


def in_t(a, middle):
    return (mpf(a) - mpf(middle)) / (mpf(a) + mpf(middle))


# name, function, weight of its error, interval, degree in f64 and in f32 (None: not used there)
SERIES = [
    # (e^r - 1 - r)/r^2; the error is seen beside e^r - 1, which is r at least
    ("exp", exp2, lambda r: abs(r), -half_log2, half_log2, 9, 4),
    # the same beside e^r, within a sixteenth of log 2
    ("exp_eighth", exp2, lambda r: r**2, -half_log2 / 8, half_log2 / 8, None, 1),
    ("exp_sixteenth", exp2, lambda r: r**2, -half_log2 / 16, half_log2 / 16, None, 1),
    # the same beside e^r - 1
    ("expm1_eighth", exp2, lambda r: abs(r), -half_log2 / 8, half_log2 / 8, None, 2),
    # (log(1 + f) - f + f^2/2)/f^3 beside log(1 + f)
    ("log", log3, lambda f: f**2, mp.sqrt(mpf(1) / 2) - 1, root, None, 7),
    # (sin(r)/r - 1)/z and (cos r - 1 + z/2)/z^2, z = r^2, |r| <= pi/4
    ("sin", sin3, lambda z: z, 0, quarter, 5, 2),
    ("cos", cos4, lambda z: z**2, 0, quarter, 5, 2),
    # erf(x)/x - 1 in x^2, up to x = 5/8
    ("erf", lambda z: erf0(z) - 1, lambda z: 1 / erf0(z), 0, mpf("0.3907"), 9, 5),
    # -log(erfc(a))/a, a from 1/2 to where erf is 1
    ("erf_far", far, far_weight, "0.4999", 6, 22, None),
    # (middle + a) e^(a^2) erfc(a) in t, for a from 1/2 to where erfc is 0
    ("erfc", erfc_end("2.5"), lambda t: 1 / erfc_end("2.5")(t), in_t("0.4999", "2.5"), in_t("27.5", "2.5"), 22, None),
    ("erfc", erfc_end("1.5"), lambda t: 1 / erfc_end("1.5")(t), in_t("0.4999", "1.5"), in_t("10.2", "1.5"), None, 9),
    # (2 atanh(s)/s - 2)/z, z = s^2, s = f/(2 + f), beside 2
    ("atanh", atanh2, lambda z: z / 2, 0, (root / (2 + root)) ** 2 * mpf("1.0001"), 6, None),
    # (2 atanh(s)/s - 2 - 2 z/3)/z^2 beside 2, for pow
    # (atan(s)/s - 1)/z, z = s^2, beside 1
    ("atan", atan3, lambda z: z, 0, mpf(7) / 16 * mpf(7) / 16 * mpf("1.001"), 10, None),
    ("lgamma_1", gamma1, lambda t: 1 / gamma1(t), "-0.3001", "0.3001", 20, None),
    ("lgamma_2", gamma2, lambda t: 1 / gamma2(t), "-0.7001", "0.5001", 20, None),
    ("power", atanh5, lambda z: z**2 / 2, 0, (root / (2 + root)) ** 2 * mpf("1.0001"), 6, None),
]


# of f32, f - taken as a quotient: names of its parts, f, taken, weight of its error, interval in x, degree of both
QUOTIENTS = [
    # erf(x)/x in x^2, up to where erf is 1
    ("erf_over", "erf_under", erf0, mpf(1) / 4, lambda z: 1 / erf0(z), 0, mpf("3.8326") ** 2, 5),
]


def erf0_around(z):
    """erf(x)/x in z = x^2, on both sides of 0."""
    return erf0(z) if z > 0 else mp.erfi(mp.sqrt(-z)) / mp.sqrt(-z) if z < -mpf(10) ** -25 else 2 / mp.sqrt(mp.pi)


# of f32, a polynomial for each of some parts, in what is left of x beside the part's middle: name, f, width of a part, from 0 on, parts, degree
PARTS = [
    ("erf_parts", erf0_around, mpf(61) / 64, 16, 5),
]


def hexadecimal(x):
    digits, exponent = x.hex().split("p")
    return f"{digits.rstrip('0').rstrip('.')}p{int(exponent)}"


def show(name, suffix, c, worst):
    print(f"{name}_{suffix}: degree {len(c) - 1}, error 2^{float(mp.log(worst, 2)):.1f}" if worst else f"{name}_{suffix}:")
    for x in c:
        print(f"    {hexadecimal(float(x))}{'f' if suffix == 'f32' else ''}")


def main(names):
    for name, f, weight, low, high, *degrees in SERIES:
        if names and name not in names:
            continue
        for suffix, bits, degree in zip(("f64", "f32"), (53, 24), degrees):
            if degree is not None:
                show(name, suffix, *fit(f, weight, low, high, degree, bits))
    for name, f, width, parts, degree in PARTS:
        if names and name not in names:
            continue
        for i in range(parts):
            around = lambda r: f(i * width + r)
            low, high = -width / 2 * mpf("1.001"), width / 2 * mpf("1.001")
            show(f"{name}[..][{i}]", "f32", *fit(around, lambda r: 1 / around(r), low if i else 0, high, degree, 24))
    for over, under, f, taken, weight, low, high, degree in QUOTIENTS:
        if names and over not in names:
            continue
        q = denominator(f, weight, low, high, degree, 24)
        show(over, "f32", *fit(lambda x: (f(x) - taken) * value(q, x), lambda x: weight(x) / value(q, x), low, high, degree, 24))
        show(under, "f32", q, None)


main(sys.argv[1:])
