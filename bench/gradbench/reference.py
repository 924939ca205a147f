"""What GradBench's functions give, found without Chainrule: objectives written once more in PyTorch, in f64, whose own reverse mode
differentiates them; closed forms where there are any. Used by run.py compare, and

    bench/gradbench/reference.py FILE

writes the small ones to FILE (tests/data/gradbench.json), for the test that replays them.
"""
import itertools
import json
import math
import sys

import numpy as np
import torch

torch.set_default_dtype(torch.float64)


def t(numbers, grad=False): return torch.tensor(numbers, dtype=torch.float64).requires_grad_(grad)


def gradients(y, *x):
    return [torch.zeros_like(a) if g is None else g for a, g in zip(x, torch.autograd.grad(y, x, allow_unused=True))]


# ---- One function for each eval: from its input to {function: output} ----

def hello(x): return {"square": x*x, "double": 2*x}


def ode(p):
    x, h = t(p["x"], True), 2/p["s"]
    y = torch.zeros_like(x)
    def slope(y): return torch.cat([x[:1], x[1:]*y[:-1]])
    for _ in range(p["s"]):
        k1 = slope(y)
        k2 = slope(y + h*k1/2)
        k3 = slope(y + h*k2/2)
        y = y + h*(k1 + 2*k2 + 2*k3 + slope(y + h*k3))/6
    return {"primal": y.tolist(), "gradient": gradients(y[-1], x)[0].tolist()}


def det(p):
    """The gradient is the matrix of cofactors, each the determinant of a minor."""
    n, a = p["ell"], np.array(p["A"]).reshape(p["ell"], p["ell"])
    def cofactor(i, j): return (-1)**(i + j)*np.linalg.det(np.delete(np.delete(a, i, 0), j, 1))
    return {"primal": float(np.linalg.det(a)), "gradient": [float(cofactor(i, j)) for i in range(n) for j in range(n)]}


def gmm(p):
    """By the definition: densities of PyTorch's distributions, the Wishart density by its formula."""
    d, k, m, gamma, x = p["d"], p["k"], p["m"], p["gamma"], t(p["x"])
    alpha, mu, q, l = (t(p[name], True) for name in ("alpha", "mu", "q", "l"))
    below = [(i, j) for j in range(d) for i in range(j + 1, d)]
    logs, prior, freedom = [], 0, d + m + 1
    for c in range(k):
        Q = torch.diag(torch.exp(q[c]))
        for index, (i, j) in enumerate(below):
            Q = Q + l[c, index]*torch.eye(d)[i][:, None]*torch.eye(d)[j][None]
        precision = Q.T @ Q
        normal = torch.distributions.MultivariateNormal(mu[c], precision_matrix=precision)
        logs.append(torch.log_softmax(alpha, 0)[c] + normal.log_prob(x))
        prior = prior + (freedom - d - 1)/2*torch.logdet(precision) - gamma**2*torch.trace(precision)/2 \
            - freedom*d/2*math.log(2) + freedom*d*math.log(gamma) - torch.special.multigammaln(t(freedom/2), d)
    y = torch.logsumexp(torch.stack(logs), 0).sum() + prior
    names = ("alpha", "l", "mu", "q")
    return {"objective": y.item(), "jacobian": {n: g.tolist() for n, g in zip(names, gradients(y, alpha, l, mu, q))}}


def kmeans(p):
    """Newton's direction is from the mean of a centroid's points to the centroid."""
    points, centroids = np.array(p["points"]), np.array(p["centroids"])
    squares = ((points[:, None] - centroids[None])**2).sum(axis=2)
    nearest = squares.argmin(axis=1)
    return {"cost": float(squares.min(axis=1).sum()),
            "dir": [(centroids[j] - points[nearest == j].mean(axis=0)).tolist() for j in range(len(centroids))]}


def rotation(v):
    """By the exponential of the matrix of the cross product."""
    zero = torch.zeros(())
    return torch.linalg.matrix_exp(torch.stack([torch.stack([zero, -v[2], v[1]]), torch.stack([v[2], zero, -v[0]]),
                                                torch.stack([-v[1], v[0], zero])]))


def reprojection(cam, x, w, feat):
    seen = rotation(cam[:3]) @ (x - cam[3:6])
    flat = seen[:2]/seen[2]
    r2 = flat @ flat
    return w*(flat*(1 + cam[9]*r2 + cam[10]*r2*r2)*cam[6] + cam[7:9] - feat)


