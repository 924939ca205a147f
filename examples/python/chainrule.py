"""Chainrule from Python, with ctypes alone: nodes with operators, gradients, values.

    g = Graph()
    w, x, y = g.input("w"), g.input("x"), g.input("y")
    loss = (w * x - y) ** 2
    dw, = g.grad(loss, [w])
    print(g.value(dw, w=1, x=1, y=2))     # -2.0

The op list is asked of the library, so that a new op needs no new line here: g.sin(x), g.sum(x, axis=0) ...
"""
import ctypes as c
import ctypes.util
import os


class Node_(c.Structure):
    _fields_ = [("graph", c.c_void_p), ("id", c.c_uint32), ("epoch", c.c_uint32)]


class Attr_(c.Structure):
    _fields_ = [("name", c.c_char_p), ("count", c.c_int), ("numbers", c.POINTER(c.c_double)), ("text", c.c_char_p)]


BOOL, I32, I64, F16, BF16, F32, F64 = range(7)


def _load():
    name = os.environ.get("CHAINRULE_LIBRARY") or ctypes.util.find_library("chainrule") or "libchainrule.so.0"
    lib = c.CDLL(name)
    p, size, i64p = c.c_void_p, c.c_size_t, c.POINTER(c.c_int64)
    for name, result, arguments in [
        ("cr_graph_new", p, [p]), ("cr_graph_free", None, [p]), ("cr_graph_error", c.c_char_p, [p]), ("cr_ok", c.c_bool, [Node_]),
        ("cr_input", Node_, [p, c.c_char_p, c.c_int, c.c_int, i64p]), ("cr_number", Node_, [p, c.c_double]), ("cr_formula", Node_, [p, c.c_char_p]),
        ("cr_op", Node_, [p, c.c_char_p, c.c_int, c.POINTER(Node_), c.c_int, c.POINTER(Attr_)]), ("cr_op_name", c.c_char_p, [c.c_int]),
        ("cr_grad", c.c_int, [c.POINTER(Node_), Node_, c.c_int, c.POINTER(Node_)]),
        ("cr_vjp", c.c_int, [c.POINTER(Node_), c.c_int, c.POINTER(Node_), c.POINTER(Node_), c.c_int, c.POINTER(Node_)]),
        ("cr_jvp", c.c_int, [c.POINTER(Node_), c.c_int, c.POINTER(Node_), c.c_int, c.POINTER(Node_), c.POINTER(Node_)]), ("cr_count", c.c_int64, [Node_]), ("cr_rank", c.c_int, [Node_]),
        ("cr_dims", i64p, [Node_]), ("cr_find", Node_, [p, c.c_char_p]), ("cr_eval_new", c.c_int, [c.POINTER(p), p, p]), ("cr_eval_free", None, [p]),
        ("cr_eval_set", c.c_int, [p, Node_, c.c_int, p, size]), ("cr_eval_value", c.c_int, [p, Node_, c.c_int, p, size]), ("cr_eval_error", c.c_char_p, [p]),
        ("cr_print", c.c_int, [p, Node_]), ("cr_simplify", Node_, [Node_]), ("cr_text_new", c.c_int, [c.POINTER(p), p]), ("cr_text_free", None, [p]),
        ("cr_text_str", c.c_char_p, [p])]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


lib = _load()


class Error(Exception):
    pass


class Node:
    """A value of a graph."""

    def __init__(self, graph, raw):
        if not lib.cr_ok(raw):
            raise Error((lib.cr_graph_error(graph._g) or b"an error").decode())
        self.graph, self.raw = graph, raw

    def _with(self, name, *others):
        return self.graph.op(name, self, *others)

    def __add__(self, o): return self._with("add", o)
    def __radd__(self, o): return self.graph.op("add", o, self)
    def __sub__(self, o): return self._with("sub", o)
    def __rsub__(self, o): return self.graph.op("sub", o, self)
    def __mul__(self, o): return self._with("mul", o)
    def __rmul__(self, o): return self.graph.op("mul", o, self)
    def __truediv__(self, o): return self._with("div", o)
    def __rtruediv__(self, o): return self.graph.op("div", o, self)
    def __matmul__(self, o): return self._with("matmul", o)
    def __neg__(self): return self._with("neg")
    def __lt__(self, o): return self._with("lt", o)
    def __gt__(self, o): return self._with("gt", o)

    def __pow__(self, n):
        if n == 2:
            return self._with("square")
        return self.graph.op("powi", self, n=n) if isinstance(n, int) else self._with("pow", n)

    @property
    def shape(self):
        return tuple(lib.cr_dims(self.raw)[i] for i in range(lib.cr_rank(self.raw)))

    def __str__(self):
        text = c.c_void_p()
        lib.cr_text_new(c.byref(text), None)
        lib.cr_print(text, lib.cr_simplify(self.raw))
        s = lib.cr_text_str(text).decode()
        lib.cr_text_free(text)
        return s


