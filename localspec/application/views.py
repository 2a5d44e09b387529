"""What there is to see of an answer, and of a measurement, at one moment. Plain values: the page draws them."""

from __future__ import annotations

from dataclasses import dataclass

from localspec import texts
from localspec.chat.citations import Citation
from localspec.chat.turn import Turn
from localspec.errors import LocalSpecError
from localspec.speculation.metrics import ReplyMetrics


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see of a reply at one moment."""

    state: str = "waiting"
    """"waiting", "reading", "writing", "done", "stopped", "interrupted" (the application ended) or "failed\""""
    activity: str = texts.WAITING_MODEL
    """What goes on while there is no text yet"""
    fraction: float | None = None
    """How much of that is done"""
    text: str = ""
    problems: tuple[str, ...] = ()
    """Files that could not be used, and why"""
    notices: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    given: frozenset[int] = frozenset()
    """Numbers of all passages that the answer may name, once it is complete"""
    metrics: ReplyMetrics | None = None
    method: str = ""
    has_documents: bool = False
    has_states: bool = False
    """Whether the library has any for the methods that draft from them"""
    has_draft: bool = False
    error: LocalSpecError | None = None

    @classmethod
    def of(cls, turn: Turn) -> View:
        """The answer of a turn that was written before."""
        return cls(
            turn.finish if turn.finish in ("stopped", "interrupted") else "done",
            text=turn.reply,
            problems=tuple(turn.problems),
            notices=tuple(turn.notices),
            citations=tuple(turn.citations),
            given=frozenset(made.number for made in turn.given),
        )

    @property
    def is_final(self) -> bool:
        """Nothing follows."""
        return self.state in ("done", "stopped", "interrupted", "failed")


@dataclass(frozen=True, slots=True)
class Row:
    """One method of a measurement, as far as it is."""

    method: str
    state: str = "waiting"
    """"waiting", "reading", "writing", "done", "stopped", "given" (an answer of the chat) or "left out\""""
    fraction: float = 0.0
    """of the prompt that is read"""
    metrics: ReplyMetrics | None = None
    same: bool | None = None
    """whether it wrote the same as the one it is compared with; None while that is not known"""
    why: str = ""
    """it is left out"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to see of a measurement at one moment."""

    kind: str
    """"plain": the chat's last answer beside plain decoding; "compare": every method"""
    question: str
    state: str = "running"
    """"running", "done", "stopped" or "failed\""""
    activity: str = ""
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    longest: int = 0

    def row(self, method: str) -> Row | None:
        """The row of a method that was tried here."""
        return next((row for row in self.rows if row.method == method and row.state != "given"), None)
