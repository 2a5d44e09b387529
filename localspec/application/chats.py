"""A chat as tabs show it: its questions, what there is to see of answers and measurements, and the session behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from typing import Protocol

from localspec import config, texts
from localspec.chat.citations import Citation
from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.standing import told
from localspec.chat.turn import Turn
from localspec.chat.turn_tree import TurnNode, TurnTree
from localspec.errors import LocalSpecError, SettingsError, StoreError
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.paired import PairedSpeed
from localspec.stores.library import Library
from localspec.stores.stored_turns import StoredConversation

_SETTLE_SECONDS = 30.0
"""A reply that is stopped ends after the step at work."""


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see of a reply at one moment."""

    state: str = "waiting"
    """"waiting", "reading", "writing", "done", "looped", "stopped", "interrupted" (with the application), "failed\""""
    stopping: bool = False  # It was told to end, and is not over
    activity: str = texts.WAITING_MODEL  # What goes on while there is no text yet
    fraction: float | None = None  # How much of that is done
    text: str = ""
    thinking: str = ""  # What was thought before it
    problems: tuple[str, ...] = ()  # Files that could not be used, and why
    notices: tuple[str, ...] = ()
    citations: tuple[Citation, ...] = ()
    given: frozenset[int] = frozenset()
    """Numbers of all passages that the answer may name, once it is complete"""
    metrics: ReplyMetrics | None = None
    method: str = ""
    has_documents: bool = False
    has_states: bool = False  # Whether the library has any for the methods that draft from them
    has_draft: bool = False
    error: LocalSpecError | None = None

    @classmethod
    def of(cls, turn: Turn) -> View:
        """The answer of a turn that was written before."""
        return cls(
            turn.finish if turn.finish in ("stopped", "interrupted") else "done",
            text=turn.reply,
            thinking=turn.thinking,
            problems=tuple(turn.problems),
            notices=tuple(turn.notices),
            citations=tuple(turn.citations),
            given=frozenset(made.number for made in turn.given),
        )

    @property
    def is_final(self) -> bool:
        """Nothing follows."""
        return self.state in ("done", "looped", "stopped", "interrupted", "failed")


@dataclass(frozen=True, slots=True)
class Row:
    """One method of a measurement, as far as it is."""

    method: str
    state: str = "waiting"
    """"waiting", "reading", "writing", "done", "stopped", "given" (an answer of the chat) or "left out\""""
    fraction: float = 0.0  # of the prompt that is read
    metrics: ReplyMetrics | None = None
    speed: PairedSpeed | None = None
    """beside plain decoding, once it is through; that of plain decoding itself is 1"""
    same: bool | None = None
    """whether it wrote the same as the one it is compared with; None while that is not known"""
    why: str = ""  # it is left out