def ba(p):
    n, m, count = p["n"], p["m"], p["p"]
    cams, points, weights, feats = (t(p[name]) for name in ("cams", "points", "weights", "feats"))
    err, rows, columns, values = [], [0], [], []
    for i in range(count):
        at = (cams[i % n], points[i % m], weights[i])
        err.append(reprojection(*at, feats[i]).tolist())
        blocks = torch.autograd.functional.jacobian(lambda *a: reprojection(*a, feats[i]), at)
        for r in range(2):
            columns += [11*(i % n) + c for c in range(11)] + [11*n + 3*(i % m) + c for c in range(3)] + [11*n + 3*m + i]
            values += [v for b in blocks for v in b[r].reshape(-1).tolist()]
            rows.append(len(values))
    for i in range(count):
        columns.append(11*n + 3*m + i)
        values.append(-2*weights[i].item())
        rows.append(len(values))
    return {"objective": {"reproj_err": err, "w_err": (1 - weights**2).tolist()},
            "jacobian": {"rows": rows, "cols": columns, "vals": values}}


def hand(theta, us, p):
    model = p["data"]["model"]
    turns = torch.zeros(len(model["parents"]), 3)
    fingers = [(3*f + i + 2 + f, i, f) for f in range(5) for i in range(3)]
    angles = [[torch.zeros(()) for _ in range(2)] for _ in turns]
    at = 6
    for bone, i, _ in fingers:
        angles[bone][0] = theta[at]
        if i == 0: angles[bone][1] = theta[at + 1]
        at += 2 if i == 0 else 1
    positions, absolute = 0, []
    base = t(model["base_positions"])
    x_axis, z_axis = t([1, 0, 0]), t([0, 0, 1])
    for bone, parent in enumerate(model["parents"]):
        turn = torch.eye(4)
        turn[:3, :3] = rotation(z_axis*angles[bone][1]) @ rotation(x_axis*angles[bone][0])
        relative = t(model["base_relatives"][bone]) @ turn
        absolute.append(relative if parent < 0 else absolute[parent] @ relative)
        moved = base @ (absolute[bone] @ t(model["inverse_base_absolutes"][bone])).T
        positions = positions + t(model["weights"])[:, bone, None]*moved[:, :3]
    if model["is_mirrored"]: positions = positions*t([-1, 1, 1])
    positions = positions @ rotation(theta[:3]).T + theta[3:6]
    which, points = p["data"]["correspondences"], t(p["data"]["points"])
    if us is None: return points - positions[which]
    corner = positions[torch.tensor(model["triangles"])[which]]
    return points - us[:, :1]*corner[:, 0] - us[:, 1:]*corner[:, 1] - (1 - us.sum(dim=1, keepdim=True))*corner[:, 2]


def ht(p):
    theta, us = t(p["theta"]), t(p["us"]) if p["us"] else None
    err = hand(theta, us, p)
    pose = torch.autograd.functional.jacobian(lambda a: hand(a, us, p), theta)
    if us is not None:
        full = torch.autograd.functional.jacobian(lambda a: hand(theta, a, p), us)
        own = torch.stack([full[i, :, i, :] for i in range(len(us))])
        pose = torch.cat([own, pose], dim=2)
    return {"objective": err.reshape(-1).tolist(), "jacobian": pose.reshape(-1, pose.shape[2]).tolist()}


