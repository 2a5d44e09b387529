"""The reader of HTML: what a person can see or open on a page, as blocks."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, Untyped
from localspec.stores.documents.readers.encodings import BOMS, clean, decode, one_line
from localspec.stores.documents.readers.html_flow import BLOCK_TAGS, HEADINGS, PageFlow
from localspec.stores.documents.readers.html_maths import formula
from localspec.stores.documents.readers.html_panels import Panels, is_hidden

_SKIPPED_TAGS = {
    *("script", "style", "noscript", "template", "head", "title", "canvas", "iframe", "object", "embed", "datalist"),
    *("audio", "video", "frameset", "noframes"),
}
_SKIPPED_CLASSES = {
    *("headerlink", "header-anchor", "anchor-link", "anchorjs-link", "hash-link", "permalink", "mw-editsection"),
    *(
        "footnote-back",
        "footnote-backref",
        "footnote-backlink",
        "fn-backref",
        "data-footnote-backref",
        "reversefootnote",
    ),
    *("skip-link", "skiplink", "skip-to-content", "linenos", "lineno", "line-numbers-rows", "gutter", "katex-html"),
    *("MathJax_Preview",),
}
_READ_THOUGH_ARIA_HIDDEN = (BLOCK_TAGS | set(HEADINGS) | {"td", "th"}) - {"div"}
_BUTTON_PARENTS = {*HEADINGS, "p", "li", "dd", "dt", "td", "th", "label", "summary", "caption", "figcaption"}
_NOT_TYPED = {"hidden", "submit", "button", "image", "reset", "file", "password", "search"}
_VOID_TAGS = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID_TAGS})[\s/>])([A-Za-z][\w:.-]*)(\s[^<>]*)?/>")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})""")


def read_html(data: bytes, limits: ParseLimits) -> Content:
    """What a reader of the page can see or open; headings are its sections. Nothing is fetched and no script runs."""
    text, warning = decode_html(data)
    tree = parsed(text)
    writer = BlockWriter(limits)
    first_heading = PageReader(writer).read(tree.body)
    if all(block.kind == "heading" for block in writer.blocks):  # nothing else is there: then a menu is the page
        writer = BlockWriter(limits)
        first_heading = PageReader(writer, with_menus=True).read(tree.body)
    return Content(page_title(tree) or first_heading, "html", writer.blocks, None, (warning,) if warning else ())


def decode_html(data: bytes) -> tuple[str, str]:
    """Text of a page by its own words about its encoding, and a warning ('' if there is nothing to tell)."""
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


def parsed(markup: str) -> Untyped:
    """The tree of a page. Raises MemoryError."""
    from selectolax.lexbor import LexborHTMLParser, SelectolaxError

    # A self-closed <title/> or <script/> is XHTML; an HTML parser would take all that follows for its content.
    if "<?xml" in markup[:200] or "www.w3.org/1999/xhtml" in markup[:2000]:
        markup = _SELF_CLOSED.sub(r"<\1\2></\1>", markup)
    try:
        # A NUL ends the text for the parser's C strings.
        return LexborHTMLParser(clean(markup))
    except SelectolaxError as error:  # HTML is never wrong: only memory can run out
        raise MemoryError from error


def page_title(tree: Untyped) -> str:
    """What stands in the page's head as its title; empty if nothing."""
    node = tree.css_first("title")
    return one_line(node.text() or "") if node is not None else ""


