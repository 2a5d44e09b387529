"""Text inside one block of a page: marks, raised and lowered text, fields, ticks and pictures between words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_CJK = "\u2e80-\u303f\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_CJK_LINE_END = re.compile(f"(?<=[{_CJK}])[ \t]*\n[ \t]*(?=[{_CJK}])")
_RAISED = re.compile(r"[+\-\u2212]?[\d.,/]{1,12}|[+\-\u2212]?[A-Za-zα-ωΑ-Ω]|[\d+\-\u2212nkmxij*()]{1,12}")
_ORDINAL = re.compile(r"st|nd|rd|th|er|re|e|o|a|ème|de|ste|mo|TM|SM|[®™©ºª]", re.IGNORECASE)
_LOWERED_LETTERS = re.compile(r"[A-Za-zα-ω]\w{0,7}")
_REFERENCE = re.compile(r"[\w*†‡§]{1,5}")
_FILE_NAME = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?)", re.IGNORECASE)
_NOT_SAID = {"image", "img", "photo", "picture", "icon", "logo", "spacer", "*", "bild"}
_NOTE_ROLES = {"doc-footnote", "doc-endnote", "doc-endnotes", "footnote", "footnotes", "endnote", "endnotes"}
_NOTE_ROLES |= {"rearnote", "rearnotes"}
_NOTE_CLASSES = {"footnote", "footnotes", "footnote-list", "footnotes-list", "endnote", "endnotes", "references"}
_NOTE_CLASSES |= {"MsoFootnoteText", "MsoEndnoteText"}
_REFERENCE_CLASSES = {"footnote-ref", "footnote-reference"}
_REFERENCE_CLASSES |= {"sdfootnoteanc", "sdendnoteanc", "sdfootnotesym", "sdendnotesym"}  # LibreOffice
_NOTE_IDS = re.compile(r"sd(?:foot|end)note\d+")  # LibreOffice
_LANGUAGE = re.compile(r"(?:language|lang|highlight|brush|src)[-:_]([\w+#.-]{1,20})", re.IGNORECASE)
_NO_LANGUAGE = {"default", "none", "text", "plain", "plaintext", "txt", "nohighlight", "notranslate", "source", "raw"}
_STRUCK = {"s", "strike"}
_MUTED = {"del", "rp"}


class Taken(NamedTuple):
    """Text of one block."""

    text: str
    is_field: bool = False
    is_image: bool = False  # nothing but texts of pictures
    is_label: bool = False  # nothing but the label of a field that is still to come
    is_bold: bool = True

    @property
    def kind(self) -> str:
        """Of a block that is nothing else by where it stands."""
        return "field" if self.is_field else "caption" if self.is_image else "label" if self.is_label else "paragraph"


class InlineText:
    """Gathers the text of one block. White space is still as it came, but for ends of lines between Chinese or Japanese
    signs, which stand for nothing."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._marks: list[tuple[str, int]] = []  # open sup, sub, rt with the part that they begin with
        self._readings: list[str] = []
        self._muted = 0
        self._bold = 0
        self._links = 0  # to places in this page, seen since the mark opened
        self._reset()

    def _reset(self) -> None:
        self._is_field = self._all_bold = self._only_images = True
        self._is_field = False
        self._only_label = False
        self.ends_with_field = self.ends_with_amount = self.has_ticks = False
        self._label_start = 0

    def is_empty(self) -> bool:
        """Whether nothing but white space is there."""
        return not any(part.strip() for part in self._parts)

    def take(self) -> Taken:
        """The text of the block that ends here."""
        text = "".join(self._parts)
        taken = Taken(text, self._is_field, self._only_images, self._only_label, self._all_bold)
        self._parts = []
        self._marks = [(mark, 0) for mark, _ in self._marks]
        self._reset()
        return taken

    def add(self, text: str) -> None:
        """Text as it is."""
        if not self._muted:
            self._parts.append(text)
            self._saw(text)

    def add_text(self, text: str) -> None:
        """Text whose white space counts as one space."""
        if self._muted:
            return
        if not text.isascii() and "\n" in text:
            text = _CJK_LINE_END.sub("", text)
        collapsed = " ".join(text.split())
        if text[:1].isspace():
            self._parts.append(" ")
        if collapsed:
            self._parts.append(collapsed)
            self._saw(collapsed)
            if text[-1:].isspace():
                self._parts.append(" ")

    def _saw(self, text: str) -> None:
        if text.strip():
            self._only_images = self._only_label = self.ends_with_field = self.ends_with_amount = False
            self._all_bold = self._all_bold and self._bold > 0

    def line_end(self) -> None:
        """The line ends, if one was begun."""
        if self._parts and not self._parts[-1].endswith("\n"):
            self._parts.append("\n")

    def add_field(self, value: str, label: str) -> None:
        """The value of a field, behind its label: what stands there, else `label`."""
        before = "".join(self._parts).strip()
        if not before and label:
            self._parts.append(label)
            before = label
        if not value and not before:
            return
        if before and before[-1] not in ":?=(/" and not self.ends_with_field:
            self._parts = ["".join(self._parts).rstrip(), ":"]
        self._parts.append(f" {value} " if before else f"{value} ")
        self._only_images = self._only_label = self._all_bold = False
        self._is_field = self.ends_with_field = True

    def add_tick(self, is_on: bool, *, is_field: bool) -> None:
        """A box with or without a tick."""
        self._parts.append(" [x] " if is_on else " [ ] ")
        self.has_ticks = True
        self._only_images = self._only_label = self._all_bold = False
        self._is_field = self._is_field or is_field

    def add_amount(self, text: str) -> None:
        """What a field shows that nobody fills in."""
        if text:
            self.add(f" {text} ")
            self.ends_with_amount = True

    def begin_label(self) -> None:
        """The label of a field begins."""
        self._label_start = len(self._parts)

    def cut_label(self) -> str:
        """The text since the last label began, taken from the block's."""
        label = "".join(self._parts[self._label_start :])
        del self._parts[self._label_start :]
        return label

    def add_image(self, text: str) -> None:
        """The text of a picture, where it says something."""
        if text and not self._muted and not _FILE_NAME.fullmatch(text) and text.lower() not in _NOT_SAID:
            only_images = self._only_images
            self.add(f" {text} ")
            self._only_images = only_images

    def end_label(self, *, was_empty: bool) -> None:
        """A label ends; it is all that there is where the block `was_empty` before it."""
        self._only_label = was_empty and not self._is_field and not self.is_empty()

    def enter(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        """An inline tag opens."""
        if tag in ("b", "strong"):
            self._bold += 1
        elif tag in ("sup", "sub", "rt"):
            self._marks.append((tag, len(self._parts)))
            self._links = 0
        elif tag == "q":
            self.add("“")
        elif tag in _STRUCK:
            self.add("~~")
        elif tag in _MUTED:
            self._muted += 1
        elif tag == "a" and attributes:
            self._links += (attributes.get("href") or "").startswith("#") or is_note_reference(attributes)
            if is_note_reference(attributes):
                self._marks.append(("noteref", len(self._parts)))

    def leave(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        """An inline tag closes."""
        if tag in ("b", "strong"):
            self._bold = max(0, self._bold - 1)
        elif tag in ("sup", "sub", "rt"):
            self._leave_mark(tag)
        elif tag == "ruby":
            if self._readings:
                self.add(f"({''.join(self._readings)})")
            self._readings = []
        elif tag == "q":
            self.add("”")
        elif tag in _STRUCK:
            self.add("~~")
        elif tag in _MUTED:
            self._muted = max(0, self._muted - 1)
        elif tag == "a" and attributes:
            if is_note_reference(attributes):
                self._leave_mark("noteref")
            mail = (attributes.get("href") or "").partition("?")[0]
            if mail.startswith("mailto:") and "@" in mail and mail[7:] not in "".join(self._parts[-8:]):
                self.add(f" ({mail[7:]})")

    def _leave_mark(self, tag: str) -> None:
        if not self._marks or self._marks[-1][0] != tag:
            return
        _, start = self._marks.pop()
        inside = "".join(self._parts[start:])
        text = inside.strip()
        before = self._parts[start - 1][-1:] if start else ""
        if tag == "rt":
            del self._parts[start:]
            self._readings.append(text)
            return
        # At the beginning of a block it is the note itself that has this mark.
        begins = not any(part.strip() for part in self._parts[:start])
        if tag == "noteref":
            text = text.removeprefix("^")  # the mark in a raised place
            changed = f"[{text}]{' ' * begins}" if _REFERENCE.fullmatch(text) else inside
        elif tag == "sup" and self._links and _REFERENCE.fullmatch(text):
            changed = f"[{text}]{' ' * begins}"
        elif tag == "sup" and (before.isalnum() or before in ")]") and not _ORDINAL.fullmatch(text):
            changed = f"^{text}" if _RAISED.fullmatch(text) else inside
        elif tag == "sub" and before.isalnum() and _LOWERED_LETTERS.fullmatch(text):
            changed = f"_{text}"
        else:
            changed = inside
        self._parts[start:] = [changed] if changed else []


def is_note_reference(attributes: Mapping[str, str | None]) -> bool:
    """Whether a link is the number of a footnote."""
    role = f"{attributes.get('role') or ''} {attributes.get('epub:type') or ''}"
    classes = (attributes.get("class") or "").split()
    return "noteref" in role or not _REFERENCE_CLASSES.isdisjoint(classes)


def is_note(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element is a footnote, or the list of them."""
    if not attributes:
        return False
    roles = f"{attributes.get('role') or ''} {attributes.get('epub:type') or ''}".split()
    if _NOTE_IDS.fullmatch(attributes.get("id") or ""):
        return True
    return not (_NOTE_ROLES.isdisjoint(roles) and _NOTE_CLASSES.isdisjoint((attributes.get("class") or "").split()))


def is_running(attributes: Mapping[str, str | None]) -> bool:
    """Whether an element is the header or footer of the pages that LibreOffice made a page of."""
    return bool(attributes) and attributes.get("title") in ("header", "footer") and set(attributes) <= {"title", "dir"}


def is_note_number(text: str) -> bool:
    """Whether a text is nothing but what a note is called: "[1]"."""
    return text[:1] == "[" and text[-1:] == "]" and _REFERENCE.fullmatch(text[1:-1]) is not None


def are_line_numbers(text: str) -> bool:
    """Whether a column beside code only counts its lines."""
    first, *others = text.split() or [""]
    if not others or len(first) > 6 or not (first.isascii() and first.isdigit()):
        return False
    return others == [str(int(first) + at) for at in range(1, len(others) + 1)]


def code_language(attributes: Mapping[str, str | None]) -> str:
    """Name of the language that a page gives to code; empty if none."""
    if not attributes:
        return ""
    classes = (attributes.get("class") or "").split()
    names = [found[1] for name in classes if (found := _LANGUAGE.fullmatch(name))]
    names += [attributes.get("data-lang") or attributes.get("data-language") or ""]
    if "sourceCode" in classes:  # pandoc
        names += [name for name in classes if name not in ("sourceCode", "numberSource", "numberLines")]
    return next((name for name in names if name and name.lower() not in _NO_LANGUAGE), "")
