"""Levels of a PDF's list items, by how far they are indented below each other."""

from __future__ import annotations

from collections.abc import Sequence

from localspec.stores.documents.readers.pdf.pdf_layout import Paragraph
from localspec.stores.documents.readers.pdf.pdf_lines import Line

_SAME = 2.5  # points: edges that differ less are one


class Indents:
    """The left edges of a list and the lists in it, from the outermost."""

    def __init__(self) -> None:
        self._edges: list[float] = []
        self._baseline = float("inf")

    def level(self, lines: Sequence[Line]) -> int:
        """The level of an item, from 0, which is the next one of the list."""
        first = lines[0]
        moved = self._column(lines)
        if moved and len(self._edges) > 1 and not self._known(first.left):
            # The other page of a book, or the next column: the list goes on at other edges.
            shift = first.left - self._edges[-1]
            self._edges = [edge + shift for edge in self._edges]
        elif moved and not self._known(first.left):
            self._edges = []
        while self._edges and self._edges[-1] > first.left + _SAME:
            self._edges.pop()
        if not self._known(first.left):
            self._edges.append(first.left)
        return first.numbered - 1 if first.numbered else len(self._edges) - 1

    def passed(self, part: Paragraph) -> None:
        """Something else stands behind the items: it ends the list if it stands no further right than the list."""
        moved = self._column(part.lines)
        left = min(line.left for line in part.lines)
        if part.kind in ("heading", "table") or moved or (self._edges and left < self._edges[0] + _SAME):
            self._edges = []

    def _known(self, left: float) -> bool:
        return any(abs(edge - left) <= _SAME for edge in self._edges)

    def _column(self, lines: Sequence[Line]) -> bool:
        """Whether lines stand higher than those before, on a new page or in a new column."""
        moved = lines[0].baseline > self._baseline
        self._baseline = lines[-1].baseline
        return moved
