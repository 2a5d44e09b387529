"""What a tab is sent about its chat: the messages, the figures, and what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

import gradio as gr

from localspec.application.chats import Chat
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.chat.turn import Turn
from localspec.speculation.totals import Totals, totals
from localspec.ui import chat_list, comparison_markup, panel, tab_markup
from localspec.ui.attachment_markup import drawn as attached
from localspec.ui.chat_listing import ChatListing
from localspec.ui.library_updates import LIBRARY_PARTS
from localspec.ui.messages import messages
from localspec.ui.part import Tick, Update, Updates, mark, only, remember

CHAT_PARTS = ("below", "chats", "measured", "system", "attachments")
"""What stands beside the chat and is refreshed regularly."""
REPLY_PARTS = ("chat", "panel", "entry", *CHAT_PARTS)
SENT_PARTS = ("chat", "entry")
"""What is sent when a question was: for all else, markup of our own, the page asks in a moment, without Gradio"""
LOOKED_PARTS = (*REPLY_PARTS, "address", "typed", "notices")
"""What looks tell of a chat"""
ALL_PARTS = (*REPLY_PARTS, "library", *LIBRARY_PARTS)


class ChatUpdates:
    """Draws chats for the parts of the page that are about them."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._listing = ChatListing(application)

    def all(
        self, conversation: Conversation, names: Sequence[str], *, empties: bool = False, **others: Update
    ) -> Updates:
        """Everything about the chat that the tab shows now, and `others`. What is being typed stays, unless it was sent
        and the entry `empties`."""
        chat = conversation.chat
        # The answer may end meanwhile: what is remembered is what is sent.
        idle, drawn, figures = chat.is_idle, messages(chat, conversation.coloured), _panel_place(chat)
        known = {"panel": figures, "chat": _key(drawn), "entry": str(idle)}
        remember(conversation, {name: text for name, text in known.items() if name in names})
        shown = {"chat": drawn, "panel": figures, "entry": _entry(idle, empties=empties)}
        beside = self.parts(conversation) if "below" in names else {}
        return only(names, {**shown, **beside, **others})

    def parts(self, conversation: Conversation) -> dict[str, Update]:
        """What stands beside the chat now, to be sent: the next tick need not send it again."""
        parts = self.beside(conversation)
        # Somebody may be typing there.
        same = mark(parts["system"]) == conversation.seen.get("system", mark(""))
        remember(conversation, parts)
        return {name: part for name, part in parts.items() if name != "system" or not same}

    def beside_only(self, conversation: Conversation, **updates: Update) -> Updates:
        """What stands beside the chat, as `ALL_PARTS` names it, and `updates`."""
        return only(ALL_PARTS, {**updates, **self.parts(conversation)})

    def one(self, conversation: Conversation, name: str) -> str:
        """One of `CHAT_PARTS`, to be sent."""
        part = self.beside(conversation)[name]
        remember(conversation, {name: part})
        return part

    def tell(self, tick: Tick) -> None:
        """All of `LOOKED_PARTS`."""
        conversation = tick.conversation
        chat = conversation.chat
        idle = chat.is_idle
        self.tell_messages(tick)
        tick.tell("panel", _panel_place(chat))
        tick.tell("entry", str(idle), _entry(idle), first="True")
        tick.tell("address", tab_markup.address(chat.address, chat.token, tick.session))
        tick.tell("typed", tab_markup.typed(*conversation.entry), first=tab_markup.typed(0, "", False))
        tick.tell("notices", tab_markup.notices(conversation.notices), first="")
        for name, part in self.beside(tick.conversation).items():
            # The system prompt is empty at first, and somebody may be typing it already.
            tick.tell(name, part, first="" if name in ("system", "attachments") else None)

    def tell_messages(self, tick: Tick) -> None:
        """The messages, and of an answer that is being written its place."""
        drawn = messages(tick.conversation.chat, tick.conversation.coloured)
        tick.tell("chat", _key(drawn), drawn, first=_key([]))

    def beside(self, conversation: Conversation) -> dict[str, str]:
        """What stands beside the chat now, as `CHAT_PARTS` names it."""
        chat = conversation.chat
        last = chat.exchanges[-1].turn if chat.exchanges else None
        can_go_on = chat.is_idle and last is not None and last.is_cut
        return {
            "below": chat_list.below(
                conversation.editing, len(chat.exchanges), can_go_on, rewriting=conversation.rewriting is not None
            )
            + chat_list.context_meter(chat.turns[-1] if chat.turns else None),
            "chats": self._listing.drawn(conversation),
            "measured": _measured(chat),
            "system": chat.system,
            "attachments": attached(self.application, conversation),
        }


def _measured(chat: Chat) -> str:
    """What was measured besides; or, once that is of another answer than the last one, what could be."""
    measurement = chat.measurement
    if measurement is None or not measurement.is_of_this_chat:
        return comparison_markup.hint()
    return comparison_markup.shown(measurement.measured)


def totals_of(turns: Sequence[Turn]) -> Totals:
    """Of these answers. Those that are no measure are left out."""
    return totals(turn.metrics for turn in turns if turn.is_measure)


def panel_of(chat: Chat) -> str:
    """The figures of the last answer: of the one that is being made, or of one that was written long ago."""
    view = chat.exchanges[-1].view if chat.exchanges else None
    turn = chat.turns[-1] if chat.turns else None
    if view is not None and view.metrics is not None and view.method:
        earlier = [one for one in chat.turns if view.is_final or one is not turn]
        whole = totals_of(earlier)
        if not view.is_final:
            whole = whole.plus(view.metrics, replies=1)
        return panel.panel(
            view.metrics,
            view.method,
            has_documents=view.has_documents,
            state=view.state,
            has_states=view.has_states,
            has_draft=view.has_draft,
            chat=whole,
        )
    if turn is None or not turn.metrics.steps:
        return panel.empty(totals_of(chat.turns))
    return panel.panel(
        turn.metrics, turn.method, has_documents=bool(turn.given), state=turn.state, chat=totals_of(chat.turns)
    )


def _panel_place(chat: Chat) -> str:
    """What Gradio is handed: of an answer that is being written no figures, which the page's own script draws."""
    view = chat.exchanges[-1].view if chat.exchanges else None
    return panel_of(chat) if view is None or view.is_final else panel.waiting()


def _entry(idle: bool, *, empties: bool = False) -> Update:
    """The entry with its button: Send, or Stop while an answer is written."""
    emptied: dict[str, Update] = {"value": None} if empties else {}
    return gr.MultimodalTextbox(submit_btn=idle, stop_btn=not idle, **emptied)


def _key(drawn: Sequence[dict[str, str]]) -> str:
    """What tells messages from others."""
    return str(hash(tuple(message["content"] for message in drawn)))
