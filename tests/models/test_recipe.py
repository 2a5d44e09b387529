"""The recipe of the shipped draft: what is trained in PyTorch is what llama.cpp runs, and a training can be resumed."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import evaluation
import gguf_file
import selfchat
import training
from localspec.models.llama import LlamaModel, LoadSettings, Written
from network import Config, Draft, with_weights
from vocabulary import DraftVocabulary, choose, expected_uses, pair
from wiring import layout, wired

pytestmark = pytest.mark.slow

SMALL = Config(width=192, layers=2, heads=3, kv_heads=3, head_dim=64, ff=96, vocab=500)
TARGET_SIZE = 700


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_network(config: Config = SMALL) -> Draft:
    torch.manual_seed(3)
    return Draft(config)


def wired_network(config: Config = SMALL) -> Draft:
    network = small_network(config)
    generator = torch.Generator().manual_seed(4)
    embeddings = torch.randn(config.vocab, 256, generator=generator) + 1.0
    uses = torch.rand(config.vocab, generator=generator) * 100
    return with_weights(config, wired(network.state_dict(), config, embeddings, uses))


def small_vocabulary() -> DraftVocabulary:
    chance = np.random.default_rng(5)
    target_ids = np.sort(chance.permutation(TARGET_SIZE)[: SMALL.vocab]).astype(np.int32)
    return pair(target_ids, torch.from_numpy(chance.standard_normal((TARGET_SIZE, 24)).astype(np.float32)))


def some_chats(count: int = 24) -> selfchat.Chats:
    chance = np.random.default_rng(6)
    lengths = chance.integers(12, 90, count).astype(np.int32)
    total = int(lengths.sum())
    chances = np.sort(chance.dirichlet(np.ones(5), total)[:, :4].astype(np.float32))[:, ::-1].copy()
    starts = lengths // 2
    for end, length, start in zip(np.cumsum(lengths), lengths, starts, strict=True):
        chances[end - length : end - length + start - 1] = 0
    tokens = chance.integers(0, TARGET_SIZE, total)
    return selfchat.Chats(tokens, lengths, starts, chance.integers(0, TARGET_SIZE, (total, 4)), chances)


# -- the network and its file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "tolerance"),
    [
        (gguf_file.TensorTypes("F32", "F32", "F32", "F32"), 0.01),
        (gguf_file.TensorTypes("Q8_0", "Q8_0", "Q8_0", "Q8_0"), 0.05),
    ],
)
@pytest.mark.parametrize(
    "config", [SMALL, Config(width=96, layers=3, heads=4, kv_heads=2, head_dim=32, ff=128, vocab=500, theta=10_000)]
)
def test_llama_cpp_computes_what_pytorch_computes(
    tmp_path: Path, config: Config, types: gguf_file.TensorTypes, tolerance: float
) -> None:
    network = wired_network() if config is SMALL else small_network(config)
    vocabulary = small_vocabulary()
    file = tmp_path / "draft.gguf"
    gguf_file.write(file, network, vocabulary, [b"x"] * config.vocab, "some target", types)
    tokens = np.random.default_rng(7).integers(0, config.vocab, 60).astype(np.int32)
    tokens[30:] = tokens[:30]
    with torch.no_grad():
        expected = network.logits(network(torch.from_numpy(tokens).long()[None]))[0, 9:].numpy()
    model = LlamaModel(file, LoadSettings(context=256, threads=1, gpu_layers=0))
    try:
        found = np.concatenate([part.copy() for part in evaluation.teacher_forced(model, tokens, 9)])
    finally:
        model.close()
    error = np.abs(found - expected).max(1) / np.abs(expected).max(1)
    assert np.median(error) < tolerance


def test_the_file_says_how_its_ids_belong_to_the_target(tmp_path: Path) -> None:
    vocabulary = small_vocabulary()
    texts = [f"Ġ{token}".encode() for token in vocabulary.target_ids.tolist()]
    network = small_network()
    types = gguf_file.TensorTypes(embeddings="Q4_0", attention="F32", feed_forward="Q8_0", output="F16")
    gguf_file.write(tmp_path / "draft.gguf", network, vocabulary, texts, "some target", types)
    assert [file.name for file in tmp_path.iterdir()] == ["draft.gguf"]
    read = gguf_file.read_vocabulary(tmp_path / "draft.gguf")
    assert np.array_equal(read.target_ids, vocabulary.target_ids)
    assert np.array_equal(read.input_ids, vocabulary.input_ids)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(tmp_path / "draft.gguf").tensors}
    assert stored["token_embd.weight"].tensor_type.name == "Q4_0"
    assert stored["blk.1.attn_output.weight"].tensor_type.name == "F32"
    assert stored["blk.0.ffn_down.weight"].tensor_type.name == "Q8_0"
    assert stored["output.weight"].tensor_type.name == "F16"
    assert stored["output_norm.weight"].tensor_type.name == "F32"
    field = gguf.GGUFReader(tmp_path / "draft.gguf").get_field("localspec.draft.tokens")
    assert field is not None
    assert [text.encode() for text in field.contents()] == texts
    same = gguf_file.read_tensor(tmp_path / "draft.gguf", "blk.1.attn_output.weight")
    assert torch.equal(same, network.state_dict()["blk.1.attn_output.weight"])


def test_a_file_with_too_few_tokens_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="499 tokens"):
        gguf_file.write(tmp_path / "draft.gguf", small_network(), small_vocabulary(), [b"x"] * 499, "some target")
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_pair_is_refused(model_path: Path) -> None:
    with pytest.raises(ValueError, match="target_ids"):
        gguf_file.read_vocabulary(model_path)


# -- the circuit ------------------------------------------------------------------------------------------------------


def test_the_wired_network_copies_untrained() -> None:
    network = wired_network()
    half = np.random.default_rng(8).integers(0, SMALL.vocab, 100)
    text = torch.from_numpy(np.concatenate([half, half]))[None]
    with torch.no_grad():
        guesses = network.logits(network(text)).argmax(-1)
    right = guesses[0, 100:-1] == text[0, 101:]
    assert right.float().mean() >= 0.9


def test_the_circuit_follows_the_longest_match() -> None:
    network = wired_network()
    # (9, 10, 11) was followed by 50 and by 60; later (10, 11) by 70 and 11 alone by 80.
    text = torch.tensor([[8, 9, 10, 11, 50, 1, 2, 9, 10, 11, 60, 3, 4, 10, 11, 70, 5, 6, 11, 80, 7, 9, 10, 11]])
    with torch.no_grad():
        guess = int(network.logits(network(text))[0, -1].argmax())
    assert guess in (50, 60)


def test_wiring_changes_nothing_it_was_given() -> None:
    network = small_network()
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    wired(network.state_dict(), SMALL, torch.randn(SMALL.vocab, 256), torch.ones(SMALL.vocab))
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


@pytest.mark.parametrize(
    "config",
    [
        Config(width=192, layers=1, heads=3, kv_heads=3, head_dim=64, ff=96, vocab=500),
        Config(width=192, layers=2, heads=3, kv_heads=1, head_dim=64, ff=96, vocab=500),
        Config(width=192, layers=2, heads=3, kv_heads=3, head_dim=64, ff=96, vocab=500, theta=100),
        Config(width=512, layers=2, heads=3, kv_heads=3, head_dim=64, ff=96, vocab=500),
    ],
)
def test_a_network_that_cannot_hold_the_circuit_is_refused(config: Config) -> None:
    with pytest.raises(ValueError):
        layout(config)


# -- the vocabulary ---------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    uses=st.lists(st.floats(0, 1e6), min_size=4, max_size=40),
    share=st.floats(0, 1),
    always=st.sets(st.integers(0, 3), max_size=3),
)
def test_the_most_used_tokens_are_chosen(uses: list[float], share: float, always: set[int]) -> None:
    worth = np.array(uses)
    count = max(len(always), round(share * len(uses)))
    chosen = choose(worth, count, always)
    assert len(chosen) == count
    assert np.array_equal(chosen, np.unique(chosen))
    assert always <= set(chosen.tolist())
    left = np.setdiff1d(np.arange(len(uses)), chosen)
    free = np.setdiff1d(chosen, sorted(always))
    assert not len(left) or not len(free) or worth[free].min() >= worth[left].max()


def test_uses_are_chances_and_a_share_of_occurrences() -> None:
    choices = np.array([[2, 1], [0, 0], [1, 3]])
    chances = np.array([[0.5, 0.25], [0.0, 0.0], [1.0, 0.0]], np.float32)
    uses = expected_uses(np.array([1, 2, 2]), choices, chances, 5)
    assert np.allclose(uses, [0, 1.25 + 0.2, 0.5 + 0.4, 0, 0])


def test_every_target_token_is_read_as_its_own_or_the_nearest() -> None:
    chance = np.random.default_rng(9)
    embeddings = chance.standard_normal((3000, 8)).astype(np.float32) + 5
    target_ids = np.sort(chance.permutation(3000)[:300]).astype(np.int32)
    vocabulary = pair(target_ids, torch.from_numpy(embeddings))
    assert np.array_equal(vocabulary.input_ids[target_ids], np.arange(300))
    assert np.array_equal(np.flatnonzero(vocabulary.said() >= 0), target_ids)
    centred = embeddings - embeddings.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    alike = centred @ centred[target_ids].T
    assert np.allclose(alike[np.arange(3000), vocabulary.input_ids], alike.max(1), atol=1e-5)


# -- training ---------------------------------------------------------------------------------------------------------


def train_on(state: training.Training, corpus: training.Corpus, first: int, last: int) -> list[float]:
    batches = state.batches(corpus)
    return [state.step(next(batches), progress=step / 12) for step in range(first, last)]


def test_a_resumed_training_is_the_uninterrupted_one(tmp_path: Path) -> None:
    vocabulary = small_vocabulary()
    how = training.Settings(batch_tokens=400, seed=2)
    corpus = training.Corpus(some_chats(), vocabulary, how)
    assert len(corpus.epoch(0)) < 12  # a second epoch is begun
    whole = training.Training(wired_network(), vocabulary, how)
    losses = train_on(whole, corpus, 0, 12)
    first = training.Training(wired_network(), vocabulary, how)
    early = train_on(first, corpus, 0, 5)
    first.seconds = 7.5
    first.save(tmp_path / "checkpoint.pt")
    second = training.Training.load(tmp_path / "checkpoint.pt")
    assert (second.steps, second.seconds, second.settings) == (5, 7.5, how)
    late = train_on(second, corpus, 5, 12)
    assert np.allclose(early + late, losses, rtol=1e-4)
    for name, weight in second.network.state_dict().items():
        assert torch.allclose(weight, whole.network.state_dict()[name], atol=1e-4), name
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_plain_checkpoint_is_enough(tmp_path: Path) -> None:
    vocabulary, network = small_vocabulary(), small_network()
    full = tmp_path / "full.pt"
    training.Training(network, vocabulary, training.Settings()).save(full)
    stored = torch.load(full, weights_only=True)
    del stored["training"]
    torch.save(stored, tmp_path / "plain.pt")
    read, pairing = training.read_checkpoint(tmp_path / "plain.pt")
    assert read.config == network.config
    assert np.array_equal(pairing.input_ids, vocabulary.input_ids)
    assert training.Training.load(tmp_path / "plain.pt").steps == 0


def test_training_lowers_the_loss() -> None:
    vocabulary = small_vocabulary()
    how = training.Settings(batch_tokens=400, muon_rate=0.01, rate=0.005)
    corpus = training.Corpus(some_chats(6), vocabulary, how)
    losses = train_on(training.Training(small_network(), vocabulary, how), corpus, 0, 40)
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])


def test_an_epoch_has_every_chat_once_and_batches_are_small() -> None:
    chats = some_chats()
    corpus = training.Corpus(chats, small_vocabulary(), training.Settings(batch_tokens=200))
    groups = corpus.epoch(0)
    assert sorted(chat for group in groups for chat in group) == list(range(24))
    assert all(len(group) * max(chats.lengths[group]) <= 200 for group in groups)
    assert groups == corpus.epoch(0) != corpus.epoch(1)


def test_batches_ask_for_what_the_target_would_say() -> None:
    chats, vocabulary = some_chats(), small_vocabulary()
    corpus = training.Corpus(chats, vocabulary, training.Settings(hard=0.5))
    batch = corpus.batch([3])
    first = int(chats.lengths[:3].sum())
    place = slice(first, first + int(chats.lengths[3]))
    assert np.array_equal(batch.tokens[0].numpy(), vocabulary.input_ids[chats.tokens[place]])
    shares, said = batch.shares[0].numpy(), vocabulary.said()[chats.choices[place]]
    start = int(chats.reply_starts[3])
    assert not shares[: start - 1].any()
    assert not shares[said < 0].any()
    complete = (said[start - 1 :] >= 0).all(1)
    assert np.allclose(shares[start - 1 :][complete].sum(1), 1, atol=1e-5)


def test_a_learning_rate_rises_stays_and_falls() -> None:
    assert training.schedule(0.0, 0) == pytest.approx(0.05)
    assert training.schedule(0.2, 100) == 1.0
    assert training.schedule(0.65, 100) == pytest.approx(0.5)
    assert training.schedule(1.0, 100) == pytest.approx(0.02)


# -- chats and measuring ----------------------------------------------------------------------------------------------


def reply(prompt: int, tokens: list[int], start: int) -> Written:
    count = len(tokens) - start
    chances = np.linspace(1, 0.1, count * 4, dtype=np.float32).reshape(count, 4)
    choices = np.arange(count * 4, dtype=np.int32).reshape(count, 4) + 40_000
    return Written(prompt, np.array(tokens, np.int32), start, np.empty((0, 4), np.float16), choices, chances)


def test_chats_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = [reply(0, [1, 49_151, 3, 4], 2), reply(1, [5, 6, 7, 8, 9], 1)]
    selfchat.save(tmp_path / "chats-000.npz", written[:1])
    selfchat.save(tmp_path / "chats-001.npz", written[1:])
    assert len(list(tmp_path.iterdir())) == 2
    chats = selfchat.load([tmp_path / "chats-000.npz", tmp_path / "chats-001.npz"])
    assert chats.tokens.tolist() == [1, 49_151, 3, 4, 5, 6, 7, 8, 9]
    assert chats.lengths.tolist() == [4, 5]
    assert chats.reply_starts.tolist() == [2, 1]
    # What was found likely stands at the token before.
    assert np.array_equal(chats.choices[1:3], written[0].choices)
    assert np.array_equal(chats.choices[4:8], written[1].choices)
    assert np.allclose(chats.chances[1:3], written[0].chances, atol=1 / 255)
    assert not chats.chances[[0, 3, 8]].any()


def test_hits_are_counted_by_category() -> None:
    def choose(tokens: NDArray[np.int64], start: int) -> NDArray[np.int64]:
        guesses: NDArray[np.int64] = tokens[start:, None] + np.array([len(tokens) % 2, 0, 5, 6])
        return guesses

    replies = evaluation.Replies([np.arange(6), np.arange(9)], [2, 3], ["qa", "rag"])
    assert evaluation.hits(replies, choose) == {"all": (4, 10, 10), "qa": (4, 4, 4), "rag": (0, 6, 6)}


def test_a_network_and_its_file_draft_alike(tmp_path: Path) -> None:
    network, vocabulary = wired_network(), small_vocabulary()
    types = gguf_file.TensorTypes("F32", "F32", "F32", "F32")
    gguf_file.write(tmp_path / "draft.gguf", network, vocabulary, [b"x"] * SMALL.vocab, "some target", types)
    half = np.random.default_rng(10).choice(vocabulary.target_ids, 40, replace=False).astype(np.int64)
    replies = evaluation.Replies([np.concatenate([half, half])], [42], ["qa"])
    model = LlamaModel(tmp_path / "draft.gguf", LoadSettings(context=256, threads=1, gpu_layers=0))
    try:
        in_file = evaluation.hits(replies, evaluation.choices_of_file(model, vocabulary))
    finally:
        model.close()
    in_torch = evaluation.hits(replies, evaluation.choices_of_network(network, vocabulary))
    assert in_file["qa"][0] >= 36
    assert in_torch["qa"][0] >= 36