class PageReader:
    """Walks a tree without recursion (a hostile page nests a million tags) and tells a flow what is there."""

    def __init__(self, writer: BlockWriter, *, with_menus: bool = False) -> None:
        self._flow = PageFlow(writer)
        self._with_menus = with_menus
        self._panels: Panels
        self._labels: dict[str, str] = {}  # texts of labels by the id of their field
        self._chapters: dict[str, str] = {}
        self._pages: dict[str, str] = {}

    def read(
        self,
        root: Untyped,
        chapter: str = "",
        chapters: dict[str, str] | None = None,
        pages: dict[str, str] | None = None,
    ) -> str:
        """Write all that can be read below `root`; the first heading. A page can be a chapter of a book; it can hold
        more of them and beginnings of printed pages, each at the element of an id."""
        if root is None:
            return ""
        flow, self._chapters, self._pages = self._flow, chapters or {}, pages or {}
        self._panels = Panels(root)
        self._labels = {
            node.attributes.get("for") or "": one_line(node.text() or "") for node in root.css("label[for]")
        }
        if chapter:
            flow.open_chapter(chapter)
        if "" in self._pages:
            flow.page_label(self._pages[""])
        pending: list[tuple[Any, str]] = [(root, "")]
        while pending:
            node, leaving = pending.pop()
            if leaving == "part":
                flow.close_part()
                continue
            tag = node.tag or ""
            if leaving:
                flow.leave(tag, node.attributes)
            elif node.is_text_node:
                flow.text(node.text_content or "")
            elif node.is_element_node:
                attributes = node.attributes
                if attributes and (self._chapters or self._pages):
                    self._turn(attributes.get("id") or (attributes.get("name") if tag == "a" else "") or "")
                if not self._is_left_out(node, tag, attributes) and not self._is_read_whole(node, tag, attributes):
                    pending += self._inside(node, tag, attributes)
        flow.close()
        return flow.first_heading

    def _turn(self, identifier: str) -> None:
        """A chapter or printed page begins at the element with this id."""
        if identifier in self._chapters:
            self._flow.open_chapter(self._chapters[identifier])
        if identifier in self._pages:
            self._flow.page_label(self._pages[identifier])

    def _inside(self, node: Untyped, tag: str, attributes: Untyped) -> Iterator[tuple[Any, str]]:
        """Enter an element: what is to be visited next, last first."""
        name = self._panels.names.get(node.mem_id, "") if self._panels.names else ""
        if name:
            self._flow.open_part(name)
            yield node, "part"
        if tag == "ol" and "reversed" in attributes and "start" not in attributes:
            count = sum(child.tag == "li" for child in node.iter())
            attributes = {**attributes, "start": str(count)}
        self._flow.enter(tag, attributes)
        yield node, "tag"
        yield from [(child, "") for child in node.iter(include_text=True)][::-1]

    def _is_left_out(self, node: Untyped, tag: str, attributes: Untyped) -> bool:
        if tag in _SKIPPED_TAGS:
            return not (self._with_menus and tag == "noscript")
        if not self._with_menus and (tag == "nav" or (attributes and attributes.get("role") == "navigation")):
            return True
        if tag == "button":
            parent = node.parent
            return not self._with_menus and (parent is None or parent.tag not in _BUTTON_PARENTS)
        if node.mem_id in self._panels.names:
            return False
        if node.mem_id in self._panels.tab_lists:
            return True
        if not attributes:
            return tag == "dialog"
        if is_hidden(tag, attributes) and attributes.get("hidden") != "until-found":
            return True
        if attributes.get("aria-hidden") == "true" and tag not in _READ_THOUGH_ARIA_HIDDEN:
            return True
        if attributes.get("role") == "doc-backlink":
            return True
        classes = attributes.get("class")
        return bool(classes) and not _SKIPPED_CLASSES.isdisjoint(classes.split())

    def _is_read_whole(self, node: Untyped, tag: str, attributes: Untyped) -> bool:
        """Tell the flow of an element that is no text between tags; whether it was one."""
        if tag == "input":
            self._input(attributes)
        elif tag == "textarea":
            self._flow.field(node.text() or "", self._label(attributes))
        elif tag == "select":
            self._flow.field(_chosen(node, attributes), self._label(attributes))
        elif tag in ("img", "area"):
            self._flow.image(attributes.get("alt") or "")
        elif tag == "svg":
            texts = _svg_texts(node, attributes)
            if texts:
                self._flow.chart("\n".join(texts))
        elif tag == "math":
            self._flow.text(formula(node))
        elif attributes and (attributes.get("epub:type") == "pagebreak" or attributes.get("role") == "doc-pagebreak"):
            if attributes.get("id") not in self._pages:
                label = attributes.get("aria-label") or attributes.get("title") or node.text() or ""
                self._flow.page_label(label)
        else:
            return False
        return True

    def _input(self, attributes: Untyped) -> None:
        kind = (attributes.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            self._flow.tick("checked" in attributes)
        elif kind not in _NOT_TYPED or (kind == "search" and attributes.get("value")):
            self._flow.field(attributes.get("value") or "", self._label(attributes))

    def _label(self, attributes: Untyped) -> str:
        for name in ("aria-label", "placeholder", "title"):
            if attributes.get(name):
                return str(attributes[name])
        return self._labels.get(attributes.get("id") or "", "")


def _chosen(node: Untyped, attributes: Untyped) -> str:
    """What a browser shows as chosen."""
    options = node.css("option")
    chosen = [option for option in options if "selected" in option.attributes]
    if not chosen and "multiple" not in attributes and not (attributes.get("size") or "1").strip("1"):
        chosen = [option for option in options if "disabled" not in option.attributes][:1]
    if "multiple" not in attributes:
        chosen = chosen[-1:]
    return ", ".join(one_line(option.attributes.get("label") or option.text() or "") for option in chosen)


def _svg_texts(node: Untyped, attributes: Untyped) -> list[str]:
    """Texts of a drawing, one a line; of an icon its name."""
    texts = [one_line(found.text() or "") for found in node.css("text, foreignObject, foreignobject")]
    if not any(texts) and attributes.get("role") == "img":
        title = node.css_first("title")
        texts = [one_line(attributes.get("aria-label") or (title.text() if title is not None else "") or "")]
    return [text for text in texts if text]
