"""Losses, and what networks are made of."""
import math

import torch

from table import ROWS, F, Skip, Text, every, f64, permuted, row, say, together, vector_norm

# ---- Losses ----
def reduced(y, reduction, batch=None):
    if reduction == "batchmean": return f"sum({y})/{batch}"
    return {"none": f"{y}", "mean": f"mean({y})", "sum": f"sum({y})"}[reduction]


def loss(name, formula):
    row(F + name)(lambda x, y, *, reduction="mean", formula=formula, **k: reduced(formula(x, y, **k), reduction))


loss("mse_loss", lambda x, y, weight=None: f"({x} - {y})^2" if weight is None else f"({x} - {y})^2*{weight}")
loss("l1_loss", lambda x, y, weight=None: f"abs({x} - {y})" if weight is None else f"abs({x} - {y})*{weight}")
loss("huber_loss", lambda x, y, delta=1.0, weight=None: f"huber({x}, {y}, delta={delta})")
loss("smooth_l1_loss", lambda x, y, beta=1.0: f"smooth_l1({x}, {y}, beta={beta})" if beta else f"abs({x} - {y})")
loss("soft_margin_loss", lambda x, y: f"softplus(-{y}*{x})")
loss("hinge_embedding_loss", lambda x, y, margin=1.0: f"where({y} != -1, {x}, 0) + where({y} != 1, relu({say(margin)} - {x}), 0)")


@row(F + "kl_div")
def _(x, y, *, reduction="mean", log_target=False):
    return reduced(f"exp({y})*({y} - {x})" if log_target else f"kl_div({x}, {y})", reduction, x.shape[0] if x.ndim else 1)


@row(F + "poisson_nll_loss")
def _(x, y, *, log_input=True, full=False, eps=1e-8, reduction="mean", size_average=None, reduce=None):
    f = f"poisson_nll({x}, {y})" if log_input else f"{x} - {y}*log({x} + {eps})"
    if full: f += f" + where({y} > 1, {y}*log({y}) - {y} + log(2*pi*{y})/2, 0)"
    return reduced(f, reduction)


@row(F + "gaussian_nll_loss")
def _(x, y, v, *, full=False, eps=1e-6, reduction="mean"):
    if isinstance(v, float): raise Skip("a variance that is a number")
    if v.ndim and v.ndim < x.ndim: v = Text(f"{v}[..., None]", ())
    return reduced(f"gaussian_nll({x}, {y}, {v}, eps={eps})" + (" + log(2*pi)/2" if full else ""), reduction)


@row(F + "binary_cross_entropy")
def _(x, y, weight=None, *, reduction="mean"): return reduced(f"bce({x}, {y})" + (f"*{weight}" if weight is not None else ""), reduction)


@row(F + "binary_cross_entropy_with_logits")
def _(x, y, weight=None, *, pos_weight=None, reduction="mean"):
    f = f"bce_with_logits({x}, {y})" if pos_weight is None else f"((1 - {y})*{x} + (1 + ({pos_weight} - 1)*{y})*softplus(-{x}))"
    return reduced(f + (f"*{weight}" if weight is not None else ""), reduction)


@row(F + "margin_ranking_loss")
def _(x, y, sign, *, margin=0, reduction="mean"):
    x, y, sign = together(x, y, sign)
    return reduced(f"relu(-{sign}*({x} - {y}) + {say(margin)})", reduction)


@row(F + "cosine_embedding_loss")
def _(x, y, sign, *, margin=0, reduction="mean"):
    """PyTorch adds 1e-12 under the root."""
    c = f"sum({x}*{y}, axis=-1)/sqrt((sum({x}^2, axis=-1) + 1e-12)*(sum({y}^2, axis=-1) + 1e-12))"
    return reduced(f"where({sign} == 1, 1 - {c}, relu({c} - {say(margin)}))", reduction)


def triplet(a, b, c, margin, p, eps, swap, reduction, distance=None):
    d = distance or (lambda x, y: vector_norm(f"({x} - {y} + {eps})", p, -1))
    far = d(a, c) if not swap else f"minimum({d(a, c)}, {d(b, c)})"
    return reduced(f"relu({d(a, b)} - {far} + {say(margin)})", reduction)


row(F + "triplet_margin_loss")(lambda a, b, c, *, margin=1.0, p=2, eps=1e-6, swap=False, reduction="mean": triplet(a, b, c, margin, p, eps, swap, reduction))


def class_last(x):
    """[n, classes, space..] with the classes last."""
    return x if x.ndim < 3 else Text(permuted(x, [0, *range(2, x.ndim), 1]), (x.shape[0], *x.shape[2:], x.shape[1]))


