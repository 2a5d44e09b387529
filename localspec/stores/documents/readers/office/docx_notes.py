"""What stands beside the text of a Word document: foot- and endnotes, comments, headers and footers."""

from __future__ import annotations

from collections.abc import Iterator

from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.list_numbers import shown_number
from localspec.stores.documents.readers.office.office_xml import Element, Package, child, children, is_on, value_of

NOTE_PARTS = {"footnote": "footnotes", "endnote": "endnotes"}


def note_elements(package: Package, part: str, kind: str) -> dict[str, Element]:
    """Foot- or endnotes, or comments ('comment'), by id; without the lines that separate notes from the text."""
    found: dict[str, Element] = {}
    for name in package.related(part, NOTE_PARTS.get(kind, f"{kind}s")):
        root = package.xml(name)
        found |= {
            one.get("w:id", ""): one for one in children(root, f"w:{kind}") if one.get("w:type", "normal") == "normal"
        }
    return found


def note_marks(document: Element, settings: Element | None, kind: str, known: dict[str, Element]) -> dict[str, str]:
    """The marks of the notes in the order of the text, by id: 1, 2, 3; i, ii, iii for endnotes; or their own."""
    marks: dict[str, str] = {}
    own_form = [value_of(child(document, "w:body", "w:sectPr"), f"w:{kind}Pr", "w:numFmt")]
    own_form.append(value_of(settings, f"w:{kind}Pr", "w:numFmt"))
    form = next((one for one in own_form if one), "decimal" if kind == "footnote" else "lowerRoman")
    number = 0
    for run in document.iter("w:r"):
        for one in children(run, f"w:{kind}Reference"):
            note = one.get("w:id", "")
            if note not in known or note in marks:
                continue
            if (one.get("w:customMarkFollows") or "0") in ("1", "true", "on"):
                marks[note] = one_line("".join(text.text or "" for text in children(run, "w:t"))) or "*"
            else:
                number += 1
                marks[note] = shown_number(number, form)
    return marks


def comment_author(comment: Element) -> str:
    """Who wrote a comment."""
    return one_line(comment.get("w:author", "") or comment.get("w:initials", ""))


def running_parts(section: Element, settings: Element | None, kind: str) -> Iterator[str]:
    """Relation ids of the headers ('header') or footers ('footer') that a section shows."""
    shown = {"default", "first"} if is_on(child(section, "w:titlePg")) else {"default"}
    if is_on(child(settings, "w:evenAndOddHeaders")):
        shown.add("even")
    references = {one.get("w:type", "default"): one.get("r:id", "") for one in children(section, f"w:{kind}Reference")}
    for name in ("first", "default", "even"):
        if name in shown and name in references:
            yield references[name]
