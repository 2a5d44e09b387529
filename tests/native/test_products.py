"""Our matrix products: the same bits for a row whatever is computed beside it, and llama.cpp's values.

What the processor or the build does not serve is skipped and said so; nothing here needs a certain processor.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from localspec import native
from tests.native import ggml

pytestmark = pytest.mark.skipif(not native.enabled(), reason=f"our kernels don't serve here: {native.describe()}")

KINDS = (ggml.F32, ggml.F16, ggml.BF16, ggml.Q4_0, ggml.Q4_1, ggml.Q8_0, ggml.Q4_K, ggml.Q5_K, ggml.Q6_K)

SHAPES = {
    "default": [(576, 576), (192, 576), (1536, 576), (576, 1536), (4096, 576)],
    "1.5B": [(1536, 1536), (256, 1536), (8960, 1536), (384, 8960)],
    "odd": [(1, 256), (5, 512), (17, 768), (33, 2304), (100, 32), (31, 96), (7, 100), (19, 33), (3, 7)],
}
CASES = [(m, k) for shapes in SHAPES.values() for m, k in shapes]


def served(kind: int, k: int) -> None:
    if not native.serves(kind):
        pytest.skip(f"{ggml.NAMES[kind]} is not served: {native.describe()}")
    if k % ggml.BLOCK[kind]:
        pytest.skip(f"{ggml.NAMES[kind]} has blocks of {ggml.BLOCK[kind]}: no rows of {k}")


def matrices(kind: int, m: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as bytes and rows of activations, with a few of the large values that models have."""
    random = np.random.default_rng(m * 31 + k)
    # The same 64 rows again and again, shifted: quantizing large matrices would take longer than multiplying them.
    weights = ggml.quantize(random.standard_normal((min(m, 67), k)).astype(np.float32), kind)
    weights = np.ascontiguousarray(np.resize(weights, (m, weights.shape[1])))
    rows = random.standard_normal((n, k)).astype(np.float32)
    rows[:, random.integers(0, k, 3)] *= 30
    rows[n // 2] = 0
    return weights, rows


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: ggml.NAMES[kind])
@pytest.mark.parametrize(("m", "k"), CASES)
def test_a_row_has_the_same_bits_for_any_number_of_rows_and_threads(kind, m, k):
    served(kind, k)
    weights, rows = matrices(kind, m, k, 33)
    alone = np.concatenate(ggml.products_one_by_one(weights, kind, rows))
    large = weights.nbytes > 2**23
    counts = (4, 13, 33) if large else (2, 3, 4, 5, 8, 13, 33) if m * k > 2**20 else range(1, 34)
    for n in counts:
        for threads in (1, 2, 3, 4) if n in (1, 4) or (n == 33 and not large) else (2,):
            first = n % 3 if n < 31 else 0  # rows are not always the first of the batch
            together = ggml.products(weights, kind, rows[first : first + n], threads)
            assert np.array_equal(together.view(np.uint32), alone[first : first + n].view(np.uint32)), (n, threads)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: ggml.NAMES[kind])
@pytest.mark.parametrize(("m", "k"), [(40, 576), (33, 2304), (17, 768), (9, 100), (20, 8960)])
def test_the_values_are_those_of_llama_cpp(kind, m, k):
    served(kind, k)
    weights, rows = matrices(kind, m, k, 5)
    expected = ggml.plain_products(weights, kind, rows)
    # Their sums are the same in another order: as many roundings as there are blocks.
    tolerance = 3e-6 * np.abs(expected).max() + 1e-6 * np.sqrt(k)
    assert np.abs(ggml.products(weights, kind, rows, 2) - expected).max() <= tolerance


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: ggml.NAMES[kind])
def test_long_batches_and_batches_of_batches_are_the_rows_one_by_one(kind):
    served(kind, 256)
    weights, rows = matrices(kind, 50, 256, 1200)
    together = ggml.products(weights, kind, rows, 2)
    for i in (0, 1, 511, 512, 600, 1199):
        assert np.array_equal(together[i], ggml.products(weights, kind, rows[i : i + 1])[0]), i
    stacked = ggml.products(weights, kind, rows[:60].reshape(3, 20, 256), 2)
    assert np.array_equal(stacked.reshape(60, -1), together[:60])


DIGEST = """
import hashlib
from localspec import native
from tests.native import ggml
from tests.native.test_products import matrices
if not native.enabled():
    raise SystemExit("none")
digest = hashlib.sha256()
for kind in (ggml.Q4_0, ggml.Q4_1, ggml.Q8_0, ggml.Q4_K, ggml.Q5_K, ggml.Q6_K):
    digest.update(ggml.products(*matrices(kind, 37, 768, 5)[:1], kind, matrices(kind, 37, 768, 5)[1], 2).tobytes())
print(digest.hexdigest())
"""


@pytest.mark.parametrize("name", ["avx2", "avx-vnni", "avx512-vnni", "neon-dotprod", "neon-i8mm"])
def test_every_instruction_set_gives_the_same_bits(name):
    """Products of integers are exact, and the sums of their scaled values have one order everywhere."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    answers = []
    for kernels in (name, "on"):
        found = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**environment, "LOCALSPEC_KERNELS": kernels},
            cwd=root,
            capture_output=True,
            text=True,
        )
        if found.stderr.strip() == "none":
            pytest.skip(f"this processor has no {name}")
        assert found.returncode == 0, found.stderr
        answers.append(found.stdout)
    assert answers[0] == answers[1]