def class_loss(scores, y, weight, reduction, ignore):
    """scores: a formula of logarithms, classes last; y: classes."""
    k = f"where({y} == {ignore}, 0, {y})"
    w = f"where({y} == {ignore}, 0.0, {'1.0' if weight is None else f'gather({weight}, {k})'})"
    f = f"{w}*nll({scores}, {k})"
    return f"sum({f})/sum({w})" if reduction == "mean" else reduced(f, reduction)


@row(F + "nll_loss")
def _(x, y, *, weight=None, reduction="mean", ignore_index=-100): return class_loss(class_last(x), y, weight, reduction, ignore_index)


@row(F + "cross_entropy")
def _(x, y, *, weight=None, reduction="mean", ignore_index=-100, label_smoothing=0.0):
    x = class_last(x)
    if label_smoothing: raise Skip("label smoothing")
    if y.dtype != f64: return class_loss(f"log_softmax({x})", y, weight, reduction, ignore_index)
    y = class_last(y)
    f = f"cross_entropy({x}, {y})" if weight is None else f"-sum({weight}*{y}*log_softmax({x}), axis=-1)"
    return f"sum({f})/{max(1, math.prod(x.shape[:-1]))}" if reduction == "mean" else reduced(f, reduction)


@row(F + "multilabel_soft_margin_loss")
def _(x, y, weight=None, *, reduction="mean"):
    return reduced(f"mean(bce_with_logits({x}, {y})" + (f"*{weight}" if weight is not None else "") + ", axis=-1)", reduction)


# ---- Networks ----
row(F + "linear")(lambda x, w, b=None: f"{x} @ {'t(' + w + ')' if w.ndim > 1 else w}" + (f" + {b}" if b is not None else ""))


@row(F + "bilinear")
def _(x, y, w, b=None):
    out, k, m = w.shape
    lead = x.shape[:-1]
    u = f"tensordot({x}, permute({w}, [1, 0, 2]), 1)" if x.ndim == 1 else f"reshape({x} @ reshape(permute({w}, [1, 0, 2]), {[k, out * m]}), {say([*lead, out, m])})"
    return f"sum({u}*{y}[..., None, :], axis=-1)" + (f" + {b}" if b is not None else "")


