"""The 8-bit forward pass against the one in float32, on the real model that is installed."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.models.embedder import Embedder
from localspec.models.quantized_encoder import QuantizedEncoder, quantized_weight
from localspec.models.text_encoder import TextEncoder
from tests.models.test_text_encoder import LANGUAGES


@pytest.fixture(scope="module")
def light() -> TextEncoder:
    encoder = TextEncoder.load(Embedder().folder)
    assert encoder is not None
    return encoder


@pytest.fixture(scope="module")
def small(light: TextEncoder) -> QuantizedEncoder:
    return QuantizedEncoder(light)


def test_vectors_lie_near_those_in_float32(light: TextEncoder, small: QuantizedEncoder) -> None:
    vectors = small.encode(LANGUAGES)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cosines = (vectors * light.encode(LANGUAGES)).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.mean() > 0.99


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), min_size=1, max_size=4))
def test_any_text_lies_near(light: TextEncoder, small: QuantizedEncoder, texts: list[str]) -> None:
    assert (small.encode(texts) * light.encode(texts)).sum(axis=1).min() > 0.95


def test_a_vector_does_not_depend_on_the_other_texts(small: QuantizedEncoder) -> None:
    together = small.encode(LANGUAGES)
    apart = np.concatenate([small.encode([text]) for text in LANGUAGES])
    assert np.array_equal(together, apart)


def test_the_nearest_text_stays_the_nearest(light: TextEncoder, small: QuantizedEncoder) -> None:
    """Questions in float32 meet passages in 8 bits."""
    pairs = [
        ("How long does rice simmer?", "Let the rice simmer on a low flame for twelve minutes."),
        ("Who may upload a package?", "Another developer may upload a new version of a package."),
        ("When is the library open?", "Opening hours of the library: Monday to Friday, nine to five."),
        ("What does the ticket cost?", "A single ticket is 2.40 euros, a day ticket 6.80 euros."),
        ("How is the battery replaced?", "Remove the cover and lift the old battery out to replace it."),
    ]
    similarities = light.encode([question for question, _ in pairs]) @ small.encode([text for _, text in pairs]).T
    assert similarities.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]


def test_threads_share_it(small: QuantizedEncoder) -> None:
    expected = small.encode(LANGUAGES[:3])
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(small.encode, [LANGUAGES[:3]] * 12):
            assert np.array_equal(vectors, expected)


@given(st.lists(st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=3), min_size=2, max_size=20))
def test_weights_are_kept_to_half_a_step_of_their_column(rows: list[list[float]]) -> None:
    weight = np.array(rows, np.float32)
    values, scales = quantized_weight(weight)
    assert values.dtype == np.int8
    assert np.abs(values.astype(int)).max() <= 63
    whole = np.abs(weight).max(axis=0) / 63  # the scale that nothing is clipped at
    error = np.square(weight - values * scales).sum(axis=0)
    assert (error <= np.square(whole / 2) * len(weight) + 1e-6).all()


def test_without_the_runtime_passages_are_embedded_in_float32(
    monkeypatch: pytest.MonkeyPatch, light: TextEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    real = builtins.__import__

    def missing(name: str, names: Mapping[str, Any] | None = None, *rest: Any) -> Any:
        if name.partition(".")[0] == "onnxruntime":
            raise ImportError(name)
        return real(name, names, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    texts: Sequence[str] = LANGUAGES[:4]
    embedder = Embedder()
    assert np.abs(embedder.embed(texts) - light.encode(texts)).max() < 1e-6
    assert not embedder.is_loaded
    assert "ONNX Runtime" in caplog.text
