"""Tokens that are counted word by word are those of the whole text."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.models import token_counts
from localspec.models.embedder import Embedder
from localspec.models.text_encoder import read_tokenizer
from localspec.models.token_counts import TokenCounts, parts_at_spaces

_TOKENIZER = read_tokenizer(Embedder().folder, None)
_DOCS = Path(__file__).parents[2] / "docs"


def whole(text: str) -> int:
    return len(_TOKENIZER.encode(text).ids)


_PIECES = st.one_of(
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace").decode()),
    st.sampled_from(
        [" ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u0301", "\x1c", "\u200b", "[SEP]", "[MASK]", "日本語", "ß", "İ"]
    ),
    st.sampled_from(["don't", "3.14", "e.g.", "x" * 101, "naïve", "https://a.b/c?d=e", "ไทย", "हिन्दी", "##ing"]),
)  # fmt: skip


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_words_have_the_tokens_of_the_text(text: str) -> None:
    assert TokenCounts(_TOKENIZER).of(text) == whole(text)


def test_documents_have_the_tokens_of_their_words() -> None:
    counts = TokenCounts(_TOKENIZER)
    texts = [path.read_text(encoding="utf-8") for path in sorted(_DOCS.glob("*.md"))]
    assert len(texts) >= 3
    for _ in range(2):
        assert [counts.of(text) for text in texts] == [whole(text) for text in texts]


def test_what_is_remembered_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_counts, "_MOST", 50)
    counts = TokenCounts(_TOKENIZER)
    text = " ".join(f"word{random.Random(at).randrange(10**6)}" for at in range(400))
    assert counts.of(text) == whole(text)
    assert len(counts) <= 50
    counts.of("y" * 1_000)
    assert max(map(len, counts)) <= 40


def test_only_a_tokenizer_that_parts_at_spaces_is_counted_so() -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    assert parts_at_spaces(_TOKENIZER)
    other = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
    assert not parts_at_spaces(other)
    other.normalizer = normalizers.BertNormalizer()
    other.pre_tokenizer = pre_tokenizers.Metaspace()
    assert not parts_at_spaces(other)
