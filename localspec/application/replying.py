"""One question on its way to an answer, in a thread of its own: the page can never slow decoding down."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from time import monotonic

from localspec import texts
from localspec.application.chats import View
from localspec.application.open_libraries import is_unsearchable
from localspec.application.state import Application, Conversation
from localspec.chat.answer_worker import AnswerWorker
from localspec.chat.engine import Engine
from localspec.chat.history import Recording
from localspec.chat.methods import has_states
from localspec.chat.turn import ReplyOptions, Turn, Update
from localspec.errors import LocalSpecError
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores.library import Library

UPDATE_SECONDS = 0.3
"""The page is sent at most 3 updates per second: on a small computer the browser that draws them takes its time from
the model (docs/log.md)."""
_POLL_SECONDS = 0.05
_TOLD_SECONDS = 1.0
"""A page that takes longer is not waited for: nothing of the reply depends on it."""


class ReplyTask(AnswerWorker):
    """Adds the files, waits until they can be searched, asks, and keeps the latest view."""

    def __init__(
        self,
        application: Application,
        conversation: Conversation,
        question: str,
        files: Sequence[Path],
        options: ReplyOptions,
        *,
        instead_of: int | None = None,
        goes_on: bool = False,
    ) -> None:
        """`instead_of` is the position of the turn in whose place it is shown, as a sibling; one that `goes_on` writes
        on at the last answer."""
        super().__init__(application.models.use, "reply")
        self._application = application
        self.conversation = conversation
        """the tab that asked"""
        self._chat = conversation.chat
        self._instead_of = instead_of
        self._goes_on = goes_on
        self.turn: Turn | None = None
        """the answer in the chat, once it is over and a word was written"""
        self._library_name = conversation.library
        self._question = question
        self._files = list(files)
        self._options = options
        self._told = threading.Event()
        """whoever follows the views has the last one, or follows no more"""
        self._condition = threading.Condition()
        self._version = 0
        last = self._chat.turns[-1] if goes_on and self._chat.turns else None
        self._length = len(last.reply_tokens) if last is not None else 0
        self._view = View(text=last.reply, thinking=last.thinking) if last is not None else View()
        self._problems: list[str] = []
        self._notices: list[str] = []
        self._published = 0.0
        self.discarded = False

    def start(self) -> None:
        """Begin."""
        self._publish(activity=texts.WAITING_MODEL)
        super().start()

    def discard(self) -> None:
        """Stop, and show nothing more."""
        self.discarded = True
        self.stop()

    @property
    def is_over(self) -> bool:
        """True when nothing follows."""
        return self._view.is_final

    def wait_told(self) -> None:
        """Until its page was given the end, or takes too long for it."""
        self._told.wait(_TOLD_SECONDS)

    def views(self) -> Iterator[View]:
        """The latest view whenever there is a newer one, a few per second; the final one always."""
        seen = 0
        try:
            while True:
                with self._condition:
                    self._condition.wait_for(lambda seen=seen: self._version > seen)  # type: ignore[misc]
                    seen, view = self._version, self._view
                yield view
                if view.is_final:
                    return
        finally:
            self._told.set()

    # -- in the thread ------------------------------------------------------------------------------------------

    def stopped(self) -> None:
        """There is no answer."""
        self._publish(state="stopped")

    def failed(self, error: LocalSpecError) -> None:
        """The page says why."""
        self._publish(state="failed", error=error)

    def work(self, engine: Engine) -> None:
        """Add the files, wait for the documents, and ask."""
        with self._application.libraries.question(self._library_name):
            library = self._open(engine)
            added = self._add(library) if library is not None and self._files else []
            if library is not None:
                self._wait(library)
            if library is not None and added:
                self._tell(library, added)
            if self.is_stopping:
                self._publish(state="stopped")
            elif self._question or self._goes_on:
                self._ask(engine, library)
            else:
                self._publish(state="done")

    def _open(self, engine: Engine) -> Library | None:
        self._publish(activity=texts.WAITING_DOCUMENTS)
        try:
            return self._application.libraries.get(self._library_name, engine)
        except LocalSpecError as error:
            if self._files or not (self._question or self._goes_on):
                raise
            self._problems.append(texts.LIBRARY_NOT_USED.format(error=error))
            return None

    def _add(self, library: Library) -> list[int]:
        """Queue the files; one that cannot be read keeps no other from being added."""
        added = []
        for number, path in enumerate(self._files):
            self._publish(activity=texts.WAITING_DOCUMENTS, fraction=number / len(self._files))
            try:
                added.append(library.add(path).id)
            except LocalSpecError as error:
                self._problems.append(str(error))
        return added

    def _wait(self, library: Library) -> None:
        """Until every document can be searched (vectors come later), or failed, or is not to be read now."""
        while not self._stopping.wait(0):
            documents = library.documents()
            waiting = [info for info in documents if is_unsearchable(info.status)]
            if not waiting or library.progress.problem or library.paused:
                return
            progress = library.progress
            name = progress.name or waiting[0].name
            stage = texts.STAGES.get(progress.stage, texts.STATUS["queued"])
            ready = 1 - len(waiting) / max(1, len(documents))
            self._publish(activity=f"{texts.WAITING_DOCUMENTS} {name}: {stage}", fraction=ready)
            self._stopping.wait(_POLL_SECONDS)

    def _tell(self, library: Library, added: list[int]) -> None:
        """What became of the files, in words."""
        documents = {info.id: info for info in library.documents()}
        found = [documents[identity] for identity in dict.fromkeys(added) if identity in documents]
        self._problems += [info.reason for info in found if info.status == "failed"]
        names = [
            info.name if is_unsearchable(info.status) else texts.added(info.name, info.pages, info.passages)
            for info in found
            if info.status != "failed"
        ]
        if names:
            self._notices.append(f"Added to {self._library_name}: {', '.join(names)}.")
        if any(is_unsearchable(info.status) for info in found) and library.paused:
            self._notices.append(texts.WAITS_PAUSED)
        for info in found:
            if info.status != "failed" and info.reason:
                self._notices.append(f"{info.name}: {info.reason}")
        if library.progress.problem:
            self._problems.append(library.progress.problem)

    def _ask(self, engine: Engine, library: Library | None) -> None:
        session = self._chat.session_with(engine, library)
        self._chat.library = self._library_name
        documents = library.documents() if library is not None else []
        has_documents = any(info.passages > 0 for info in documents)
        waits = engine.busy
        self._publish(
            activity=texts.WAITING_TURN if waits else texts.FINDING,
            fraction=None,
            has_documents=has_documents,
            has_states=has_states(library),
            has_draft=engine.draft is not None,
        )
        chat = self._chat
        recording = Recording(
            *(self._application.history, chat.identity, self._library_name, chat.tree),
            instead_of=self._instead_of,
            goes_on=self._goes_on,
            system=chat.system,
        )
        if self._goes_on:
            answer = session.go_on(self._options)
        else:
            answer = session.ask(self._question, self._options, instead_of=self._instead_of)
        turn: Turn | None = None
        try:
            with self.follow(answer) as updates:
                for update in updates:
                    turn = update.turn
                    turn.files = turn.files or tuple(path.name for path in self._files)
                    recording.note(turn)
                    self._identify(recording)
                    self._show(update)
        finally:
            self._keep(recording, turn)
        if turn is not None:
            written = bool(turn.reply_tokens)
            self._notices, self._problems = turn.notices, turn.problems
            if self._goes_on and len(turn.reply_tokens) == self._length and not self.is_stopping:
                self._notices = [*self._notices, texts.NOTHING_ADDED]
            self._publish(
                state=turn.state,
                text=turn.reply,
                thinking=turn.thinking,
                citations=tuple(turn.citations) if written else (),
                given=frozenset(made.number for made in turn.given) if written else frozenset(),
                metrics=_copy(turn.metrics) if written else None,
                method=turn.method,
                # It may have failed on the way.
                has_draft=engine.draft is not None,
            )

    def _identify(self, recording: Recording) -> None:
        """Other tabs that open this chat share it as soon as it is kept."""
        if recording.conversation != self._chat.identity:
            self._chat.identity = recording.conversation
            if recording.conversation:
                self._application.keep(self._chat)

    def _keep(self, recording: Recording, turn: Turn | None) -> None:
        """What is said under the answer belongs to it; all of it is kept, if there was a word."""
        if turn is not None:
            turn.notices = [*self._notices, *turn.notices]
            turn.problems = list(dict.fromkeys([*turn.problems, *self._problems]))
        self.turn = turn if turn is not None and any(turn is one for one in self._chat.turns) else None
        problem = recording.end(self.turn)
        self._identify(recording)
        if problem and turn is not None:
            turn.problems.append(texts.NOT_KEPT.format(problem=problem))

    def _show(self, update: Update) -> None:
        state = update.stage if update.stage == "reading" else "writing"
        # What is being read, and the first word, are told at once.
        if state == self._view.state and monotonic() - self._published < UPDATE_SECONDS:
            return
        turn = update.turn
        self._publish(
            state=state,
            activity=texts.reading(turn.metrics.unread_tokens, update.seconds_left),
            fraction=update.progress,
            text=turn.reply,
            thinking=turn.thinking,
            metrics=_copy(turn.metrics),
            method=turn.method,
        )

    def _publish(self, **changes: object) -> None:
        said = {"problems": tuple(self._problems), "notices": tuple(self._notices)}
        self._published = monotonic()
        with self._condition:
            self._view = replace(self._view, **said, **changes)  # type: ignore[arg-type]
            self._version += 1
            self._condition.notify_all()


def _copy(metrics: ReplyMetrics) -> ReplyMetrics:
    """The figures of this moment, which the next step does not change."""
    return replace(
        metrics,
        by_source=dict(metrics.by_source),
        drafted_by_source=dict(metrics.drafted_by_source),
        accepted_by_source=dict(metrics.accepted_by_source),
        accepted_per_step=list(metrics.accepted_per_step),
        step_seconds=list(metrics.step_seconds),
        retrieval=copy(metrics.retrieval),
        times=copy(metrics.times),
    )
