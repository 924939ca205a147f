"""Products and linear algebra."""
import math

from table import ROWS, Skip, Text, broadcasting, permuted, row, rows, say, times, together, vector_norm

# ---- Products ----
row("matmul __rmatmul__")(lambda x, y: f"{x} @ {y}")
ROWS["__rmatmul__"] = lambda x, y: f"{y} @ {x}"
@row("einsum")
def _(operands, indices):
    if "..." in indices: raise Skip("einsum with ...")
    return f"einsum {indices.replace(' ', '')} {' '.join(operands)}"


rows(mm="{0} @ {1}", bmm="{0} @ {1}", mv="{0} @ {1}", dot="dot({0}, {1})", vdot="dot({0}, {1})", outer="outer({0}, {1})", kron="kron({0}, {1})")
row("linalg.vecdot")(lambda x, y, *, dim=-1: f"sum({x}*{y}, axis={dim})")
row("inner")(lambda x, y: f"{x}*{y}" if 0 in (x.ndim, y.ndim) else f"tensordot({x}, {permuted(y, [y.ndim - 1, *range(y.ndim - 1)])}, 1)")
row("linalg.cross")(broadcasting(lambda x, y, *, dim=-1: f"cross({x}, {y}, axis={dim})"))


@row("cross")
def _(x, y, dim=None): return f"cross({x}, {y}, axis={dim if dim is not None else x.shape.index(3)})"


row("linalg.multi_dot")(lambda xs: " @ ".join(xs))


@row("tensordot")
def _(x, y, dims=2):
    if isinstance(dims, int): return f"tensordot({x}, {y}, {dims})"
    a, b = ([d % t.ndim for d in ds] for ds, t in zip(dims, (x, y)))
    if [x.shape[i] for i in a] != [y.shape[i] for i in b]: raise Skip("a size of 1 that stretches inside a contraction")
    return f"tensordot({permuted(x, [i for i in range(x.ndim) if i not in a] + a)}, {permuted(y, b + [i for i in range(y.ndim) if i not in b])}, {len(a)})"


def weighted(x, product, alpha, beta): return f"{times(alpha)}({product})" if beta == 0 else f"{times(beta)}{x} + {times(alpha)}({product})"


for name, product in [("addmm addmm|decomposed addmv", "{0} @ {1}"), ("baddbmm", "{0} @ {1}"), ("addr", "outer({0}, {1})"), ("addbmm", "sum({0} @ {1}, axis=0)")]:
    row(name)(lambda x, y, z, *, alpha=1, beta=1, product=product: weighted(x, product.format(y, z), alpha, beta))


# ---- Linear algebra ----
row("linalg.det")(lambda x: f"det({x})")
row("logdet")(lambda x: f"logdet({x})")
row("linalg.slogdet")(lambda x: [f"detsign({x})", f"logabsdet({x})"])
row("linalg.inv")(lambda x: f"inv({x})")
row("linalg.inv_ex")(lambda x, **k: [f"inv({x})", None])
row("linalg.matrix_power")(lambda x, n: f"matrix_power({x}, {n})")


def solve(x, y, left=True):
    vector = y.ndim == 1 or (x.ndim - 1 == y.ndim and x.shape[:-1] == y.shape)
    if vector and left: return f"solve({x}, {y}[..., None])[..., 0]"
    if left: return f"solve({x}, {y})"
    return f"t(solve(t({x}), t({y})))" if not vector else f"solve(t({x}), {y}[..., None])[..., 0]"


row("linalg.solve")(lambda x, y, *, left=True: solve(x, y, left))
row("linalg.solve_ex")(lambda x, y, *, left=True, check_errors=False: [solve(x, y, left), None])
row("linalg.tensorsolve")(lambda x, y, dims=None: tensorsolve(x, y, dims))
row("linalg.tensorinv")(lambda x, ind=2: f"reshape(inv(reshape({x}, {say([math.prod(x.shape[:ind]), -1])})), {say([*x.shape[ind:], *x.shape[:ind]])})")


def tensorsolve(x, y, dims):
    if dims is not None: x = Text(f"permute({x}, {say([i for i in range(x.ndim) if i not in dims] + list(dims))})", [n for i, n in enumerate(x.shape) if i not in dims] + [x.shape[i] for i in dims])
    return f"reshape(solve(reshape({x}, {[y.count, y.count]}), reshape({y}, [-1])), {say(list(x.shape[y.ndim:]))})"


def triangle(x, upper, unitriangular):
    """As PyTorch reads it: the other triangle is not there, the diagonal perhaps 1."""
    n = x.shape[-1]
    return f"({'triu' if upper else 'tril'}({x}, n={1 if upper else -1}) + diag(expand(1.0, [{n}])))" if unitriangular else x


@row("linalg.solve_triangular")
def _(x, y, *, upper, left=True, unitriangular=False):
    a = triangle(x, upper, unitriangular)
    return f"triangular_solve({a}, {y}, upper={say(upper)})" if left else f"t(triangular_solve(t({a}), t({y}), upper={say(not upper)}))"


@row("triangular_solve")
def _(y, x, upper=True, transpose=False, unitriangular=False):
    a = triangle(x, upper, unitriangular)
    return [f"triangular_solve({'t(' + a + ')' if transpose else a}, {y}, upper={say(upper != transpose)})", f"{x}"]


row("linalg.cholesky")(lambda x, *, upper=False: f"t(cholesky({x}))" if upper else f"cholesky({x})")
row("linalg.cholesky_ex")(lambda x, *, upper=False, check_errors=False: [f"t(cholesky({x}))" if upper else f"cholesky({x})", None])


def cholesky_solve(y, x, upper):
    low = f"t({x})" if upper else x
    return f"triangular_solve(t({low}), triangular_solve({low}, {y}), upper=true)"


row("cholesky_solve")(lambda y, x, upper=False: cholesky_solve(y, x, upper))
row("cholesky_inverse")(lambda x, upper=False: cholesky_solve(f"diag(expand(1.0, [{x.shape[-1]}]))", x, upper))
row("linalg.eigvalsh")(lambda x, UPLO="L": f"eigh({x})")  # of x + t(x), by OpInfo's wrapper


@row("linalg.vander")
def _(x, *, N=None):
    x = x if x.ndim else Text(f"{x}[None]", (1,))
    return f"stack({', '.join(f'{x}^{k}' for k in range(N or x.shape[-1]))}, axis=-1)"




@row("cov")
def _(x, correction=1, fweights=None, aweights=None):
    if fweights is not None or aweights is not None: raise Skip("weights")
    x = Text(f"reshape({x}, {say([1, -1] if x.ndim < 2 else list(x.shape))})", (1, x.count) if x.ndim < 2 else x.shape)
    if x.shape[1] <= correction: raise Skip("fewer elements than the correction: nan or inf by division by 0")
    centred = f"({x} - mean({x}, axis=1, keep=true))"
    y = f"{centred} @ t({centred})/{x.shape[1] - correction}"
    return f"reshape({y}, [])" if x.shape[0] == 1 else y




@row("cdist")
def _(x, y, p=2.0, compute_mode=None):
    x, y = together(x, y)
    return f"cdist({x}, {y})" if p == 2 else vector_norm(f"({x}[..., :, None, :] - {y}[..., None, :, :])", p, -1)
