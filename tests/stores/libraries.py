"""Libraries of tests: the tokenizer takes bytes, and the embedder is a hash of words."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder
from localspec.stores.ingestion.state_reading import StateReaderLike
from localspec.stores.library import Library

STAGES = ("queued", "parsed", "passages", "ngrams", "ready")


MANUAL = """# Developer's handbook

## Orphaning a package

If you can no longer maintain a package, you need to inform others, and see that the package is marked as orphaned.
You should set the maintainer to the quality assurance group and submit a bug report against the pseudo package wnpp.

## Non-maintainer uploads

Every package has one or more maintainers. Sometimes another developer may upload a new version of it without being its
maintainer. Such an upload is called an NMU. Give the maintainer time to react, and announce what you intend to do.

## Cooking rice

Wash the rice until the water runs clear, bring it to the boil with one and a half times its volume of water, cover
the pot and let it simmer on a low flame for twelve minutes. Leave the lid on for ten more minutes before serving it.

## Security updates

Due to their sensitive nature, security related bugs must be handled carefully. The security team coordinates this work,
keeps track of outstanding problems and issues advisories for the stable release.
"""


class WordEmbedder:
    """Vectors of 64 dimensions that are near when texts share words."""

    dimension = 64
    languages: tuple[str, ...] = ("english",)
    relevance = (0.25, 0.3, 0.08)

    def __init__(self, fingerprint: str = "words") -> None:
        self.fingerprint = fingerprint
        self.calls: list[int] = []

    longest = 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [2 + len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls.append(len(texts))
        vectors = np.full((len(texts), self.dimension), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, hashlib.sha256(word.encode()).digest()[0] % self.dimension] += 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def embed_questions(self, questions: Sequence[str]) -> NDArray[np.float32]:
        return self.embed(questions)


class BrokenEmbedder(WordEmbedder):
    """An embedder whose model is not installed."""

    def __init__(self) -> None:
        self.calls = []

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        raise EmbedderError("The embedding model is not installed.", "Install it.")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        raise EmbedderError("The embedding model is not installed.", "Install it.")

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise EmbedderError("The embedding model is not installed.", "Install it.")


def bytes_as_tokens(text: str) -> NDArray[np.int32]:
    return np.frombuffer(text.encode(), np.uint8).astype(np.int32)


def open_library(
    folder: Path,
    *,
    tokenizer: str = "bytes",
    embedder: WordEmbedder | Embedder | None = None,
    reader: StateReaderLike | None = None,
    other_embedders: Callable[[], Sequence[WordEmbedder]] = list,
) -> Library:
    return Library(
        folder,
        tokenizer_fingerprint=tokenizer,
        tokenize=bytes_as_tokens,
        embedder=embedder or WordEmbedder(),
        state_reader=reader,
        other_embedders=other_embedders,
    )


def long_text(name: str, paragraphs: int) -> str:
    return "\n\n".join(
        f"Paragraph {number} of {name} " + " ".join(f"{name}{number}word{word}" for word in range(40))
        for number in range(paragraphs)
    )


def contents(library: Library) -> dict[str, object]:
    """Everything a person can get out of a library, without the ids."""
    return {
        document.name: (
            document.kind,
            document.status,
            document.characters,
            document.tokens,
            [(p.ordinal, p.page, p.section, p.text) for p in library.passages.of(document.id)],
            library.document_text(document.id),
        )
        for document in library.documents()
    }


def cached_vectors(library: Library) -> int:
    """Vectors in the file of the index."""
    return int(json.loads((library.folder / "passages.hnsw.json").read_text())["count"])


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def statuses(library: Library) -> dict[str, str]:
    return {info.name: info.status for info in library.documents()}


INGEST_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from localspec.stores.ingestion import worker
from tests.stores.libraries import open_library

worker._STEP_SECONDS = 60  # how many documents take a step together depends on no clock here
library = open_library(Path(sys.argv[1]))
commits, statements = int(sys.argv[2]), int(sys.argv[3])

def count_down(statement):
    global commits, statements
    if commits:
        commits -= statement == "COMMIT"
    elif statements:
        statements -= 1
    else:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

library._database._connection.set_trace_callback(count_down)
library.ingest()
"""
