"""The readers of HTML and of EPUB, whose chapters are HTML."""

from __future__ import annotations

import codecs
import posixpath
import re
import urllib.parse
import zipfile
from collections.abc import Iterable
from typing import Any, NamedTuple

from localspec.stores.documents.blocks import BlockKind
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, UnreadableError, Untyped
from localspec.stores.documents.readers.plain import BOMS, clean, decode, one_line, tidy

_SKIPPED_TAGS = {
    *("script", "style", "noscript", "template", "head", "nav"),
    *("svg", "canvas", "iframe", "object", "embed", "button", "select", "datalist"),
}
_BLOCK_TAGS = {
    *("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl"),
    *("dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "legend", "li", "main"),
    *("menu", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"),
}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_VOID_TAGS = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID_TAGS})[\s/>])([A-Za-z][\w:.-]*)(\s[^<>]*)?/>")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})""")
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def read_html(data: bytes, limits: ParseLimits) -> Content:
    """Visible text of a page; headings are its sections. Nothing is fetched and no script runs."""
    text, warning = _decode_html(data)
    writer = BlockWriter(limits)
    title = _write_html(writer, text, None)
    blocks = writer.blocks
    return Content(title, "html", blocks, None, (warning,) if warning else ())


def _decode_html(data: bytes) -> tuple[str, str]:
    declared = _XML_ENCODING.match(data) or _CHARSET.search(data[:4096])
    if declared and not data.startswith(tuple(mark for mark, _ in BOMS)):
        name = declared[1].decode("ascii").lower()
        # As browsers do: Latin-1 means Windows-1252, and a page that can say so in ASCII is not UTF-16.
        name = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252"}.get(name, name)
        try:
            codec = codecs.lookup(name).name
            if codec != "utf-8" and not codec.startswith(("utf-16", "utf-32", "utf-7")):
                return data.decode(codec, errors="replace"), ""
        except (LookupError, UnicodeError):
            return decode(data)  # no such text encoding
    return decode(data)


def _write_html(writer: BlockWriter, markup: str, chapter: str | None) -> str:
    """Write the page's paragraphs; with a chapter's title, that names what stands before its first heading."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    # A self-closed <title/> or <script/> is XHTML; an HTML parser would take all that follows for its content.
    if "<?xml" in markup[:200] or "www.w3.org/1999/xhtml" in markup[:2000]:
        markup = _SELF_CLOSED.sub(r"<\1\2></\1>", markup)
    try:
        # A NUL ends the text for the parser's C strings.
        tree = LexborHTMLParser(clean(markup))
    except SelectolaxError as error:  # HTML is never wrong: only memory can run out
        raise MemoryError from error
    title_node = tree.css_first("title")
    title = one_line(title_node.text() or "") if title_node is not None else ""
    if chapter is not None:
        writer.turn(section=chapter)
    first_heading = _HtmlFlow(writer).run(tree.body)
    return title or first_heading


class _HtmlFlow:
    """Walks a tree without recursion (a hostile page nests a million tags) and writes its paragraphs."""

    def __init__(self, writer: BlockWriter) -> None:
        self._writer = writer
        self._parts: list[str] = []
        self._pre = 0
        self._cells = 0  # inside that many table rows, whose blocks stay on one line
        self._first_heading = ""

    def run(self, root: Untyped) -> str:
        """Write all text below `root`; the first heading."""
        pending: list[tuple[Any, bool]] = [(root, False)] if root is not None else []
        while pending:
            node, leaving = pending.pop()
            tag = node.tag or ""
            if leaving:
                self._leave(tag)
            elif node.is_text_node:
                self._text(node.text_content or "")
            elif node.is_element_node and not _is_hidden(tag, node.attributes):
                self._enter(tag)
                pending.append((node, True))
                pending += [(child, False) for child in node.iter(include_text=True)][::-1]
        self._flush()
        return self._first_heading

    def _text(self, text: str) -> None:
        if self._pre:
            self._parts.append(tidy(text))
            return
        text = tidy(text)
        collapsed = " ".join(text.split())
        if text[:1].isspace():
            self._parts.append(" ")
        self._parts.append(collapsed)
        if collapsed and text[-1:].isspace():
            self._parts.append(" ")

    def _enter(self, tag: str) -> None:
        if tag == "tr":
            self._flush()
            self._cells += 1
        elif tag in _HEADINGS and not self._cells:
            self._flush()
        elif tag in ("td", "th"):
            if "".join(self._parts).strip():
                self._parts.append(" | ")
        elif tag == "br":
            self._parts.append(" " if self._cells else "\n")
        elif tag == "pre":
            self._block_edge()
            self._pre += 1
        elif tag in _BLOCK_TAGS:
            self._block_edge()
            if tag == "li" and not self._cells:
                self._parts.append("- ")

    def _leave(self, tag: str) -> None:
        if tag in _HEADINGS and not self._cells:
            heading = one_line("".join(self._parts)).rstrip("¶# ")
            self._parts = [heading]
            if heading:
                self._writer.turn(page=self._writer.page, section=heading)
                self._first_heading = self._first_heading or heading
            self._flush()
        elif tag == "tr":
            self._cells = max(0, self._cells - 1)
            if self._cells:
                self._block_edge()
            else:
                self._flush("field")
        elif tag == "pre":
            self._flush()
            self._pre = max(0, self._pre - 1)
        elif tag in _BLOCK_TAGS:
            self._block_edge()

    def _block_edge(self) -> None:
        if self._cells:
            self._parts.append(" ")
        else:
            self._flush()

    def _flush(self, kind: BlockKind = "paragraph") -> None:
        text = "".join(self._parts)
        self._parts = []
        if self._pre:
            self._writer.add(text, "code")
        elif text.strip(" \n-"):
            lines = (" ".join(line.split()) for line in text.split("\n"))
            kind = "list item" if text.lstrip().startswith("- ") else kind
            self._writer.add("\n".join(line for line in lines if line), kind)


def _is_hidden(tag: str, attributes: Untyped) -> bool:
    if tag in _SKIPPED_TAGS:
        return True
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") == "navigation"
        or "headerlink" in (attributes.get("class") or "").split()
        or _INVISIBLE.search(attributes.get("style") or "") is not None
    )


_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


class _Item(NamedTuple):
    """Entry of an e-book's manifest."""

    member: str
    is_navigation: bool
    media_type: str


