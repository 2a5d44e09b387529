"""The chat itself: asking, stopping, taking back, editing and going on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.branching import take_back
from localspec.application.chats import Chat, Exchange, View
from localspec.application.replying import ReplyTask
from localspec.application.state import Application, Conversation
from localspec.chat.comparison import with_seed
from localspec.chat.turn import Turn
from localspec.errors import LocalSpecError, SettingsError
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.totals import Totals, totals
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES
from localspec.ui import elements, maths
from localspec.ui.chat_updates import CHAT_PARTS, REPLY_PARTS, ChatUpdates, live_panel, totals_of
from localspec.ui.messages import messages
from localspec.ui.options import reply_options
from localspec.ui.part import QUICK, Part, Tick, Update, Updates, html, identity, only

_PATIENT = {**QUICK, "concurrency_limit": 8}
"""Replies take turns on the engine's own lock, so that a second tab sees what it waits for."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An answer that a tab asks for."""

    question: str
    files: tuple[Path, ...] = ()
    instead_of: int | None = None  # the exchange whose place it takes, with all after it
    names: tuple[str, ...] = ()  # files that came with the question before
    typed: bool = False  # it comes back when nothing comes of it
    goes_on: bool = False  # it is more of the last answer


@dataclass(slots=True)
class _Before:
    """What stood in the chat before an answer was begun, in case nothing comes of it."""

    exchanges: list[Exchange]
    view: View | None
    turn: Turn | None  # of the answer that is gone on with
    earlier: Totals


