"""Who takes part in the comparison with peers, each behind the same call: llama-server, llama-cpp-python, ours."""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter, sleep
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.child import Child
from benchmarks.figures import LIBRARY, OURS, SERVER, Reply
from localspec.chat.engine import Engine
from localspec.chat.template import Message
from localspec.chat.text_stream import TextStream
from localspec.cli.bench import BenchSettings, MethodRun, reply
from localspec.errors import ModelError
from localspec.speculation.metrics import ReplyMetrics

SERVER_MODES: Mapping[str, tuple[str, ...]] = {
    "plain": (),
    "ngram-simple": ("--spec-type", "ngram-simple"),
    "ngram-simple n3 m8": (
        "--spec-type", "ngram-simple", "--spec-ngram-simple-size-n", "3", "--spec-ngram-simple-size-m", "8",
    ),
    "ngram-map-k n3 m8": (
        "--spec-type", "ngram-map-k", "--spec-ngram-map-k-size-n", "3", "--spec-ngram-map-k-size-m", "8",
    ),
    "ngram-mod": ("--spec-default",),
    "ngram-cache m8": ("--spec-type", "ngram-cache", "--spec-draft-n-max", "8"),
}  # fmt: skip
"""llama-server's ways of drafting without a second model; --spec-default is ngram-mod with sizes of its own choice."""

LIBRARY_MODES: Mapping[str, int] = {"plain": 0, "prompt lookup": 10, "prompt lookup m2": 2}
"""llama-cpp-python's: tokens that prompt lookup drafts. 10 is its default, 2 what its README advises for processors."""

START_SECONDS = 120.0
ANSWER_SECONDS = 600.0
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how everybody runs: the same for all."""

    model: Path
    context: int
    threads: int
    gpu_layers: int = -1


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt as text and as ids [n] of the model's chat template."""

    text: str
    tokens: NDArray[np.int32]


class PeerRun(Protocol):
    """Answers one question at a time; does nothing in between."""

    name: str
    kind: str
    child: Child | None
    """its process, where it has one of its own"""

    def answer(self, question: Question, max_tokens: int) -> Reply:
        """A greedy reply, nothing taken over from the last one. Raises ModelError."""

    def close(self) -> None:
        """End it."""


class ServerRun:
    """One llama-server in one of its modes."""

    kind = SERVER

    def __init__(self, binary: Path, mode: str, flags: Sequence[str], place: Place) -> None:
        """Start it and wait until it answers. Raises ModelError."""
        self.name = f"{SERVER} {mode}"
        self.port = free_port()
        layers = [] if place.gpu_layers < 0 else ["-ngl", str(place.gpu_layers)]
        self.child: Child | None = Child(
            f"{self.name} ({place.model.name})",
            [
                str(binary), "-m", str(place.model), "--host", LOOPBACK, "--port", str(self.port),
                "-t", str(place.threads), "-c", str(place.context), "-np", "1", "--no-webui",
                "--cache-ram", "0",  # nothing is kept for later prompts, by anybody
                *layers, *flags,
            ],
        )  # fmt: skip
        self._running = self.child
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = perf_counter() + START_SECONDS
        while perf_counter() < deadline:
            if self._running.process.poll() is not None:
                raise self._running.failure("it did not start")
            try:
                connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=2)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass  # not there yet
            finally:
                connection.close()
            sleep(0.2)
        raise self._running.failure(f"it did not answer within {START_SECONDS:.0f} s")

    def answer(self, question: Question, max_tokens: int) -> Reply:
        """What it makes of the text: its own template and tokenizer."""
        started = perf_counter()
        try:
            answered = ask(self.port, question.text, max_tokens)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._running.failure(f"no answer ({error!r})") from error
        return server_reply(answered, perf_counter() - started)

    def close(self) -> None:
        """End the server."""
        self._running.close()


