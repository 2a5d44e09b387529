"""Plain decoding beside other programs: what is left of its speed at rest.

usage: python -m benchmarks.beside [--model FILE.gguf] [--seconds N]

In turn at rest, beside a program that computes all the time in one thread, and beside a second decoder of the same kind
with as many threads. The first second of each is left out: it is noticed by measuring. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, sleep

import numpy as np

from benchmarks.child import Child
from localspec import config
from localspec.models.files.catalogue import resolve
from localspec.models.llama import LlamaModel, LoadSettings

SETTLING = 1.0
"""Seconds before it counts."""
PROMPT = 300
"""Positions below which it decodes."""
BUSY = "while True: pass"


class Decoder:
    """One model that decodes rows of one, again and again below the same text."""

    def __init__(self, model: str, threads: int) -> None:
        self.model = LlamaModel(resolve(model).path, LoadSettings(context=2048, threads=threads))
        self._tokens = np.arange(100, 100 + PROMPT, dtype=np.int32)
        self._none = np.empty(0, np.int32)
        self.model.begin(self._tokens)

    def speed(self, seconds: float) -> float:
        """Tokens per second."""
        count = 0
        begun = perf_counter()
        while (elapsed := perf_counter() - begun) < SETTLING + seconds:
            self.model.decode(int(self._tokens[-1]), self._none, self._none)
            self.model.discard()
            count += elapsed > SETTLING
        return count / seconds


@contextmanager
def program(name: str, *arguments: str) -> Iterator[None]:
    """Another Python program, meanwhile."""
    child = Child(name, [sys.executable, *arguments])
    try:
        sleep(1.5)
        yield
    finally:
        child.process.kill()
        child.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--threads", type=int, default=config.default_threads())
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--decode", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    decoder = Decoder(options.model, options.threads)
    if options.decode:
        while True:
            decoder.speed(60.0)
    found = {"at rest": decoder.speed(options.seconds)}
    with program("busy", "-c", BUSY):
        found["beside a busy thread"] = decoder.speed(options.seconds)
    found["at rest again"] = decoder.speed(options.seconds)
    arguments = ["-m", "benchmarks.beside", "--decode", "--threads", str(options.threads)]
    with program("decoder", *arguments, "--model", options.model):
        found["beside a second decoder"] = decoder.speed(options.seconds)
    for name, speed in found.items():
        print(f"{name:24s} {speed:7.1f} tokens/s  {speed / found['at rest']:.2f}")
    print(json.dumps({"threads": options.threads, "tokens_per_second": found}))


if __name__ == "__main__":
    main()