@dataclass(frozen=True, slots=True)
class Measured:
    """What there is to see of a measurement at one moment."""

    kind: str  # "plain": the chat's last answer beside plain decoding; "compare": every method
    question: str
    state: str = "running"  # "running", "done", "stopped" or "failed"
    activity: str = ""
    rows: tuple[Row, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    longest: int = 0
    is_part: bool = False  # not all of the text was decoded: it would have taken too long

    def row(self, method: str) -> Row | None:
        """The row of a method that was tried here."""
        return next((row for row in self.rows if row.method == method and row.state != "given"), None)


class Running(Protocol):
    """What a chat and its tabs know of work that is done for it in a thread."""

    @property
    def conversation(self) -> object:
        """The tab that asked."""

    @property
    def is_over(self) -> bool:
        """Nothing follows."""

    def stop(self) -> None:
        """End after the step at work."""


class RunningReply(Running, Protocol):
    """The answer that is made in a chat; `replying.ReplyTask` makes it."""

    discarded: bool  # its end is not shown

    def discard(self) -> None:
        """Stop, and show nothing more."""

    def wait(self, seconds: float) -> bool:
        """Until all is over and kept; False when that takes longer."""


class RunningMeasurement(Running, Protocol):
    """What is measured besides; `measuring.Measurement` does it."""

    measured: Measured  # what is known now

    @property
    def is_of_this_chat(self) -> bool:
        """False once the answer that was measured is not the chat's last one any more."""


@dataclass(eq=False)
class Exchange:
    """One question with its answer."""

    question: str
    files: tuple[str, ...] = ()
    view: View | None = None  # what there is to see of the answer; None before anything is
    turn: Turn | None = None  # None where the chat holds none of it: files alone, or no word of an answer
    token: str = field(default_factory=lambda: token_urlsafe(9))  # names it to pages while its answer is written


@dataclass(slots=True, eq=False)
class Chat:
    """One chat; tabs that show it share it, and its answer goes on being written when none does."""

    identity: int = 0  # its id among those that are kept; 0 while it is not
    token: str = field(default_factory=lambda: token_urlsafe(9))  # names it in addresses while it has no id
    library: str = config.DEFAULT_LIBRARY  # name of the library it was last held over
    turns: list[Turn] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    session: Session | None = None
    reply: RunningReply | None = None
    measurement: RunningMeasurement | None = None  # what was measured besides, the last time
    system: str = ""  # the person's own system prompt; "" where there is none
    without_documents: bool = False  # the person wants none, until they say otherwise
    tree: TurnTree = field(init=False)
    """`turns`, and their siblings with what followed those"""
    lock: threading.RLock = field(default_factory=threading.RLock)
    """held while an answer is begun, or anything else is changed"""

    def __post_init__(self) -> None:
        self.tree = TurnTree(self.turns)

    @classmethod
    def restored(cls, identity: int, kept: StoredConversation) -> Chat:
        """A chat as it was kept."""
        tree = TurnTree.of_stored(kept)
        chat = cls(identity, library=kept.library, turns=tree.turns, system=kept.system)
        chat.tree = tree
        chat.without_documents = bool(chat.turns) and chat.turns[-1].document_use == "none"
        chat.exchanges += _exchanges(chat.turns)
        return chat

    @property
    def address(self) -> str:
        """How the address of a page names it: by its id, or by its token while it has none; "" where nothing was asked
        in it."""
        if self.identity:
            return str(self.identity)
        return self.token if self.exchanges else ""

    @property
    def is_idle(self) -> bool:
        """True while no answer is being made."""
        return self.reply is None or self.reply.is_over

    def session_with(self, engine: Engine, library: Library | None) -> Session:
        """The session over this model and library; another model or library takes the chat so far over."""
        if self.session is None or self.session.engine is not engine or self.session.library is not library:
            self.session = Session(engine, library, self.system, turns=self.turns)
            self.session.adopt(node.turn for node in self.tree.nodes)
        return self.session

    def settle(self) -> None:
        """Wait for a reply whose end nobody shows, and take over its text. Raises StoreError when that takes long."""
        reply = self.reply
        if reply is None or not reply.discarded:
            return
        if not reply.wait(_SETTLE_SECONDS):
            raise StoreError(texts.CHAT_BUSY, texts.CHAT_BUSY_ADVICE)
        self.reply = None
        self.exchanges[:] = _exchanges(self.turns)

    def check_idle(self) -> None:
        """Raises SettingsError while an answer is being made, StoreError as `settle`."""
        self.settle()
        if not self.is_idle:
            raise SettingsError(texts.BUSY, texts.BUSY_ADVICE)

    # -- places: positions count turns from 0, exchanges those that are shown, which may have none ---------------

    def position(self, exchange: int) -> int:
        """Of the first turn at this exchange or behind it; that of the next turn where there is none."""
        shown = [one.turn for one in self.exchanges[exchange:] if one.turn is not None]
        return next((at for at, turn in enumerate(self.turns) if shown and turn is shown[0]), len(self.turns))

    def siblings(self, position: int) -> tuple[int, int]:
        """(index of the turn that is shown at this position, from 0; how many there are). (0, 1) before the first word
        of an answer."""
        path = self.tree.path
        if position < min(len(path), len(self.turns)) and path[position].turn is self.turns[position]:
            return self.tree.siblings(position)
        return 0, 1

    def show(self, node: TurnNode) -> None:
        """Show a turn, with what was shown before and behind it."""
        self._follow(self.tree.show(node))

    def add(self, turn: Turn, position: int) -> None:
        """Show a new sibling at this position."""
        self.tree.add(turn, position)
        self._follow(position)

    def cut(self, exchanges: int) -> None:
        """Take back all but the first exchanges, with siblings."""
        position = self.position(exchanges)
        del self.exchanges[exchanges:]
        if position < len(self.turns):
            self.tree.cut(position)
            self._follow(position)

    def _follow(self, position: int) -> None:
        """Turns and exchanges from this position on are those of the tree."""
        turns = self.tree.turns[position:]
        if self.session is not None:
            self.session.show(position, turns)
        else:
            self.turns[position:] = turns
        kept = {id(turn) for turn in self.turns[:position]}
        others = (at for at, one in enumerate(self.exchanges) if one.turn is not None and id(one.turn) not in kept)
        self.exchanges[next(others, len(self.exchanges)) :] = _exchanges(turns)


def _exchanges(turns: Sequence[Turn]) -> Iterator[Exchange]:
    """What there is to see of turns that were written before."""
    for turn, sentences in zip(turns, told(turns), strict=True):
        view = View.of(turn)
        view = replace(view, notices=(*view.notices, *sentences)) if sentences else view
        yield Exchange(turn.question, turn.files, view, turn)
