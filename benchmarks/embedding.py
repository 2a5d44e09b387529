"""How fast are passages embedded, and are they found as well, beside sentence-transformers with torch?

usage: python -m benchmarks.embedding --texts FILE … [--passages 400] [--rounds 3]

The passages of the files, in turn in one run: as before (the library, four at once), and as the application does it.
Each way runs in a process of its own, whose memory is told. A passage is looked for by its first sentence, which is
embedded as a question. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import psutil

from benchmarks.machine import processor
from localspec.models.embedder import Embedder
from localspec.stores.documents.parse import parse
from localspec.stores.documents.passages import split
from localspec.stores.ingestion.worker import EMBEDDED_AT_ONCE

_BEFORE_AT_ONCE = 4


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="+", required=True)
    parser.add_argument("--passages", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", choices=["before", "now"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    found = [f"{one.section}\n{one.text}" for path in options.texts for one in split(parse(path))]
    texts = [found[at] for at in np.random.default_rng(0).permutation(len(found))[: options.passages]]
    if options.serve:
        _serve(options.serve, options.folder, texts)
        return
    tokens = Embedder().count(texts) / len(texts)
    print(f"{processor()}, {len(texts)} passages of {tokens:.0f} tokens", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        children = {way: _child(way, folder) for way in ("before", "now")}
        figures: dict[str, list[dict[str, float]]] = {way: [] for way in children}
        for _ in range(options.rounds):
            for way, child in children.items():
                assert child.stdin is not None
                assert child.stdout is not None
                child.stdin.write("go\n")
                child.stdin.flush()
                figures[way].append(json.loads(child.stdout.readline()))
                print(way, figures[way][-1], flush=True)
        for child in children.values():
            child.communicate()
        vectors = {way: np.load(folder / f"{way}.npz") for way in children}
    best = {way: max(each["per_second"] for each in runs) for way, runs in figures.items()}
    cosines = (vectors["before"]["passages"] * vectors["now"]["passages"]).sum(axis=1)
    print(
        json.dumps(
            {
                "per_second": {way: round(speed, 1) for way, speed in best.items()},
                "ratio": round(best["now"] / best["before"], 2),
                "megabytes": {way: runs[-1]["megabytes"] for way, runs in figures.items()},
                "cosine_least": round(float(cosines.min()), 4),
                "cosine_mean": round(float(cosines.mean()), 4),
                "found": {way: _found(vectors[way]["questions"], vectors[way]["passages"]) for way in children},
                "tokens": round(tokens),
                "processor": processor(),
                "versions": {name: version(name) for name in ("torch", "sentence-transformers", "onnxruntime")},
            }
        )
    )


def _child(way: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.embedding", *sys.argv[1:], "--serve", way, "--folder", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _serve(way: str, folder: Path, texts: list[str]) -> None:
    """Embed the texts once for each line of standard input."""
    embedder, at_once = Embedder(), EMBEDDED_AT_ONCE
    if way == "before":
        # A setting that nobody knows leaves the model to the library.
        copy = shutil.copytree(embedder.folder, folder / "model")
        config = copy / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text(encoding="utf-8")) | {"nobody_knows": 1}))
        embedder, at_once = Embedder(copy), _BEFORE_AT_ONCE
    vectors: Any = embedder.embed(texts[:at_once])
    for _ in sys.stdin:
        begun, worked = perf_counter(), process_time()
        vectors = np.concatenate(
            [embedder.embed(texts[start : start + at_once]) for start in range(0, len(texts), at_once)]
        )
        figures = {
            "per_second": len(texts) / (perf_counter() - begun),
            "per_processor_second": len(texts) / (process_time() - worked),
            "megabytes": round(psutil.Process().memory_info().rss / 2**20),
        }
        print(json.dumps(figures), flush=True)
    first = [re.split(r"(?<=[.!?])\s", text.partition("\n")[2] or text)[0] for text in texts]
    questions = embedder.embed_questions(first)
    np.savez(folder / f"{way}.npz", passages=vectors, questions=questions)


def _found(questions: Any, passages: Any) -> dict[str, float]:  # noqa: ANN401 - arrays
    """The share of passages that are the first, or among the first five, for their question."""
    similarities = questions @ passages.T
    own = np.diag(similarities)[:, None]
    rank = (similarities > own).sum(axis=1)
    return {"first": round(float((rank == 0).mean()), 3), "of_five": round(float((rank < 5).mean()), 3)}


if __name__ == "__main__":
    main()
