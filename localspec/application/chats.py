"""A chat as tabs show it: questions, answers as markup, and the session behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localspec import config, texts
from localspec.chat.citations import Citation
from localspec.chat.engine import Engine
from localspec.chat.history import restored
from localspec.chat.session import Session
from localspec.chat.turn import Turn
from localspec.errors import StoreError
from localspec.stores.library import Library
from localspec.stores.stored_turns import StoredConversation
from localspec.ui import colours, markup

if TYPE_CHECKING:
    from localspec.application.measuring import Measurement
    from localspec.application.replying import ReplyTask, View

_SETTLE_SECONDS = 30.0
"""A reply that is stopped ends after the step at work."""


@dataclass(slots=True, eq=False)
class Exchange:
    """One question with its answer, as the page shows them."""

    question: str
    files: tuple[str, ...] = ()
    answer: str = ""
    """Markdown that is safe to render"""
    turn: Turn | None = None
    """None where the chat holds none of it: files alone, or no word of an answer"""
    _coloured: tuple[str, str] = ("", "")
    """an answer, and the same with its words marked"""

    def shown(self, coloured: bool) -> str:
        """The answer, `coloured` with its words marked by where they came from once it is complete."""
        turn = self.turn
        if not coloured or turn is None or not turn.finish:
            return self.answer
        if self._coloured[0] is not self.answer:
            plain = markup.answer(turn.reply)
            # While it is not the whole answer yet that is shown, it is not marked.
            told = self.answer.startswith(plain)
            marked = colours.answer(turn.reply, turn.origins) + self.answer[len(plain) :] if told else self.answer
            self._coloured = (self.answer, marked)
        return self._coloured[1]


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
    reply: ReplyTask | None = None
    measurement: Measurement | None = None
    """what was measured besides, the last time"""
    system: str = ""
    """the person's own system prompt; "" where there is none"""

    @classmethod
    def restored(cls, identity: int, kept: StoredConversation) -> Chat:
        """A chat as it was kept."""
        chat = cls(identity, kept.library, restored(kept), system=kept.system)
        chat._draw()
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
        """Wait for a reply whose end nobody shows, and take over what was written. Raises StoreError when that takes
        long."""
        reply = self.reply
        if reply is None or not reply.discarded:
            return
        if not reply.wait(_SETTLE_SECONDS):
            raise StoreError(texts.CHAT_BUSY, texts.CHAT_BUSY_ADVICE)
        self.reply = None
        self._draw()

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

    def messages(self, coloured: bool = False) -> list[dict[str, str]]:
        """What Gradio's chatbot shows; `coloured` with the words of answers marked by where they came from."""
        shown = []
        for number, exchange in enumerate(self.exchanges):
            asked = markup.question(exchange.question, exchange.files, number)
            shown += [{"role": "user", "content": asked}, {"role": "assistant", "content": exchange.shown(coloured)}]
        return shown

    def _draw(self) -> None:
        self.exchanges[:] = [Exchange(turn.question, turn.files, _drawn(turn), turn) for turn in self.turns]


def answer(view: View) -> str:
    """The assistant's message at this moment."""
    parts = [markup.answer(view.text, view.given)]
    if not view.is_final and not view.text:
        if view.fraction is None:
            parts.append(markup.note(view.activity, "activity"))
        else:
            parts.append(markup.meter(f"{view.activity} {view.fraction:.0%}", view.fraction))
    if view.state == "stopped":
        parts.append(markup.note(texts.STOPPED if view.text else texts.STOPPED_EARLY))
    if view.is_final:
        parts += _told(view.citations, view.problems, view.notices)
    if view.error is not None:
        parts.append(markup.note(f"{texts.NOT_ANSWERED}: {view.error}", "problem"))
    return _joined(parts)


def _drawn(turn: Turn) -> str:
    """The message of an answer that was written before."""
    parts = [markup.answer(turn.reply, {made.number for made in turn.given})]
    if turn.finish == "stopped":
        parts.append(markup.note(texts.STOPPED))
    elif turn.finish == "interrupted":
        parts.append(markup.note(texts.INTERRUPTED))
    return _joined(parts + _told(turn.citations, turn.problems, turn.notices))


def _told(citations: Sequence[Citation], problems: Sequence[str], notices: Sequence[str]) -> list[str]:
    """What stands under an answer that is complete."""
    return [
        markup.citations(citations),
        *(markup.note(problem, "problem") for problem in problems),
        *(markup.note(notice) for notice in notices),
    ]


def _joined(parts: Sequence[str]) -> str:
    # Blank lines end Markdown's paragraphs and lists, so that what follows is markup of its own.
    text, *told = [part for part in parts if part] or [""]
    return "\n\n".join([markup.closed(text) if told else text, *told])
