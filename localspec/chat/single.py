"""One reply to a conversation that somebody else keeps, through the same loop as the chat's."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from localspec.chat.answer import answer
from localspec.chat.engine import Engine
from localspec.chat.material import PLAIN_SYSTEM
from localspec.chat.methods import plan, sources_of
from localspec.chat.template import Message
from localspec.chat.turn import ReplyOptions, Turn, Update
from localspec.errors import ContextTooLongError
from localspec.stores.library import Library


class SingleReply:
    """Answers messages as they are: nothing is looked up for them, left out, or learnt from the answer."""

    def __init__(self, engine: Engine, messages: Sequence[Message], library: Library | None = None) -> None:
        """`library` gives drafts, no text. Without a system message the chat's own is used.

        Raises ContextTooLongError. Needs no turn, so that it is known before the engine is free.
        """
        self._engine = engine
        self._library = library
        messages = list(messages)
        if not any(message.role == "system" for message in messages):
            messages.insert(0, Message("system", PLAIN_SYSTEM))
        self._tokens = engine.template.tokens(messages, engine.model)
        size = engine.model.context_size
        if len(self._tokens) >= size:
            raise ContextTooLongError(
                f"The messages are {len(self._tokens)} tokens long; the context of {engine.name} holds {size}.",
                "Send less text, or load the model with a larger context.",
            )

    def write(self, options: ReplyOptions) -> Generator[Update, None, None]:
        """The reply, as `Session.ask` gives it."""
        with self._engine.turn():
            planned = plan(sources_of(self._engine, self._library), options.method, options.sizing, options.rows)
            turn = Turn("", "", method=options.method)
            yield from answer(self._engine, self._tokens, turn, options, planned)
