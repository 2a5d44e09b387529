"""The numpy forward pass against sentence-transformers, on the real model that is installed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import threadpoolctl  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.errors import EmbedderError
from localspec.models import text_encoder
from localspec.models.embedder import Embedder
from localspec.models.text_encoder import TextEncoder

LANGUAGES = [
    "How do I ask for a package to be removed?",
    "Où est la bibliothèque, et à quelle heure ferme-t-elle ? Ça dépend, naïvement.",
    "Größe, Maße und Öffnungszeiten — „ß“ bleibt ß",
    "Где находится руководство пользователя?",
    "Πού βρίσκεται ο οδηγός; ΤΕΛΟΣ",
    "用户手册在哪里？请告诉我第5页的内容。",
    "ユーザーマニュアルはどこですか。カタカナ",
    "사용자 설명서는 어디에 있습니까?",
    "उपयोगकर्ता पुस्तिका कहाँ है?",
    "أين دليل المستخدم؟ العَرَبِيَّة",
    "איפה המדריך למשתמש?",
    "คู่มือผู้ใช้อยู่ที่ไหน",
    "İstanbul'da ne var? ıİ",
    "def f(x):\n\treturn x**2  # [SEP] [CLS] ##ing [UNK] [MASK] [PAD]",
    "½ ﬁ ① ℌ a\u0301e\u0308 \u200d\ufeff\u00ad\x00\x07 👩‍👩‍👧 🇩🇪",
    "https://example.org/a_b?c=d&e=%20 4,294,967,296 1e-12",
    "",
    " \n\t ",
    "x" * 400,
    "long words " * 400,
    "字" * 300,
    "a " * 253 + "edge of the limit",
]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """One that has imported the library, for a setting that this encoder does not know and the library ignores."""
    folder = shutil.copytree(Embedder().folder, tmp_path_factory.mktemp("models") / "unknown-setting")
    _with("config.json", nobody_knows=1)(folder)
    embedder = Embedder(folder)
    embedder.embed(["a document"] * 2)
    assert embedder.is_loaded
    return embedder


@pytest.fixture(scope="module")
def light() -> TextEncoder:
    encoder = TextEncoder.load(Embedder().folder)
    assert encoder is not None
    return encoder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(Embedder().folder, tmp_path / "copied-model")


@pytest.mark.parametrize("text", LANGUAGES, ids=range(len(LANGUAGES)))
def test_vectors_are_those_of_the_library(light: TextEncoder, full: Embedder, text: str) -> None:
    assert np.abs(light.encode([text]) - full.embed([text])).max() < 1e-5


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=120), min_size=1, max_size=4))
def test_vectors_of_any_texts_are_those_of_the_library(light: TextEncoder, full: Embedder, texts: list[str]) -> None:
    vectors = light.encode(texts)
    assert vectors.dtype == np.float32
    assert np.abs(vectors - full.embed(texts)).max() < 1e-5


@settings(max_examples=10, deadline=None)
@given(words=st.lists(st.sampled_from(" ".join(LANGUAGES[:16]).split()), min_size=150, max_size=400))
def test_long_texts_are_cut_where_the_library_cuts_them(light: TextEncoder, full: Embedder, words: list[str]) -> None:
    text = " ".join(words)
    assert np.abs(light.encode([text]) - full.embed([text])).max() < 1e-5


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=64))
def test_the_activation_is_the_gaussian_error_linear_unit(values: list[float]) -> None:
    found = np.array(values, np.float32)
    text_encoder._gelu(found)
    expected = [value * 0.5 * (1 + math.erf(value / math.sqrt(2))) for value in values]
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-6)


def test_a_model_that_is_known_is_taken_from_another_folder(copy: Path, light: TextEncoder) -> None:
    encoder = TextEncoder.load(copy)
    assert encoder is not None
    assert np.abs(encoder.encode(LANGUAGES[:2]) - light.encode(LANGUAGES[:2])).max() < 1e-6


def test_threads_that_share_it_leave_the_number_of_blas_threads(light: TextEncoder) -> None:
    def threads() -> list[int]:
        return [one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]

    before, alone = threads(), light.encode(LANGUAGES[:1])
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(light.encode, [LANGUAGES[:1]] * 60):
            assert np.abs(vectors - alone).max() < 1e-6
    assert threads() == before


def _with(name: str, **entries: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | entries), encoding="utf-8")

    return change


def _with_modules(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "modules.json"
        modules = json.loads(path.read_text(encoding="utf-8"))
        change(modules)
        path.write_text(json.dumps(modules), encoding="utf-8")

    return apply


def _with_normalizer(**entries: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        tokenizer = json.loads(path.read_text(encoding="utf-8"))
        tokenizer["normalizer"] |= entries
        path.write_text(json.dumps(tokenizer), encoding="utf-8")

    return change


OTHERS: dict[str, Callable[[Path], object]] = {
    "another architecture": _with("config.json", model_type="roberta"),
    "another activation": _with("config.json", hidden_act="relu"),
    "the tanh form of the activation": _with("config.json", hidden_act="gelu_new"),
    "relative positions": _with("config.json", position_embedding_type="relative_key"),
    "half precision": _with("config.json", torch_dtype="float16"),
    "an entry nobody knows": _with("config.json", rope_theta=10000.0),
    "a decoder": _with("config.json", is_decoder=True),
    "more layers than there are": _with("config.json", num_hidden_layers=7),
    "fewer layers than there are": _with("config.json", num_hidden_layers=5),
    "an inner width that is not the weights'": _with("config.json", intermediate_size=768),
    "the first token as the vector": _with(
        "1_Pooling/config.json", pooling_mode_cls_token=True, pooling_mode_mean_tokens=False
    ),
    "two poolings": _with("1_Pooling/config.json", pooling_mode_max_tokens=True),
    "no pooling": _with("1_Pooling/config.json", pooling_mode_mean_tokens=False),
    "another dimension": _with("1_Pooling/config.json", word_embedding_dimension=7),
    "prompts": _with("config_sentence_transformers.json", prompts={"query": "query: "}),
    "letters lowered by the library": _with("sentence_bert_config.json", do_lower_case=True),
    "a length beyond the positions": _with("sentence_bert_config.json", max_seq_length=1024),
    "a tokenizer told otherwise": _with("tokenizer_config.json", do_lower_case=False),
    "tokens of its own": _with("tokenizer_config.json", added_tokens_decoder={"0": {"content": "[X]"}}),
    "a normalizer told otherwise": _with_normalizer(strip_accents=False),
    "no unit length": _with_modules(lambda modules: modules.pop()),
    "a dense module": _with_modules(lambda modules: modules[2].update(type="sentence_transformers.models.Dense")),
    "a module of somebody else": _with_modules(lambda modules: modules[0].update(type="custom.Transformer")),
    "settings that are none": lambda folder: (folder / "config.json").write_text("{"),
    "settings of another kind": lambda folder: (folder / "config.json").write_text("[]"),
    "no settings": lambda folder: (folder / "sentence_bert_config.json").unlink(),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
    "a broken tokenizer": lambda folder: (folder / "tokenizer.json").write_text('{"model": {"vocab": {}}}'),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "weights that end too early": lambda folder: (folder / "model.safetensors").write_bytes(
        (folder / "model.safetensors").read_bytes()[:5_000_000]
    ),
    "weights of another format": lambda folder: (folder / "model.safetensors").write_bytes(b"PK\x03\x04" * 100),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_other_models_are_left_to_the_library(copy: Path, change: Callable[[Path], object]) -> None:
    change(copy)
    assert TextEncoder.load(copy) is None


def test_a_model_that_only_the_library_knows_is_embedded_by_it(copy: Path) -> None:
    OTHERS["the first token as the vector"](copy)
    embedder = Embedder(copy)
    vectors = embedder.embed(["a question"])
    assert embedder.is_loaded
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_question_after_the_library_was_imported_is_the_same(full: Embedder) -> None:
    embedder = Embedder()
    embedder.prepare()
    question = "How do I ask for a package to be removed?"
    assert np.abs(embedder.embed_questions([question]) - full.embed([question])).max() < 1e-5
    assert not embedder.is_loaded


def test_many_passages_need_no_library() -> None:
    embedder = Embedder()
    for number in range(12):
        embedder.embed([f"passage {number}, part {part}" for part in range(4)])
    assert not embedder.is_loaded


def test_getting_ready_says_that_the_model_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="absent"):
        Embedder(tmp_path / "absent").prepare()
