"""One prompt with several methods, one after the other, in a thread of its own; the page looks at it when it likes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import is_
from time import monotonic

from localspec import texts
from localspec.application.chats import Measured, Row
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.chat.answer_worker import AnswerWorker
from localspec.chat.comparison import PLAIN, Comparison, ComparisonRun, as_made, compared_methods, with_seed
from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions, Turn, Update
from localspec.errors import LocalSpecError, SettingsError
from localspec.stores.library import Library

LONGEST = 256
"""Tokens of each answer of a comparison: enough to tell methods apart, soon enough to wait for."""
_NOTED_SECONDS = 0.3


class Measurement(AnswerWorker):
    """Begins with `start`; ends by itself, by `stop`, or when another model is about to be loaded."""

    advice = texts.MEASURE_AGAIN_LATER

    def __init__(
        self,
        application: Application,
        conversation: Conversation,
        options: ReplyOptions,
        *,
        kind: str,
        library: str,
        question: str = "",
    ) -> None:
        """`question` is asked as the chat's next one; without it, the last one is asked again. `options` are those on
        the page, which stand in where the ones of the last answer are not known. `library` gives drafts and texts."""
        super().__init__(application.models.use, "measurement")
        self._application = application
        self.conversation = conversation
        """the tab that asked"""
        self._chat = conversation.chat
        self._question = question
        self._options = options
        self._library_name = library
        self.turn: Turn | None = None if question else self._chat.turns[-1]
        """the answer that is measured again"""
        self._system = self._chat.system
        self._originals = list(self._chat.turns)
        self._turns = [replace(turn) for turn in self._originals]
        asked = question or self._chat.turns[-1].question
        self.measured = Measured(kind, asked, activity=texts.MEASURE_WAITING)
        """what is known now; replaced, never changed"""

    @property
    def is_over(self) -> bool:
        """Nothing follows."""
        return self.measured.state != "running"

    @property
    def is_of_this_chat(self) -> bool:
        """False once the answer that was measured is not the chat's last one any more."""
        turns = self._chat.turns
        return self.measured.kind != PLAIN or bool(turns and turns[-1] is self.turn)

    # -- in the thread ------------------------------------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        """The person, or a model that is to be loaded, wants it to end."""
        return super().is_stopping or bool(self._application.models.loading)

    def work(self, engine: Engine) -> None:
        """Measure what was asked for."""
        library = self._application.libraries.get(self._library_name, engine)
        if self.measured.kind == PLAIN:
            self._beside_plain(engine, library)
        else:
            self._compare(engine, library)
        self._show(state="stopped" if self.is_stopping else "done", activity="")

    def stopped(self) -> None:
        """Nothing was measured."""
        self._show(state="stopped", activity="")

    def failed(self, error: LocalSpecError) -> None:
        """The page says why; what was measured stays."""
        self._show(state="failed", activity="", problem=str(error))

    def _beside_plain(self, engine: Engine, library: Library) -> None:
        turn = self._turns[-1]
        if turn.edited:
            raise SettingsError(texts.EDITED_NOT_MEASURED, texts.EDITED_NOT_MEASURED_ADVICE)
        options, known = as_made(turn, engine, self._options)
        given = ComparisonRun.of(turn)
        self._show(
            rows=(Row(turn.method, "given", metrics=turn.metrics), Row(PLAIN)),
            notes=() if known else (texts.MEASURE_SETTINGS,),
        )
        comparison = Comparison(self._session(engine, library), methods=(PLAIN,))
        made = self._try(comparison, replace(options, method=PLAIN), 1)
        if made is not None:
            self._show_row(1, same=made.equals(given))

    def _compare(self, engine: Engine, library: Library) -> None:
        methods, left_out = compared_methods(engine)
        notes = []
        if self.turn is None:
            options = with_seed(self._options)
        else:
            options, known = as_made(self.turn, engine, self._options)
            notes += [] if known else [texts.MEASURE_SETTINGS]
            if library.replies.learns and library.replies.count()[0]:
                notes.append(texts.COMPARE_LEARNT)
        options = replace(options, max_tokens=min(options.max_tokens, LONGEST))
        rows = [Row(method) for method in methods]
        rows += [Row(method, "left out", why=why) for method, why in left_out.items()]
        self._show(rows=tuple(rows), notes=tuple(notes), longest=options.max_tokens)
        comparison = Comparison(self._session(engine, library), self._question, methods)
        plain: ComparisonRun | None = None
        for place, method in enumerate(methods):
            made = self._try(comparison, replace(options, method=method), place)
            if made is None:
                return
            if plain is None:
                plain = made
            else:
                self._show_row(place, same=made.equals(plain))

    def _session(self, engine: Engine, library: Library) -> Session:
        """The chat's, where it is over this model and library, else one like it."""
        own = self._chat.session
        if own is not None and own.engine is engine and own.library is library and self._is_same(own.turns):
            return own
        return Session(engine, library, self._system, turns=self._turns)

    def _is_same(self, turns: Sequence[Turn]) -> bool:
        """Whether these are the turns that were shown when it began: another branch may be by now."""
        return len(turns) == len(self._originals) and all(map(is_, turns, self._originals))

    def _try(self, comparison: Comparison, options: ReplyOptions, place: int) -> ComparisonRun | None:
        """One method; None when it was stopped before its end."""
        turn: Turn | None = None
        with self.follow(comparison.run(options, self.signal)) as updates:
            for update in updates:
                turn = update.turn
                self._note(place, update)
        if turn is None or self.is_stopping:
            self._show_row(place, state="stopped", metrics=turn.metrics if turn and turn.metrics.steps else None)
            return None
        self._show_row(place, state="done", metrics=turn.metrics)
        return ComparisonRun.of(turn)

    def _note(self, place: int, update: Update) -> None:
        now = monotonic()
        stage = update.stage if update.stage == "reading" else "writing"
        row = self.measured.rows[place]
        if row.state == stage and now - self._noted < _NOTED_SECONDS:
            return
        self._noted = now
        # Counts and seconds alone: lists that the next step makes longer are not shown meanwhile.
        counts = replace(update.turn.metrics) if update.turn.metrics.steps else None
        self._show_row(place, state=stage, fraction=update.progress, metrics=counts)

    _noted = 0.0

    def _show_row(self, place: int, **changes: object) -> None:
        rows: Sequence[Row] = self.measured.rows
        row = replace(rows[place], **changes)  # type: ignore[arg-type]
        self._show(activity="", rows=(*rows[:place], row, *rows[place + 1 :]))

    def _show(self, **changes: object) -> None:
        self.measured = replace(self.measured, **changes)  # type: ignore[arg-type]
