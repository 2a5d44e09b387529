"""ggml's processor backend called directly: one matrix product or attention as a graph of one node."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from localspec import native

F32, F16, Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K, BF16 = 0, 1, 2, 3, 8, 12, 13, 14, 30
BLOCK = {F32: 1, F16: 1, BF16: 1, Q4_0: 32, Q4_1: 32, Q8_0: 32, Q4_K: 256, Q5_K: 256, Q6_K: 256}
NAMES = {F32: "F32", F16: "F16", BF16: "BF16", Q4_0: "Q4_0", Q4_1: "Q4_1", Q8_0: "Q8_0"}
NAMES |= {Q4_K: "Q4_K", Q5_K: "Q5_K", Q6_K: "Q6_K"}

_pointer = ctypes.c_void_p


class _Params(ctypes.Structure):
    _fields_ = [("mem_size", ctypes.c_size_t), ("mem_buffer", _pointer), ("no_alloc", ctypes.c_bool)]


class _Traits(ctypes.Structure):  # ggml-cpu.h, struct ggml_type_traits_cpu
    _fields_ = [
        ("from_float", ctypes.CFUNCTYPE(None, _pointer, _pointer, ctypes.c_int64)),
        (
            "vec_dot",
            ctypes.CFUNCTYPE(
                None,
                *(ctypes.c_int, _pointer, ctypes.c_size_t, _pointer, ctypes.c_size_t),
                *(_pointer, ctypes.c_size_t, ctypes.c_int),
            ),
        ),
        ("vec_dot_type", ctypes.c_int),
        ("nrows", ctypes.c_int64),
    ]


def _load() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    folder = native.library_folder()
    assert folder is not None
    if sys.platform == "win32":
        names = ("ggml-base.dll", "ggml-cpu.dll")
    elif sys.platform == "darwin":
        names = ("libggml-base.0.dylib", "libggml-cpu.0.dylib")
    else:
        names = ("libggml-base.so.0", "libggml-cpu.so.0")
    base, cpu = (ctypes.CDLL(str(folder / name)) for name in names)
    for library, name, result, arguments in [
        (base, "ggml_init", _pointer, [_Params]),
        (base, "ggml_free", None, [_pointer]),
        (base, "ggml_new_tensor", _pointer, [_pointer, ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64)]),
        (base, "ggml_get_data", _pointer, [_pointer]),
        (base, "ggml_mul_mat", _pointer, [_pointer] * 3),
        (base, "ggml_permute", _pointer, [_pointer, _pointer, *[ctypes.c_int] * 4]),
        (base, "ggml_flash_attn_ext", _pointer, [*[_pointer] * 5, *[ctypes.c_float] * 3]),
        (base, "ggml_new_graph", _pointer, [_pointer]),
        (base, "ggml_build_forward_expand", None, [_pointer, _pointer]),
        (base, "ggml_row_size", ctypes.c_size_t, [ctypes.c_int, ctypes.c_int64]),
        (
            base,
            "ggml_quantize_chunk",
            ctypes.c_size_t,
            [ctypes.c_int, *[_pointer] * 2, *[ctypes.c_int64] * 3, _pointer],
        ),
        (cpu, "ggml_cpu_init", None, []),
        (cpu, "ggml_graph_compute_with_ctx", ctypes.c_int, [_pointer, _pointer, ctypes.c_int]),
        (cpu, "ggml_get_type_traits_cpu", ctypes.POINTER(_Traits), [ctypes.c_int]),
    ]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    cpu.ggml_cpu_init()
    return base, cpu


_base, _cpu = _load()


def quantize(values: NDArray[np.float32], kind: int) -> NDArray[np.uint8]:
    """Rows of F32 [m, k] in the format `kind`, bytes [m, row bytes]."""
    rows, width = values.shape
    values = np.ascontiguousarray(values, np.float32)
    if kind == F32:
        return values.view(np.uint8)
    out = np.empty((rows, _base.ggml_row_size(kind, width)), np.uint8)
    if kind == F16:
        return values.astype(np.float16).view(np.uint8)
    if kind == BF16:
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16).view(np.uint8)
    _base.ggml_quantize_chunk(kind, values.ctypes.data, out.ctypes.data, 0, rows, width, None)
    return out


def plain_products(weights: NDArray[np.uint8], kind: int, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """ggml's own dot products, one weight row and one row of activations at a time: F32 [n, m]."""
    traits = _cpu.ggml_get_type_traits_cpu(kind).contents
    n, k = rows.shape
    out = np.empty((n, len(weights)), np.float32)
    packed = np.empty(_base.ggml_row_size(traits.vec_dot_type, k), np.uint8)
    from_float = _cpu.ggml_get_type_traits_cpu(traits.vec_dot_type).contents.from_float
    for i in range(n):
        from_float(rows[i].ctypes.data, packed.ctypes.data, k)
        for j in range(len(weights)):
            traits.vec_dot(k, out[i, j:].ctypes.data, 0, weights[j].ctypes.data, 0, packed.ctypes.data, 0, 1)
    return out


