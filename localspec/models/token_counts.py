"""Counts tokens word by word, where a tokenizer parts a text at its spaces: each word is cut once, however often it
comes."""

from __future__ import annotations

import json
from typing import Any

_LONGEST = 40
"""Characters of a word that is remembered: longer ones hardly come again."""
_MOST = 100_000
"""Words that are remembered: about 10 MB."""


class TokenCounts(dict[str, int]):
    """The tokens of words, those at the beginning and the end of a text left out."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - tokenizers comes without types
        """`tokenizer` must part texts as `parts_at_spaces` says."""
        super().__init__()
        self._tokenizer = tokenizer
        self._ends = len(tokenizer.encode("").ids)

    def of(self, text: str) -> int:
        """The tokens of a text, those at its beginning and end included."""
        words = text.replace("\n", " ").replace("\t", " ").split(" ")
        return self._ends + sum(map(self.__getitem__, words))

    def __missing__(self, word: str) -> int:
        count = len(self._tokenizer.encode(word, add_special_tokens=False).ids)
        if len(word) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[word] = count
        return count


def parts_at_spaces(tokenizer: Any) -> bool:  # noqa: ANN401 - as above
    """Whether the tokens of a text are those of its words: BERT's way, which takes spaces for nothing else."""
    settings = json.loads(tokenizer.to_str())
    kinds = [(settings.get(part) or {}).get("type") for part in ("model", "normalizer", "pre_tokenizer")]
    return kinds == ["WordPiece", "BertNormalizer", "BertPreTokenizer"]
