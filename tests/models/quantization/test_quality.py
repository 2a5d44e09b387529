"""The measure of quality: known values, and the shipped model against itself and against a wider form of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from localspec.models.llama import LOGIT_ROWS, LlamaModel, LogitReader, Weights
from localspec.models.quantization.quality import MIN_POSITIONS, Reference, compare, divergence, held_texts

ROWS = arrays(np.float32, (4, 7), elements=st.floats(-30, 30, width=32))


@given(ROWS, ROWS)
def test_divergence_is_what_its_definition_says(first, second):
    found, same = divergence(first, second)
    p, q = (np.exp(logits.astype(np.float64)) for logits in (first, second))
    p /= p.sum(axis=1, keepdims=True)
    q /= q.sum(axis=1, keepdims=True)
    expected = np.sum(p * (np.log(p) - np.log(q)), axis=1)
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-4, atol=1e-5)
    assert same.tolist() == (first.argmax(axis=1) == second.argmax(axis=1)).tolist()


@given(ROWS, st.floats(-50, 50, width=32))
def test_a_shift_of_all_logits_changes_nothing(logits, shift):
    found, _ = divergence(logits, logits + np.float32(shift))
    assert (found < 1e-4).all()


def test_a_worked_example():
    found, same = divergence(np.log([[0.5, 0.5]], dtype=np.float32), np.log([[0.75, 0.25]], dtype=np.float32))
    assert found[0] == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25), rel=1e-5)
    assert same[0]


def test_the_held_text_has_every_kind(model: LlamaModel) -> None:
    texts = held_texts()
    assert sum(bool(text.document) for text in texts) >= 10
    assert sum(bool(text.question and text.answer) for text in texts) >= 15
    lengths = [len(model.tokenize(text.document + text.question + text.answer)) for text in texts]
    assert 2500 < sum(lengths) < 5000
    assert max(lengths) < 300
    assert any(text.document for text in texts[:4])


def test_rows_are_those_of_the_model(model: LlamaModel) -> None:
    tokens = np.resize(model.tokenize("The lighthouse of Velm stands on a cliff of red granite."), LOGIT_ROWS + 9)
    reader = LogitReader(model, 1, len(tokens))
    for _ in range(2):  # a second text does not see the first
        parts = [part.copy() for part in reader.read(tokens)]
        assert [len(part) for part in parts] == [LOGIT_ROWS, 9]
    model.begin(tokens)
    model.decode(int(tokens[-1]), tokens[:0], tokens[:0])
    np.testing.assert_allclose(parts[1][-1], model.logits(1)[0], atol=0.5)
    assert parts[1][-1].argmax() == model.logits(1)[0].argmax()
    reader.close()
    reader.close()


def test_a_model_against_itself_and_a_wider_form(model: LlamaModel, wide_model_path: Path) -> None:
    texts = [model.tokenize(text.document or text.answer) for text in held_texts()[:5]]
    done: list[float] = []
    reference = Reference(model, texts, 2)
    same = compare(reference, model, tick=done.append)
    assert same.mean_divergence < 1e-6
    assert (same.agreement, same.positions) == (1.0, sum(map(len, texts)))
    assert done[-1] == 1.0
    wide = Weights(wide_model_path, 0)
    found = compare(reference, wide)
    # What is kept of the original is as good as what it computes.
    reference._kept.clear()
    reference._keeps = False
    assert compare(reference, wide).mean_divergence == pytest.approx(found.mean_divergence, abs=3e-5)
    reference.close()
    assert 0 < found.mean_divergence < 0.02
    assert 0.9 < found.agreement < 1.0
    wide.close()


def test_a_hopeless_format_is_given_up_early(model: LlamaModel, wide_model_path: Path) -> None:
    texts = [model.tokenize(text.document or text.answer) for text in held_texts()]
    wide = Weights(wide_model_path, 0)
    reference = Reference(model, texts, 2)
    found = compare(reference, wide, limit=1e-9)
    reference.close()
    assert MIN_POSITIONS <= found.positions < MIN_POSITIONS + 400
    wide.close()
