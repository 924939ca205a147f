"""Where Chainrule and PyTorch differ, none left out. check.py computes every one of them on both sides at each run: one that no longer
differs, and one that is not here, is an error."""
import torch
from torch.nn import functional as F

nan, inf = float("nan"), float("inf")

# Samples of PyTorch's own whose numbers differ: {op: (kinds, why)}
SAMPLES = {
    "linalg.norm|subgradients_at_zero": (("vjp", "jvp", "hvp"), "the second derivative of a norm at 0: 0 here, nan in PyTorch; the first where p < 0"),
    "logcumsumexp": (("jvp",), "PyTorch's forward mode divides by exp(result) and loses digits; its reverse mode agrees with both of ours"),
    "triangular_solve": (("jvp",), "its second result is the matrix again, whose tangent PyTorch's forward mode does not cut to the triangle"),
    "cholesky_solve": (("vjp", "jvp", "hvp"), "PyTorch's derivatives by a factor do not leave out the triangle that is not read"),
    "cholesky_inverse": (("vjp", "jvp", "hvp"), "the same"),
    "nn.functional.hardsigmoid": (("vjp", "jvp"), "PyTorch's derivative is 1/6 as f32 has it, in f64 too"),
}

# Points: (formula, the same in PyTorch, x, why). Compared are the value, and the first and second derivative of its sum.
POINTS = [
    # kinks
    ("clip(x, 0, 1)", lambda x: torch.clamp(x, 0, 1), [0.0, 1.0], "at a bound both sides share, as in maximum and minimum; relu alone is 0 at 0"),
    ("clip(x, -1, 1)", F.hardtanh, [-1.0, 1.0], "the same"),
    ("clip(x, 0, 6)", F.relu6, [0.0, 6.0], "the same"),
    ("maximum(x, 1)", lambda x: torch.clamp_min(x, 1), [1.0], "the same; torch.maximum of two tensors shares too"),
    ("hard_sigmoid(x)", F.hardsigmoid, [-3.0, 3.0], "the same; PyTorch has no second derivative of it"),
    ("hard_swish(x)", F.hardswish, [-3.0, 3.0], "the same"),
    ("max(x, axis=0)", lambda x: torch.max(x, 0)[0], [2.0, 2.0], "equal elements share; in PyTorch too, but not along an axis"),
    ("sort(x)[1]", torch.median, [2.0, 2.0, 2.0], "an element of the order is one element; PyTorch's median of all shares"),
    ("cummax(x)", lambda x: torch.cummax(x, 0)[0], [2.0, 2.0], "equal elements share; in PyTorch the last of them has all"),
    ("elu(x)", F.elu, [0.0], "at 0 from below; PyTorch's second derivative from above"),
    ("celu(x)", F.celu, [0.0], "the same"),
    ("huber(x, 0)", lambda x: F.huber_loss(x, torch.zeros_like(x), reduction="none"), [1.0], "at delta the square holds; PyTorch's second derivative is the line's"),
    ("smooth_l1(x, 0)", lambda x: F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none"), [1.0], "the same"),
    # what is masked, removable or one-sided
    ("where(x > 0.5, log(sqrt(x*x)), x^3)", lambda x: torch.where(x > .5, torch.log(torch.sqrt(x * x)), x ** 3), [0.0], "what is not chosen counts for nothing"),
    ("norm(x)", torch.linalg.norm, [0.0, 0.0], "the norm's derivatives at 0 are 0, of every order"),
    ("cosine_similarity(x, [1.0, 0.0])", lambda x: F.cosine_similarity(x, torch.tensor([1., 0.]).double(), dim=0), [0.0, 0.0], "the same"),
    ("normalize(x)", lambda x: F.normalize(x, dim=0), [0.0, 0.0], "the same"),
    ("norm_p(x, 0.5)", lambda x: torch.linalg.norm(x, 0.5), [0.0, 1.0], "below p = 1 there is no derivative by an element that is 0"),
    ("hypot(x[0], x[1])", lambda x: torch.hypot(x[0], x[1]), [0.0, 0.0], "a norm"),
    ("atan2(x[0], x[1])", lambda x: torch.atan2(x[0], x[1]), [0.0, 0.0], "there is no derivative, and it is not said to be 0"),
    ("x[0]^x[1]", lambda x: x[0] ** x[1], [0.0, 2.0], "the second derivative by the base exists"),
    ("x[0]^x[1]", lambda x: x[0] ** x[1], [0.0, 1.0], "the same"),
    ("sinc(x)", torch.sinc, [0.0], "smooth at 0: -pi^2/3"),
    ("xlogy(x[0], x[1])", lambda x: torch.xlogy(x[0], x[1]), [0.0, 0.0], "0, as a constant"),
    ("xlogy(x[0], x[1])", lambda x: torch.xlogy(x[0], x[1]), [0.0, inf], "the same"),
    ("logaddexp(x[0], x[1])", lambda x: torch.logaddexp(x[0], x[1]), [-inf, -inf], "of equal infinities the first has all"),
    ("logaddexp(x[0], x[1])", lambda x: torch.logaddexp(x[0], x[1]), [inf, 1.0], "the second derivative is 0"),
    ("bce(x, 1)", lambda x: F.binary_cross_entropy(x, torch.ones_like(x), reduction="none"), [0.0], "PyTorch cuts logarithms off at -100"),
    ("bce(x, 1)", lambda x: F.binary_cross_entropy(x, torch.ones_like(x), reduction="none"), [1.0], "-1/x; PyTorch has 0 at 1"),
    ("softplus(x)", F.softplus, [25.0], "PyTorch takes x itself above 20"),
    ("acosh(x)", torch.acosh, [1.0], "inf times what is nan at once is nan"),
    # nan
    ("relu(x)", torch.relu, [nan], "the derivative is 1 where x > 0, else 0"),
    ("abs(x)", torch.abs, [nan], "the sign of nan is nan"),
    ("sign(x)", torch.sign, [nan], "the same"),
    ("max(x)", torch.amax, [2.0, nan], "nan equals no element, so none has a derivative"),
    ("topk(x, 2)", lambda x: torch.topk(x, 2)[0], [1.0, nan, 2.0], "nan goes last, in either order"),
    # poles
    ("polygamma(x)", torch.digamma, [0.0], "nan at the pole, which has two sides"),
    ("polygamma(x, n=1)", lambda x: torch.polygamma(1, x), [-0.5], "pi^2/2 + 4 = 8.934802200544679...: PyTorch has 10 digits of it"),
    ("polygamma(x, n=1)", lambda x: torch.polygamma(1, x), [-1.0], "inf at the pole"),
    # definitions
    ("var(x)", torch.var, [1.0, 2.0], "divided by n; PyTorch divides by n - 1 unless told (correction=0)"),
    ("std(x)", torch.std, [1.0, 2.0], "the same"),
    ("cholesky(reshape(x, [2, 2]))", lambda x: torch.linalg.cholesky(x.reshape(2, 2)), [4.0, 1.0, 2.0, 3.0], "of the symmetric part; PyTorch reads the lower triangle"),
    ("eigh(reshape(x, [2, 2]))", lambda x: torch.linalg.eigvalsh(x.reshape(2, 2)), [4.0, 1.0, 2.0, 3.0], "the same"),
]

# What PyTorch does and Chainrule refuses: (formula, the same in PyTorch, x, the sentence's end)
REFUSED = [
    ("x[:, None]*[1.0, 2.0]", lambda x: x[:, None] * torch.tensor([1., 2.]).double(), [1.0, 2.0], "would add an axis to one and stretch the other"),
    ("sum(x[0], axis=0)", lambda x: torch.sum(x[0], 0), [1.0], "1 axes for rank 0"),
    ("clip(x, 1, 0)", lambda x: torch.clamp(x, 1, 0), [0.5], "the lower bound is above the upper one"),
    ("smooth_l1(x, 0, beta=0)", lambda x: F.smooth_l1_loss(x, torch.zeros_like(x), beta=0), [0.5], "delta must be positive"),
    ("x*cast(x, f32)", lambda x: x * x.float(), [1.0], "say which is meant with cast"),
    ("concat(x, x[None])", lambda x: torch.cat([x[:0], x[None]]), [1.0], "shapes differ beside the axis"),
    ("grad(det(reshape(x, [2, 2])), x)", lambda x: torch.autograd.grad(torch.linalg.det(x.reshape(2, 2)), x)[0], [1.0, 1.0, 1.0, 1.0], "a matrix that is singular"),
]
