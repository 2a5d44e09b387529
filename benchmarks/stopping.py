"""How long does it take from a stop to the end of an answer?

usage: python -m benchmarks.stopping [--model FILE.gguf] [--draft FILE.gguf] [--tokens 5000] [--method auto]

Questions with one prompt of random words are stopped at random moments while it is read, each going on where the one
before was stopped, until all of it is read; then others while their answers are written, and while they wait for their
turn. The last line is JSON, in seconds.
"""

from __future__ import annotations

import argparse
import json
import threading
from contextlib import nullcontext
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from localspec.chat.answer_worker import AnswerWorker
from localspec.chat.engine import Engine
from localspec.chat.methods import DEFAULT_METHOD
from localspec.chat.session import SingleReply
from localspec.chat.turn import ReplyOptions
from localspec.errors import LocalSpecError
from localspec.models.files.catalogue import AUTOMATIC
from localspec.models.llama import LoadSettings

ROUNDS = 60
WRITTEN = 12
"""Stops while an answer is written"""


class Asked(AnswerWorker):
    """One question."""

    def __init__(self, engine: Engine, prompt: NDArray[np.int32], options: ReplyOptions) -> None:
        super().__init__(lambda _: nullcontext(engine), "question")
        self._prompt, self._options = prompt, options
        self.error: LocalSpecError | None = None
        self.updates = {"reading": 0, "writing": 0, "done": 0}
        self.came = threading.Condition()

    def work(self, engine: Engine) -> None:
        """Answer it."""
        with self.follow(SingleReply(engine, self._prompt).write(self._options, stop=self.signal)) as updates:
            for update in updates:
                with self.came:
                    self.updates[update.stage] += 1
                    self.came.notify_all()

    def stopped(self) -> None:
        """Nothing to be said."""

    def failed(self, error: LocalSpecError) -> None:
        """To be raised by whoever asked."""
        self.error = error

    def wait_for(self, stage: str, count: int) -> bool:
        """Until so many updates of a stage came; False where it is over before."""
        with self.came:
            while self.updates[stage] < count:
                if not self.came.wait(0.02) and self.wait(0):
                    return False
        return True

    def end(self) -> float:
        """Stop it; seconds until it is over."""
        stopped = perf_counter()
        self.stop()
        while not self.wait(60):
            pass
        if self.error is not None:
            raise self.error
        return perf_counter() - stopped


def stops_while_reading(
    engine: Engine, prompt: NDArray[np.int32], options: ReplyOptions, random: np.random.Generator
) -> list[float]:
    """Seconds of each stop while the prompt is read, once through it."""
    seconds: list[float] = []
    for _ in range(ROUNDS):
        begun = perf_counter()
        asked = Asked(engine, prompt, options)
        asked.start()
        batches = int(random.integers(1, 4))  # the first update comes before the first batch
        if not asked.wait_for("reading", batches) or asked.updates["writing"]:
            asked.end()
            break
        asked.signal.wait(random.random() * min(2.0, (perf_counter() - begun) / batches + 0.1))
        seconds.append(asked.end())
        print(f"reading, {engine.model.cached} tokens read: {seconds[-1]:.3f} s", flush=True)
    return seconds


def stops_while_writing(
    engine: Engine, prompt: NDArray[np.int32], options: ReplyOptions, random: np.random.Generator
) -> list[float]:
    """Seconds of each stop while the answer is written."""
    seconds: list[float] = []
    for _ in range(WRITTEN):
        asked = Asked(engine, prompt, options)
        asked.start()
        if asked.wait_for("writing", int(random.integers(1, 12))):
            asked.signal.wait(random.random() * 0.2)
        seconds.append(asked.end())
    return seconds


def stops_while_waiting(engine: Engine, prompt: NDArray[np.int32], options: ReplyOptions) -> list[float]:
    """Seconds of each stop of a question that waits for its turn."""
    seconds: list[float] = []
    with engine.turn():
        for _ in range(WRITTEN):
            asked = Asked(engine, prompt, options)
            asked.start()
            asked.signal.wait(0.02)
            seconds.append(asked.end())
    return seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--draft", default=AUTOMATIC)
    parser.add_argument("--tokens", type=int, default=5000)
    parser.add_argument("--method", default=DEFAULT_METHOD)
    options = parser.parse_args()
    engine = Engine(options.model, LoadSettings(context=options.tokens + 512), options.draft)
    random = np.random.default_rng(0)
    prompt = random.integers(1000, 20_000, options.tokens).astype(np.int32)
    wanted = ReplyOptions(options.method, max_tokens=256)
    figures = {
        "reading": stops_while_reading(engine, prompt, wanted, random),
        "writing": stops_while_writing(engine, prompt, wanted, random),
        "waiting": stops_while_waiting(engine, prompt, wanted),
    }
    result: dict[str, object] = {
        "machine": machine(engine.model.threads),
        "model": engine.name,
        "draft": engine.draft_name,
        "tokens": options.tokens,
    }
    for name, seconds in figures.items():
        longest, median = max(seconds, default=0.0), float(np.median(seconds or [0.0]))
        print(f"{name}: {len(seconds)} stops, median {median:.3f} s, longest {longest:.3f} s")
        result[name] = {"stops": len(seconds), "median": median, "longest": longest}
    engine.close()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
