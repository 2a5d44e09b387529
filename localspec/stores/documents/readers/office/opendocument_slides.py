"""The reader of OpenDocument presentations and drawings: pages with their shapes, notes and comments."""

from __future__ import annotations

import zipfile
from pathlib import Path

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.office_xml import Element, child, children
from localspec.stores.documents.readers.office.opendocument import OpenDocumentFile
from localspec.stores.documents.readers.office.opendocument_text import OpenDocumentStory
from localspec.stores.documents.readers.office.pptx import HIDDEN_SLIDE

_PLACEHOLDERS = {"title", "subtitle", "outline", "header", "footer", "date-time", "page-number", "page", "notes"}


def read_odp(path: Path, limits: ParseLimits) -> Content:
    """Slides as pages: title first, then the other shapes in their order, comments and the speaker's notes."""
    with zipfile.ZipFile(path) as archive:
        document = OpenDocumentFile(archive)
        writer = BlockWriter(limits)
        slides = _Slides(document, OpenDocumentStory(document, writer, limits))
        pages = list(children(document.body, "draw:page"))
        for number, page in enumerate(pages, 1):
            slides.write(page, number)
        kind = "odg" if document.body.tag == "office:drawing" else "odp"
        return Content(document.title(), kind, writer.blocks, len(pages) or None)


class _Slides:
    def __init__(self, document: OpenDocumentFile, story: OpenDocumentStory) -> None:
        self._document = document
        self._story = story
        self._written: set[str] = set()
        self._footers = {
            one.get("presentation:name", ""): one_line("".join(one.itertext()))
            for one in children(document.body, "presentation:footer-decl")
        }
        masters = child(document.styles, "office:master-styles")
        self._masters = {one.get("style:name", ""): one for one in children(masters, "style:master-page")}

    def write(self, page: Element, number: int) -> None:
        """All blocks of a slide."""
        writer = self._story.writer
        title_frame = next((one for one in page if one.get("presentation:class") == "title"), None)
        title = one_line(self._story.apart(title_frame)) if title_frame is not None else ""
        hidden = self._property(page, "presentation:visibility") == "hidden"
        heading = f"{title} {HIDDEN_SLIDE}".strip() if hidden else title
        writer.turn(page=number, section=heading)
        writer.add(heading, "heading" if title else "paragraph", 1 if title else 0)
        comments = []
        for one in page:
            if one is title_frame or one.tag in ("presentation:notes", "office:forms"):
                continue
            if one.tag == "office:annotation":
                comments.append(one)
            elif one.tag.startswith("draw:") and one.get("presentation:class") not in (
                "page-number",
                "date-time",
                "page",
            ):
                if one.get("presentation:class") in ("footer", "header"):
                    self._running(self._story.apart(one))
                else:
                    self._story.frame(one)
        self._write_master(page)
        for one in comments:
            self._story.comment(one)
        notes = child(page, "presentation:notes")
        for one in notes if notes is not None else ():
            if one.get("presentation:class") in ("notes", None) and one.tag.startswith("draw:"):
                text = self._story.apart(one)
                writer.add(f"Notes: {text}" if text else "", "note")

    def _property(self, page: Element, name: str) -> str | None:
        style = page.get("draw:style-name")
        return self._document.styled("drawing-page", style, "style:drawing-page-properties", name)

    def _running(self, text: str) -> None:
        if text and text not in self._written:
            self._written.add(text)
            self._story.writer.add(text, "running")

    def _write_master(self, page: Element) -> None:
        """The footer, and what the master shows on each slide beside its placeholders, once."""
        if self._property(page, "presentation:display-footer") != "false":
            self._running(self._footers.get(page.get("presentation:use-footer-name", ""), ""))
        master = self._masters.get(page.get("draw:master-page-name", ""))
        if master is None or self._property(page, "presentation:background-objects-visible") == "false":
            return
        for one in master:
            if one.tag.startswith("draw:") and one.get("presentation:class") not in _PLACEHOLDERS:
                self._running(self._story.apart(one))
