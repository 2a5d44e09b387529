"""Pieces of a page on their way to the writer, and the sections that they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from localspec.stores.documents.blocks import SECTION_SEPARATOR, BlockKind, Table
from localspec.stores.documents.readers.content import BlockWriter

BLOCK_TAGS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir"),
        *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "html"),
        *("legend", "li", "main", "menu", "nav", "noscript", "ol", "p", "pre", "search", "section", "summary", "table"),
        *("tbody", "tfoot", "thead", "tr", "ul"),
    }
)
HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_KEPT_PIECES = 4096


@dataclass(slots=True)
class PagePiece:
    """A block on its way to the writer. `kind` is a block's, or tells of a place: 'open' and 'close' of a part with a
    name, 'chapter', 'page label'."""

    text: str
    kind: BlockKind | str
    level: int = 0
    table: Table | None = None


class PieceWriter:
    """Writes pieces as blocks, each under its section."""

    def __init__(self, writer: BlockWriter) -> None:
        self.first_heading = ""
        self._writer = writer
        self._place = _Place()

    def write(self, piece: PagePiece) -> None:
        """The next piece of the page."""
        writer, place = self._writer, self._place
        if piece.kind == "heading":
            place.heading = piece.text
            self.first_heading = self.first_heading or piece.text
        elif piece.kind == "chapter":
            place.base, place.heading = piece.text, ""
        elif piece.kind == "open":
            place.open(piece.text)
        elif piece.kind == "close":
            place.close()
        elif piece.kind == "page label":
            writer.turn(page=writer.page, section=writer.section, label=piece.text)
            return
        if piece.kind in ("heading", "chapter", "open", "close"):
            writer.turn(page=writer.page, section=place.name, label=writer.label)
        if piece.table is not None:
            writer.add_table(piece.table)
        elif piece.kind == "open":
            writer.add(piece.text, "heading", piece.level)
        elif piece.kind not in ("close", "chapter"):
            kind = "paragraph" if piece.kind == "label" else piece.kind
            writer.add(piece.text, cast("BlockKind", kind), piece.level)


class PieceStack:
    """Pieces of the page, and of each cell, caption or term that is open in it."""

    def __init__(self, writer: BlockWriter) -> None:
        self.writer = PieceWriter(writer)
        self._sinks: list[list[PagePiece]] = [[]]

    @property
    def top(self) -> list[PagePiece]:
        """Those of the innermost."""
        return self._sinks[-1]

    def push(self) -> None:
        """What follows stands in a cell, caption or term."""
        self._sinks.append([])

    def pop(self) -> list[PagePiece]:
        """What stood in it."""
        return self._sinks.pop() if len(self._sinks) > 1 else []

    def put(self, piece: PagePiece, *, may_write: bool = True) -> None:
        """Add a piece. The last ones are kept: a table may take its title from the one before."""
        top = self.top
        if top and top[-1].kind == "label":
            top[-1].kind = "paragraph"
        top.append(piece)
        if may_write and len(self._sinks) == 1 and len(top) > _KEPT_PIECES:
            self._write(1)

    def close(self) -> None:
        """Write all that is left of the page."""
        self._write(0)

    def _write(self, keep: int) -> None:
        sink = self._sinks[0]
        for piece in sink[: len(sink) - keep]:
            self.writer.write(piece)
        del sink[: len(sink) - keep]


class _Place:
    """Where in the page the writer is: the chapter or part, and the nearest heading."""

    def __init__(self) -> None:
        self.base = ""
        self.heading = ""
        self._outer: list[tuple[str, str]] = []

    @property
    def name(self) -> str:
        """Of the section. A heading that only says the chapter's title again adds nothing."""
        base, heading = self.base.casefold(), self.heading.casefold()
        if base and (heading in base or base in heading):
            return self.base
        return SECTION_SEPARATOR.join(filter(None, (self.base, self.heading)))

    def open(self, part: str) -> None:
        """A part with a name begins."""
        self._outer.append((self.base, self.heading))
        self.base = SECTION_SEPARATOR.join(filter(None, (self.name, part)))
        self.heading = ""

    def close(self) -> None:
        """The part that began last ends."""
        if self._outer:
            self.base, self.heading = self._outer.pop()
