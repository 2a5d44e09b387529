"""The requests that are being answered: one worker each, taking turns with the chat on the engine's lock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localspec.chat.answer_worker import AnswerWorker, UseEngine
from localspec.chat.engine import Engine
from localspec.chat.methods import has_states
from localspec.chat.report import verdict
from localspec.chat.session import SingleReply
from localspec.chat.token_probabilities import ProbabilityRecorder
from localspec.chat.turn import Turn
from localspec.config import DEFAULT_LIBRARY, stores_folder
from localspec.endpoint.chat_request import ChatRequest
from localspec.endpoint.completion_request import CompletionRequest
from localspec.endpoint.prompts import prompt_of
from localspec.endpoint.refusals import ANY_MODEL, RETRY_SECONDS, RequestError, other_model, refusal, stopped
from localspec.endpoint.reply_pieces import ReplyPiece, ReplyPieces
from localspec.endpoint.responses import usage
from localspec.errors import LocalSpecError
from localspec.stores.library import Library, library_name, list_libraries

MOST_REQUESTS = 16
"""Answered or waiting at the same time; more are refused"""
_FIGURES = ("acceptance_rate", "tokens_per_step", "tokens_per_second", "steps", "drafted", "accepted")

OpenLibrary = Callable[[str, Engine], Library]


@dataclass(frozen=True, slots=True)
class Begun:
    """It is this request's turn."""

    model: str
    fingerprint: str  # of the weights
    before: str = ""  # the text of the prompt, where the reply is to begin with it


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing follows. `finish` is "end", "stop", "length", "context" or "tool_calls"."""

    finish: str
    usage: dict[str, Any]


Wanted = ChatRequest | CompletionRequest
Event = Begun | ReplyPiece | Ended | RequestError
"""`Begun`, then pieces of the reply, then `Ended`; or, at any time, why there is no more."""


class Answers:
    """All requests of one application."""

    def __init__(self, use: UseEngine, library: OpenLibrary) -> None:
        self._use = use
        self._library = library
        self._lock = threading.Lock()
        self._running: set[Answer] = set()
        self._closed = False
        self.asked = 0
        """Requests so far"""

    def begin(self, request: Wanted, tell: Callable[[Event], None]) -> Answer:
        """Answer in a thread; `tell` is called there. Raises RequestError when there are too many."""
        answer = Answer(self._use, self._library, request, tell, self._over)
        with self._lock:
            if self._closed:
                raise stopped()
            if len(self._running) >= MOST_REQUESTS:
                raise RequestError(
                    429,
                    f"{MOST_REQUESTS} requests are already waiting.",
                    code="too_many_requests",
                    retry_after=RETRY_SECONDS,
                )
            self._running.add(answer)
            self.asked += 1
        answer.start()
        return answer

    def model(self) -> str:
        """Name of the model that answers. Raises RequestError while there is none."""
        with self._use(lambda: True) as engine:
            if engine is None:
                raise RequestError(503, "No model is loaded yet.", code="model_not_loaded", retry_after=RETRY_SECONDS)
            return engine.name

    def stop(self) -> None:
        """End all of them after the step at work."""
        with self._lock:
            running = list(self._running)
        for answer in running:
            answer.stop()

    def close(self, limit: float) -> None:
        """End all of them, take no others, and wait until they are over, `limit` seconds at most."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        self.stop()
        end = time.monotonic() + limit
        for answer in running:
            answer.wait(max(0.0, end - time.monotonic()))

    def _over(self, answer: Answer) -> None:
        with self._lock:
            self._running.discard(answer)


class Answer(AnswerWorker):
    """One request on its way to an answer."""

    def __init__(
        self,
        use: UseEngine,
        library: OpenLibrary,
        request: Wanted,
        tell: Callable[[Event], None],
        over: Callable[[Answer], None],
    ) -> None:
        super().__init__(use, "request")
        self._open = library
        self._request = request
        self._tell = tell
        self._over = over

    def work(self, engine: Engine) -> None:
        """Answer the request."""
        if not self._write(engine):
            self.stopped()

    def stopped(self) -> None:
        """Nothing more is said."""
        self._tell(stopped())

    def failed(self, error: LocalSpecError) -> None:
        """Why there is no more, with the status that OpenAI's clients know."""
        request = self._request
        if isinstance(request, CompletionRequest):
            self._tell(refusal(error, prompt="prompt"))
        else:
            self._tell(refusal(error, request.schema_field or None))

    def over(self) -> None:
        """Another one may be answered."""
        self._over(self)

    def _write(self, engine: Engine) -> bool:
        """Write the answer. False when it was stopped before its end."""
        request = self._request
        if request.model not in (ANY_MODEL, engine.name):
            raise other_model(engine.name, request.model)
        library = self._library(engine)
        prompt = prompt_of(engine, request)
        reply = SingleReply(engine, prompt.tokens, library, prompt.question)
        options = request.options(engine.model.context_size, prompt.schema)
        recorder = ProbabilityRecorder(request.top_logprobs) if request.top_logprobs is not None else None
        pieces = ReplyPieces(prompt.piece, request.stop, prompt.calls, prompt.texts)
        turn: Turn | None = None
        seen = 0
        with self.follow(reply.write(options, recorder, self.signal)) as updates:
            for update in updates:
                if turn is None:
                    self._tell(Begun(engine.name, engine.weights_fingerprint, prompt.before))
                turn, known = update.turn, recorder.tokens if recorder is not None else ()
                for piece in pieces.add(turn.reply_tokens[seen:], known):
                    self._tell(piece)
                seen = len(turn.reply_tokens)
                if update.stage == "done" or pieces.is_stopped:
                    for piece in pieces.finish(known):
                        self._tell(piece)
                if pieces.is_stopped:
                    break
        if turn is None or self.is_stopping:
            return False
        metrics = turn.metrics
        written = pieces.written if pieces.is_stopped else metrics.tokens
        figures = self._figures(engine, turn, library)
        used = usage(metrics.prompt_tokens, metrics.reused_tokens, written, figures, pieces.thought)
        finish = "stop" if pieces.is_stopped else turn.finish
        self._tell(Ended("tool_calls" if pieces.has_calls and finish in ("end", "stop") else finish, used))
        return True

    def _library(self, engine: Engine) -> Library | None:
        """What drafts come from. A library that nobody named and that cannot be opened is gone without."""
        wanted = self._request.library
        if wanted == "":
            return None
        name = DEFAULT_LIBRARY if wanted is None else library_name(wanted)
        if name not in list_libraries(stores_folder()):
            if wanted is None:
                return None
            raise RequestError(
                404, f"There is no library called {name!r}.", param="localspec.library", code="library_not_found"
            )
        try:
            return self._open(name, engine)
        except LocalSpecError:
            if wanted is None:
                return None
            raise

    def _figures(self, engine: Engine, turn: Turn, library: Library | None) -> dict[str, Any]:
        metrics = turn.metrics
        known = metrics.figures()
        said = verdict(
            metrics, turn.method, has_documents=library is not None, has_states=has_states(library),
            has_draft=engine.draft is not None,
        )  # fmt: skip
        return {
            "method": turn.method,
            "speedup": metrics.speedup,
            "speedup_untold": metrics.untold,
            **{name: known[name] for name in _FIGURES},
            "prompt_seconds": metrics.prefill_seconds,
            "verdict": said,
        }