@row(F + "embedding")
def _(weight, index, *, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    if scale_grad_by_freq: raise Skip("gradients scaled by frequency")
    if max_norm is not None: raise Skip("weights changed in place (max_norm)")
    if padding_idx is None: return f"embedding({weight}, {index})"
    return f"where(({index} == {padding_idx % weight.shape[0]})[..., None], stop_gradient(embedding({weight}, {index})), embedding({weight}, {index}))"


def convolution(name, transpose):
    d = int(name[-2])

    @row(F + name)
    def _(x, w, b=None, stride=1, padding=0, *rest, dilation=1, groups=1, output_padding=0):
        if rest: (output_padding, groups, dilation) = (list(rest) + [0, 1, 1][len(rest):]) if transpose else (0, rest[1] if len(rest) > 1 else groups, rest[0])
        batched = x.ndim == d + 2
        every = lambda v: [v] * d if isinstance(v, int) else list(v) * (d if len(v) == 1 else 1)  # noqa: E731
        dil, st = every(dilation), every(stride)
        span = [(k - 1) * s for k, s in zip(w.shape[2:], dil)]
        if padding == "same": before, after = [n // 2 for n in span], [n - n // 2 for n in span]
        else: before = after = every(0 if padding == "valid" else padding)
        if transpose: after = [a - o for a, o in zip(after, every(output_padding))]
        y = f"{'conv_transpose' if transpose else 'conv'}({x if batched else x + '[None]'}, {w}, stride={st}, dilation={dil}, before={before}, after={after}, groups={groups})"
        if b is not None: y += f" + reshape({b}, {say([-1] + [1] * d)})"
        return y if batched else f"({y})[0]"


for d in "123":
    convolution(f"conv{d}d", False)
    convolution(f"conv_transpose{d}d", True)


def places(n, k, s, p, dil, ceil):
    """Windows along an axis, as PyTorch counts them, and what must be added after it."""
    room = n + 2 * p - dil * (k - 1) - 1
    m = (-(-room // s) if ceil else room // s) + 1
    if ceil and (m - 1) * s >= n + p: m -= 1
    return m, max((m - 1) * s + dil * (k - 1) + 1 - n - p, 0)


def pool_widths(x, d, k, s, p, dil, ceil):
    ends = [places(n, *q, ceil)[1] for n, *q in zip(x.shape[-d:], k, s, p, dil)]
    whole = [n + a + b for n, a, b in zip(x.shape[-d:], p, ends)]
    return ends, whole


for d in (1, 2, 3):
    @row(f"nn.functional.max_pool{d}d")
    def _(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False, d=d):
        k, p, dil = every(kernel_size, d), every(padding, d), every(dilation, d)
        s = every(stride, d) if stride else k
        y = f"max_pool({x}, {k}, stride={s}, dilation={dil}, before={p}, after={pool_widths(x, d, k, s, p, dil, ceil_mode)[0]})"
        return [y, None] if return_indices else y

    @row(f"nn.functional.avg_pool{d}d")
    def _(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None, d=d):
        k, p = every(kernel_size, d), every(padding, d)
        s = every(stride, d) if stride else k
        ends, _ = pool_widths(x, d, k, s, p, [1] * d, ceil_mode)
        pool = lambda t: f"avg_pool({t}, {k}, stride={s}, before={p}, after={ends})"  # noqa: E731
        n = math.prod(k)
        if divisor_override: return f"{pool(x)}*({n}/{divisor_override})"
        if count_include_pad and all(e <= q for e, q in zip(ends, p)): return pool(x)
        inner = f"expand(1.0, {say(list(x.shape[-d:]))})"
        if not count_include_pad: return f"{pool(x)}/{pool(inner)}"
        wide = f"pad(expand(1.0, {say([m + 2 * q for m, q in zip(x.shape[-d:], p)])}), {[0] * d}, {[max(e - q, 0) for e, q in zip(ends, p)]})"
        return f"{pool(x)}/avg_pool({wide}, {k}, stride={s})"

    def adaptive(x, size, d):
        return say([n if m is None else m for n, m in zip(x.shape[-d:], every(size, d) if size is not None else [None] * d)])

    row(f"nn.functional.adaptive_avg_pool{d}d")(lambda x, size, d=d: f"adaptive_avg_pool({x}, {adaptive(x, size, d)})")
    row(f"nn.functional.adaptive_max_pool{d}d")(lambda x, size, return_indices=False, d=d: [f"adaptive_max_pool({x}, {adaptive(x, size, d)})", None] if return_indices else f"adaptive_max_pool({x}, {adaptive(x, size, d)})")


def pads(x, pad):
    """PyTorch counts axes from the last, before and after by turns; negative cuts off, after what is added."""
    before, after = ([0] * x.ndim for _ in (0, 1))
    for i in range(len(pad) // 2): before[-1 - i], after[-1 - i] = pad[2 * i], pad[2 * i + 1]
    cut = [f"{max(-b, 0) or ''}:{min(a, 0) or ''}" for b, a in zip(before, after)]
    return [max(b, 0) for b in before], [max(a, 0) for a in after], f"[{', '.join(cut)}]" if set(cut) - {":"} else ""


def pad_by(name, x, pad, value=None):
    before, after, cut = pads(x, pad)
    y = f"{name}({x}{cut}, {before}, {after})" if name == "pad_circular" else f"{name}({x}, {before}, {after}){cut}"
    return y if not value or not x.ndim else f"where(pad(expand(true, {say(list(x.shape))}), {before}, {after}){cut}, {y}, {say(value)})"


row("constant_pad_nd")(lambda x, pad, value=0: pad_by("pad", x, pad, value))
row("nn.functional.pad|constant")(lambda x, pad, mode="constant", value=0: pad_by("pad", x, pad, value))
row("nn.functional.pad|reflect")(lambda x, pad, mode: pad_by("pad_reflect", x, pad))
row("nn.functional.pad|replicate nn.functional.pad|replicate_negative")(lambda x, pad, mode: pad_by("pad_replicate", x, pad))
row("nn.functional.pad|circular")(lambda x, pad, mode: pad_by("pad_circular", x, pad))


@row(F + "layer_norm native_layer_norm")
def _(x, dims, weight=None, bias=None, eps=1e-5):
    k, n = len(dims), math.prod(dims)
    flat = [*x.shape[:x.ndim - k], n]
    gain, shift = (f"reshape({v}, [{n}])" if v is not None else f"expand({w}, [{n}])" for v, w in ((weight, "1.0"), (bias, "0.0")))
    return f"reshape(layer_norm(reshape({x}, {say(flat)}), {gain}, {shift}, eps={eps}), {say(list(x.shape))})"


ROWS["native_layer_norm"] = (lambda f: lambda *a: [f(*a), None, None])(ROWS["native_layer_norm"])


@row(F + "rms_norm")
def _(x, dims, weight=None, eps=None):
    k, n = len(dims), math.prod(dims)
    gain = f"reshape({weight}, [{n}])" if weight is not None else f"expand(1.0, [{n}])"
    return f"reshape(rms_norm(reshape({x}, {say([*x.shape[:x.ndim - k], n])}), {gain}, eps={eps if eps is not None else torch.finfo(f64).eps!r}), {say(list(x.shape))})"


def channel_terms(x, weight, bias): return [v if v is not None else f"expand({w}, [{x.shape[1]}])" for v, w in ((weight, "1.0"), (bias, "0.0"))]


@row(F + "group_norm")
def _(x, groups, weight=None, bias=None, eps=1e-5):
    gain, shift = channel_terms(x, weight, bias)
    return f"group_norm({x}, {gain}, {shift}, {groups}, eps={eps})"


@row(F + "instance_norm")
def _(x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True, momentum=0.1, eps=1e-5, cudnn_enabled=False):
    if not use_input_stats: raise Skip("running statistics")
    gain, shift = channel_terms(x, weight, bias)
    return f"instance_norm({x}, {gain}, {shift}, eps={eps})"


@row(F + "batch_norm")
def _(x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    if x.ndim < 2: raise Skip("batch norm of rank 1")
    gain, shift = channel_terms(x, weight, bias)
    if training: return f"batch_norm({x}, {gain}, {shift}, eps={eps})"
    c = lambda v: f"reshape({v}, {say([-1] + [1] * (x.ndim - 2))})"  # noqa: E731
    return f"({x} - {c(running_mean)})*rsqrt({c(running_var)} + {eps})*{c(gain)} + {c(shift)}"


@row(F + "local_response_norm")
def _(x, size, alpha=1e-4, beta=0.75, k=1.0): return f"local_response_norm({x}, {size}, alpha={say(alpha)}, beta={say(beta)}, k={say(k)})"


def resized(x, size, scale_factor):
    d = x.ndim - 2
    if size is not None: return every(size, d)
    factors = scale_factor if isinstance(scale_factor, (list, tuple)) else [scale_factor] * d
    if any(n * f != math.floor(n * f) for n, f in zip(x.shape[2:], factors)): raise Skip("a scale factor that is not the ratio of the sizes")
    return [math.floor(n * f) for n, f in zip(x.shape[2:], factors)]


@row("nn.functional.interpolate|nearest nn.functional.interpolate|linear nn.functional.interpolate|bilinear nn.functional.interpolate|trilinear nn.functional.interpolate|area")
def _(x, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None, antialias=False):
    to = resized(x, size, scale_factor)
    if mode == "area": return f"adaptive_avg_pool({x}, {say(to)})"
    return f"resize_nearest({x}, {say(to)})" if mode == "nearest" else f"resize_linear({x}, {say(to)}, corners={say(bool(align_corners))})"


row("nn.functional.upsample_nearest")(lambda x, size=None, scale_factor=None: f"resize_nearest({x}, {say(resized(x, size, scale_factor))})")
row("nn.functional.upsample_bilinear")(lambda x, size=None, scale_factor=None: f"resize_linear({x}, {say(resized(x, size, scale_factor))}, corners=true)")


@row(F + "pixel_shuffle")
def _(x, upscale_factor):
    r = upscale_factor
    *lead, c, h, w = x.shape
    n = len(lead)
    return f"reshape(permute(reshape({x}, {say([*lead, c // r // r, r, r, h, w])}), {[*range(n), n, n + 3, n + 1, n + 4, n + 2]}), {say([*lead, c // r // r, h * r, w * r])})"


@row(F + "pixel_unshuffle")
def _(x, downscale_factor):
    r = downscale_factor
    *lead, c, h, w = x.shape
    n = len(lead)
    return f"reshape(permute(reshape({x}, {say([*lead, c, h // r, r, w // r, r])}), {[*range(n), n, n + 2, n + 4, n + 1, n + 3]}), {say([*lead, c * r * r, h // r, w // r])})"


@row(F + "channel_shuffle")
def _(x, groups):
    n, c, *s = x.shape
    return f"reshape(permute(reshape({x}, {say([n, groups, c // groups, *s])}), {[0, 2, 1, *range(3, 3 + len(s))]}), {say(list(x.shape))})"


@row(F + "unfold")
def _(x, kernel_size, dilation=1, padding=0, stride=1):
    k, dil, p, s = (every(v, 2) for v in (kernel_size, dilation, padding, stride))
    batched = x.ndim == 4
    lead = x.shape[:-2]
    wide = f"pad({x}, {[0] * len(lead) + p}, {[0] * len(lead) + p})"
    n = len(lead)
    m = math.prod((size + 2 * q - e * (w - 1) - 1) // t + 1 for size, q, e, w, t in zip(x.shape[-2:], p, dil, k, s))
    return f"reshape(permute(window({wide}, {k}, stride={s}, dilation={dil}), {[*range(n), n + 2, n + 3, n, n + 1]}), {say([*([lead[0]] if batched else []), lead[-1] * math.prod(k), m])})"
