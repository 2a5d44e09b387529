"""The forward pass of a small BERT in 8-bit products, run by ONNX Runtime: the vectors of passages, several times as
fast as in float32. The only importer of onnxruntime and onnx.

The graph is made here from the weights, in memory. Each row of activations and each output channel of a weight matrix
has a scale of its own (LLM.int8(), arXiv 2208.07339, section 3: vector-wise quantization), so that vectors keep a
cosine of 0.99 and more with those of float32, and a text's vector does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec import config
from localspec.models.text_encoder import TextEncoder, normalized

Array = NDArray[np.float32]

_WEIGHT_LIMIT = 63
"""Largest weight in 8 bits. Without VNNI, x86 adds two products of 8 bits in 16 bits, which are too few for
2 · 255 · 127; half of that always fits, so that every processor computes the same."""
_ZERO = 128
_ROW_LIMIT = 127
_GELU_ZERO = 24
_GELU_LEAST = 0.17
"""x · Φ(x) is never below −0.17: more of the 256 steps are for what is above 0."""
_TINY = 1e-9
_CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Parts of the largest weight that are tried as the end of the scale."""
_MICROSOFT = "com.microsoft"
_OPSETS = (("", 17), (_MICROSOFT, 1))
_IR_VERSION = 8


class QuantizedEncoder:
    """A BERT whose token vectors are averaged and brought to length 1. Threads may share it."""

    def __init__(self, encoder: TextEncoder) -> None:
        """Takes the weights of `encoder`, which keeps its own. Raises ImportError where ONNX Runtime is not installed,
        and what it raises where it cannot run here."""
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        # Texts are shared out among threads whole: parts of one would wait for each other.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # every length is another pattern
        self._encoder = encoder
        self._session = onnxruntime.InferenceSession(_graph(encoder), options, providers=["CPUExecutionProvider"])
        self._pool = ThreadPoolExecutor(config.default_threads(), thread_name_prefix="embedding")

    def encode(self, texts: Sequence[str]) -> Array:
        """One vector per text, [n, d], of length 1. Texts hold no lone surrogates."""
        encodings = self._encoder.tokenize(texts)
        # Long ones first: the threads end at nearly the same time.
        order = sorted(range(len(texts)), key=lambda number: -len(encodings[number]))
        vectors = self._pool.map(lambda number: self._vector(encodings[number]), order)
        found = dict(zip(order, vectors, strict=True))
        return np.stack([found[number] for number in range(len(texts))])

    def _vector(self, ids: list[int]) -> Array:
        (rows,) = self._session.run(None, {"rows": self._encoder.embeddings(ids)})
        return normalized(rows)


def _graph(encoder: TextEncoder) -> bytes:
    """The layers as an ONNX model: embedded tokens `rows` float32 [n, d] to the mean of the last layer's, [d]."""
    graph = _Graph(encoder.epsilon)
    rows = "rows"
    for layer in encoder.layers:
        query, key, value = (
            graph.one_text(graph.dense(graph.quantized(rows), weight))
            for weight in np.split(layer.joined[0], 3, axis=1)
        )
        mixed = graph.op(
            "MultiHeadAttention",
            [query, key, value, graph.constant(layer.joined[1])],
            domain=_MICROSOFT,
            num_heads=encoder.heads,
        )
        attended = graph.dense(graph.quantized(graph.op("Squeeze", [mixed, graph.first])), layer.mixed[0])
        rows = graph.norm(attended, layer.mixed[1], rows, layer.attention_norm)
        inner = graph.dense(graph.quantized(rows), layer.inner[0])
        inner = graph.op("BiasGelu", [inner, graph.constant(layer.inner[1])], domain=_MICROSOFT)
        outer = graph.dense(graph.quantized(inner, gelu=True), layer.outer[0])
        rows = graph.norm(outer, layer.outer[1], rows, layer.output_norm)
    return graph.model(graph.op("ReduceMean", [rows], axes=[0], keepdims=0), encoder.width)


