"""What happens when people ask, stop, take back, edit and go on, and when they use the list of their chats."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr

from localspec import texts
from localspec.application.chats import Chat, Exchange
from localspec.application.replying import Reply
from localspec.application.state import CHATS_LISTED, Application, Conversation
from localspec.application.views import View
from localspec.chat.comparison import with_seed
from localspec.chat.transfer import read_json
from localspec.errors import LocalSpecError, SettingsError
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.totals import Totals, totals
from localspec.ui import chat_list, context_meter, markup, panel, trials
from localspec.ui.library_part import LIBRARY_PARTS
from localspec.ui.messages import messages
from localspec.ui.options import reply_options
from localspec.ui.page import Page

Update = Any
"""A component's new value, or what `gr.update` makes; Gradio types neither."""
Updates = tuple[Update, ...]

CHAT_PARTS = ("below", "chats", "measured", "system")
"""The parts of the page beside the chat that are refreshed regularly."""
REPLY_PARTS = ("chat", "panel", "entry", *CHAT_PARTS)
ALL_PARTS = (*REPLY_PARTS, "library", *LIBRARY_PARTS)


@dataclass(frozen=True, slots=True)
class _List:
    """A tab's list as it was drawn; of what, and of which version of the store."""

    version: int
    known: tuple[object, ...]
    markup: str