def read_epub(archive: zipfile.ZipFile, limits: ParseLimits) -> Content:
    """Chapters of an e-book in reading order; their titles come from its table of contents. Only members of the archive
    are read, so that names which point out of it lead nowhere."""
    names = set(archive.namelist())
    package_name = _epub_package_name(archive, names)
    package = _xml(archive, package_name)
    base = posixpath.dirname(package_name)
    manifest = {
        item.get("id", ""): _Item(
            _resolve(base, item.get("href", "")),
            "nav" in item.get("properties", "").split(),
            item.get("media-type", ""),
        )
        for item in package.findall(".//{*}item")
    }
    spine = [item.get("idref", "") for item in package.findall(".//{*}itemref")]
    order = [manifest[identifier].member for identifier in spine if identifier in manifest]
    chapters = [name for name in dict.fromkeys(order) if name in names]
    if not chapters:
        raise UnreadableError("is a damaged e-book: its table of chapters is empty.", "Get the file again.")
    locked = _encrypted_members(archive, names)
    if any(name in locked for name in chapters):
        raise UnreadableError("is copy-protected (DRM): its chapters are encrypted.", "Use a copy without protection.")
    titles = _epub_titles(archive, names, manifest.values())
    writer = BlockWriter(limits)
    chapter = ""
    for name in chapters:
        chapter = titles.get(name, chapter)
        text, _ = _decode_html(archive.read(name))
        _write_html(writer, text, chapter)
    missing = len(set(order)) - len(chapters)
    warnings = (f"{missing} chapters named in the e-book are missing from the file.",) if missing else ()
    title_node = package.find(".//{http://purl.org/dc/elements/1.1/}title")
    title = one_line(title_node.text or "") if title_node is not None else ""
    return Content(title, "epub", writer.blocks, None, warnings)


def _epub_package_name(archive: zipfile.ZipFile, names: set[str]) -> str:
    if _CONTAINER in names:
        for root in _xml(archive, _CONTAINER).findall(".//{*}rootfile"):
            if root.get("full-path", "") in names:
                return str(root.get("full-path"))
    name = next((name for name in sorted(names) if name.endswith(".opf")), None)
    if name is None:
        raise UnreadableError("is a damaged e-book: its list of contents is missing.", "Get the file again.")
    return name


def _epub_titles(archive: zipfile.ZipFile, names: set[str], items: Iterable[_Item]) -> dict[str, str]:
    """Title of each chapter file, from the EPUB 3 navigation page or the EPUB 2 NCX."""
    titles: dict[str, str] = {}
    for member, is_navigation, media_type in items:
        base = posixpath.dirname(member)
        if member in names and is_navigation:
            from selectolax.lexbor import LexborHTMLParser

            markup = clean(_decode_html(archive.read(member))[0])
            links: Iterable[tuple[str, str]] = [
                (node.attributes.get("href") or "", node.text()) for node in LexborHTMLParser(markup).css("nav a[href]")
            ]
        elif member in names and media_type == "application/x-dtbncx+xml":
            links = [
                (point.find("{*}content").get("src", ""), "".join(point.find("{*}navLabel").itertext()))
                for point in _xml(archive, member).findall(".//{*}navPoint")
                if point.find("{*}content") is not None and point.find("{*}navLabel") is not None
            ]
        else:
            continue
        for target, title in links:
            if one_line(title):
                titles.setdefault(_resolve(base, target), one_line(title))
    return titles


def _encrypted_members(archive: zipfile.ZipFile, names: set[str]) -> set[str]:
    if _ENCRYPTION not in names:
        return set()
    references = _xml(archive, _ENCRYPTION).findall(".//{*}CipherReference")
    return {urllib.parse.unquote(reference.get("URI", "")) for reference in references}


def _resolve(base: str, target: str) -> str:
    """Archive member that a link means; `../` beyond the archive's top stays in the name and matches no member."""
    return posixpath.normpath(posixpath.join(base, urllib.parse.unquote(target.partition("#")[0])))


def _xml(archive: zipfile.ZipFile, name: str) -> Untyped:
    from defusedxml import ElementTree  # type: ignore[import-untyped]

    return ElementTree.fromstring(archive.read(name))
