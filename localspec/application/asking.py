"""A question, or what else an answer is wanted for: where in a chat the answer stands, and what stood there before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localspec.application.chats import Chat, Exchange, View
from localspec.chat.turn import Turn


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer that a tab asks for."""

    question: str
    files: tuple[Path, ...] = ()
    instead_of: int | None = None  # the exchange whose place it takes, with all after it
    names: tuple[str, ...] = ()  # files that came with the question before
    typed: bool = False  # it comes back when nothing comes of it
    goes_on: bool = False  # it is more of the last answer


@dataclass(slots=True)
class AnswerPlace:
    """Where an answer is written, and what stood there before, in case nothing comes of it."""

    exchange: Exchange
    exchanges: list[Exchange]  # of the chat before
    view: View | None = None
    turn: Turn | None = None  # of the answer that is gone on with, or whose place it takes

    @classmethod
    def of(cls, chat: Chat, asked: Asked) -> AnswerPlace:
        """The place of an answer, which is made in the chat."""
        exchanges = list(chat.exchanges)
        if asked.goes_on:
            last = exchanges[-1]
            return cls(last, exchanges, last.view, last.turn)
        replaced = None
        if asked.instead_of is not None:
            replaced = next((one.turn for one in exchanges[asked.instead_of :]), None)
            del chat.exchanges[asked.instead_of :]
        # Shortened like the names that Gradio gives uploads on disk; the library shows the same.
        exchange = Exchange(asked.question, asked.names or tuple(path.name for path in asked.files))
        chat.exchanges.append(exchange)
        return cls(exchange, exchanges, turn=replaced)

    def put_back(self, chat: Chat) -> None:
        """The chat as it was."""
        chat.exchanges[:] = self.exchanges
        self.exchange.view, self.exchange.turn = self.view or self.exchange.view, self.turn or self.exchange.turn