def ask(port: int, text: str, max_tokens: int) -> dict[str, Any]:
    """llama-server's answer to one question. Raises OSError, HTTPException, and ValueError for an error it reports."""
    body = {
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": max_tokens,
        "cache_prompt": False,
    }
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
    try:
        connection.request(
            "POST", "/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        said = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ValueError(f"status {response.status}: {said[:500].decode('utf-8', 'replace')}")
    answered: dict[str, Any] = json.loads(said)
    return answered


def server_reply(answered: Mapping[str, Any], seconds: float) -> Reply:
    """The figures in an answer of llama-server. Raises ModelError where it has none.

    Its clock of decoding starts when prefill has made the first token, so that this one does not count for the speed;
    its own tokens per second leave it out too. Accepted tokens behind the last one that was wanted are in its count:
    steps may be a few too few.
    """
    try:
        timings, choice = answered["timings"], answered["choices"][0]
        tokens = int(timings["predicted_n"])
        accepted = int(timings.get("draft_n_accepted", 0))
        return Reply(
            prompt_tokens=int(answered["usage"]["prompt_tokens"]),
            tokens=tokens,
            decoded=max(0, tokens - 1),
            decode_seconds=float(timings["predicted_ms"]) / 1000 if tokens > 1 else 0.0,
            whole_seconds=seconds,
            text=str(choice["message"].get("content") or ""),
            steps=max(0, tokens - 1 - accepted),
            drafted=int(timings.get("draft_n", 0)),
            accepted=accepted,
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(
            f"llama-server's answer has no figures ({error!r}).", "Use the version of the pins."
        ) from error


def free_port() -> int:
    """A port of this computer that nobody listens on."""
    with socket.socket() as listening:
        listening.bind((LOOPBACK, 0))
        return int(listening.getsockname()[1])


class LibraryRun:
    """llama-cpp-python's `Llama` in a process of its own, asked with our token ids."""

    kind = LIBRARY

    def __init__(self, mode: str, draft_tokens: int, place: Place) -> None:
        """Start it and wait until the model is loaded. Raises ModelError."""
        self.name = f"{LIBRARY} {mode}"
        numbers = (place.context, place.threads, place.gpu_layers, draft_tokens)
        self.child: Child | None = Child(
            f"{self.name} ({place.model.name})",
            [sys.executable, "-m", "benchmarks.llama_child", str(place.model), *map(str, numbers)],
            spoken_to=True,
        )
        self._running = self.child
        try:
            self._heard()
        except BaseException:
            self.close()
            raise

    def answer(self, question: Question, max_tokens: int) -> Reply:
        """Ask and wait."""
        speak = self._running.process.stdin
        assert speak is not None  # it was started with pipes
        try:
            speak.write(json.dumps({"tokens": question.tokens.tolist(), "max_tokens": max_tokens}).encode() + b"\n")
            speak.flush()
        except OSError as error:
            raise self._running.failure("it takes no question") from error
        heard = self._heard()
        tokens, steps = int(heard["tokens"]), int(heard["steps"])
        return Reply(
            prompt_tokens=len(question.tokens),
            tokens=tokens,
            decoded=tokens - 1,
            decode_seconds=float(heard["decode_seconds"]) if tokens > 1 else 0.0,
            whole_seconds=float(heard["whole_seconds"]),
            text=str(heard["text"]),
            steps=steps,
            drafted=int(heard["drafted"]),
            accepted=max(0, tokens - 1 - steps),
        )

    def _heard(self) -> dict[str, Any]:
        hear = self._running.process.stdout
        assert hear is not None  # it was started with pipes
        line = hear.readline()
        if not line:
            raise self._running.failure("no answer")
        answered: dict[str, Any] = json.loads(line)
        return answered

    def close(self) -> None:
        """End the process."""
        self._running.close()


class OwnRun:
    """One of our methods on the engine of this process."""

    kind = OURS
    child: Child | None = None

    def __init__(self, engine: Engine, run: MethodRun, settings: BenchSettings) -> None:
        self.name = run.name
        self._engine = engine
        self._run = run
        self._settings = settings

    def answer(self, question: Question, max_tokens: int) -> Reply:
        """Template, prefill and decoding as the chat does them."""
        with self._engine.turn() as model:
            model.forget()
        settings = replace(self._settings, max_tokens=max_tokens)
        started = perf_counter()
        tokens = self._engine.template.tokens([Message("user", question.text)], self._engine.model)
        emitted, metrics = reply(self._engine, self._run, tokens, settings)
        stream = TextStream(self._engine.model.piece)
        stream.add(token for token in emitted if not self._engine.model.is_end(token))
        stream.finish()
        whole = perf_counter() - started
        return Reply(
            prompt_tokens=len(tokens),
            tokens=len(emitted),
            decoded=len(emitted),
            decode_seconds=metrics.seconds,
            whole_seconds=whole,
            text=stream.text,
            steps=metrics.steps,
            drafted=metrics.drafted,
            accepted=metrics.accepted,
            parts=parts_of(metrics),
        )

    def close(self) -> None:
        """The engine belongs to the caller."""


def parts_of(metrics: ReplyMetrics) -> dict[str, float]:
    """Seconds of a reply by part. Where searches ran beside the draft model, that time counts as retrieval."""
    overlapped = metrics.times.overlapped if metrics.times is not None else 0.0
    parts = {
        "drafting": max(0.0, metrics.drafting_seconds - overlapped),
        "retrieval": metrics.retrieval_seconds,
        "verification": metrics.decode_seconds,
        "sampling": metrics.sample_seconds,
    }
    return {**parts, "rest": max(0.0, metrics.seconds - sum(parts.values()))}