class ChatPart(Part):
    """The messages, the entry, and what stands between them."""

    told = CHAT_PARTS

    def __init__(self, application: Application, updates: ChatUpdates) -> None:
        super().__init__(application)
        self.updates = updates

    def build_new(self) -> None:
        """The button in the heading."""
        self.new = gr.Button(texts.NEW_CHAT, size="sm", scale=0, min_width=90, elem_id="new-chat")

    def build_messages(self) -> None:
        """The chat."""
        self.chatbot = self.named["chat"] = gr.Chatbot(
            elem_id="chat",
            show_label=False,
            height="100%",
            placeholder=texts.PLACEHOLDER,
            sanitize_html=True,
            allow_tags=False,
            feedback_options=None,
            buttons=["copy"],
            layout="bubble",
            latex_delimiters=maths.DELIMITERS,
        )

    def build_below(self) -> None:
        """Between chat and entry: what can be done about the last answer, and what fills the context."""
        self.named["below"] = html("below")

    def build_entry(self) -> None:
        """Where questions are typed and files dropped."""
        self.entry = self.named["entry"] = gr.MultimodalTextbox(
            elem_id="entry",
            show_label=False,
            placeholder=texts.ASK,
            file_count="multiple",
            file_types=sorted(SUPPORTED_SUFFIXES),
            sources=["upload"],
            autofocus=True,
            max_lines=8,
        )

    def connect(self, settings: Sequence[gr.components.Component], outputs: Sequence[gr.components.Component]) -> None:
        """`settings` as `SAMPLING_ORDER` says, `outputs` as `REPLY_PARTS`."""
        settings, shown = list(settings), list(outputs)
        self.entry.submit(self.reply, [self.entry, *settings], shown, **_PATIENT)
        self.entry.stop(self.stop, None, None, **QUICK)
        self.chatbot.retry(self.retry, settings, shown, **_PATIENT)
        self.chatbot.undo(self.undo, None, shown, **QUICK)
        self.new.click(self.new_chat, None, shown, **QUICK)
        self.chatbot.clear(self.new_chat, None, shown, **QUICK)

    def tell(self, tick: Tick) -> None:
        """What stands beside the chat."""
        self.updates.tell(tick)

    # -- what people do -----------------------------------------------------------------------------------------

    def reply(self, request: gr.Request, entry: dict[str, Any], *settings: Any) -> Iterator[Updates]:  # noqa: ANN401
        """Answer what was sent; files join the library. Whatever goes wrong, what was typed comes back."""
        conversation = self.conversation(request)
        files = tuple(Path(path) for path in entry.get("files") or [])
        wanted = _Wanted((entry.get("text") or "").strip(), files, conversation.editing, typed=True)
        yield from self._answer(conversation, wanted, settings)

    def retry(self, request: gr.Request, *settings: Any) -> Iterator[Updates]:  # noqa: ANN401
        """Ask the last question again. Its answer goes once there is a word of the new one."""
        conversation = self.conversation(request)
        exchanges = conversation.chat.exchanges
        if not exchanges or not exchanges[-1].question:
            gr.Warning(texts.NOTHING_TO_RETRY)
            yield only(REPLY_PARTS, {})
            return
        last, before = exchanges[-1], exchanges[-1].turn
        wanted = _Wanted(last.question, instead_of=len(exchanges) - 1, names=last.files)
        yield from self._answer(conversation, wanted, settings)
        now = exchanges[-1].turn if exchanges else None
        if before is not None and now is not None and now is not before and now.reply == before.reply:
            gr.Info(texts.SAME_AGAIN)

    def undo(self, request: gr.Request) -> Updates:
        """Take the last question back, with its answer: it stands in the entry again."""
        conversation = self.conversation(request)
        try:
            with conversation.chat.lock:
                chat = _idle(conversation)
                if not chat.exchanges:
                    raise SettingsError(texts.NOTHING_TO_UNDO)
                question = chat.exchanges[-1].question
                take_back(self.application, chat, len(chat.exchanges) - 1)
        except LocalSpecError as error:
            gr.Warning(elements.lines(str(error)))
            return only(REPLY_PARTS, {})
        conversation.editing = None
        return self.updates.all(conversation, REPLY_PARTS, question)

    def stop(self, request: gr.Request) -> None:
        """End the running reply; its text stays."""
        reply = self.conversation(request).chat.reply
        if reply is not None:
            reply.stop()

    def new_chat(self, request: gr.Request) -> Updates:
        """An empty conversation over the same library."""
        conversation = self.conversation(request)
        edited = conversation.editing is not None
        conversation.show(Chat())
        return self.updates.all(conversation, REPLY_PARTS, empties=edited)

    def edit(self, conversation: Conversation, about: str) -> Updates:
        """Put a question into the entry, to be sent anew."""
        chat, number = _idle(conversation), identity(about)
        if number >= len(chat.exchanges):
            raise SettingsError(texts.NOTHING_TO_EDIT)
        conversation.editing = number
        entry = gr.MultimodalTextbox(value={"text": chat.exchanges[number].question, "files": []})
        return self.updates.beside_only(conversation, entry=entry)

    def unedit(self, conversation: Conversation, about: str) -> Updates:
        """Leave it as it was."""
        conversation.editing = None
        entry = gr.MultimodalTextbox(value=None)
        return self.updates.beside_only(conversation, entry=entry)

    def go_on(self, conversation: Conversation, settings: Sequence[Any]) -> Iterator[Updates]:
        """Write on at the last answer."""
        exchanges = conversation.chat.exchanges
        if exchanges and exchanges[-1].turn is not None:
            yield from self._answer(conversation, _Wanted(exchanges[-1].question, goes_on=True), settings)

    # -- an answer ----------------------------------------------------------------------------------------------

    def _answer(self, conversation: Conversation, wanted: _Wanted, settings: Sequence[Any]) -> Iterator[Updates]:
        """Make an answer and show it while it is made."""
        chat = conversation.chat
        try:
            reply = self._begin(conversation, wanted, settings)
        except LocalSpecError as error:
            gr.Warning(elements.lines(str(error)), title=texts.NOT_ANSWERED)
            yield only(REPLY_PARTS, {})
            return
        exchange, before = _placed(chat, wanted)
        conversation.editing = None
        shown: Update = gr.skip()
        is_first = True
        reply.start()
        try:
            for view in reply.views():
                if reply.discarded:
                    break
                exchange.view = view
                now = before.earlier.plus(view.metrics or ReplyMetrics(), replies=int(not wanted.goes_on))
                shown = live_panel(view, shown, totals_of(chat) if view.is_final else now)
                entry: Update = gr.skip()
                if view.is_final:
                    entry = _entry_after(view, wanted)
                    exchange.turn = reply.turn
                    _put_back(conversation, wanted, exchange, before, view)
                parts = self.updates.parts(conversation) if is_first or view.is_final else {}
                busy = gr.MultimodalTextbox(value=None, submit_btn=False, stop_btn=True) if is_first else entry
                drawn = messages(chat, conversation.coloured)
                yield only(REPLY_PARTS, {"chat": drawn, "panel": shown, "entry": busy, **parts})
                if is_first and view.is_final:
                    yield only(REPLY_PARTS, {"entry": entry})
                is_first = False
                shown = gr.skip()
        finally:
            # Also when the tab is closed: nobody waits for this answer any more.
            reply.stop()

    def _begin(self, conversation: Conversation, wanted: _Wanted, settings: Sequence[Any]) -> ReplyTask:
        if not wanted.question and not wanted.files and not wanted.goes_on:
            raise SettingsError(texts.NOTHING_SENT)
        options = with_seed(reply_options(*settings, library=conversation.library))
        if (wanted.files or wanted.names) and options.documents == "auto":
            options = replace(options, documents="always")  # a question with files is about them
        with conversation.chat.lock:  # tabs may show the same chat
            chat = _idle(conversation)
            if not wanted.goes_on and options.system is not None:
                chat.system = options.system
            conversation.without_documents = chat.without_documents = options.documents == "none"
            position = None
            if wanted.instead_of is not None:
                replaced = [one.turn for one in chat.exchanges[wanted.instead_of :] if one.turn is not None]
                position = chat.position(wanted.instead_of) if replaced else None
            reply = chat.reply = ReplyTask(
                *(self.application, conversation, wanted.question, wanted.files, options),
                instead_of=position,
                goes_on=wanted.goes_on,
            )
            return reply