class Chats:
    """The handlers, over one application."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._beginning = threading.Lock()
        self._lists: WeakKeyDictionary[Conversation, _List] = WeakKeyDictionary()
        self._actions: dict[str, Callable[[Conversation, str], Updates]] = {
            "open": self._open,
            "rename": self._ask_title,
            "title": self._rename,
            "ask": self._ask_deletion,
            "delete": self._delete,
            "keep": self._keep,
            "more": self._more,
            "edit": self._edit,
            "unedit": self._unedit,
            "halt": self._halt,
            "unmeasure": self._unmeasure,
        }

    def connect(self, page: Page, quick: dict[str, Any]) -> None:
        """Tie the handlers to the components; `quick` are the options of every handler on the page."""
        # Replies take turns on the engine's own lock, so that a second tab sees what it waits for.
        patient = {**quick, "concurrency_limit": 8}
        outputs = [page.chat, page.panel, page.entry, page.below, page.chats, page.measured, page.system]
        everything = [*outputs, page.library, *page.library_parts]
        page.entry.submit(self.reply, [page.entry, *page.settings], outputs, **patient)
        page.entry.stop(self.stop, None, None, **quick)
        page.chat.retry(self.retry, page.settings, outputs, **patient)
        page.chat.undo(self.undo, None, outputs, **quick)
        page.new_chat.click(self.new_chat, None, outputs, **quick)
        page.chat.clear(self.new_chat, None, outputs, **quick)
        # Not "always_last": one action may be an answer that goes on for minutes.
        page.act.change(self.act, [page.act, *page.settings], everything, trigger_mode="multiple", **quick)
        page.search.change(self.search, page.search, page.chats, **quick)
        page.system.blur(self.set_system, page.system, None, **quick)
        page.importing.upload(self.import_file, page.importing, page.chats, **quick)

    # -- replies ------------------------------------------------------------------------------------------------

    def reply(self, request: gr.Request, entry: dict[str, Any], *settings: Any) -> Iterator[Updates]:  # noqa: ANN401
        """Answer what was sent; files join the library. Whatever goes wrong, what was typed comes back."""
        conversation = self._conversation(request)
        question = (entry.get("text") or "").strip()
        files = [Path(path) for path in entry.get("files") or []]
        yield from self._answer(conversation, question, files, settings, conversation.editing, typed=True)

    def retry(self, request: gr.Request, *settings: Any) -> Iterator[Updates]:  # noqa: ANN401
        """Ask the last question again. Its answer goes once there is a word of the new one."""
        conversation = self._conversation(request)
        exchanges = conversation.chat.exchanges
        if not exchanges or not exchanges[-1].question:
            gr.Warning(texts.NOTHING_TO_RETRY)
            yield _updates(REPLY_PARTS)
            return
        last, before = exchanges[-1], exchanges[-1].turn
        yield from self._answer(conversation, last.question, [], settings, len(exchanges) - 1, names=last.files)
        now = exchanges[-1].turn if exchanges else None
        if before is not None and now is not None and now is not before and now.reply == before.reply:
            gr.Info(texts.SAME_AGAIN)

    def undo(self, request: gr.Request) -> Updates:
        """Take the last question back, with its answer: it stands in the entry again."""
        conversation = self._conversation(request)
        try:
            with self._beginning:
                chat = _idle(conversation)
                if not chat.exchanges:
                    raise SettingsError(texts.NOTHING_TO_UNDO)
                question = chat.exchanges[-1].question
                self._cut(chat, len(chat.exchanges) - 1)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
            return _updates(REPLY_PARTS)
        conversation.editing = None
        return self._all(conversation, REPLY_PARTS, question)

    def stop(self, request: gr.Request) -> None:
        """End the running reply; its text stays."""
        reply = self._conversation(request).chat.reply
        if reply is not None:
            reply.stop()

    def new_chat(self, request: gr.Request) -> Updates:
        """An empty conversation over the same library."""
        conversation = self._conversation(request)
        edited = conversation.editing is not None
        conversation.show(Chat())
        return self._all(conversation, REPLY_PARTS, empties=edited)

    def _go_on(self, conversation: Conversation, settings: Sequence[Any]) -> Iterator[Updates]:
        """Write on at the last answer."""
        exchanges = conversation.chat.exchanges
        if exchanges and exchanges[-1].turn is not None:
            last = exchanges[-1]
            yield from self._answer(conversation, last.question, [], settings, None, goes_on=True)

    def _answer(
        self,
        conversation: Conversation,
        question: str,
        files: list[Path],
        settings: Sequence[Any],
        instead_of: int | None,
        *,
        names: tuple[str, ...] = (),
        typed: bool = False,
        goes_on: bool = False,
    ) -> Iterator[Updates]:
        """Make an answer and show it while it is made: a new one at the end or `instead_of` an exchange and all after
        it, or more of the last one. `names` are files that came with the question before; what was `typed` comes back
        when nothing comes of it."""
        chat = conversation.chat
        try:
            reply = self._begin(conversation, question, files, settings, instead_of, goes_on=goes_on)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)), title=texts.NOT_ANSWERED)
            yield _updates(REPLY_PARTS)
            return
        before = list(chat.exchanges)
        earlier = totals(one.turn.metrics for one in before[:instead_of] if one.turn is not None)
        if goes_on:
            exchange, shown_before = before[-1], before[-1].view
        else:
            del chat.exchanges[len(chat.exchanges) if instead_of is None else instead_of :]
            # Shortened like the names that Gradio gives uploads on disk; the library shows the same.
            exchange, shown_before = Exchange(question, names or tuple(path.name for path in files)), None
            chat.exchanges.append(exchange)
        conversation.editing = None
        busy: Update = gr.MultimodalTextbox(value=None, submit_btn=False, stop_btn=True)
        ready = gr.MultimodalTextbox(submit_btn=True, stop_btn=False)
        shown: Update = gr.skip()
        reply.start()
        try:
            for view in reply.views():
                if reply.discarded:
                    break
                exchange.view = view
                now = earlier.plus(view.metrics or ReplyMetrics(), replies=int(not goes_on))
                shown = _panel(view, shown, _totals(chat) if view.is_final else now)
                end: Update = gr.skip()
                if view.is_final:
                    exchange.turn, end = reply.turn, ready
                    failed = view.error is not None
                    if failed and typed:
                        end = gr.MultimodalTextbox(
                            value={"text": question, "files": []}, submit_btn=True, stop_btn=False
                        )
                    if (goes_on and failed) or (instead_of is not None and reply.turn is None):
                        # What was there stays, and why nothing came of it is said beside it.
                        said = str(view.error) if failed else texts.STOPPED_EARLY
                        gr.Warning(markup.lines(f"{said} {texts.KEPT_BEFORE}"), title=texts.NOT_ANSWERED)
                        chat.exchanges[:] = before
                        exchange.view = shown_before or exchange.view
                        conversation.editing = instead_of if typed and failed else None
                parts = self.parts(conversation) if busy is not None or view.is_final else {}
                first = busy if busy is not None else end
                yield _updates(
                    REPLY_PARTS, chat=messages(chat, conversation.coloured), panel=shown, entry=first, **parts
                )
                if busy is not None and view.is_final:
                    yield _updates(REPLY_PARTS, entry=end)
                busy = None
                shown = gr.skip()
        finally:
            # Also when the tab is closed: nobody waits for this answer any more.
            reply.stop()

    def _begin(
        self,
        conversation: Conversation,
        question: str,
        files: list[Path],
        settings: Sequence[Any],
        instead_of: int | None,
        *,
        goes_on: bool,
    ) -> Reply:
        if not question and not files and not goes_on:
            raise SettingsError(texts.NOTHING_SENT)
        options = with_seed(reply_options(*settings, library=conversation.library))
        with self._beginning:  # tabs may show the same chat
            chat = _idle(conversation)
            if not goes_on and options.system is not None:
                chat.system = options.system
            position = None
            if instead_of is not None:
                replaced = [one.turn for one in chat.exchanges[instead_of:] if one.turn is not None]
                position = chat.turns.index(replaced[0]) if replaced else None
            chat.reply = Reply(
                self.application, conversation, question, files, options, instead_of=position, goes_on=goes_on
            )
            return chat.reply

    def _cut(self, chat: Chat, exchanges: int) -> None:
        """Take back all but the first exchanges, on disk as well. Raises StoreError, and then nothing is changed."""
        turns = sum(exchange.turn is not None for exchange in chat.exchanges[:exchanges])
        if chat.identity and turns < len(chat.turns):
            self.application.history.store.cut(chat.identity, turns)
            if turns == 0:
                self.application.forget(chat)
        chat.cut(exchanges)

    # -- the list -----------------------------------------------------------------------------------------------

    def act(self, request: gr.Request, wanted: str, *settings: Any) -> Iterator[Updates]:  # noqa: ANN401
        """One of the buttons inside markup that are about chats. `page.js` writes a count, the button's name, and what
        it is about."""
        conversation = self._conversation(request)
        name, _, about = wanted.partition(" ")[2].partition(" ")
        if name == "continue":
            for updates in self._go_on(conversation, settings):
                yield (*updates, *(gr.skip() for _ in ALL_PARTS[len(REPLY_PARTS) :]))
            return
        action = self._actions.get(name)
        try:
            yield action(conversation, about) if action is not None else _updates(ALL_PARTS)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
            conversation.listed.settle()
            yield _updates(ALL_PARTS, **self.parts(conversation))

    def search(self, text: str, request: gr.Request) -> Update:
        """Show the chats that hold these words."""
        conversation = self._conversation(request)
        state = conversation.listed
        state.query, state.limit = text or "", CHATS_LISTED
        state.settle()
        return self._list(conversation)

    def import_file(self, path: str | None, request: gr.Request) -> Update:
        """Add the chats of an exported file, all or none."""
        try:
            number = self.application.history.store.add(read_json(Path(path or "")))
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        else:
            gr.Info(texts.IMPORTED.format(chats=texts.counted(number, "chat")))
        return self._list(self._conversation(request))

    def _list(self, conversation: Conversation) -> str:
        """The list alone, to be sent."""
        conversation.seen["chats"] = self._listed(conversation)
        return conversation.seen["chats"]

    def set_system(self, text: str, request: gr.Request) -> None:
        """Keep the system prompt that was typed with the chat; the next question is asked with it."""
        conversation = self._conversation(request)
        chat, system = conversation.chat, (text or "").strip()
        conversation.seen["system"] = system
        if system == chat.system:
            return
        chat.system = system
        if chat.identity:
            try:
                self.application.history.store.set_system(chat.identity, system)
            except LocalSpecError as error:
                gr.Warning(markup.lines(str(error)))

    def parts(self, conversation: Conversation) -> dict[str, Update]:
        """What stands beside the chat now, to be sent: the next tick need not send it again."""
        parts = self.beside(conversation)
        # Somebody may be typing there.
        same = parts["system"] == conversation.seen.get("system", "")
        conversation.seen.update(parts)
        return {name: part for name, part in parts.items() if name != "system" or not same}

    def beside(self, conversation: Conversation) -> dict[str, str]:
        """What stands beside the chat now, as `CHAT_PARTS` names it."""
        chat = conversation.chat
        last = chat.exchanges[-1].turn if chat.exchanges else None
        can_go_on = chat.is_idle and last is not None and last.is_cut
        return {
            "below": chat_list.below(conversation.editing, len(chat.exchanges), can_go_on)
            + context_meter.meter(chat.turns[-1] if chat.turns else None),
            "chats": self._listed(conversation),
            "measured": _measured(chat),
            "system": chat.system,
        }

    def _listed(self, conversation: Conversation) -> str:
        """The list; made anew only where something has changed, and not under a title that is being typed."""
        history, state = self.application.history, conversation.listed
        version = history.store.version if history.is_open else 0
        known = (state.query, state.limit, state.renaming, state.deleting, conversation.chat.identity, history.problem)
        made = self._lists.get(conversation)
        if made is not None and made.known == known and (made.version == version or state.renaming):
            return made.markup
        problem = history.problem
        try:
            # One more than is shown, to know whether there are more.
            infos = history.store.search(state.query, state.limit + 1) if history.is_open else []
        except LocalSpecError as error:
            infos, problem = [], str(error)
        more = len(infos) > state.limit
        drawn = chat_list.chats(infos[: state.limit], state, conversation.chat.identity, problem, more)
        self._lists[conversation] = _List(version, known, drawn)
        return drawn

    def _open(self, conversation: Conversation, about: str) -> Updates:
        chat = self.application.chat(_identity(about))
        conversation.listed.settle()
        edited = conversation.editing is not None
        conversation.show(chat)
        switched: dict[str, Update] = {}
        # One that is not there, as after an import, is not begun for it.
        if chat.library != conversation.library and chat.library in self.application.library_names():
            conversation.use_library(chat.library)
            switched = {"library": chat.library, **dict.fromkeys(LIBRARY_PARTS, "")}
        return self._all(conversation, ALL_PARTS, empties=edited, **switched)

    def _ask_title(self, conversation: Conversation, about: str) -> Updates:
        conversation.listed.settle()
        conversation.listed.renaming = _identity(about)
        return _updates(ALL_PARTS, **self.parts(conversation))

    def _rename(self, conversation: Conversation, about: str) -> Updates:
        identity, _, title = about.partition(" ")
        self.application.history.store.rename(_identity(identity), title)
        return self._keep(conversation)

    def _ask_deletion(self, conversation: Conversation, about: str) -> Updates:
        conversation.listed.settle()
        conversation.listed.deleting = _identity(about)
        return _updates(ALL_PARTS, **self.parts(conversation))

    def _delete(self, conversation: Conversation, about: str) -> Updates:
        identity, shown = _identity(about), conversation.chat
        if not identity or conversation.listed.deleting != identity:
            return self._keep(conversation)
        self.application.delete_chat(identity)
        conversation.listed.settle()
        return self._keep(conversation) if conversation.chat is shown else self._all(conversation, ALL_PARTS)

    def _keep(self, conversation: Conversation, about: str = "") -> Updates:
        conversation.listed.settle()
        return _updates(ALL_PARTS, **self.parts(conversation))

    def _more(self, conversation: Conversation, about: str) -> Updates:
        conversation.listed.limit += CHATS_LISTED
        return _updates(ALL_PARTS, **self.parts(conversation))

    # -- what is measured besides (begun in `compare.py`) --------------------------------------------------------

    def _halt(self, conversation: Conversation, about: str) -> Updates:
        if conversation.chat.measurement is not None:
            conversation.chat.measurement.stop()  # the next tick shows its end
        return _updates(ALL_PARTS)

    def _unmeasure(self, conversation: Conversation, about: str) -> Updates:
        measurement = conversation.chat.measurement
        if measurement is not None and measurement.is_over:
            conversation.chat.measurement = None
        return _updates(ALL_PARTS, **self.parts(conversation))

    # -- editing ------------------------------------------------------------------------------------------------

    def _edit(self, conversation: Conversation, about: str) -> Updates:
        chat, number = _idle(conversation), _identity(about)
        if number >= len(chat.exchanges):
            raise SettingsError(texts.NOTHING_TO_EDIT)
        conversation.editing = number
        entry = gr.MultimodalTextbox(value={"text": chat.exchanges[number].question, "files": []})
        return _updates(ALL_PARTS, entry=entry, **self.parts(conversation))

    def _unedit(self, conversation: Conversation, about: str) -> Updates:
        conversation.editing = None
        return _updates(ALL_PARTS, entry=gr.MultimodalTextbox(value=None), **self.parts(conversation))

    # -- helpers ------------------------------------------------------------------------------------------------

    def _all(
        self,
        conversation: Conversation,
        names: Sequence[str],
        question: str = "",
        *,
        empties: bool = False,
        **switched: Update,
    ) -> Updates:
        """Everything about the chat that the tab shows now, with `question` in the entry. What is being typed there
        stays, unless there is such a question, or it `empties` the entry."""
        chat = conversation.chat
        value: Any = {"value": {"text": question, "files": []} if question else None} if question or empties else {}
        idle = chat.is_idle
        return _updates(
            names,
            chat=messages(chat, conversation.coloured),
            panel=_last_panel(chat),
            entry=gr.MultimodalTextbox(**value, submit_btn=idle, stop_btn=not idle),
            **self.parts(conversation),
            **switched,
        )

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.application.conversation(str(request.session_hash))


def _idle(conversation: Conversation) -> Chat:
    """The chat of a tab, when no answer is being made in it. Raises SettingsError, StoreError."""
    chat = conversation.chat
    chat.settle()
    if not chat.is_idle:
        raise SettingsError(texts.BUSY, texts.BUSY_ADVICE)
    return chat


def _updates(names: Sequence[str], **parts: Update) -> Updates:
    """What a handler with these outputs returns: nothing changes but `parts`."""
    return tuple(parts.get(name, gr.skip()) for name in names)


def _identity(text: str) -> int:
    """A number that the page sent; 0, which nothing has, for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _measured(chat: Chat) -> str:
    """What was measured besides; or, once that is of another answer than the last one, what could be."""
    measurement = chat.measurement
    if measurement is None or not measurement.is_of_this_chat:
        return trials.hint()
    return trials.shown(measurement.measured)


def _totals(chat: Chat) -> Totals:
    """Of all answers of a chat that has none at work."""
    return totals(turn.metrics for turn in chat.turns)


def _panel(view: View, before: Update, whole: Totals) -> Update:
    if view.metrics is None or not view.method:
        return before
    return panel.panel(
        view.metrics,
        view.method,
        has_documents=view.has_documents,
        state=view.state,
        has_states=view.has_states,
        has_draft=view.has_draft,
        chat=whole,
    )


def _last_panel(chat: Chat) -> str:
    """The figures of the last answer, which may have been written long ago."""
    turn = chat.turns[-1] if chat.turns else None
    if turn is None or not turn.metrics.steps:
        return panel.empty(_totals(chat))
    state = "done" if turn.finish in ("end", "length", "context") else "stopped"
    return panel.panel(turn.metrics, turn.method, has_documents=bool(turn.given), state=state, chat=_totals(chat))