def _flat(x):
    return [v for row in x for v in _flat(row)] if isinstance(x, (list, tuple)) else [float(x)]


def _raw(nodes):
    return (Node_ * max(1, len(nodes)))(*[n.raw for n in nodes])


class Graph:
    def __init__(self):
        self._g = lib.cr_graph_new(None)
        self._e = c.c_void_p()
        lib.cr_eval_new(c.byref(self._e), self._g, None)

    def __del__(self):
        lib.cr_eval_free(self._e)
        lib.cr_graph_free(self._g)

    def input(self, name, shape=()):
        return Node(self, lib.cr_input(self._g, name.encode(), F64, len(shape), (c.c_int64 * max(1, len(shape)))(*shape)))

    def formula(self, text):
        return Node(self, lib.cr_formula(self._g, text.encode()))

    def op(self, name, *operands, **attributes):
        """Any op of the table by its name; numbers become literals."""
        nodes = [o.raw if isinstance(o, Node) else lib.cr_number(self._g, o) for o in operands]
        attrs = (Attr_ * max(1, len(attributes)))()
        for a, (key, value) in zip(attrs, attributes.items()):
            numbers = _flat(value)
            a.name, a.count, a.numbers = key.encode(), len(numbers), (c.c_double * max(1, len(numbers)))(*numbers)
        return Node(self, lib.cr_op(self._g, name.encode(), len(nodes), (Node_ * max(1, len(nodes)))(*nodes), len(attributes), attrs))

    def __getattr__(self, name):
        return lambda *operands, **attributes: self.op(name, *operands, **attributes)

    def _derived(self, n, derive, *arguments):
        out = (Node_ * max(1, n))()
        if derive(out, *arguments):
            raise Error(lib.cr_graph_error(self._g).decode())
        return [Node(self, raw) for raw in out[:n]]

    def grad(self, loss, wrt):
        return self._derived(len(wrt), lib.cr_grad, loss.raw, len(wrt), _raw(wrt))

    def vjp(self, ys, cotangents, wrt):
        """For each of wrt: the sum over ys of cotangent times dy/dw."""
        return self._derived(len(wrt), lib.cr_vjp, len(ys), _raw(ys), _raw(cotangents), len(wrt), _raw(wrt))

    def jvp(self, ys, wrt, tangents):
        """For each of ys: the sum over wrt of dy/dw times tangent."""
        return self._derived(len(ys), lib.cr_jvp, len(ys), _raw(ys), len(wrt), _raw(wrt), _raw(tangents))

    def value(self, node, **values):
        """The value of a node where inputs have these values: a number, or a flat list."""
        for name, value in values.items():
            numbers = _flat(value)
            data = (c.c_double * len(numbers))(*numbers)
            if lib.cr_eval_set(self._e, lib.cr_find(self._g, name.encode()), F64, data, c.sizeof(data)):
                raise Error((lib.cr_eval_error(self._e) or name.encode()).decode())
        out = (c.c_double * max(1, lib.cr_count(node.raw)))()
        if lib.cr_eval_value(self._e, node.raw, F64, out, 8 * lib.cr_count(node.raw)):
            raise Error(lib.cr_eval_error(self._e).decode())
        return out[0] if lib.cr_rank(node.raw) == 0 else list(out)


if __name__ == "__main__":
    g = Graph()
    w, x, y = g.input("w"), g.input("x"), g.input("y")
    loss = (w * x - y) ** 2
    dw, = g.grad(loss, [w])
    assert str(dw) == "2*x*(w*x - y)", str(dw)
    assert g.value(loss, w=1, x=1, y=2) == 1
    v = g.input("v", (3,))
    dv, = g.grad(g.sum(g.sin(v), axis=0), [v])
    assert g.value(dv, v=[0, 0, 0]) == [1, 1, 1]
    ones = g.formula("[1, 1, 1]*1.0")
    assert g.value(g.vjp([g.sin(v)], [ones], [v])[0], v=[0, 0, 0]) == g.value(g.jvp([g.sin(v)], [v], [ones])[0]) == [1, 1, 1]
    try:
        v @ g.input("u", (4,))
        raise SystemExit("no error")
    except Error as error:
        assert "inner sizes differ" in str(error), error
    print("%g" % g.value(dw))
