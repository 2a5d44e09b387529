"""Passages that an answer cites, opened in their surroundings: in the page itself, over the chat."""

from __future__ import annotations

import re
from collections.abc import Sequence

import gradio as gr

from localspec import config, texts
from localspec.application.conversation import Conversation
from localspec.chat.citations import Citation
from localspec.chat.turn import Turn
from localspec.errors import LocalSpecError
from localspec.stores.documents.blocks import Block
from localspec.stores.documents.passage_blocks import surroundings
from localspec.stores.documents.passages import most_alike
from localspec.stores.library import FoundPassage, Library, blocks_of
from localspec.stores.overview import library_identity, standings
from localspec.ui import elements, passage_markup
from localspec.ui.part import EACH, Part, Update, hidden, html

_WANTED = re.compile(r"(\d{1,18}) cite (\d{1,9})")
"""What `citing.js` writes: a count that makes every press different, and the name of the button."""


class CitingPart(Part):
    """The dialog, and the field in which the page names a passage."""

    def build(self) -> None:
        """Both."""
        self.cite = hidden("cite")
        self.passage = html("passage")

    def connect(self) -> None:
        """Tie the handler."""
        self.cite.change(self.show, self.cite, self.passage, **EACH)

    def show(self, wanted: str, request: gr.Request) -> Update:
        """The passage of the button that was pressed, as a dialog that `citing.js` opens."""
        found = _WANTED.fullmatch(wanted or "")
        if found is None:
            return gr.skip()
        count, number = found.groups()
        conversation = self.conversation(request)
        made = cited_in(conversation.chat.turns, int(number))
        if made is None:
            return dialog(count, texts.PASSAGE, texts.PASSAGE_UNKNOWN)
        turn, citation = made
        return passage(count, citation, *self._around(conversation, turn, citation))

    def _around(
        self, conversation: Conversation, turn: Turn, citation: Citation
    ) -> tuple[list[FoundPassage], str, Sequence[Block]]:
        """The passage among its neighbours, or none and why there are none; and what their document consists of."""
        if not citation.source or not turn.library:
            return [], texts.PASSAGE_ELSEWHERE, ()
        try:
            library = self._library(conversation, turn.library)
            if library is None:
                return [], texts.PASSAGE_NO_LIBRARY, ()
            found = library.passages.around(citation.source, citation.passage, citation.file)
            if found:
                return found, "", blocks_of(library, found[0].document)
            (standing,) = standings(library.folder, [(citation, turn.asked)])
        except LocalSpecError as error:
            return [], texts.PASSAGE_PROBLEM.format(problem=error), ()
        said = texts.PASSAGE_GONE if standing == "removed" else texts.PASSAGE_CHANGED
        return [], said.format(file=citation.file), ()

    def _library(self, conversation: Conversation, identity: str) -> Library | None:
        """The library of this identity, opened where it is not; None where there is none, or no model to open it."""
        stores = config.stores_folder()
        usual = dict.fromkeys((conversation.library, conversation.chat.library))
        names = [name for name in (*usual, *self.application.libraries.names()) if name]
        models = self.application.models
        # Nobody waits here for a model that is being loaded.
        with models.use(lambda: True) as engine:
            if engine is None:
                return None
            for name in dict.fromkeys(names):
                folder = stores / name
                if folder.exists() and library_identity(folder) == identity:
                    return self.application.libraries.get(name, engine)
        return None


def cited_in(turns: Sequence[Turn], number: int) -> tuple[Turn, Citation] | None:
    """The passage of this number in a chat, with the turn that was given it first."""
    for turn in list(turns):
        for made in turn.given:
            if made.number == number:
                return turn, made
    return None


def passage(
    count: str, citation: Citation, passages: Sequence[FoundPassage], problem: str, blocks: Sequence[Block] = ()
) -> str:
    """The dialog of a cited passage: in its surroundings, or alone as the chat keeps it, with the reason why. `blocks`
    are those of its document; what they do not hold is shown as lines."""
    written = [one.text for one in passages]
    at = next((at for at, one in enumerate(passages) if one.id == citation.source), None)
    at = at if at is not None else next((at for at, text in enumerate(written) if text == citation.passage), None)
    note = ""
    if at is None and (at := most_alike(citation.passage, written)) is not None:
        note = texts.PASSAGE_CUT_ANEW
    title = f"[{citation.number}] {citation.place}"
    if at is None:
        page = texts.page(citation.page, citation.label)
        text = passage_markup.lines(citation.passage, page, cited=True) if citation.passage else ""
        return dialog(count, title, problem or texts.PASSAGE_UNKNOWN, text)
    also = _also(passages[at].copies)
    shown = surroundings(written, at, blocks)
    if shown is not None:
        return dialog(count, title, note, also + passage_markup.blocks(shown))
    parts = []
    page = ""
    for one in passages:
        said = texts.page(one.page, one.label)
        parts.append(passage_markup.lines(one.text, said if said != page else "", cited=one is passages[at]))
        page = said
    return dialog(count, title, note, also + "".join(parts))


def dialog(count: str, title: str, problem: str, text: str = "") -> str:
    """A dialog as `citing.js` opens it; `text` is markup."""
    said = elements.note(problem) if problem else ""
    # Focus begins on the text, so that the keys scroll it; Escape closes it anyway.
    shown = f'<div class="passage-text" tabindex="0" autofocus>{text}</div>' if text else ""
    return (
        f'<div><dialog class="passage" data-count="{count}" aria-label="{elements.literal(title)}">'
        f'<div class="passage-head"><h2>{elements.literal(title)}</h2>'
        f'<button type="button" class="press quiet" data-close>{texts.CLOSE}</button></div>{said}{shown}</dialog></div>'
    )


def _also(copies: Sequence[str]) -> str:
    """Where else the same content lies."""
    said = texts.ALSO_AS.format(names=elements.some(copies))
    return f'<div class="passage-page">{elements.lines(said[:1].upper() + said[1:])}</div>' if copies else ""
