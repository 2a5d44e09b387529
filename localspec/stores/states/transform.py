"""The projection of hidden states onto few dimensions: z-score, PCA, unit length (DReSD, arXiv 2502.15572, section 3).

Pure functions of arrays. A state is kept as its first 256 principal components and searched by the first 64 of them,
so that a later transform can be applied to what an earlier one kept.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

SEARCHED = 64  # principal components that are searched: 50% of the default model's variance (DReSD: 64)
KEPT = 256
"""Principal components that are stored: 83% of the default model's variance. Of the 50 nearest by a later transform,
96% are found among states that it was applied to through these (128: 91%)."""
_STORED = np.dtype("<f4")
_MAX_COMPONENT = 60_000
"""float16 ends at 65,504; a dimension that hardly varied in the fitted states may go beyond later."""
_CONSTANT = 1e-5  # a dimension whose deviation is below this share of its mean is constant: float16 resolves 5e-4
_ITERATIONS = 6
_THREADED_ROWS = 4
_SPARE_COLUMNS = 10


class Transform:
    """Mean, deviation and principal components of hidden states. Never changes."""

    def __init__(self, mean: ArrayLike, deviation: ArrayLike, components: ArrayLike) -> None:
        """`mean` and `deviation` [d], a deviation of 0 leaves its dimension out; `components` [256, d]. Raises
        ValueError for other shapes and for what is no finite number."""
        self.mean = np.ascontiguousarray(mean, np.float32)
        self.deviation = np.ascontiguousarray(deviation, np.float32)
        self.components = np.ascontiguousarray(components, np.float32)
        self.dimension = len(self.mean)
        if self.deviation.shape != (self.dimension,) or self.components.shape != (KEPT, self.dimension):
            raise ValueError(f"a transform of {self.dimension} dimensions has {KEPT} components of that length")
        if not all(np.isfinite(part).all() for part in (self.mean, self.deviation, self.components)):
            raise ValueError("a transform must be of finite numbers")
        scale = np.divide(1, self.deviation, out=np.zeros_like(self.deviation), where=self.deviation > 0)
        self._basis: NDArray[np.float32] = self.components * scale

    def project(self, states: ArrayLike) -> NDArray[np.float32]:
        """Unit vectors [n, 64] of raw states [n, d]; 0 for a state that is the mean."""
        return unit(_product(np.asarray(states, np.float32) - self.mean, self._basis[:SEARCHED].T))

    def reduce(self, states: ArrayLike) -> NDArray[np.float16]:
        """What is stored of raw states [n, d]: their principal components [n, 256], not normalised."""
        reduced = _product(np.asarray(states, np.float32) - self.mean, self._basis.T)
        return np.clip(reduced, -_MAX_COMPONENT, _MAX_COMPONENT).astype(np.float16)

    def to_bytes(self) -> bytes:
        """float32, little-endian: mean, deviation, components."""
        return np.vstack([self.mean, self.deviation, self.components]).astype(_STORED).tobytes()

    @classmethod
    def from_bytes(cls, stored: bytes, dimension: int) -> Transform:
        """The inverse of `to_bytes`. Raises ValueError when the length does not fit."""
        rows = np.frombuffer(stored, _STORED).reshape(KEPT + 2, dimension)
        return cls(rows[0], rows[1], rows[2:])


class Carry:
    """Takes what one transform kept of a state to the unit vector that another one gives, without the state. The state
    is taken as its part within the old components, so the result is near, not equal."""

    def __init__(self, old: Transform, new: Transform) -> None:
        basis = new._basis[:SEARCHED].T
        self._matrix = np.asarray((old.components * old.deviation) @ basis, np.float32)
        self._offset = np.asarray((old.mean - new.mean) @ basis, np.float32)

    def __call__(self, reduced: ArrayLike) -> NDArray[np.float32]:
        """Unit vectors [n, 64] of stored components [n, 256]."""
        return unit(_product(np.asarray(reduced, np.float32), self._matrix) + self._offset)


def unit(vectors: ArrayLike) -> NDArray[np.float32]:
    """Rows [n, c] divided by their length; rows of zeros stay. Lengths must be below 1e19."""
    rows = np.asarray(vectors, np.float32)
    lengths = np.sqrt(np.einsum("nc,nc->n", rows, rows))[:, None]
    units: NDArray[np.float32] = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return units


def fit(states: NDArray[np.float16]) -> Transform:
    """The transform of raw states [n, d], n at least 1. The same states give the same transform. The components come
    from subspace iteration on the covariance (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4), which is
    faster than a full decomposition for the widths of language models. Where there are fewer states or dimensions than
    components, the rest are zeros."""
    rows = states.astype(np.float32)
    mean = rows.mean(axis=0, dtype=np.float64)
    rows -= mean.astype(np.float32)
    deviation = np.sqrt(np.einsum("nd,nd->d", rows, rows, dtype=np.float64) / len(rows))
    deviation[deviation <= _CONSTANT * np.abs(mean)] = 0
    rows *= np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0).astype(np.float32)
    dimension = rows.shape[1]
    columns = min(KEPT + _SPARE_COLUMNS, dimension)
    directions = np.random.default_rng(0).standard_normal((dimension, columns), dtype=np.float32)
    with _blas().limit(limits=1, user_api="blas"):
        for _ in range(_ITERATIONS):
            directions, _ = np.linalg.qr(rows.T @ (rows @ directions))
        within = rows @ directions
        variances, rotation = np.linalg.eigh((within.T @ within).astype(np.float64))
    # Directions beyond the rank are left over from the start of the iteration and mean nothing.
    order = np.argsort(-variances)[: min(KEPT, len(rows))]
    order = order[variances[order] > 1e-6 * max(float(variances.max()), 1e-30)]
    components = np.zeros((KEPT, dimension), np.float32)
    components[: len(order)] = (directions @ rotation[:, order].astype(np.float32)).T
    return Transform(mean, deviation, components)


def _product(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix product in this thread alone. While the model computes, threads of the BLAS library that wait for each
    other take six times as long as one."""
    if len(left) < _THREADED_ROWS:  # BLAS uses one thread by itself, and a query has no time to lose
        return left @ right
    with _blas().limit(limits=1, user_api="blas"):
        return left @ right


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()
