"""The fields of a PDF's form with the labels beside them: which printed words belong to which field, and both as text.

A field is an annotation and knows only its value; what it is for is printed somewhere near. Looked for are, in this
order, words inside the field, on its right (of ticks), on its left, at the head of its column and above it, then its
tooltip and its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.pdf.pdf_annotations import Box, FormField
from localspec.stores.documents.readers.pdf.pdf_lines import FieldLine
from localspec.stores.documents.readers.pdf.pdf_pieces import BLANKS, Words, around, beside, page_pieces

_GENERIC = re.compile(r"(?:[a-z]{0,14}[ _.-]?\d+[ _.\d-]*[a-z]?|undefined|text ?box|check ?box)", re.IGNORECASE)
_ON_VALUES = {"yes", "on", "off", "true", "1", "ja", "oui", "x"}
_ADJACENT = 15.0  # points between a field and the words that run on behind it
_TYPED_REACH = 40.0  # points from a label to what was typed behind it
_SHORT = 80  # characters of such a label
_LABEL_CHARACTERS = 300


def field_lines(text_page: Untyped, fields: Sequence[FormField]) -> tuple[list[FieldLine], set[int]]:
    """The fields of a page from top to bottom, and the numbers of the characters that their lines have taken over."""
    form = _Form(page_pieces(text_page, [field.box for field in fields]), fields)
    return form.lines()


class _Form:
    """The words and the fields of one page."""

    def __init__(self, pieces: list[Words], fields: Sequence[FormField]) -> None:
        self._fields = sorted(fields, key=lambda field: (-round(field.box.top / 4), field.box.left))
        self._claimed: set[int] = set()
        self._pieces: list[Words] = []
        self._blanks: list[Box] = []
        self._inside: dict[int, Words] = {}
        for piece in pieces:
            self._sort_in(piece)

    def _sort_in(self, piece: Words) -> None:
        """A piece inside a field is its printed line, its value once more or its label."""
        middle = (piece.box.left + piece.box.right) / 2, (piece.box.bottom + piece.box.top) / 2
        for number, field in enumerate(self._fields):
            if field.box.holds(*middle):
                if not any(map(str.isalnum, piece.text)) or _same(piece.text, field.value):
                    self._claimed.update(piece.places)
                elif field.kind not in ("tick", "radio") or len(piece.text) > 2:
                    self._inside.setdefault(number, piece)
                return
        if BLANKS.fullmatch(piece.text):
            self._blanks.append(piece.box)
        else:
            self._pieces.append(piece)

    def lines(self) -> tuple[list[FieldLine], set[int]]:
        lines: list[FieldLine] = []
        done: set[int] = set()
        empty: set[str] = set()
        for number, field in enumerate(self._fields):
            if number in done:
                continue
            if field.kind == "radio":
                members = [other for other in range(len(self._fields)) if self._is_same_group(field, other)]
                line = self._radio_line([self._fields[other] for other in members])
            else:
                members, line = [number], None
                chain = self._sentence(field)
                if chain:
                    members = [self._fields.index(part) for part in chain if isinstance(part, FormField)]
                    line = self._joined(chain)
                elif field.kind == "tick":
                    line = self._tick_line(field)
                elif field.kind == "typed":
                    line = self._typed_line(field)
                else:
                    line = self._value_line(number, field)
            done.update(members)
            # The empty rows of a form's table say the same one after the other.
            if line is not None and line.text not in empty:
                lines.append(line)
                if line.text.endswith(":"):
                    empty.add(line.text)
        return lines, self._claimed

    def _is_same_group(self, field: FormField, other: int) -> bool:
        candidate = self._fields[other]
        return candidate.kind == "radio" and bool(candidate is field or (field.name and candidate.name == field.name))

    # ---- one kind of field each ----

    def _value_line(self, number: int, field: FormField) -> FieldLine | None:
        found = [self._inside[number]] if number in self._inside else self._labels(field.box)
        label = _label(found)
        if sum(map(str.isalpha, label)) < 2:
            label = one_line(f"{label} {_hint(field)}")
        if not label and not field.value:
            return None
        self._claim(found)
        return _line([label + ":" if label else "", field.value], [field.box, *(piece.box for piece in found)], found)

    def _typed_line(self, field: FormField) -> FieldLine:
        """What was typed onto a form without fields belongs to the words before it, anything else is a note."""
        found = self._left(field.box)
        near = found and field.box.left - found[-1].box.right < _TYPED_REACH and len(_label(found)) < _SHORT
        if near and (found[-1].text.endswith(":") or self._is_blank(field.box)):
            self._claim(found)
            boxes = [field.box, *(piece.box for piece in found)]
            return _line([_label(found) + ":", field.value], boxes, found)
        return _line([field.export, field.value], [field.box], [])._replace(kind="note")

    def _is_blank(self, box: Box) -> bool:
        return any(blank.height_shared(box) > 0.1 and blank.width_shared(box) > 0.5 for blank in self._blanks)

    def _tick_line(self, field: FormField) -> FieldLine | None:
        found = self._labels_of_button(field.box)
        export = "" if field.export.lower() in _ON_VALUES else field.export
        label = _label(found) or one_line(field.tooltip) or one_line(export) or _hint(field)
        if not label and not field.ticked:
            return None
        self._claim(found)
        mark = "[x]" if field.ticked else "[ ]"
        return _line([label + ":" if label else "", mark], [field.box, *(piece.box for piece in found)], found)

    def _radio_line(self, group: list[FormField]) -> FieldLine:
        """ "Payment: Card ([ ] Cash, [x] Card)": what is chosen, and what else could be."""
        taken: list[Words] = []
        options, chosen = [], []
        label = ""
        for number, field in enumerate(group, 1):
            found = self._labels_of_button(field.box)
            self._claim(found)
            taken += found
            hint = one_line(field.tooltip) if len({one.tooltip for one in group}) > 1 else ""
            option = _label(found) or hint or one_line(field.export) or str(number)
            if number == 1 and ": " in option:
                label, _, option = option.partition(": ")
            options.append(f"[{'x' if field.ticked else ' '}] {option}")
            if field.ticked:
                chosen.append(option)
        whole = around([field.box for field in group])
        found = [] if label else self._free(self._left(group[0].box)) or self._free(self._above(whole))
        same = {one_line(field.tooltip) for field in group}
        label = label or _label(found) or (same.pop() if len(same) == 1 else "") or _hint(group[0]._replace(tooltip=""))
        self._claim(found)
        words = [label + ":" if label else "", ", ".join(chosen), f"({', '.join(options)})"]
        return _line(words, [whole, *(piece.box for piece in found + taken)], found + taken)

    def _free(self, pieces: list[Words]) -> list[Words]:
        return [piece for piece in pieces if not self._claimed.issuperset(piece.places)]

    def _sentence(self, field: FormField) -> list[Words | FormField]:
        """The parts of a line whose words run on behind the field: "I, …, residing at …, agree", "… kg", "… / …"."""
        if field.kind in ("tick", "radio", "typed"):
            return []
        behind = self._next(field.box)
        if not isinstance(behind, Words) or not _runs_on(behind.text):
            return []
        chain: list[Words | FormField] = [field]
        while len(chain) < 100 and (part := self._next(chain[-1].box)) is not None:
            chain.append(part)
        chain[:0] = self._left(field.box)[-1:]
        return chain

    def _joined(self, chain: list[Words | FormField]) -> FieldLine:
        pieces = [part for part in chain if isinstance(part, Words)]
        self._claim(pieces)
        words = [part.text if isinstance(part, Words) else part.value or "____" for part in chain]
        line = _line(words, [part.box for part in chain], pieces)
        return line._replace(text=re.sub(r" +([,.;)])", r"\1", line.text))

    # ---- what stands where ----

    def _labels(self, box: Box) -> list[Words]:
        left = self._left(box)
        in_row = any(other.box is not box and self._in_row(box, other.box) for other in self._fields)
        head = self._head(box) if in_row else []
        row = self._row_label(box)
        if head and (not left or self._shares_row_label(box, row)):
            return row + head
        return left or self._above(box)

    def _labels_of_button(self, box: Box) -> list[Words]:
        behind = self._behind_button(box)
        if behind and self._labels_follow(box):
            return [*behind, *self._lines_below(behind[0])]
        head = self._head(box)
        row = self._row_label(box)
        if head and row and self._shares_row_label(box, row):
            return row + head
        return self._left(box) or row + head or behind or self._above(box)

    def _behind_button(self, box: Box) -> list[Words]:
        part = self._next(box, reach=max(_ADJACENT, 1.5 * (box.right - box.left)))
        return [part] if isinstance(part, Words) else []

    def _labels_follow(self, box: Box) -> bool:
        """Whether the buttons of this row stand before their words: then words follow the last one, too."""
        row = [field.box for field in self._fields if field.kind in ("tick", "radio") and beside(field.box, box)]
        last = max(row, key=lambda other: other.right)
        return bool(self._behind_button(last)) or not self._left(min(row, key=lambda other: other.left))

    def _shares_row_label(self, box: Box, row: list[Words]) -> bool:
        """Whether another field of the row has no words of its own before it, as in a table."""
        others = [field.box for field in self._fields if field.box is not box and self._in_row(box, field.box)]
        return bool(row) and any(self._row_label(other) == row for other in others)

    def _left(self, box: Box) -> list[Words]:
        """The words before a field with no other field between, all lines of them."""
        near = [piece for piece in self._pieces if piece.box.right <= box.left + 3 and beside(piece.box, box)]
        if not near:
            return []
        nearest = max(near, key=lambda piece: (piece.box.right, piece.box.top))
        between = (field.box for field in self._fields if field.box is not box and beside(field.box, box))
        if any(other.right <= box.left + 2 and other.left >= nearest.box.right - 3 for other in between):
            return []
        column = [piece for piece in near if _aligned(piece.box, nearest.box)]
        return sorted(column, key=lambda piece: -piece.box.top)

    def _above(self, box: Box) -> list[Words]:
        near = [
            piece
            for piece in self._pieces
            if -3 <= piece.box.bottom - box.top < 1.2 * (piece.box.top - piece.box.bottom) + 2
            and box.left - 15 <= piece.box.left <= box.right
        ]
        return [min(near, key=lambda piece: (piece.box.bottom - box.top, piece.box.left))] if near else []

    def _head(self, box: Box) -> list[Words]:
        """The words at the head of a column of fields."""
        top = box
        for _ in range(len(self._fields)):
            words = min(
                (piece for piece in self._pieces if piece.box.bottom >= top.top - 3 and _over(piece.box, top)),
                key=lambda piece: piece.box.bottom,
                default=None,
            )
            height = min(top.top - top.bottom, 30.0)
            above = [field.box for field in self._fields if field.box.bottom >= top.top - 3]
            fields = [other for other in above if _as_wide(other, top) and other.bottom - top.top < 2.5 * height]
            nearest = min(fields, key=lambda other: other.bottom, default=None)
            if nearest is None or (words is not None and words.box.bottom < nearest.bottom):
                near = words is not None and words.box.bottom - top.top < 1.5 * (words.box.top - words.box.bottom) + 4
                return [words] if words is not None and near else []
            top = nearest
        return []

    def _row_label(self, box: Box) -> list[Words]:
        """The words at the start of a row of fields."""
        first = box
        for _ in range(len(self._fields)):
            if found := self._left(first):
                return found
            before = [
                field.box for field in self._fields if field.box.right <= first.left + 2 and beside(field.box, first)
            ]
            if not before:
                break
            first = max(before, key=lambda other: other.right)
        return []

    def _in_row(self, box: Box, other: Box) -> bool:
        return beside(box, other) and (other.left >= box.right - 2 or other.right <= box.left + 2)

    def _next(self, box: Box, reach: float = _ADJACENT) -> Words | FormField | None:
        """What follows right behind, if it is words or a field to write in."""
        part = self._next_any(box, reach)
        return None if isinstance(part, FormField) and part.kind in ("tick", "radio") else part

    def _next_any(self, box: Box, reach: float = _ADJACENT) -> Words | FormField | None:
        parts: list[Words | FormField] = [*self._pieces, *self._fields]
        behind = [part for part in parts if -3 <= part.box.left - box.right < reach and beside(part.box, box)]
        return min(behind, key=lambda part: part.box.left, default=None)

    def _lines_below(self, piece: Words) -> list[Words]:
        """Further lines of the words beside a tick, which stand under the first one and beside no field."""
        lines: list[Words] = []
        last = piece
        for below in sorted(self._pieces, key=lambda other: -other.box.top):
            height = last.box.top - last.box.bottom
            follows = 0 < last.box.bottom - below.box.bottom < 1.7 * height and abs(below.box.left - last.box.left) < 2
            at_field = any(beside(field.box, below.box) for field in self._fields)
            if follows and not at_field and below.text[:1].islower():
                lines.append(below)
                last = below
        return lines

    def _claim(self, pieces: Iterable[Words]) -> None:
        for piece in pieces:
            self._claimed.update(piece.places)


def _runs_on(text: str) -> bool:
    return not text.endswith(":") and (
        text[0].islower() or text[0] in ",.;)/-–%€$£¥°" or not any(map(str.isalpha, text))
    )


def _label(pieces: list[Words]) -> str:
    parts = [one_line(piece.text).rstrip(" .:…_") for piece in pieces]
    columns = [piece.box for piece in pieces]
    # Lines of one label run on; the names of a row and of a column do not.
    together = all(_aligned(box, columns[0]) for box in columns)
    return (" " if together else ", ").join(filter(None, parts))[:_LABEL_CHARACTERS]


def _hint(field: FormField) -> str:
    """What the field says about itself."""
    name = re.sub(r"\[\d+\]", "", field.name).rpartition(".")[2]
    return one_line(field.tooltip).rstrip(" :") or ("" if _GENERIC.fullmatch(name) else one_line(name).rstrip(" :"))


def _line(words: list[str], boxes: list[Box], pieces: list[Words]) -> FieldLine:
    heights = [piece.box.top - piece.box.bottom for piece in pieces]
    box = around(boxes)
    return FieldLine(" ".join(filter(None, words)), box, min(heights, default=min(12.0, box.top - box.bottom)))


def _aligned(one: Box, other: Box) -> bool:
    return abs(one.left - other.left) < 3 or abs(one.right - other.right) < 3


def _over(one: Box, other: Box) -> bool:
    """Whether one stands above the other, or at least begins there."""
    return one.width_shared(other) > 0.5 or other.left - 3 <= one.left <= other.right


def _as_wide(one: Box, other: Box) -> bool:
    return abs(one.left - other.left) < 5 and abs(one.right - other.right) < 5


def _same(text: str, value: str) -> bool:
    return "".join(text.split()) in "".join(value.split())
