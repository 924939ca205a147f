"""Elementwise ops and activations."""
import torch

from table import ROWS, F, Skip, Text, broadcasting, f64, pairs, reshape, row, rows, say, times, together

# ---- Elementwise, of the same name ----
for name in """abs acos acosh asin asinh atan atanh ceil cos cosh erf erfc erfinv exp exp2 expm1 floor lgamma log log10 log1p log2 neg rsqrt
        sigmoid sign sin sinh sqrt square tan tanh trunc isnan isinf""".split():
    row(name)(lambda x, name=name: f"{name}({x})")
rows(reciprocal="recip({0})", digamma="polygamma({0})", positive="{0}", clone="{0}", contiguous="{0}", nn__functional__relu="relu({0})",
     nn__functional__silu="silu({0})", nn__functional__mish="mish({0})", nn__functional__selu="selu({0})", nn__functional__softsign="softsign({0})",
     nn__functional__hardsigmoid="hard_sigmoid({0})", nn__functional__hardswish="hard_swish({0})", nn__functional__tanhshrink="{0} - tanh({0})",
     nn__functional__relu6="clip({0}, 0, 6)", nn__functional__logsigmoid="log_sigmoid({0})", deg2rad="{0}*(pi/180)", rad2deg="{0}*(180/pi)",
     frac="{0} - trunc({0})", sgn="sign({0})", real="{0}", angle="where({0} < 0, pi, {0}*0)", isfinite="not isnan({0} - {0})", isposinf="{0} == inf",
     isneginf="{0} == -inf", isreal="{0} == {0} or isnan({0})", special__entr="-xlogy({0}, {0})", special__ndtr="normal_cdf({0})",
     special__ndtri="sqrt(2)*erfinv(2*{0} - 1)", sinc="sinc({0})", logical_not="{0} == 0", conj="{0}",
     conj_physical="{0}", resolve_conj="{0}", resolve_neg="{0}", alias_copy="{0}", zero_="{0}*0", signbit="{0} < 0")
# ---- Elementwise, of two ----
rows(atan2="atan2({0}, {1})", hypot="hypot({0}, {1})", maximum="maximum({0}, {1})", minimum="minimum({0}, {1})", fmod="fmod({0}, {1})",
     remainder="mod({0}, {1})", __rmod__="mod({1}, {0})", mul="{0}*{1}", __rmul__="{1}*{0}", pow="{0}^{1}", __rpow__="{1}^{0}",
     float_power="{0}^{1}", true_divide="{0}/{1}", __rdiv__="{1}/{0}", __rsub__="{1} - {0}", eq="{0} == {1}", ne="{0} != {1}",
     lt="{0} < {1}", le="{0} <= {1}", gt="{0} > {1}", ge="{0} >= {1}", logical_and="{0} != 0 and {1} != 0", logical_or="{0} != 0 or {1} != 0",
     logical_xor="xor({0} != 0, {1} != 0)", logaddexp="logaddexp({0}, {1})",
     logaddexp2="logaddexp({0}*log(2), {1}*log(2))/log(2)", xlogy="xlogy({0}, {1})",
     special__xlog1py="xlogy({0}, 1 + {1})", copysign="abs({0})*where({1} < 0, -1, 1)",
     floor_divide="floordiv({0}, {1})", heaviside="where({0} == 0, {1}, where({0} > 0, 1.0, 0.0))", ldexp="{0}*2.0^{1}",
     fmax="where(isnan({1}), {0}, where(isnan({0}), {1}, maximum({0}, {1})))", fmin="where(isnan({1}), {0}, where(isnan({0}), {1}, minimum({0}, {1})))")


