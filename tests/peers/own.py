"""Samples of our own, where PyTorch's are all too large to be kept (tests/peers/replay.py) or reach a composite only by what it is made of:
formula, the same in PyTorch, the operands' shapes (float unless "i": integers 0 .. 2)."""
import types

import torch
from torch.nn import functional as F

OWN = [
    ("hard_sigmoid(a/2)", lambda a: F.relu6(a / 2 + 3) / 6, [(2, 3)]),
    ("hard_swish(a/2)", lambda a: F.hardswish(a / 2), [(2, 3)]),
    ("gelu(a)", F.gelu, [(2, 3)]),
    ("gelu_tanh(a)", lambda a: F.gelu(a, approximate="tanh"), [(2, 3)]),
    ("logit(sigmoid(a)/2)", lambda a: torch.logit(torch.sigmoid(a) / 2), [(2, 3)]),
    ("xlogy(a, b^2)", lambda a, b: torch.xlogy(a, b ** 2), [(2, 3), (3,)]),
    ("logaddexp(a, b[:, None])", lambda a, b: torch.logaddexp(a, b[:, None]), [(2, 3), (2,)]),
    ("cast(gt(a, b), f64)*a + cast(ge(a, b), f64)*b", lambda a, b: (a > b) * a + (a >= b) * b, [(2, 3), (2, 3)]),
    ("mse(a, b)", F.mse_loss, [(2, 3), (2, 3)]),
    ("mae(a, b)", F.l1_loss, [(2, 3), (2, 3)]),
    ("hinge(a, b)", lambda a, b: torch.relu(1 - a * b), [(2, 3), (2, 3)]),
    ("cross_entropy(a, b)", lambda a, b: F.cross_entropy(a, b, reduction="none"), [(4, 3), "i4"]),
    ("cross_entropy(a, softmax(b))", lambda a, b: F.cross_entropy(a, torch.softmax(b, -1), reduction="none"), [(2, 3), (2, 3)]),
    ("normalize(a, axis=0)", lambda a: F.normalize(a, dim=0), [(3, 2)]),
    ("cosine_similarity(a, b, axis=0)", lambda a, b: F.cosine_similarity(a, b, dim=0), [(3, 2), (3, 2)]),
    ("logcumsumexp(a, axis=0)", lambda a: torch.logcumsumexp(a, 0), [(5, 2)]),
    ("logcumsumexp(a, axis=1, reverse=true)", lambda a: torch.logcumsumexp(a.flip(1), 1).flip(1), [(2, 5)]),
    ("cummax(a, axis=0)", lambda a: torch.cummax(a, 0)[0], [(5, 2)]),
    ("cummax(a, reverse=true)", lambda a: torch.cummax(a.flip(-1), -1)[0].flip(-1), [(2, 5)]),
    ("cummin(a)", lambda a: torch.cummin(a, -1)[0], [(2, 5)]),
    ("cumprod(a)", lambda a: torch.cumprod(a, -1), [(2, 5)]),
    ("diff(a, axis=0)", lambda a: torch.diff(a, dim=0), [(4, 2)]),
    ("diff(a, axis=0)", lambda a: torch.diff(a, dim=0), [(1, 2)]),
    ("topk(a, 2, axis=0)", lambda a: torch.topk(a, 2, dim=0)[0], [(4, 2)]),
    ("flip(a, axis=[0, -1])", lambda a: torch.flip(a, [0, -1]), [(2, 3)]),
    ("roll(a, -4, axis=1)", lambda a: torch.roll(a, -4, 1), [(2, 3)]),
    ("tril(a, n=1)", lambda a: torch.tril(a, 1), [(3, 4)]),
    ("squeeze(a, axis=1)^2", lambda a: torch.squeeze(a, 1) ** 2, [(2, 1, 3)]),
    ("flatten(a)^2", lambda a: torch.flatten(a, 1) ** 2, [(2, 2, 3)]),
    ("kron(a, b)", torch.kron, [(2, 3), (3,)]),
    ("cross(a, b, axis=0)", lambda a, b: torch.linalg.cross(a, b, dim=0), [(3, 2), (3, 2)]),
    ("tensordot(a, b, 2)", lambda a, b: torch.tensordot(a, b, 2), [(2, 3, 2), (3, 2, 2)]),
    ("matrix_power(a, 5)", lambda a: torch.linalg.matrix_power(a, 5), [(2, 3, 3)]),
    ("matrix_power(a, -2)", lambda a: torch.linalg.matrix_power(a, -2), [(2, 2)]),
    ("logdet(a @ t(a))", lambda a: torch.logdet(a @ a.mT), [(2, 3, 3)]),
    ("eigh_vectors(a + t(a))^2", lambda a: torch.linalg.eigh(a + a.mT)[1] ** 2, [(3, 3)]),
    ("cdist(a, b)", torch.cdist, [(3, 2), (2, 2)]),
    ("norm_p(a, 3, axis=[0, 2])", lambda a: torch.linalg.vector_norm(a, 3, (0, 2)), [(2, 3, 2)]),
    ("add_along(a, b, c, axis=0)", lambda a, b, c: torch.scatter_add(a, 0, b, c), [(3, 2), "i4,2", (4, 2)]),
    ("group_norm(a, b, c, 2)", lambda a, b, c: F.group_norm(a, 2, b, c), [(2, 4, 3), (4,), (4,)]),
    ("instance_norm(a, b, c)", lambda a, b, c: F.instance_norm(a, None, None, b, c), [(2, 3, 4), (3,), (3,)]),
    ("local_response_norm(a, 3, alpha=0.5)", lambda a: F.local_response_norm(a, 3, alpha=0.5), [(2, 4, 3)]),
    ("batch_norm(a, b, c)", lambda a, b, c: F.batch_norm(a, None, None, b, c, training=True), [(3, 2, 2), (2,), (2,)]),
    ("adaptive_max_pool(a, [2, 3])", lambda a: F.adaptive_max_pool2d(a, (2, 3)), [(1, 3, 4)]),
    ("adaptive_avg_pool(a, [2, 3])", lambda a: F.adaptive_avg_pool2d(a, (2, 3)), [(1, 3, 4)]),
    ("resize_linear(a, [5, 2])", lambda a: F.interpolate(a, (5, 2), mode="bilinear"), [(1, 1, 3, 3)]),
    ("resize_nearest(a, [5, 2])", lambda a: F.interpolate(a, (5, 2), mode="nearest"), [(1, 1, 3, 3)]),
]


def operand(shape, generator):
    if isinstance(shape, str): return torch.randint(0, 3, tuple(map(int, shape[1:].split(","))), generator=generator)
    return (torch.randn(shape, generator=generator, dtype=torch.float64)).requires_grad_()


def rows():
    """{name: (an op as OpInfo has it, its row)}."""
    found = {}
    for k, (formula, f, shapes) in enumerate(OWN):
        def sample_inputs(*_, k=k, shapes=shapes, **__):
            generator = torch.Generator().manual_seed(k)
            first, *rest = [operand(s, generator) for s in shapes]
            yield types.SimpleNamespace(input=first, args=tuple(rest), kwargs={})
        op = types.SimpleNamespace(op=f, sample_inputs=sample_inputs, supports_autograd=True, supports_forward_ad=f is not torch.cdist, gradcheck_wrapper=None)
        found[f"ours: {formula} {k}"] = (op, lambda *operands, formula=formula: formula)
    return found
