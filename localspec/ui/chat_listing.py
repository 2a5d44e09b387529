"""What each tab shows of the list of chats, read and drawn anew only where something has changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from localspec.application.conversation import Conversation
from localspec.application.list_states import ListState
from localspec.application.state import Application
from localspec.errors import LocalSpecError
from localspec.stores.conversations import Conversations
from localspec.ui.chat_list import Listed, chats


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A tab's list as it was drawn; of what, and of which version of the store."""

    version: int
    known: tuple[object, ...]
    drawn: str


class ChatListing:
    """The list of chats, for every tab."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._lists: WeakKeyDictionary[Conversation, _Drawn] = WeakKeyDictionary()

    def drawn(self, conversation: Conversation) -> str:
        """The list as markup; it does not change under what is being typed in it."""
        history, state = self.application.history, conversation.listed
        version = history.store.version if history.is_open else 0
        # The headings say how long ago a day was.
        today = datetime.now().astimezone()
        known = (repr(state), conversation.chat.identity, history.problem, today.date())
        made = self._lists.get(conversation)
        if made is not None and made.known == known and (made.version == version or state.is_typing):
            return made.drawn
        listed, problem = Listed(), history.problem
        try:
            if history.is_open:
                listed = read(history.store, state)
        except LocalSpecError as error:
            problem = str(error)
        drawn = chats(listed, state, conversation.chat.identity, problem, today)
        self._lists[conversation] = _Drawn(version, known, drawn)
        return drawn


def read(store: Conversations, state: ListState) -> Listed:
    """What a list in this state shows. Raises StoreError."""
    # One more than is shown, to know whether there are more.
    if state.query.strip():
        found = store.search(state.query, state.limit + 1)
    else:
        found = store.newest(state.limit + 1, filed=False)
    bin_ = store.bin.newest(state.deleted_limit + 1)
    return Listed(
        chats=tuple(found[: state.limit]),
        more=len(found) > state.limit,
        filed=() if state.query.strip() else tuple(store.newest(filed=True)),
        folders=tuple(store.folders.all()),
        deleted=tuple(bin_[: state.deleted_limit]),
        more_deleted=len(bin_) > state.deleted_limit,
    )
