"""One prompt with several methods in turns, in a thread of its own; the page looks at it when it likes."""

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
from localspec.chat.comparison import (
    PLAIN,
    Comparison,
    Progress,
    agree,
    as_made,
    compared_methods,
    same_text,
    with_seed,
)
from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import LocalSpecError, SettingsError
from localspec.speculation.alternation import Way
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores.library import Library

LONGEST = 256
"""Tokens of each answer of a comparison: enough to tell methods apart, soon enough to wait for."""
LONGEST_BESIDE = 512
"""Tokens of an answer that are decoded beside plain decoding."""
MOST_SECONDS, MOST_SECONDS_BESIDE = 180.0, 90.0
"""Of decoding, in a comparison and beside plain decoding: on a slow computer fewer tokens must do."""
_NOTED_SECONDS = 1.0
"""Pages are told so often meanwhile: what they draw takes its time from what is measured."""


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
        """Decode the last answer again by its method and by plain decoding, in turns."""
        turn = self._turns[-1]
        if turn.edited:
            raise SettingsError(texts.EDITED_NOT_MEASURED, texts.EDITED_NOT_MEASURED_ADVICE)
        options, known = as_made(turn, engine, self._options)
        whole = options.max_tokens
        options = replace(options, max_tokens=min(whole, LONGEST_BESIDE))
        drafts = turn.method != PLAIN and engine.model.can_rewind
        rows = (Row(turn.method, "given"), Row(PLAIN)) if drafts else (Row(PLAIN),)
        self._show(rows=rows, notes=() if known else (texts.MEASURE_SETTINGS,))
        comparison = Comparison(self._session(engine, library), methods=(turn.method,) if drafts else ())
        progress = self._follow(comparison, options, MOST_SECONDS_BESIDE)
        if progress is None:
            return
        plain = progress.ways[0]
        is_part = whole > len(plain.tokens) and plain.finish in ("", "length")
        same = all(same_text(way, turn.reply_tokens, ended=turn.finish == "end") for way in progress.ways)
        self._show_done(progress, {PLAIN: same})
        self._show(is_part=is_part)
        speed = progress.speed(progress.ways[-1])
        if same and known and speed is not None and speed.is_told and self.turn is not None:
            # From now on panel and line tell what was measured, and no longer an estimate.
            self.turn.metrics.paired = speed

    def _compare(self, engine: Engine, library: Library) -> None:
        """Answer with every method, all in turns."""
        methods, left_out = compared_methods(engine)
        notes: tuple[str, ...] = ()
        if self.turn is None:
            options = with_seed(self._options)
        else:
            options, known = as_made(self.turn, engine, self._options)
            notes = () if known else (texts.MEASURE_SETTINGS,)
        options = replace(options, max_tokens=min(options.max_tokens, LONGEST))
        rows = [Row(method) for method in methods]
        rows += [Row(method, "left out", why=why) for method, why in left_out.items()]
        self._show(rows=tuple(rows), notes=notes, longest=options.max_tokens)
        comparison = Comparison(self._session(engine, library), self._question, methods)
        progress = self._follow(comparison, options, MOST_SECONDS)
        if progress is not None:
            plain, *others = progress.ways
            self._show_done(progress, {way.name: agree(way, plain) for way in others})

    def _session(self, engine: Engine, library: Library) -> Session:
        """The chat's, where it is over this model and library, else one like it."""
        own = self._chat.session
        if own is not None and own.engine is engine and own.library is library and self._is_same(own.turns):
            return own
        return Session(engine, library, self._system, turns=self._turns)

    def _is_same(self, turns: Sequence[Turn]) -> bool:
        """Whether these are the turns that were shown when it began: another branch may be by now."""
        return len(turns) == len(self._originals) and all(map(is_, turns, self._originals))

    def _follow(self, comparison: Comparison, options: ReplyOptions, most_seconds: float) -> Progress | None:
        """How it ended; None when it was stopped before."""
        progress: Progress | None = None
        with self.follow(comparison.run(options, self.signal, most_seconds=most_seconds)) as told:
            for progress in told:
                self._note(progress)
        if progress is not None and not self.is_stopping:
            return progress
        ways = progress.ways if progress is not None else ()
        self._show_rows({way.name: {"state": "stopped", "metrics": _counts(way)} for way in ways})
        return None

    def _note(self, progress: Progress) -> None:
        now = monotonic()
        if self._stage == progress.stage and now - self._noted < _NOTED_SECONDS:
            return
        self._noted, self._stage = now, progress.stage
        changes = {"state": progress.stage, "fraction": progress.fraction}
        self._show_rows({way.name: {**changes, "metrics": _counts(way)} for way in progress.ways})

    _noted, _stage = 0.0, ""

    def _show_done(self, progress: Progress, same: dict[str, bool]) -> None:
        self._show_rows(
            {
                way.name: {
                    "state": "done",
                    "metrics": way.metrics,
                    "speed": progress.speed(way),
                    "same": same.get(way.name),
                }
                for way in progress.ways
            }
        )

    def _show_rows(self, changes: dict[str, dict[str, object]]) -> None:
        """Change the rows of these methods; the one of the chat's answer stays marked as such."""
        rows: Sequence[Row] = self.measured.rows
        made = [replace(row, **_kept(row, changes.get(row.method, {}))) for row in rows]  # type: ignore[arg-type]
        self._show(activity="", rows=tuple(made))

    def _show(self, **changes: object) -> None:
        self.measured = replace(self.measured, **changes)  # type: ignore[arg-type]
        self._application.changes.tell()


def _kept(row: Row, changes: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in changes.items() if name != "state" or row.state != "given"}


def _counts(way: Way) -> ReplyMetrics | None:
    """Counts and seconds alone: lists that the next step makes longer are not shown meanwhile."""
    return replace(way.metrics) if way.metrics.steps else None
