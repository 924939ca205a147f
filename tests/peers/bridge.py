"""Chainrule as the peers' checks see it: examples/python/chainrule.py, with tensors of PyTorch in and out, and programs in each way of running."""
import ctypes as c
import os
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python"))
import chainrule  # noqa: E402
from chainrule import Error, Node_, lib  # noqa: E402

DTYPES = {torch.bool: chainrule.BOOL, torch.int32: chainrule.I32, torch.int64: chainrule.I64, torch.float32: chainrule.F32, torch.float64: chainrule.F64}
TORCH = {number: dtype for dtype, number in DTYPES.items()}
WAYS = ("executor", "interpreter")

for name, result, arguments in [
        ("cr_target_new", c.c_void_p, [c.c_void_p]), ("cr_target_free", None, [c.c_void_p]), ("cr_options_new", c.c_void_p, [c.c_void_p]),
        ("cr_options_free", None, [c.c_void_p]), ("cr_options_set", c.c_int, [c.c_void_p, c.c_char_p, c.c_char_p]),
        ("cr_target_output", c.c_int, [c.c_void_p, c.c_char_p, Node_]), ("cr_compile", c.c_int, [c.POINTER(c.c_void_p), c.c_void_p, c.c_void_p]),
        ("cr_program_free", None, [c.c_void_p]), ("cr_run_new", c.c_int, [c.POINTER(c.c_void_p)] + [c.c_void_p] * 3 + [c.c_size_t]),
        ("cr_run_free", None, [c.c_void_p]), ("cr_bind", c.c_int, [c.c_void_p, c.c_char_p, c.c_int, c.c_void_p, c.c_size_t]),
        ("cr_named", Node_, [Node_, c.c_char_p]), ("cr_step", c.c_int, [c.c_void_p]), ("cr_run_error", c.c_char_p, [c.c_void_p]), ("cr_dtype_of", c.c_int, [Node_])]:
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments

CR_ENAME = 7
EMPTY = c.c_double()  # where a tensor without elements stands


class Graph(chainrule.Graph):
    def tensor(self, name, like):
        """An input of this tensor's dtype and shape."""
        return chainrule.Node(self, lib.cr_input(self._g, name.encode(), DTYPES[like.dtype], like.ndim, (c.c_int64 * max(1, like.ndim))(*like.shape)))

    def named(self, node, name):
        return chainrule.Node(self, lib.cr_named(node.raw, name.encode()))

    def built(self, text):
        """A formula; or, since formulas have no text in quotes, "einsum INDICES OPERANDS"."""
        if not text.startswith("einsum "): return self.formula(text)
        _, indices, *names = text.split()
        operands = (Node_ * len(names))(*[lib.cr_find(self._g, n.encode()) for n in names])
        attr = chainrule.Attr_(b"indices", 0, None, indices.encode())
        return chainrule.Node(self, lib.cr_op(self._g, b"einsum", len(names), operands, 1, c.byref(attr)))

    def run(self, nodes, data, way="executor"):
        """The values of nodes, as tensors; data: {name of an input: tensor}."""
        options, target, program, run = lib.cr_options_new(None), lib.cr_target_new(self._g), c.c_void_p(), c.c_void_p()
        try:
            if way == "interpreter": lib.cr_options_set(options, b"device", b"reference")
            for i, node in enumerate(nodes): lib.cr_target_output(target, b"result %d" % i, node.raw)
            if lib.cr_compile(c.byref(program), target, options): raise Error((lib.cr_graph_error(self._g) or b"not compiled").decode())
            if lib.cr_run_new(c.byref(run), program, None, None, 0): raise Error("no run")
            kept = {name: t.detach().contiguous().clone() for name, t in data.items()}
            out = [torch.full(node.shape, 77).to(TORCH[lib.cr_dtype_of(node.raw)]) for node in nodes]
            for name, t in list(kept.items()) + [("result %d" % i, t) for i, t in enumerate(out)]:
                s = lib.cr_bind(run, name.encode(), DTYPES[t.dtype], t.data_ptr() or c.addressof(EMPTY), t.numel() * t.element_size())
                if s and s != CR_ENAME: raise Error((lib.cr_run_error(run) or b"not bound").decode())  # CR_ENAME: what no result needs
            if lib.cr_step(run): raise Error((lib.cr_run_error(run) or b"failed").decode())
            return out
        finally:
            lib.cr_run_free(run), lib.cr_program_free(program), lib.cr_target_free(target), lib.cr_options_free(options)
