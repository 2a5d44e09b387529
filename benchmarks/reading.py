"""How fast are documents read for their states, against prefill of the same tokens?

usage: python -m benchmarks.reading --texts FILE … [--model FILE.gguf] [--tokens 8192]

Takes turns, text by text: the target prefills the tokens in windows of 1,024, without states and with nothing stored;
then a library that wants states ingests the document (overlapping windows, states, projection, SQLite and the index).
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from time import perf_counter

from localspec.chat.engine import Engine
from localspec.models.embedder import Embedder
from localspec.models.llama import WINDOW
from localspec.stores.library import Library


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, nargs="+", required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--tokens", type=int, default=8192, help="the most that is read of each text")
    options = parser.parse_args()
    engine = Engine(options.model)
    prefill = [0, 0.0]
    reading = [0, 0.0]
    with tempfile.TemporaryDirectory() as name:
        library = Library(
            Path(name) / "library",
            tokenizer_fingerprint=engine.tokenizer_fingerprint,
            tokenize=lambda text: engine.tokenize(text)[: options.tokens],
            embedder=Embedder(),
            state_reader=engine.state_reader,
        )
        assert library.states is not None  # it has a reader
        for number, text in enumerate(options.texts):
            library.state_reading.want(False)
            copy = Path(name) / f"{number}.txt"
            copy.write_bytes(text.read_bytes())
            library.add(copy)
            library.ingest()
            tokens = engine.tokenize(text.read_text(encoding="utf-8", errors="replace"))[: options.tokens]
            begun = perf_counter()
            for start in range(0, len(tokens), WINDOW):
                with engine.turn() as model:
                    model.forget()
                    model.begin(tokens[start : start + WINDOW + 1])
                prefill[0] += len(tokens[start : start + WINDOW])
            prefill[1] += perf_counter() - begun
            before = library.states.count()
            library.state_reading.want(True)
            begun = perf_counter()
            library.ingest(states=True)
            reading[1] += perf_counter() - begun
            reading[0] += library.states.count() - before
            print(  # the last text's share is in the sums already
                f"{text.name}: prefill {prefill[0] / prefill[1]:.0f} tokens/s, states {reading[0] / reading[1]:.0f}"
                f" a second ({reading[0] / reading[1] / (prefill[0] / prefill[1]):.0%})",
                flush=True,
            )
        library.close()
    engine.close()
    figures = {"prefill_tokens_per_second": prefill[0] / prefill[1], "states_per_second": reading[0] / reading[1]}
    print(json.dumps({**figures, "share": figures["states_per_second"] / figures["prefill_tokens_per_second"]}))


if __name__ == "__main__":
    main()
