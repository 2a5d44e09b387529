"""States beside the chat: the same as the chat's own, at the price of prefill, and out of a reply's way."""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.models.llama import WINDOW, LlamaModel, StateReader

NOTHING = np.empty(0, np.int32)


@pytest.fixture(scope="module")
def reader(loaded: LlamaModel) -> Iterator[StateReader]:
    opened = StateReader(loaded, loaded.threads)
    yield opened
    opened.close()


def text(model: LlamaModel, count: int) -> NDArray[np.int32]:
    words = "The keeper of the lighthouse climbs the stairs every evening and lights the lamp before the sun is gone. "
    tokens = model.tokenize(words * (count // 15 + 1))
    return tokens[:count]


@pytest.mark.parametrize("count", [1, 2, 257])
def test_states_are_those_of_the_chat(model: LlamaModel, reader: StateReader, count: int) -> None:
    tokens = text(model, count + 1)
    model.begin(tokens, states=True)
    states, known = model.known_states()
    assert known.all()
    read = reader.read(tokens[:count])
    assert read is not None
    assert read.dtype == np.float16
    assert np.array_equal(read, states)


def test_the_graph_ends_before_the_logits(loaded: LlamaModel, reader: StateReader) -> None:
    # Without this, reading costs a fifth more; where a system cannot do it, everything else still works.
    assert loaded.states_end_graph is True


def test_a_reading_that_is_stopped_goes_on(loaded: LlamaModel, reader: StateReader) -> None:
    tokens = text(loaded, 400)
    whole = reader.read(tokens)
    assert whole is not None
    asked = 0

    def after(layers: int) -> bool:
        nonlocal asked
        asked += 1
        return asked > layers

    assert reader.read(tokens[::-1].copy()) is not None
    for layers in (0, 3, 29, 35):
        asked = 0
        assert reader.read(tokens, lambda layers=layers: after(layers)) is None  # type: ignore[misc]
        assert asked == layers + 1, "nothing is computed once it is to stop"
    again = reader.read(tokens)
    assert again is not None
    assert np.array_equal(again, whole)


def test_a_reading_stops_long_before_its_batch_ends(loaded: LlamaModel, reader: StateReader) -> None:
    tokens = text(loaded, 256)
    reader.read(tokens[::-1].copy())
    begun = process_time()
    assert reader.read(tokens) is not None
    whole = process_time() - begun
    assert reader.read(tokens[::-1].copy()) is not None
    begun = process_time()
    assert reader.read(tokens, lambda: True) is None
    assert process_time() - begun < whole / 4


def test_what_is_raised_inside_comes_out(loaded: LlamaModel, reader: StateReader) -> None:
    """Ctrl-C, for one: ctypes would print it and go on."""
    tokens = text(loaded, 100)

    def interrupt() -> bool:
        raise KeyboardInterrupt

    assert reader.read(tokens[::-1].copy()) is not None
    with pytest.raises(KeyboardInterrupt):
        reader.read(tokens, interrupt)
    assert reader.read(tokens) is not None


def test_a_longer_text_takes_over_what_was_read(loaded: LlamaModel, reader: StateReader) -> None:
    tokens = text(loaded, 400)
    first, longer = reader.read(tokens[:300]), reader.read(tokens)
    assert first is not None
    assert longer is not None
    # Another batch division rounds otherwise at most where weights are wide; these are not.
    assert np.array_equal(longer[:256], first[:256])


def test_more_than_the_window_is_refused(loaded: LlamaModel, reader: StateReader) -> None:
    with pytest.raises(ValueError, match="window"):
        reader.read(np.zeros(WINDOW + 1, np.int32))


def test_reading_leaves_the_chat_alone(model: LlamaModel, reader: StateReader) -> None:
    tokens = text(model, 60)
    model.begin(tokens)
    model.decode(int(tokens[-1]), NOTHING, NOTHING)
    before = model.logits(1).copy()
    model.discard()
    reader.read(text(model, 400))
    model.decode(int(tokens[-1]), NOTHING, NOTHING)
    assert np.array_equal(model.logits(1), before)
    assert model.cached == len(tokens) - 1


def test_states_follow_what_is_kept(model: LlamaModel, reader: StateReader) -> None:
    """Known states always belong to the cached tokens, whatever was drafted, rejected or cut off."""
    tokens = text(model, 120)
    model.begin(tokens[:50])
    assert not model.known_states()[1].any()
    model.use_states(True)
    draft, parents = tokens[50:53].copy(), np.array([-1, 0, 1], np.int32)
    model.decode(int(tokens[49]), np.append(draft, 7).astype(np.int32), np.append(parents, 0).astype(np.int32))
    model.keep(np.array([0, 1, 2], np.int32))
    states, known = model.known_states()
    assert known.tolist() == [False] * 49 + [True] * 4
    read = reader.read(tokens[:53])
    assert read is not None
    # Prefill and tree rows round alike here, and a state is a half-precision number.
    assert np.allclose(states[49:].astype(np.float32), read[49:].astype(np.float32), atol=0.05, rtol=0.02)
    model.begin(tokens[:51], states=True)
    assert model.known_states()[1].tolist() == [False] * 49 + [True]
    model.forget()
    assert len(model.known_states()[1]) == 0