class _Graph:
    """Nodes and constants of an ONNX graph. Members that add a node return the name of what it gives."""

    def __init__(self, epsilon: float) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._quantized: dict[tuple[str, bool], tuple[str, str, str]] = {}
        self._epsilon = epsilon
        self.first = self.constant(np.array([0], np.int64))
        self._last = self.constant(np.array([-1], np.int64))
        self._one = self.constant(np.array(1, np.float32))
        self._zeros = {False: _ZERO, True: _GELU_ZERO}
        self._zero = {gelu: self.constant(np.array(zero, np.uint8)) for gelu, zero in self._zeros.items()}
        self._step = {
            False: self.constant(np.array(1 / _ROW_LIMIT, np.float32)),
            True: self.constant(np.array(1 / (255 - _GELU_ZERO), np.float32)),
        }
        self._least = {
            False: self.constant(np.array(_TINY, np.float32)),
            True: self.constant(np.array(_GELU_LEAST / _GELU_ZERO, np.float32)),
        }

    def constant(self, values: NDArray[Any]) -> str:
        """A constant of the graph."""
        from onnx import numpy_helper

        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def op(self, kind: str, inputs: Sequence[str], *, domain: str = "", **attributes: Any) -> str:  # noqa: ANN401
        """A node with one output."""
        from onnx import helper

        name = f"{kind}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, [*inputs], [name], name=name, domain=domain, **attributes))
        return name

    def one_text(self, rows: str) -> str:
        """[n, d] as a batch of one, [1, n, d]."""
        return self.op("Unsqueeze", [rows, self.first])

    def quantized(self, rows: str, *, gelu: bool = False) -> tuple[str, str, str]:
        """Rows float32 [n, d] as uint8 [n, d], the scale of each row [n, 1], and the number that stands for 0. With
        `gelu` they are values of that function."""
        known = self._quantized.get((rows, gelu))
        if known is not None:
            return known
        size = rows if gelu else self.op("Abs", [rows])
        largest = self.op("ReduceMax", [size], axes=[-1], keepdims=0)
        scale = self.op("Max", [self.op("Mul", [largest, self._step[gelu]]), self._least[gelu]])
        zeros = self.op("Expand", [self._zero[gelu], self.op("Shape", [scale])])
        small = self.op("QuantizeLinear", [rows, scale, zeros], axis=0)
        found = small, self.op("Unsqueeze", [scale, self._last]), self._zero[gelu]
        self._quantized[rows, gelu] = found
        return found

    def dense(self, rows: tuple[str, str, str], weight: Array) -> str:
        """Quantized rows times a matrix float32 [in, out], without a bias: float32 [n, out]."""
        small, scale, zero = rows
        values, scales = quantized_weight(weight)
        inputs = [small, self.constant(values), self._one, self.constant(scales), zero]
        return self.op("Mul", [self.op("MatMulIntegerToFloat", inputs, domain=_MICROSOFT), scale])

    def norm(self, rows: str, bias: Array, residual: str, norm: tuple[Array, Array]) -> str:
        """Layer normalization of rows with their bias and the residual stream."""
        whole = self.op("Add", [self.op("Add", [rows, self.constant(bias)]), residual])
        parts = [whole, self.constant(norm[0]), self.constant(norm[1])]
        return self.op("LayerNormalization", parts, axis=-1, epsilon=self._epsilon)

    def model(self, output: str, width: int) -> bytes:
        """The whole model, serialized."""
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["tokens", width])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [width])],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS]
        made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION).SerializeToString()
        return made


def quantized_weight(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """A matrix [in, out] as int8 [in, out] and a scale for each column [out]: of some ends of the scale, the one with
    the least squared error."""
    largest = np.maximum(np.abs(weight).max(axis=0), np.float32(_TINY))
    best = np.full(weight.shape[1], np.inf, np.float32)
    scales = largest / _WEIGHT_LIMIT
    for clip in _CLIPS:
        tried = (largest * np.float32(clip / _WEIGHT_LIMIT)).astype(np.float32)
        error = np.square(weight - _rounded(weight, tried) * tried).sum(axis=0)
        better = error < best
        best[better], scales[better] = error[better], tried[better]
    return _rounded(weight, scales).astype(np.int8), scales.astype(np.float32)


def _rounded(weight: Array, scales: Array) -> Array:
    return np.asarray(np.clip(np.rint(weight / scales), -_WEIGHT_LIMIT, _WEIGHT_LIMIT), np.float32)