pairs("max|binary")(lambda x, y: f"maximum({x}, {y})")
pairs("min|binary")(lambda x, y: f"minimum({x}, {y})")
pairs("add")(lambda x, y, *, alpha=1: f"{say(x)} + {times(alpha)}{say(y)}")
pairs("sub")(lambda x, y, *, alpha=1: f"{say(x)} - {times(alpha)}{say(y)}")
pairs("rsub")(lambda x, y, *, alpha=1: f"{say(y)} - {times(alpha)}{say(x)}")
pairs("__radd__")(lambda x, y: f"{say(y)} + {x}")
pairs("div|no_rounding_mode")(lambda x, y, **mode: f"{say(x)}/{say(y)}")
pairs("div|floor_rounding")(lambda x, y, rounding_mode: f"floor({say(x)}/{say(y)})")
pairs("div|trunc_rounding")(lambda x, y, rounding_mode: f"trunc({say(x)}/{say(y)})")
pairs("where")(lambda x, condition, y: f"where({condition}, {say(x)}, {say(y)})")
pairs("masked_fill")(lambda x, mask, value: f"where({mask}, {say(value)}, {x})")
pairs("lerp")(lambda x, y, w: f"lerp({x}, {y}, {say(w)})")
pairs("addcmul")(lambda x, y, z, *, value=1: f"{x} + {times(value)}{y}*{z}")
pairs("addcdiv")(lambda x, y, z, *, value=1: f"{x} + {times(value)}{y}/{z}")
for n in range(5): row(f"polygamma|polygamma_n_{n}")(lambda x, n: f"polygamma({x if isinstance(x, Text) else n}, n={n if isinstance(x, Text) else x})")
ROWS["special.polygamma|special_polygamma_n_0"] = ROWS["polygamma|polygamma_n_0"]
row("mvlgamma|mvlgamma_p_1 mvlgamma|mvlgamma_p_3 mvlgamma|mvlgamma_p_5")(
    lambda x, p: " + ".join([f"lgamma({x} - {j}/2)" for j in range(p)]) + f" + {p}*({p} - 1)/4*log(pi)")


@row("round round|decimals_0 round|decimals_3 round|decimals_neg_3")
def _(x, decimals=0): return f"round({x}*1e{decimals})/1e{decimals}" if decimals else f"round({x})"


row("double")(lambda x, memory_format=None: f"{x}")


@row("clamp clamp_min clamp_max")
def _(x, min=None, max=None):
    if isinstance(min, Text) or isinstance(max, Text): x, min, max = together(x, min, max)
    y = x if min is None else f"maximum({x}, {say(min)})"
    return y if max is None else f"minimum({y}, {say(max)})"


ROWS["clamp_max"] = broadcasting(lambda x, max: f"minimum({x}, {say(max)})")


@row("nan_to_num")
def _(x, nan=None, posinf=None, neginf=None):
    top = torch.finfo(f64).max
    return f"where(isnan({x}), {say(nan or 0.0)}, where({x} == inf, {say(top if posinf is None else posinf)}, where({x} == -inf, {say(-top if neginf is None else neginf)}, {x})))"


@row("logit")
def _(x, eps=None):
    if eps and eps > 0.5: raise Skip("an eps above 1/2")
    return f"logit({x})" if eps is None else f"logit(minimum(maximum({x}, {eps!r}), {1 - eps!r}))"


# ---- Activations ----
row(F + "leaky_relu")(lambda x, negative_slope=0.01: f"leaky_relu({x}, slope={negative_slope})")
row(F + "elu")(lambda x, alpha=1.0: f"elu({x}, alpha={alpha})")
row(F + "celu")(lambda x, alpha=1.0: f"celu({x}, alpha={alpha})")
row(F + "gelu")(lambda x, approximate="none": f"gelu_tanh({x})" if approximate == "tanh" else f"gelu({x})")
row(F + "hardtanh")(lambda x, min_val=-1.0, max_val=1.0: f"clip({x}, {say(min_val)}, {say(max_val)})")
row(F + "hardshrink")(lambda x, lambd=0.5: f"hard_shrink({x}, threshold={lambd})")
row(F + "softshrink")(lambda x, lambd=0.5: f"soft_shrink({x}, threshold={lambd})")
row(F + "softplus")(lambda x, beta=1, threshold=20: f"where({x}*{say(beta)} > {say(threshold)}, {x}, softplus({x}*{say(beta)})/{say(beta)})")
row(F + "threshold")(lambda x, threshold, value: f"where({x} > {say(threshold)}, {x}, {say(value)})")


@row(F + "prelu")
def _(x, weight):
    w = f"reshape({weight}, [])" if x.ndim == 0 else weight if weight.ndim == 0 or x.ndim < 2 else reshape(weight, [-1] + [1] * (x.ndim - 2))
    return f"where({x} > 0, {x}, {w}*{x})"


row(F + "glu")(lambda x, dim=-1: f"glu({x}, axis={dim})")


@row(F + "rrelu")
def _(x, lower=1 / 8, upper=1 / 3, training=False, inplace=False):
    if training: raise Skip("random draws")
    return f"leaky_relu({x}, slope={(lower + upper) / 2!r})"


@row(F + "dropout " + F + "dropout2d " + F + "dropout3d " + F + "alpha_dropout nn.functional.feature_alpha_dropout|without_train")
def _(x, p=0.5, training=True, inplace=False):
    if training and p not in (0, 0.0): raise Skip("random draws")
    return f"{x}"
