"""One reply to a conversation that somebody else keeps, through the same loop as the chat's."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.material import PLAIN_SYSTEM
from localspec.chat.session import ReplyOptions, Session, Turn, Update
from localspec.chat.template import Message
from localspec.errors import ContextTooLongError
from localspec.models.llama import LlamaModel
from localspec.stores.library import Library


class SingleReply(Session):
    """Answers messages as they are: nothing is looked up for them, left out, or learnt from the answer."""

    def __init__(self, engine: Engine, messages: Sequence[Message], library: Library | None = None) -> None:
        """`library` gives drafts, no text. Without a system message the chat's own is used.

        Raises ContextTooLongError. Needs no turn, so that it is known before the engine is free.
        """
        super().__init__(engine, library, learns=False)
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
        return self.ask("", options)

    def _compose(self, question: str, options: ReplyOptions, model: LlamaModel) -> tuple[Turn, NDArray[np.int32]]:
        turn = Turn(question, question, method=options.method)
        turn.metrics.plain_seconds = self.engine.plain_seconds
        self._tell_of_draft(turn)
        return turn, self._tokens