def lstm(p):
    main, extra = t(p["main_params"], True), t(p["extra_params"], True)
    sequence, size = t(p["sequence"]), len(p["sequence"][0])
    state = [row for row in t(p["state"])]
    total, count = 0, 0
    for now, after in itertools.pairwise(sequence):
        x = now*extra[0]
        for layer in range(len(state)//2):
            (wf, wi, wo, wc), (bf, bi, bo, bc) = main[2*layer].reshape(4, size), main[2*layer + 1].reshape(4, size)
            h, c = state[2*layer], state[2*layer + 1]
            c = c*torch.sigmoid(x*wf + bf) + torch.sigmoid(h*wi + bi)*torch.tanh(h*wc + bc)
            x = torch.sigmoid(x*wo + bo)*torch.tanh(c)
            state[2*layer], state[2*layer + 1] = x, c
        y = x*extra[1] + extra[2]
        total = total + (after*(y - torch.log(torch.exp(y).sum() + 2))).sum()
        count += size
    loss = -total/count
    return {"objective": loss.item(), "jacobian": torch.cat([g.reshape(-1) for g in gradients(loss, main, extra)]).tolist()}


def lse(p):
    x = t(p["x"], True)
    y = torch.logsumexp(x, 0)
    return {"primal": y.item(), "gradient": gradients(y, x)[0].tolist()}


def llsq(p):
    """With the powers of t as a matrix, the gradient of |s - V x|^2/2 is V' (V x - s)."""
    place = -1 + 2*np.arange(p["n"])/(p["n"] - 1)
    powers = np.vander(place, len(p["x"]), increasing=True)
    residual = np.sign(place) - powers @ np.array(p["x"])
    return {"primal": float(residual @ residual/2), "gradient": (-powers.T @ residual).tolist()}


# ---- Descent: in plain numbers, gradients by closed forms ----

def descend(value_and_slope, start):
    at, rate, run = np.array(start, dtype=float), 1e-5, 0
    value, slope = value_and_slope(at)
    while np.linalg.norm(slope) > 1e-5:
        if run == 10:
            rate, run = 2*rate, 0
            continue
        to = at - rate*slope
        if np.linalg.norm(at - to) <= 1e-5: break
        value_to, slope_to = value_and_slope(to)
        if value_to < value: at, value, slope, run = to, value_to, slope_to, run + 1
        else: rate, run = rate/2, 0
    return at


def flight(w):
    """The squared place where the particle lands, and its derivative by w: Euler's steps, and their tangents by hand."""
    w = w[0]
    x, v, dx, dv = np.array([0, 8.0]), np.array([0.75, 0]), np.zeros(2), np.zeros(2)
    charges = [(np.array([10, 10 - w]), np.array([0, -1.0])), (np.array([10.0, 0]), np.zeros(2))]
    while True:
        a, da = np.zeros(2), np.zeros(2)
        for c, dc in charges: # the gradient of 1/|x - c| is -(x - c)/|x - c|^3
            r, dr = x - c, dx - dc
            s = r @ r
            a, da = a + r/s**1.5, da + dr/s**1.5 - 3*r*(r @ dr)/s**2.5
        x, dx = x + 0.1*v, dx + 0.1*dv
        if x[1] <= 0: break
        v, dv = v + 0.1*a, dv + 0.1*da
    left = -x[1]/v[1]
    dleft = -dx[1]/v[1] + x[1]*dv[1]/v[1]**2
    end, dend = x[0] + left*v[0], dx[0] + dleft*v[0] + left*dv[0]
    return end**2, np.array([2*end*dend])


def modes(output): return {m: output for m in ("rr", "rf", "fr", "ff")}


def particle(p): return modes(float(descend(flight, [p["w"]])[0]))


def saddle(p):
    """The y found does not depend on x: the descent in y sees x in a constant of the value alone."""
    start = p["start"]
    def lowest(x): return descend(lambda y: (float(y @ y - x @ x), 2*y), start)
    def outer(x):
        y = lowest(x)
        return float(x @ x - y @ y), 2*x
    x = descend(outer, start)
    return modes([*x.tolist(), *lowest(x).tolist()])


# ---- Problems ----

class Short:
    """A generator of numbers with few digits."""
    def __init__(self, seed): self.rng = np.random.default_rng(seed)
    def random(self, shape): return np.round(self.rng.random(shape), 3)
    def standard_normal(self, shape): return np.round(self.rng.standard_normal(shape), 3)
    def integers(self, low, high, shape): return self.rng.integers(low, high, shape)


def hand_problem(rng, bones, vertices, measured, triangles, mirrored=False):
    def rigid():
        a = np.eye(4)
        a[:3] += 0.3*rng.standard_normal((3, 4))
        return a.tolist()
    weights = rng.random((vertices, bones))*(rng.random((vertices, bones)) < 0.2)
    model = {"bone_count": bones, "bone_names": [str(i) for i in range(bones)],
             "parents": [-1] + [0 if i % 4 == 1 else i - 1 for i in range(1, bones - 1)] + [0],
             "base_relatives": [rigid() for _ in range(bones)], "inverse_base_absolutes": [rigid() for _ in range(bones)],
             "base_positions": np.hstack([rng.standard_normal((vertices, 3)), np.ones((vertices, 1))]).tolist(),
             "weights": weights.tolist(), "triangles": rng.integers(0, vertices, (triangles, 3)).tolist(), "is_mirrored": mirrored}
    return {"theta": rng.standard_normal(26).tolist(),
            "us": rng.random((measured, 2)).tolist() if triangles else [],
            "data": {"model": model, "correspondences": rng.integers(0, triangles or vertices, measured).tolist(),
                     "points": rng.standard_normal((measured, 3)).tolist()}}


def mixture(rng, d, k, n, m, gamma):
    return {"d": d, "k": k, "n": n, "m": m, "gamma": gamma, "x": rng.standard_normal((n, d)).tolist(),
            "alpha": rng.standard_normal(k).tolist(), "mu": rng.random((k, d)).tolist(), "q": (0.5*rng.standard_normal((k, d))).tolist(),
            "l": rng.standard_normal((k, d*(d - 1)//2)).tolist()}


def bundle(rng, n, m, p):
    return {"n": n, "m": m, "p": p, "cams": (0.3*rng.standard_normal((n, 11)) + np.eye(11)[6]).tolist(),
            "points": (rng.standard_normal((m, 3)) + [0, 0, 5]).tolist(), "weights": rng.random(p).tolist(),
            "feats": rng.standard_normal((p, 2)).tolist()}


def network(rng, layers, size, chars):
    return {"main_params": rng.random((2*layers, 4*size)).tolist(), "extra_params": rng.random((3, size)).tolist(),
            "state": rng.random((2*layers, size)).tolist(), "sequence": rng.random((chars, size)).tolist()}


def clusters(rng, n, k, d):
    points = rng.random((n, d))
    return {"points": points.tolist(), "centroids": (points[-k:] + 0.01*rng.standard_normal((k, d))).tolist()}


def problems(small):
    """{eval: [(description, input)]}"""
    rng = Short(1)
    def size(tiny, own): return tiny if small else own
    many = size([(2, 3)], [(1, 4), (3, 12), (20, 60), (100, 300)]) # s, n: at n > 4 s the gradient is 0; these x keep it near 1
    return {
        "hello": [("", 3.5)],
        "ode": [(f"n={n},s={s}", {"x": ((0.5 + np.arange(n)/2)*(0.9 + 0.2*rng.random(n))).tolist(), "s": s}) for s, n in many],
        "det": [(f"{n}", {"A": rng.standard_normal(n*n).tolist(), "ell": n}) for n in size([3], [1, 2, 5, 8, 11])],
        "gmm": [(f"d={d},k={k},n={n},m=3,gamma=1.7", mixture(rng, d, k, n, 3, 1.7)) for d, k, n in size([(2, 2, 3)], [(2, 3, 50), (5, 4, 200), (10, 5, 100)])],
        "kmeans": [(f"n={n},k={k},d={d}", clusters(rng, n, k, d)) for n, k, d in size([(6, 2, 2)], [(50, 3, 2), (2000, 40, 16)])],
        "ba": [(f"n={n},m={m},p={p}, unequal", bundle(rng, n, m, p)) for n, m, p in size([(2, 3, 4)], [(3, 7, 40), (5, 50, 200)])],
        "ht": [("triangles", hand_problem(rng, 22, size(5, 60), size(3, 50), size(3, 40))),
               ("vertices, mirrored", hand_problem(rng, 22, size(5, 60), size(3, 50), 0, True))],
        "lstm": [(f"l={l},b={b},c={c}", network(rng, l, b, c)) for l, b, c in size([(2, 2, 4)], [(2, 14, 60), (6, 8, 100)])],
        "lse": [(f"n={n}", {"x": (3*rng.standard_normal(n)).tolist()}) for n in size([4], [1, 3, 1000, 100000])],
        "llsq": [(f"n={n},m={m}", {"x": rng.standard_normal(m).tolist(), "n": n}) for n, m in size([(5, 18)], [(2, 1), (16, 5), (500, 128), (1001, 100)])],
        "particle": [(f"w={w}", {"w": w}) for w in size([0.2], [0.0, 0.15, 0.3])],
        "saddle": [(str(s), {"start": s}) for s in size([[1.0, -0.6]], [[1.0, 1.0], [0.5, -2.0]])],
    }


def cases(evals, small=False):
    """(eval, description, input, {function: output}) of each."""
    for name in evals:
        for description, problem in problems(small)[name]: yield name, description, problem, globals()[name](problem)


if __name__ == "__main__":
    from run import EVALS
    with open(sys.argv[1], "w") as f:
        found = [{"module": c[0], "input": c[2], "outputs": c[3]} for c in cases(EVALS, small=True)]
        f.write("[" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in found) + "]\n")
