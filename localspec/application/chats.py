"""A chat as tabs show it: questions, what there is to see of their answers, and the session behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from localspec import config, texts
from localspec.application.views import Measured, View
from localspec.chat.engine import Engine
from localspec.chat.history import restored
from localspec.chat.session import Session
from localspec.chat.turn import Turn
from localspec.errors import StoreError
from localspec.stores.library import Library
from localspec.stores.stored_turns import StoredConversation

_SETTLE_SECONDS = 30.0
"""A reply that is stopped ends after the step at work."""


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

    discarded: bool
    """its end is not shown"""

    def discard(self) -> None:
        """Stop, and show nothing more."""

    def wait(self, seconds: float) -> bool:
        """Until all is over and kept; False when that takes longer."""

    def wait_told(self) -> None:
        """Until its page was given the end, or takes too long for it."""


class RunningMeasurement(Running, Protocol):
    """What is measured besides; `measuring.Measurement` does it."""

    measured: Measured
    """what is known now"""

    @property
    def is_of_this_chat(self) -> bool:
        """False once the answer that was measured is not the chat's last one any more."""


@dataclass(eq=False)
class Exchange:
    """One question with its answer."""

    question: str
    files: tuple[str, ...] = ()
    view: View | None = None
    """what there is to see of the answer; None before anything is"""
    turn: Turn | None = None
    """None where the chat holds none of it: files alone, or no word of an answer"""


@dataclass(slots=True, eq=False)
class Chat:
    """One chat; tabs that show it share it."""

    identity: int = 0
    """its id among those that are kept; 0 while it is not"""
    library: str = config.DEFAULT_LIBRARY
    """name of the library it was last held over"""
    turns: list[Turn] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    session: Session | None = None
    reply: RunningReply | None = None
    measurement: RunningMeasurement | None = None
    """what was measured besides, the last time"""
    system: str = ""
    """the person's own system prompt; "" where there is none"""

    @classmethod
    def restored(cls, identity: int, kept: StoredConversation) -> Chat:
        """A chat as it was kept."""
        chat = cls(identity, kept.library, restored(kept), system=kept.system)
        chat._show_turns()
        return chat

    @property
    def is_idle(self) -> bool:
        """True while no answer is being made."""
        return self.reply is None or self.reply.is_over

    def session_with(self, engine: Engine, library: Library | None) -> Session:
        """The session over this model and library; another model or library takes the chat so far over."""
        if self.session is None or self.session.engine is not engine or self.session.library is not library:
            self.session = Session(engine, library, self.system, turns=self.turns)
        return self.session

    def settle(self) -> None:
        """Wait for a reply whose end nobody shows, and take over its text. Raises StoreError when that takes long."""
        reply = self.reply
        if reply is None or not reply.discarded:
            return
        if not reply.wait(_SETTLE_SECONDS):
            raise StoreError(texts.CHAT_BUSY, texts.CHAT_BUSY_ADVICE)
        self.reply = None
        self._show_turns()

    def cut(self, exchanges: int) -> None:
        """Take back all but the first exchanges."""
        gone = [exchange.turn for exchange in self.exchanges[exchanges:] if exchange.turn is not None]
        del self.exchanges[exchanges:]
        if not gone:
            return
        position = self.turns.index(gone[0])
        if self.session is not None:
            self.session.cut(position)
        else:
            del self.turns[position:]

    def _show_turns(self) -> None:
        self.exchanges[:] = [Exchange(turn.question, turn.files, View.of(turn), turn) for turn in self.turns]
