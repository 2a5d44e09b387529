"""One question on its way to an answer, in a thread of its own: no page can slow decoding down, nor does the answer end
when the page that asked is closed."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from time import monotonic

from localspec import texts
from localspec.application.asking import AnswerPlace, Asked
from localspec.application.attached_files import take_in, unsearchable
from localspec.application.changes import ALL, ANSWER
from localspec.application.chats import View
from localspec.application.conversation import Conversation
from localspec.application.open_libraries import is_unsearchable
from localspec.application.state import Application
from localspec.chat.answer_worker import AnswerWorker
from localspec.chat.engine import Engine
from localspec.chat.history import Recording
from localspec.chat.methods import has_states
from localspec.chat.report import same_again
from localspec.chat.turn import ReplyOptions, Turn, Update
from localspec.errors import LocalSpecError
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores.library import Library

UPDATE_SECONDS = 0.3 if (os.cpu_count() or 1) > 2 else 0.5
"""What is shown changes at most so often: where a decode takes every core, the browser that draws it takes its time
from the model (docs/log.md)."""
_POLL_SECONDS = 0.05


class ReplyTask(AnswerWorker):
    """Waits until the documents can be searched, asks, and writes what there is to see into the chat."""

    def __init__(
        self, application: Application, conversation: Conversation, asked: Asked, options: ReplyOptions
    ) -> None:
        """The answer has its place in the tab's chat at once."""
        super().__init__(application.models.use, "reply")
        self._application = application
        self.conversation = conversation
        """the tab that asked"""
        self._chat = conversation.chat
        self._asked = asked
        replaced = [one.turn for one in self._chat.exchanges[asked.instead_of :] if one.turn is not None]
        self._instead_of = self._chat.position(asked.instead_of) if asked.instead_of is not None and replaced else None
        """position of the turn in whose place it is shown, as a sibling"""
        self._place = AnswerPlace.of(self._chat, asked)
        self.turn: Turn | None = None
        """the answer in the chat, once it is over and a word was written"""
        self._library_name = conversation.library
        self._options = options
        last = self._chat.turns[-1] if asked.goes_on and self._chat.turns else None
        self._length = len(last.reply_tokens) if last is not None else 0
        self._place.exchange.view = View(text=last.reply, thinking=last.thinking) if last is not None else View()
        self._problems: list[str] = []
        self._notices: list[str] = []
        self._published = 0.0
        self._publishing = threading.Lock()
        self.discarded = False
        self._is_over = False

    def start(self) -> None:
        """Begin."""
        self._publish(activity=texts.WAITING_MODEL)
        super().start()

    def stop(self) -> None:
        """End, and say at once that it ends."""
        super().stop()
        with self._publishing:
            if not self._view.is_final:
                self._show_view(self._view)

    def discard(self) -> None:
        """Stop, and show nothing more."""
        self.discarded = True
        self.stop()

    @property
    def is_over(self) -> bool:
        """True when nothing follows."""
        return self._is_over

    @property
    def _view(self) -> View:
        """What there is to see of the answer now."""
        return self._place.exchange.view or View()

    # -- in the thread ------------------------------------------------------------------------------------------

    def stopped(self) -> None:
        """There is no answer."""
        self._publish(state="stopped")

    def failed(self, error: LocalSpecError) -> None:
        """The page says why."""
        self._publish(state="failed", error=error)

    def over(self) -> None:
        """What comes of the answer is in the chat, or what was there before it is again."""
        before, now, asked = self._place.turn, self.turn, self._asked
        is_retry = asked.instead_of is not None and not asked.typed
        is_lost = not self.discarded and self._put_back(self._view)
        if is_retry and not is_lost and before is not None and now is not None and (said := same_again(before, now)):
            self.conversation.inform(said)
        self._is_over = True
        self._application.changes.tell()

    def _put_back(self, view: View) -> bool:
        """Where nothing came of an answer that was to take another one's place, or to go on with it: what was there
        stays, and why is said beside it. What was typed for one that failed comes back."""
        asked, failed = self._asked, view.error is not None
        if failed and asked.typed:
            self.conversation.put_into_entry(asked.question)
            self.conversation.attached = [*asked.attached, *self.conversation.attached]
        is_lost = (asked.goes_on and failed) or (asked.instead_of is not None and self._place.exchange.turn is None)
        if is_lost:
            said = str(view.error) if failed else texts.STOPPED_EARLY
            self.conversation.warn(f"{said} {texts.KEPT_BEFORE}", topic="answer")
            self._place.put_back(self._chat)
            self.conversation.editing = asked.instead_of if asked.typed and failed else None
        return is_lost

    def work(self, engine: Engine) -> None:
        """Wait for the documents, and ask."""
        with self._application.libraries.question(self._library_name):
            library = self._open(engine)
            if library is not None:
                take_in(library, self._asked.attached)
                added = [one.document for one in self._asked.attached if one.document]
                self._wait(library, added)
                self._tell(library, added)
            if self.is_stopping:
                self._publish(state="stopped")
            else:
                self._ask(engine, library)

    def _open(self, engine: Engine) -> Library | None:
        self._publish(activity=texts.WAITING_DOCUMENTS)
        try:
            return self._application.libraries.get(self._library_name, engine)
        except LocalSpecError as error:
            if self._asked.attached:
                raise
            self._problems.append(texts.LIBRARY_NOT_USED.format(error=error))
            return None

    def _wait(self, library: Library, added: Sequence[int]) -> None:
        """Until these documents, or where there are none every one, can be searched (vectors come later), or failed, or
        are not to be read now."""
        most = 0
        while not self.is_stopping:
            waiting = unsearchable(library, added)
            if not waiting or library.progress.problem or library.paused:
                return
            most = max(most, len(waiting))
            progress = library.progress
            name = progress.name or waiting[0].name
            stage = texts.STAGES.get(progress.stage, texts.STATUS["queued"])
            self._publish(activity=f"{texts.WAITING_DOCUMENTS} {name}: {stage}", fraction=1 - len(waiting) / most)
            self.signal.wait(_POLL_SECONDS)

    def _tell(self, library: Library, added: Sequence[int]) -> None:
        """What became of the files that go with the question, in words, where they are not just ready."""
        self._problems += [f"{one.name}: {one.problem}" for one in self._asked.attached if one.problem]
        found = [info for info in library.documents() if info.id in added]
        self._problems += [info.reason for info in found if info.status == "failed"]
        if any(is_unsearchable(info.status) for info in found) and library.paused:
            self._notices.append(texts.WAITS_PAUSED)
        self._notices += [f"{info.name}: {info.reason}" for info in found if info.status != "failed" and info.reason]
        if found and library.progress.problem:
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
            goes_on=self._asked.goes_on,
            system=chat.system,
        )
        if self._asked.goes_on:
            answer = session.go_on(self._options, stop=self.signal)
        else:
            question = self._asked.question
            answer = session.ask(question, self._options, instead_of=self._instead_of, stop=self.signal)
        turn: Turn | None = None
        try:
            with self.follow(answer) as updates:
                for update in updates:
                    turn = update.turn
                    turn.files = turn.files or self._place.exchange.files
                    recording.note(turn)
                    self._identify(recording)
                    self._show(update)
        finally:
            self._keep(recording, turn)
        if turn is None:  # stopped before it was its turn
            self._publish(state="stopped")
        else:
            written = bool(turn.reply_tokens)
            self._notices, self._problems = turn.notices, turn.problems
            if self._asked.goes_on and len(turn.reply_tokens) == self._length and not self.is_stopping:
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
                self._application.chats.keep(self._chat)

    def _keep(self, recording: Recording, turn: Turn | None) -> None:
        """What is said under the answer belongs to it; all of it is kept, if there was a word."""
        if turn is not None:
            turn.notices = [*self._notices, *turn.notices]
            turn.problems = list(dict.fromkeys([*turn.problems, *self._problems]))
        self.turn = turn if turn is not None and any(turn is one for one in self._chat.turns) else None
        self._place.exchange.turn = self.turn or self._place.exchange.turn
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
        with self._publishing:
            self._show_view(replace(self._view, **said, **changes))  # type: ignore[arg-type]

    def _show_view(self, view: View) -> None:
        """Inside the lock. Whatever is at work after a stop, the page says that it ends."""
        if self.is_stopping and not view.is_final:
            view = replace(view, stopping=True, activity=texts.STOPPING, fraction=None)
        else:
            view = replace(view, stopping=False)
        before, self._place.exchange.view = self._view, view
        is_more = view.state == before.state == "writing" and view.stopping == before.stopping
        self._application.changes.tell(ANSWER if is_more else ALL)


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
