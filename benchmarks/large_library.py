"""How long does a folder of many small files take, and how long a search among many passages?

usage: python -m benchmarks.large_library files [--count 10000] [--bytes 2000] [--embed]
       python -m benchmarks.large_library search [--count 1000000] [--questions 50] [--folder FOLDER]
       python -m benchmarks.large_library answers [--count 3000] [--rounds 10]

`files` takes in a folder of text files and indexes them (passages, words and n-grams; with `--embed` vectors, too),
looks through the folder again with nothing changed, and once more with one file in a hundred changed. `search` fills a
library with passages of words in a natural distribution and with vectors in clusters, and asks it; a `folder` keeps it,
so that it can be asked again without filling it. `answers` asks the default model while
files are indexed, and with the indexing paused, in turn. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time, thread_time

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.machine import processor
from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder
from localspec.stores.ingestion import worker
from localspec.stores.library import Library
from localspec.stores.vectors import VectorIndex

_WORDS = 50_000
_DIMENSION = 384
_CLUSTERS = 2_000
_FILES_IN_FOLDER = 100
_PASSAGE_WORDS = 120
_PASSAGES_OF_DOCUMENT = 100
_ANSWER_TOKENS = 100
_BEFORE_ASKING = 2.0  # seconds in which the indexing goes on
_ABOUT = [*("a ship", "a cook", "a bridge", "a winter", "a thief", "an island", "a clock", "a horse", "a fair", "snow")]
_BUILD_WIDTH = 40
_EMBEDDED_AT_ONCE = 1024  # by an embedder that takes no time


class _NoEmbedder(Embedder):
    """Leaves vectors out of what is measured."""

    def embed(self, texts: Sequence[str], *, exact: bool = False) -> NDArray[np.float32]:
        raise EmbedderError("No vectors are wanted here.", "")


class _ClusterEmbedder(Embedder):
    """Vectors near one of many centres, which the first word of a text tells."""

    dimension = _DIMENSION
    fingerprint = "clusters"

    def __init__(self) -> None:
        super().__init__()
        self._random = np.random.default_rng(1)
        self._centres = self._random.standard_normal((_CLUSTERS, _DIMENSION)).astype(np.float32)

    def embed_questions(self, questions: Sequence[str]) -> NDArray[np.float32]:
        return self.embed(questions)

    def embed(self, texts: Sequence[str], *, exact: bool = False) -> NDArray[np.float32]:
        near = self._centres[[zlib.crc32(text.split()[0].encode()) % _CLUSTERS for text in texts]]
        vectors = near + self._random.standard_normal(near.shape).astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class _Writer:
    """Texts whose words are as frequent as those of a language (Zipf's law): English ones, the rarer half chance
    letters, as names and numbers of parts are."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        letters = [*"etaoinshrdlucmfwypvbgk"]
        vocabulary = json.loads((Embedder().folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        self._words = [word for word in vocabulary if word.isalpha() and word.isascii()]
        self._words = [word for word in self._words if len(word) > 1]  # the most frequent ones first
        while len(self._words) < _WORDS:
            self._words.append("".join(self._random.choice(letters, self._random.integers(2, 11))))
        chances = 1 / np.arange(1, _WORDS + 1)
        self._chances = np.cumsum(chances / chances.sum())

    def words(self, count: int) -> list[str]:
        """So many words."""
        places = np.searchsorted(self._chances, self._random.random(count))
        return [self._words[min(int(place), _WORDS - 1)] for place in places]

    def text(self, size: int) -> str:
        """About `size` characters in sentences and paragraphs."""
        words = self.words(size // 6)
        sentences = [" ".join(words[start : start + 14]).capitalize() + "." for start in range(0, len(words), 14)]
        return "\n\n".join(" ".join(sentences[start : start + 6]) for start in range(0, len(sentences), 6))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["files", "search", "answers"])
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--bytes", type=int, default=2000)
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--embed", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.what == "files":
            figures = _files(Path(name), options.count or 10_000, options.bytes, options.embed)
        elif options.what == "answers":
            figures = _answers(Path(name), options.count or 3_000, options.bytes, min(options.rounds, len(_ABOUT)))
        else:
            figures = _search(options.folder or Path(name), options.count or 1_000_000, options.questions)
    print(json.dumps({**figures, "processor": processor()}))


def _files(folder: Path, count: int, size: int, embed: bool) -> dict[str, object]:
    writer, home = _Writer(), folder / "documents"
    paths = _written(writer, home, count, size)
    library = _library(folder, Embedder() if embed else _NoEmbedder(), _tokenizer())
    library.watching.add(home, watched=True)
    figures: dict[str, object] = {"files": count, "bytes": size}
    figures |= _timed("take_in", lambda: library.watching.look())
    figures |= _timed("index", lambda: _ingest(library))
    figures |= _timed("look_again", lambda: library.watching.look())
    for path in paths[::100]:
        path.write_text(writer.text(size))
        os.utime(path, (1.1e9, 1.1e9))

    def take_changes() -> None:
        library.watching.look()
        _ingest(library)

    figures |= _timed("changed", take_changes)
    documents = library.documents()
    figures |= {"documents": len(documents), "passages": sum(one.passages for one in documents)}
    figures |= _timed("list", library.documents)
    figures["megabytes"] = round(psutil.Process().memory_info().rss / 2**20)
    library.close()
    return figures


def _written(writer: _Writer, home: Path, count: int, size: int) -> list[Path]:
    paths = [home / f"{number // _FILES_IN_FOLDER}" / f"{number}.txt" for number in range(count)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(writer.text(size))
        os.utime(path, (1e9, 1e9))
    return paths


def _answers(folder: Path, count: int, size: int, rounds: int) -> dict[str, object]:
    from localspec.chat.engine import Engine
    from localspec.chat.session import Session
    from localspec.chat.turn import ReplyOptions

    engine = Engine("")
    _written(_Writer(), folder / "documents", count, size)
    library = _library(folder, Embedder(), engine.tokenize)
    library.watching.add(folder / "documents", watched=True)
    library.pause(True)
    library.start(should_yield=lambda: engine.busy)
    seconds: dict[tuple[str, bool], list[float]] = {}
    for number in range(2 * rounds):
        for method in ("plain", "auto"):
            paused = number % 2 == 0
            library.pause(paused)
            time.sleep(_BEFORE_ASKING)
            assert paused or not library.progress.done, "more files are needed"
            begun = perf_counter()
            options = ReplyOptions(method, max_tokens=_ANSWER_TOKENS, documents="none", ends_loops=False)
            for update in Session(engine, learns=False).ask(f"Tell a long story about {_ABOUT[number // 2]}.", options):
                turn = update.turn
            assert len(turn.reply_tokens) >= _ANSWER_TOKENS // 2, turn
            taken = (perf_counter() - begun) / len(turn.reply_tokens)
            seconds.setdefault((method, paused), []).append(taken)
            print(method, "at rest" if paused else library.progress.stage, f"{1 / taken:.1f} tokens/s", flush=True)
    figures: dict[str, object] = {"files": count, "answers": rounds}
    for method in ("plain", "auto"):
        ratios = np.array(seconds[method, True]) / np.array(seconds[method, False])
        figures[method] = {
            "at_rest": round(float(1 / np.median(seconds[method, True])), 1),
            "beside": round(float(1 / np.median(seconds[method, False])), 1),
            "ratio": round(float(np.median(ratios)), 2),
        }
    figures["documents_done"] = library.progress.documents_done
    library.close()
    return figures


def _search(folder: Path, count: int, questions: int) -> dict[str, object]:
    writer, embedder = _Writer(), _ClusterEmbedder()
    figures: dict[str, object] = {}
    # A million vectors take an hour as they are added otherwise; a search in the graph looks at as many.
    defaults = VectorIndex.__init__.__kwdefaults__
    assert defaults is not None
    defaults["build_width"] = _BUILD_WIDTH
    figures |= _timed("open", lambda: _library(folder, embedder, _one_token).close())
    library = _library(folder, embedder, _one_token)
    if not library.documents():
        worker.EMBEDDED_AT_ONCE = _EMBEDDED_AT_ONCE
        figures |= _timed("fill", lambda: _fill(library, folder / "documents", writer, count))
    figures |= _timed("first_search", lambda: library.passages.search("warm up", 8))
    asked = [" ".join(writer.words(9)) for _ in range(questions)]
    real = Embedder()
    real.embed_questions(asked[:1])
    searching = _milliseconds(lambda question: library.passages.look_up(question, 8), asked)
    embedding = _milliseconds(lambda question: real.embed_questions([question]), asked)
    figures |= {
        "passages": sum(one.passages for one in library.documents()),
        "search_ms": _quantiles(searching[0]),
        "search_processor_ms": _quantiles(searching[1]),
        "with_embedding_ms": _quantiles(searching[0] + embedding[0]),
        "embedding_ms": _quantiles(embedding[0]),
        "index_megabytes": round(library.memory_bytes() / 2**20),
        "megabytes": round(psutil.Process().memory_info().rss / 2**20),
    }
    library.close()
    return figures


def _fill(library: Library, folder: Path, writer: _Writer, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(max(1, count // _PASSAGES_OF_DOCUMENT)):
        path = folder / f"{number}.txt"
        path.write_text("\n\n".join(" ".join(writer.words(_PASSAGE_WORDS)) for _ in range(_PASSAGES_OF_DOCUMENT)))
    library.watching.add(folder, watched=True)
    while library.watching.look():
        pass
    shutil.rmtree(folder)
    library.watching.forget(1)
    library.ingest()


def _one_token(text: str) -> NDArray[np.int32]:
    """Leaves n-grams out of what is measured."""
    return np.zeros(min(1, len(text)), np.int32)


def _milliseconds(work: Callable[[str], object], texts: Sequence[str]) -> NDArray[np.float64]:
    """Of the clock, and of this thread on a processor, [2, texts]."""
    times = []
    for text in texts:
        begun, worked = perf_counter(), thread_time()
        work(text)
        times.append((1000 * (perf_counter() - begun), 1000 * (thread_time() - worked)))
    return np.array(times).T


def _quantiles(values: NDArray[np.float64]) -> dict[str, float]:
    return {f"p{part}": round(float(np.quantile(values, part / 100)), 1) for part in (50, 95)}


def _library(folder: Path, embedder: Embedder, tokenize: Callable[[str], NDArray[np.int32]]) -> Library:
    return Library(folder / "stores" / "large", tokenizer_fingerprint="benchmark", tokenize=tokenize, embedder=embedder)


def _tokenizer() -> Callable[[str], NDArray[np.int32]]:
    """That of the target."""
    from localspec.chat.engine import Engine

    return Engine("").tokenize


def _ingest(library: Library) -> None:
    try:
        library.ingest()
    except EmbedderError as error:
        print(error, flush=True)


def _timed(name: str, work: Callable[[], object]) -> dict[str, object]:
    start, worked = perf_counter(), process_time()
    work()
    seconds, worked = perf_counter() - start, process_time() - worked
    print(f"{name}: {seconds:.1f} s, of the processor {worked:.1f} s", flush=True)
    return {f"{name}_seconds": round(seconds, 2), f"{name}_processor_seconds": round(worked, 2)}


if __name__ == "__main__":
    main()
