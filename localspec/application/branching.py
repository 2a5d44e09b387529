"""What a person does with the branches of a chat: goes to a sibling, edits an answer, takes a question back.

Retry and edit of a question are answers, which `replying` makes: each becomes a sibling with its first word. Everything
is refused while an answer is written, and is on disk before it is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from localspec import texts
from localspec.application.chats import Chat
from localspec.application.state import Application
from localspec.chat.answer import ending
from localspec.chat.citations import marks
from localspec.chat.engine import Engine
from localspec.chat.origins import Origins
from localspec.chat.turn import EDITED, Turn
from localspec.chat.turn_tree import TurnNode
from localspec.errors import SettingsError
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores.stored_turns import writable


def show_sibling(application: Application, chat: Chat, position: int, index: int) -> None:
    """Show another sibling of the turn at this position, with what followed it. Raises SettingsError while an answer is
    written and where there is none of this index, StoreError."""
    with _changing(application, chat):
        if not 0 <= position < len(chat.turns):
            raise SettingsError(texts.TURN_GONE)
        try:
            node = chat.tree.sibling(position, index)
        except IndexError as error:
            raise SettingsError(texts.TURN_GONE) from error
        _show(application, chat, node)


def show_turn(application: Application, chat: Chat, number: int) -> None:
    """Show the turn of this number in its branch; nothing where it is gone. Raises as `show_sibling`."""
    with _changing(application, chat):
        for node in chat.tree.nodes:
            if node.number == number:
                _show(application, chat, node)


def show_found(application: Application, chat: Chat, text: str) -> None:
    """Show the branch in which a search finds this, the newest, unless what is shown holds it. Raises as
    `show_sibling`."""
    numbers = application.history.store.found(chat.identity, text)
    if numbers and not any(node.number in numbers for node in chat.tree.path):
        show_turn(application, chat, numbers[0])


def edit_answer(application: Application, chat: Chat, position: int, text: str) -> None:
    """Show `text` as the answer at this position, in a new sibling: the answer from before, and what followed it, stay
    with the old one. Raises SettingsError while an answer is written and for an empty text, StoreError, after which all
    is as it was."""
    text = writable(text).replace("\r\n", "\n").replace("\r", "\n")
    with _changing(application, chat):
        if not 0 <= position < len(chat.turns):
            raise SettingsError(texts.TURN_GONE)
        if not text.strip():
            raise SettingsError(texts.EMPTY_ANSWER, texts.EMPTY_ANSWER_ADVICE)
        before = chat.turns[position]
        if text == before.reply:
            return
        with application.models.use(lambda: True) as engine:
            turn = edited(before, text, engine)
        history, node = application.history, chat.tree.next(position, turn)
        if history.is_open:
            number = history.put(chat.identity, chat.library, chat.tree, node, turn.stored(), chat.system)
            if number != chat.identity:
                chat.identity = number
                application.chats.keep(chat)
        chat.add(turn, position)


def take_back(application: Application, chat: Chat, exchanges: int) -> None:
    """Take back all but the first exchanges, with the siblings of the turns and what followed them. Raises as
    `show_sibling`, and then nothing is changed."""
    with _changing(application, chat):
        position = chat.position(exchanges)
        if chat.identity and position < len(chat.turns):
            application.history.store.remove(chat.identity, chat.tree.below(position))
            if position == 0:
                application.chats.forget(chat)
        chat.cut(exchanges)


def edited(before: Turn, text: str, engine: Engine | None) -> Turn:
    """The turn with another answer, which is nobody's measure. Its tokens are made later where no model is loaded."""
    own = engine is not None and before.tokenizer == engine.tokenizer_fingerprint
    thought = before.reply_tokens[: before.thinking_tokens] if own else []
    said = engine.tokenize(text).tolist() if engine is not None else []
    return replace(
        before,
        reply=text,
        reply_tokens=[*thought, *said],
        thinking_tokens=len(thought),
        tokenizer=engine.tokenizer_fingerprint if engine is not None else "",
        finish=EDITED,
        edited=True,
        method="",
        metrics=ReplyMetrics(),
        origins=Origins(),
        made_with=None,
        citations=[one for one in before.citations if one.number in marks(text)],
        notices=[notice for notice in before.notices if notice != ending(before)],
        problems=list(before.problems),
    )


def _show(application: Application, chat: Chat, node: TurnNode) -> None:
    if chat.identity:
        application.history.store.show(chat.identity, chat.tree.shown(node))
    chat.show(node)


@contextmanager
def _changing(application: Application, chat: Chat) -> Iterator[None]:
    """Nobody else changes the chat, and no answer is written in it; who shows it hears of it. Raises SettingsError,
    StoreError."""
    with chat.lock:
        chat.check_idle()
        yield
    application.changes.tell()
