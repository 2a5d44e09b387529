"""Our attention: the same bits for a row whatever is computed beside it and whatever lies between its cells."""

from __future__ import annotations

import numpy as np
import pytest

from localspec import native
from tests.native import ggml

pytestmark = pytest.mark.skipif(not native.attends(), reason=f"our attention does not serve here: {native.describe()}")

KINDS = [(ggml.F16, ggml.F16), (ggml.BF16, ggml.BF16), (ggml.BF16, ggml.F16), (ggml.F32, ggml.F32)]
HEADS = [(9, 3, 64), (12, 2, 128), (4, 4, 32), (5, 1, 48)]
"""Heads, key heads and width: the default model, the 1.5B model, no groups, a width of no whole registers."""


def cache(heads: int, kv_heads: int, width: int, cells: int, rows: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    shapes = ((rows, heads, width), (cells, kv_heads, width), (cells, kv_heads, width))
    return [random.standard_normal(shape).astype(np.float32) for shape in shapes]


def tree_mask(rows: int, cells: int) -> np.ndarray:
    """Rows that see a prefix with gaps and their own ancestors at the end, as drafts in a tree do."""
    random = np.random.default_rng(1)
    mask = np.full((rows, cells), -np.inf, np.float32)
    prefix = random.random(cells - rows) < 0.8
    parents = [int(random.integers(-1, i)) if i else -1 for i in range(rows)]
    for i in range(rows):
        mask[i, : cells - rows][prefix] = 0
        node = i
        while node >= 0:
            mask[i, cells - rows + node] = 0
            node = parents[node]
    return mask


def expected(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Attention in 64-bit floats."""
    group = q.shape[1] // k.shape[1]
    k, v = (np.repeat(x.astype(np.float64), group, axis=1) for x in (k, v))
    scores = np.einsum("rhd,chd->rhc", q.astype(np.float64), k) * q.shape[2] ** -0.5 + mask[:, None, :]
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.einsum("rhc,chd->rhd", weights, v))


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: "-".join(ggml.NAMES[kind] for kind in kinds))
@pytest.mark.parametrize(("heads", "kv_heads", "width"), HEADS)
@pytest.mark.parametrize("cells", [40, 256, 1000])
def test_a_row_has_the_same_bits_for_any_number_of_rows_and_threads(kinds, heads, kv_heads, width, cells):
    rows = 33
    q, k, v = cache(heads, kv_heads, width, cells, rows)
    mask = tree_mask(rows, cells)
    alone = np.concatenate([ggml.attention(q[i : i + 1], k, v, mask[i : i + 1], kinds) for i in range(rows)])
    for n in (2, 3, 4, 5, 8, 16, 33):
        for threads in (1, 2, 4) if n in (4, 33) else (2,):
            first = n % 3 if n < 31 else 0
            part = slice(first, first + n)
            together = ggml.attention(q[part], k, v, mask[part], kinds, threads)
            assert np.array_equal(together.view(np.uint32), alone[part].view(np.uint32)), (n, threads)


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: "-".join(ggml.NAMES[kind] for kind in kinds))
@pytest.mark.parametrize(("heads", "kv_heads", "width"), HEADS)
def test_cells_of_others_and_free_ones_between_change_no_bit(kinds, heads, kv_heads, width):
    rows, cells = 7, 300
    q, k, v = cache(heads, kv_heads, width, cells, rows)
    dense = np.zeros((rows, cells), np.float32)
    own = np.sort(np.random.default_rng(3).permutation(2 * cells)[:cells])
    random = np.random.default_rng(4)
    wide_k, wide_v = (random.standard_normal((2 * cells, *x.shape[1:])).astype(np.float32) for x in (k, v))
    wide_k[own], wide_v[own] = k, v
    mask = np.full((rows, 2 * cells), -np.inf, np.float32)
    mask[:, own] = 0
    close = ggml.attention(q, k, v, dense, kinds)
    assert np.array_equal(ggml.attention(q, wide_k, wide_v, mask, kinds, 2), close)
    # Beside a row that sees everything, every cell is listed.
    mask[0] = 0
    assert np.array_equal(ggml.attention(q, wide_k, wide_v, mask, kinds, 2)[1:], close[1:])


@pytest.mark.parametrize(("heads", "kv_heads", "width"), HEADS)
def test_the_values_are_those_of_attention(heads, kv_heads, width):
    rows, cells = 20, 777
    q, k, v = cache(heads, kv_heads, width, cells, rows)
    mask = tree_mask(rows, cells)
    got = ggml.attention(q, k, v, mask, (ggml.F32, ggml.F32), 2)
    assert np.abs(got - expected(q, k, v, mask)).max() < 2e-6


def test_a_row_that_sees_nothing_is_zero_and_long_batches_are_served():
    q, k, v = cache(9, 3, 64, 600, 600)
    mask = np.triu(np.full((600, 600), -np.inf, np.float32), 1)
    mask[5] = -np.inf
    got = ggml.attention(q, k, v, mask, threads=2)
    assert not got[5].any()
    for i in (0, 4, 6, 63, 64, 599):
        assert np.array_equal(got[i], ggml.attention(q[i : i + 1], k, v, mask[i : i + 1])[0]), i