def _tensor(context: int, kind: int, sizes: Sequence[int], data: NDArray[np.generic]) -> int:
    tensor = _base.ggml_new_tensor(context, kind, len(sizes), (ctypes.c_int64 * len(sizes))(*sizes))
    data = np.ascontiguousarray(data)
    ctypes.memmove(_base.ggml_get_data(tensor), data.ctypes.data, data.nbytes)
    return int(tensor)


def _compute(context: int, node: int, count: int, threads: int) -> NDArray[np.float32]:
    graph = _base.ggml_new_graph(context)
    _base.ggml_build_forward_expand(graph, node)
    assert _cpu.ggml_graph_compute_with_ctx(context, graph, threads) == 0
    out = np.empty(count, np.float32)
    ctypes.memmove(out.ctypes.data, _base.ggml_get_data(node), out.nbytes)
    return out


def products(weights: NDArray[np.uint8], kind: int, rows: NDArray[np.float32], threads: int = 1) -> NDArray[np.float32]:
    """The matrix product as llama.cpp computes it: rows F32 [n, k] (or [batch, n, k]) → F32 [n, m]."""
    shape = rows.shape
    room = weights.nbytes + 3 * rows.nbytes + 16 * int(np.prod(shape[:-1])) * len(weights) + 2**23
    context = _base.ggml_init(_Params(room, None, False))
    try:
        w = _tensor(context, kind, (shape[-1], len(weights)), weights)
        x = _tensor(context, F32, shape[::-1], rows)
        node = _base.ggml_mul_mat(context, w, x)
        return _compute(context, node, int(np.prod(shape[:-1])) * len(weights), threads).reshape(*shape[:-1], -1)
    finally:
        _base.ggml_free(context)


def products_one_by_one(weights: NDArray[np.uint8], kind: int, rows: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """`products` of each row by itself, [1, m] each; the weights are copied once."""
    n, k = rows.shape
    context = _base.ggml_init(_Params(weights.nbytes + n * (4 * k + 4 * len(weights) + 2**20) + 2**23, None, False))
    try:
        w = _tensor(context, kind, (k, len(weights)), weights)
        nodes = [_base.ggml_mul_mat(context, w, _tensor(context, F32, (k, 1), rows[i])) for i in range(n)]
        return [_compute(context, node, len(weights), 1).reshape(1, -1) for node in nodes]
    finally:
        _base.ggml_free(context)


def attention(
    q: NDArray[np.float32],
    k: NDArray[np.float32],
    v: NDArray[np.float32],
    mask: NDArray[np.float32] | None,
    kinds: tuple[int, int] = (F16, F16),
    threads: int = 1,
    softcap: float = 0.0,
) -> NDArray[np.float32]:
    """Attention as llama.cpp computes it: q [rows, heads, width], k and v [cells, key heads, width], mask
    [rows, cells] of 0 and -inf → F32 [rows, heads, width of v]."""
    rows, heads, width = q.shape
    cells, kv_heads, value_width = v.shape
    context = _base.ggml_init(_Params(4 * (q.nbytes + k.nbytes + v.nbytes) + rows * cells * 4 + 2**24, None, False))
    try:
        tensors = [_base.ggml_permute(context, _tensor(context, F32, (width, heads, rows), q), 0, 2, 1, 3)]
        for data, kind in ((k, kinds[0]), (v, kinds[1])):
            flat = quantize(data.reshape(-1, data.shape[-1]), kind)
            tensor = _tensor(context, kind, (data.shape[-1], kv_heads, cells), flat)
            tensors.append(_base.ggml_permute(context, tensor, 0, 2, 1, 3))
        tensors.append(None if mask is None else _tensor(context, F16, (cells, rows), mask.astype(np.float16)))
        node = _base.ggml_flash_attn_ext(context, *tensors, width**-0.5, 0.0, softcap)
        return _compute(context, node, rows * heads * value_width, threads).reshape(rows, heads, value_width)
    finally:
        _base.ggml_free(context)