def _placed(chat: Chat, wanted: _Wanted) -> tuple[Exchange, _Before]:
    """The exchange that an answer is written into, and what was there before."""
    exchanges = list(chat.exchanges)
    kept = [one.turn for one in exchanges[: wanted.instead_of] if one.turn is not None]
    earlier = totals(turn.metrics for turn in kept if turn.is_measure)
    if wanted.goes_on:
        return exchanges[-1], _Before(exchanges, exchanges[-1].view, exchanges[-1].turn, earlier)
    del chat.exchanges[len(chat.exchanges) if wanted.instead_of is None else wanted.instead_of :]
    # Shortened like the names that Gradio gives uploads on disk; the library shows the same.
    exchange = Exchange(wanted.question, wanted.names or tuple(path.name for path in wanted.files))
    chat.exchanges.append(exchange)
    return exchange, _Before(exchanges, None, None, earlier)


def _entry_after(view: View, wanted: _Wanted) -> Update:
    """The entry once an answer has ended; what was typed for one that failed comes back."""
    if view.error is not None and wanted.typed:
        typed: dict[str, Any] = {"text": wanted.question, "files": []}
        return gr.MultimodalTextbox(value=typed, submit_btn=True, stop_btn=False)
    return gr.MultimodalTextbox(submit_btn=True, stop_btn=False)


def _put_back(conversation: Conversation, wanted: _Wanted, exchange: Exchange, before: _Before, view: View) -> None:
    """Where nothing came of an answer that was to take another one's place, or to go on with it: what was there stays,
    and why is said beside it."""
    failed = view.error is not None
    if (wanted.goes_on and failed) or (wanted.instead_of is not None and exchange.turn is None):
        said = str(view.error) if failed else texts.STOPPED_EARLY
        gr.Warning(elements.lines(f"{said} {texts.KEPT_BEFORE}"), title=texts.NOT_ANSWERED)
        conversation.chat.exchanges[:] = before.exchanges
        exchange.view, exchange.turn = before.view or exchange.view, before.turn or exchange.turn
        conversation.editing = wanted.instead_of if wanted.typed and failed else None


def _idle(conversation: Conversation) -> Chat:
    """The chat of a tab, when no answer is being made in it. Raises SettingsError, StoreError."""
    chat = conversation.chat
    chat.check_idle()
    return chat
