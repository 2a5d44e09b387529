"""One tab of a browser: the chat it shows, and what else it shows beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from localspec import config
from localspec.application.attached_files import Attachment
from localspec.application.chats import Chat
from localspec.application.list_states import DOCUMENTS_LISTED, DocumentListState, ListState
from localspec.application.preferences import NAMES
from localspec.application.remembered import Choice

_NOTICES = 5


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a tab is told beside what it shows, until it is closed or its cause is gone."""

    number: int
    kind: str  # "problem" or "info"
    text: str
    topic: str = ""  # a later one about the same takes its place


@dataclass(slots=True)
class ModelFields:
    """What a tab shows of models."""

    picked: Choice | None = None  # The model and settings that stand in its fields; None until it has said so
    followed: Choice | None = None
    """What the fields were last set to by what is loaded; while that is what is picked, they follow what is loaded"""
    listed: str = ""  # The model of the list's field; "" where a path is named
    menu_open: bool = False  # Whether the menu of the heading is open


@dataclass(eq=False)
class Conversation:
    """One tab: the chat it shows, and what else it shows beside."""

    library: str = config.DEFAULT_LIBRARY
    chat: Chat = field(default_factory=Chat)
    listed: ListState = field(default_factory=ListState)
    documents: DocumentListState = field(default_factory=DocumentListState)
    coloured: bool = False  # Whether the words of its answers are marked by where they came from
    read: str = ""  # What the next question is read with, as `ui.options` has it
    reading: str = ""  # The library that this was chosen for
    without_documents: bool = False  # Whether its picker says that no documents are wanted
    deleted: int = 0  # id of the chat that it showed when that was deleted, while it shows nothing else; 0 for none
    editing: int | None = None  # The question that is in the entry to be sent anew, counted from 0
    rewriting: int | None = None  # The answer that is in the entry to be edited, counted from 0
    forgetting: str = ""
    """The library of which the person is asked whether its learnt answers may go; "" when there is no such question."""
    asking: str = ""
    """What the person is asked about the library: "new", "rename", "delete" or "again"; "" for nothing."""
    switched: bool = False  # The tab was given another library: its picker is to be told.
    models: ModelFields = field(default_factory=ModelFields)
    download_asked: str = ""
    """The model of the catalogue of which the person is asked whether it is to be downloaded; "" when none is"""
    embedder_asked: tuple[str, str] = ("", "")
    """What the person is asked about an embedding model, "get" or "use", and its name"""
    own_sampling: bool = False  # Whether the person has chosen how words are drawn; else it follows the model
    begun: tuple[Chat, str] | None = None
    """The new chat that has begun with what is read by preference, and with what"""
    usual: str = ""  # What its picker says where documents are wanted and nothing else was picked
    keep_library: Callable[[str], None] = lambda name: None
    """hears of the library that the tab uses from now on"""
    typing: str = ""
    """The field that somebody is in: other tabs do not change it"""
    attached: list[Attachment] = field(default_factory=list)
    """Files that were dropped by the entry and go with the next question"""
    seen: dict[str, int] = field(default_factory=dict)
    """Of what the tab was last sent, a fingerprint for each part of the page that is refreshed regularly"""
    method: str = ""  # That stands in its picker; "" until it has said so
    looked: float = 0.0  # When it last asked what has changed, by the monotonic clock
    opened: bool = False
    """Whether it was looked which chat the tab's address names"""
    notices: tuple[Notice, ...] = ()
    entry: tuple[int, str, bool] = (0, "", False)
    """What is to be put into the entry: a count, the text, and whether it takes the place of what is typed there"""

    def warn(self, text: str, topic: str = "") -> None:
        """Tell the person what went wrong; about a topic, the newest counts."""
        self._note("problem", text, topic)

    def inform(self, text: str, topic: str = "") -> None:
        """Tell the person something that goes away by itself."""
        self._note("info", text, topic)

    def settle(self, topic: str) -> None:
        """The cause of what was told about a topic is gone."""
        self.notices = tuple(one for one in self.notices if one.topic != topic)

    def dismiss(self, number: int) -> None:
        """The person has closed a notice."""
        self.notices = tuple(one for one in self.notices if one.number != number)

    def put_into_entry(self, text: str, *, replaces: bool = False) -> None:
        """Have the page put a text into the entry; what the person has typed meanwhile stays, unless it `replaces`."""
        self.entry = (self.entry[0] + 1, text, replaces)

    def end_editing(self) -> None:
        """Nothing is edited any more: what was put into the entry for that goes."""
        if self.editing is not None or self.rewriting is not None:
            self.editing = self.rewriting = None
            self.put_into_entry("", replaces=True)

    def _note(self, kind: str, text: str, topic: str) -> None:
        others = [one for one in self.notices if one.text != text and (not topic or one.topic != topic)]
        number = max((one.number for one in self.notices), default=self._last_notice) + 1
        self._last_notice = number
        self.notices = (*others, Notice(number, kind, text, topic))[-_NOTICES:]

    _last_notice: int = 0

    def use_library(self, name: str) -> None:
        """Switch to a library. What is shown of the one before goes; the next tick shows this one."""
        self.library = name
        self.keep_library(name)
        self.documents.limit, self.documents.removed = DOCUMENTS_LISTED, ()
        self.forgetting = self.asking = ""
        # A new one: a tick under way still writes what it sent of the library before into the old one. What is chosen
        # for all libraries is not sent again: somebody may be typing there.
        self.seen = {name: seen for name, seen in self.seen.items() if name in NAMES}

    def show(self, chat: Chat) -> None:
        """Show another chat. An answer that is written in the one before goes on."""
        if chat is self.chat:
            return
        self.chat = chat
        self.end_editing()
        self.deleted = 0
        self.settle("answer")
