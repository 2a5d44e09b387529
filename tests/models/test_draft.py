"""The draft model beside the real target: pairs, its KV cache, its trees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.errors import DraftMismatchError, ModelFileError, OutOfMemoryError
from localspec.models.draft import FIRST_TOP_K, WIDTH, DraftModel, TopK
from localspec.models.files import catalogue
from localspec.models.llama import LlamaModel, Weights
from localspec.models.pairing import TOKENS, compare_files, pair, same_vocabulary
from tests.models.gguf import write

CONTEXT = 512
TEXT = (
    "The lighthouse of Velm stands on a cliff of red granite. The lighthouse of Velm was built in 1874, and the keeper"
    " of the lighthouse writes down every ship that passes the cliff of red granite at night."
)


@pytest.fixture(scope="session")
def shipped() -> Path:
    entry = catalogue.resolve_draft(catalogue.SHIPPED_DRAFT)
    assert entry.path.stat().st_size <= 16_000_000
    return entry.path


@pytest.fixture(scope="module")
def draft(shipped: Path, loaded: LlamaModel) -> Iterator[DraftModel]:
    model = DraftModel(shipped, loaded, CONTEXT, 2)
    yield model
    model.close()


@pytest.fixture(scope="module")
def fresh(shipped: Path, loaded: LlamaModel) -> Iterator[DraftModel]:
    """Another copy, whose cache is emptied before each use."""
    model = DraftModel(shipped, loaded, CONTEXT, 1)
    yield model
    model.close()


@pytest.fixture(scope="module")
def text(loaded: LlamaModel) -> NDArray[np.int32]:
    return loaded.tokenize(TEXT)


def followed(model: DraftModel, tokens: NDArray[np.int32], count: int = FIRST_TOP_K) -> TopK:
    choices = model.follow(tokens, count)
    assert choices is not None
    return choices


def anew(model: DraftModel, tokens: NDArray[np.int32], count: int = FIRST_TOP_K) -> TopK:
    model.forget()
    return followed(model, tokens, count)


def assert_alike(one: TopK, other: TopK) -> None:
    """The same distribution but for the rounding of batches of unlike sizes."""
    known = dict(zip(other.tokens.tolist(), other.probabilities.tolist(), strict=True))
    assert one.tokens[0] == other.tokens[0] or abs(one.probabilities[0] - other.probabilities[0]) < 0.02
    for token, probability in zip(one.tokens.tolist()[:8], one.probabilities.tolist()[:8], strict=True):
        assert known[token] == pytest.approx(probability, abs=0.02)


def test_the_shipped_draft_fits_the_default_target(draft, loaded, text):
    choices = followed(draft, text)
    assert (np.diff(choices.probabilities) <= 0).all()
    assert 0 < choices.probabilities.sum() <= 1 + 1e-5
    assert len(set(choices.tokens.tolist())) == len(choices.tokens) == FIRST_TOP_K
    assert draft.knows[choices.tokens].all()
    assert draft.vocabulary_size < loaded.vocabulary_size


def test_it_has_learnt_to_copy_what_stands_in_the_text(draft, loaded):
    """A made-up name comes up again: the draft goes on as the text went on before."""
    tokens = loaded.tokenize("The keeper is called Jonas Brambury Ollister. I asked for Jonas Brambury")
    wanted = loaded.tokenize(" Ollister")
    path = tokens
    for token in wanted.tolist():
        assert token in followed(draft, path, 4).tokens
        path = np.append(path, np.int32(token))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_its_cache_equals_a_fresh_prefill_after_any_accepting_and_rejecting(draft, fresh, text, data):
    tokens = text[: data.draw(st.integers(1, 20))]
    for _ in range(data.draw(st.integers(1, 6))):
        first = followed(draft, tokens)
        grown = draft.draft_tree(first, data.draw(st.integers(1, 20)))
        node, path = -1, []
        while (below := np.flatnonzero(grown.parents == node)).size and data.draw(st.booleans()):
            node = int(data.draw(st.sampled_from(below.tolist())))
            path.append(int(grown.tokens[node]))
        if data.draw(st.booleans()):  # the target says something else
            path.append(int(data.draw(st.sampled_from(text.tolist()))))
        if data.draw(st.integers(0, 4)) == 0:  # the person edited the chat
            tokens = tokens[: data.draw(st.integers(1, len(tokens)))]
        tokens = np.concatenate([tokens, np.array(path, np.int32)])
        choices = followed(draft, tokens)
        assert_alike(choices, anew(fresh, tokens))
        assert draft.cached.tolist() == fresh.cached.tolist()


@pytest.mark.parametrize("limit", [1, 3, 15, 64])
def test_a_tree_holds_the_likeliest_paths_with_their_probabilities(draft, fresh, text, limit):
    first = followed(draft, text)
    grown = draft.draft_tree(first, limit)
    count = len(grown.tokens)
    assert 0 < count <= limit
    assert count == limit or limit == 64, "only hopeless nodes are left out"
    paths: list[list[int]] = []
    likelihood: list[float] = []
    siblings: set[tuple[int, int]] = set()
    for token, parent, probability in zip(
        grown.tokens.tolist(), grown.parents.tolist(), grown.probabilities.tolist(), strict=True
    ):
        assert parent < len(paths)
        paths.append([*(paths[parent] if parent >= 0 else []), token])
        likelihood.append(probability * (likelihood[parent] if parent >= 0 else 1.0))
        assert (parent, token) not in siblings
        siblings.add((parent, token))
    # Every node's probability is what the model says of its own path alone: branches do not see one another.
    for path, probability in list(zip(paths, grown.probabilities.tolist(), strict=True))[:24]:
        alone = anew(fresh, np.concatenate([text, np.array(path[:-1], np.int32)]))
        known = dict(zip(alone.tokens.tolist(), alone.probabilities.tolist(), strict=True))
        assert known[path[-1]] == pytest.approx(probability, abs=0.02)
    # No child of the root that was left out is likelier than a node that was kept.
    left_out = [
        float(chance)
        for token, chance in zip(first.tokens[:WIDTH], first.probabilities[:WIDTH], strict=True)
        if [int(token)] not in paths
    ]
    assert max(left_out, default=0.0) <= min(likelihood) + 1e-6


def test_nodes_that_cannot_pay_are_not_drafted(draft, text):
    first = followed(draft, text)
    everything = draft.draft_tree(first, 64)
    likely = draft.draft_tree(first, 64, min_probability=0.2)
    assert 0 < len(likely.tokens) < len(everything.tokens)
    # A target that takes no time at all leaves nothing to win with a further level.
    shallow = draft.draft_tree(first, 64, target_seconds=1e-9)
    assert (shallow.parents == -1).all()


def test_the_smallest_context(shipped, loaded, text):
    small = DraftModel(shipped, loaded, 64, 1)
    try:
        assert 0 < len(small.draft_tree(followed(small, text[:64]), 64).tokens) <= 64
    finally:
        small.close()


def test_a_text_beyond_its_context_is_left_alone(draft):
    assert draft.follow(np.zeros(CONTEXT + 1, np.int32)) is None


def test_the_target_can_be_its_own_draft(model_path, loaded, text):
    """Any GGUF with the target's vocabulary will do: here its first choices are the target's own."""
    itself = DraftModel(model_path, loaded, CONTEXT, 2)
    try:
        assert itself.knows.all()
        loaded.begin(text)
        loaded.decode(int(text[-1]), np.empty(0, np.int32), np.empty(0, np.int32))
        assert followed(itself, text).tokens[0] == int(loaded.logits(1)[0].argmax())
    finally:
        itself.close()
        loaded.forget()


def test_a_pair_is_checked_by_the_texts_of_its_tokens(shipped, loaded, tmp_path):
    data = shipped.read_bytes()
    word = b"\xc4\xa0house"
    assert data.index(word) > data.index(TOKENS.encode())
    other = write(tmp_path / "other.gguf", data.replace(word, b"\xc4\xa0housX"))
    with pytest.raises(DraftMismatchError, match=r"other\.gguf cannot draft for .*: token \d+ is '.*' in\s+the target"):
        DraftModel(other, loaded, CONTEXT, 1)


def test_a_few_tokens_that_differ_are_left_out_and_not_the_pair(model_path, loaded, tmp_path):
    data = model_path.read_bytes()
    word, twin = b"\xc4\xa0lighthouse", b"\xc4\xa0lighthousX"
    token = loaded.vocabulary().index(word)
    other = write(tmp_path / "cousin.gguf", data.replace(word, twin, 1))
    model = DraftModel(other, loaded, CONTEXT, 1)
    try:
        assert np.flatnonzero(~model.knows).tolist() == [token]
        # It reads something else in its place, and proposes all others.
        first = model.follow(np.array([*loaded.tokenize("The ship saw the").tolist(), token], np.int32))
        assert first is not None
        assert token not in first.tokens.tolist()
        assert len(model.draft_tree(first, 8).tokens) > 0
    finally:
        model.close()
    compare_files(model_path, other)


def test_tokens_that_changed_places_go_by_their_texts(tmp_path):
    texts = [b"t%d" % number for number in range(400)]
    own = [*texts[:398], b"<|b|>", b"<|pad|>", b"<|a|>"]
    target = [*texts[:398], b"<|a|>", b"<|b|>", *(b"[PAD%d]" % number for number in range(5))]
    ids, inputs = same_vocabulary(target, own, 7, tmp_path / "target.gguf", tmp_path / "draft.gguf")
    assert ids[:398].tolist() == inputs[:398].tolist() == list(range(398))
    assert ids[398:].tolist() == [399, -1, 398]
    assert inputs[398:].tolist() == [400, 398, *[7] * 5]


def test_another_vocabulary_is_refused(model_path, loaded, tmp_path):
    texts = [b"t%d" % number for number in range(400)]
    with pytest.raises(DraftMismatchError, match="token 0 is 't0' in the target and 't1' in the draft") as raised:
        same_vocabulary(texts, [*texts[1:], texts[0]], 0, tmp_path / "target.gguf", tmp_path / "draft.gguf")
    assert raised.value.advice


@pytest.mark.parametrize("key", ["target_ids", "input_ids", "tokens"])
def test_a_draft_that_does_not_tell_its_tokens_is_refused(shipped, loaded, tmp_path, key):
    name = f"localspec.draft.{key}".encode()
    data = shipped.read_bytes().replace(name, name[:-1] + b"_", 1)
    with pytest.raises(DraftMismatchError, match="does not say which tokens"):
        DraftModel(write(tmp_path / "mute.gguf", data), loaded, CONTEXT, 1)


def test_damaged_and_missing_files_are_refused(shipped, loaded, tmp_path):
    with pytest.raises(ModelFileError, match=r"gone\.gguf does not exist"):
        DraftModel(tmp_path / "gone.gguf", loaded, CONTEXT, 1)
    with pytest.raises(ModelFileError, match=r"half\.gguf could not be loaded"):
        DraftModel(write(tmp_path / "half.gguf", shipped.read_bytes()[:1_000_000]), loaded, CONTEXT, 1)


def test_too_little_memory_is_told(shipped, loaded, monkeypatch):
    real = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: real._replace(available=20_000_000))
    with pytest.raises(OutOfMemoryError, match="draft"):
        DraftModel(shipped, loaded, CONTEXT, 1)


def test_a_pairing_maps_every_token_of_the_target(shipped, loaded):
    weights = Weights(shipped)
    try:
        pairing = pair(loaded, weights)
    finally:
        weights.close()
    assert len(pairing.input_ids) == len(pairing.known) == loaded.vocabulary_size
    # What the draft can propose, it reads as itself.
    assert (pairing.target_ids[pairing.input_ids[pairing.known]] == np.flatnonzero(pairing.known)).all()
    for end in loaded.end_tokens:
        if pairing.known[end]:
            break
    else:
        pytest.fail("it can propose to end the reply")
