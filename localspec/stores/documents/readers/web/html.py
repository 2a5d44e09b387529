"""The reader of HTML: what a person can see or open on a page, as blocks."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Any

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, Untyped
from localspec.stores.documents.readers.encodings import BOMS, clean, decode, one_line
from localspec.stores.documents.readers.web.html_flow import PageFlow
from localspec.stores.documents.readers.web.html_forms import chosen_options, is_typed, shown_amount
from localspec.stores.documents.readers.web.html_maths import formula
from localspec.stores.documents.readers.web.html_panels import Panels, is_hidden
from localspec.stores.documents.readers.web.html_pieces import BLOCK_TAGS, HEADINGS
from localspec.stores.documents.readers.web.html_styles import Hidden, hidden_by_styles

_SKIPPED_TAGS = {
    *("script", "style", "noscript", "template", "head", "title", "canvas", "iframe", "object", "embed", "datalist"),
    *("audio", "video", "frameset", "noframes"),
    "epub:default",  # of a switch, whose cases are read
}
_SKIPPED_CLASSES = {
    *("headerlink", "header-anchor", "anchor-link", "anchorjs-link", "hash-link", "permalink", "mw-editsection"),
    *("footnote-back", "footnote-backref", "footnote-backlink", "backrefs", "data-footnote-backref", "reversefootnote"),
    *("skip-link", "skiplink", "skip-to-content", "linenos", "lineno", "line-numbers-rows", "gutter", "katex-html"),
    *("MathJax_Preview",),
}
_MOST_FRAMES = 20
_NOTE_LABEL = re.compile(r"\d{1,4}")
_BUTTON_PARENTS = {*HEADINGS, "p", "li", "dd", "dt", "td", "th", "label", "summary", "caption", "figcaption"}
_ROLES = {
    **dict.fromkeys(("table", "grid", "treegrid"), "table"),
    **dict.fromkeys(("cell", "gridcell"), "td"),
    **dict.fromkeys(("columnheader", "rowheader"), "th"),
    "row": "tr",
    "rowgroup": "tbody",
    "list": "ul",
    "listitem": "li",
    "term": "dt",
    "definition": "dd",
}
"""What an element without a meaning of its own is by its role (WAI-ARIA 1.2, section 5.4)."""
_MEANINGLESS = {"div", "span", "section", "p", "a"}
_ICONS = re.compile(
    r"(?:^|[\s_-])(?:icons?|fa[sbrl]?|glyphicon|material-(?:icons|symbols)|katex|MJX|mjx|emoji)(?=$|[\s_-])"
)
_FRAMES = "The page consists of frames, whose files are to be added themselves: {names}."
_VOID_TAGS = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID_TAGS})[\s/>])([A-Za-z][\w:.-]*)(\s[^<>]*)?/>")
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""^<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{2,40})""")


def read_html(data: bytes, limits: ParseLimits, linked: Iterable[str] = ()) -> Content:
    """What a reader of the page can see or open; headings are its sections. Nothing is fetched and no script runs;
    `linked` are texts of style sheets that came with it."""
    text, warning = decode_html(data)
    tree = parsed(text)
    hidden = hidden_by_styles(tree, linked)
    writer = BlockWriter(limits)
    first_heading = PageReader(writer).read(tree.body, hidden=hidden)
    if all(block.kind == "heading" for block in writer.blocks):  # nothing else is there: then a menu is the page
        writer = BlockWriter(limits)
        first_heading = PageReader(writer, with_menus=True).read(tree.body)
    warnings = [warning] if warning else []
    if not writer.blocks and tree.css_first("frameset") is not None:
        names = [node.attributes.get("src") or "" for node in tree.css("frame")]
        warnings.append(_FRAMES.format(names=", ".join(filter(None, names))))
        for node in tree.css("noframes"):
            inner = parsed(node.text() or "")
            first_heading = PageReader(writer).read(inner.body) or first_heading
    return Content(page_title(tree) or first_heading, "html", writer.blocks, None, tuple(warnings))


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
        self._hidden: frozenset[int] = frozenset()
        self._frames: list[Untyped] = []  # trees of pages inside the page, which live as long as their nodes are read

    def read(
        self,
        root: Untyped,
        chapter: str = "",
        chapters: dict[str, str] | None = None,
        pages: dict[str, str] | None = None,
        hidden: Hidden = Hidden(),  # noqa: B008 - frozen
    ) -> str:
        """Write all that can be read below `root`; the first heading. A page can be a chapter of a book; it can hold
        more of them and beginnings of printed pages, each at the element of an id."""
        if root is None:
            return ""
        flow, self._chapters, self._pages = self._flow, chapters or {}, pages or {}
        self._hidden = hidden.for_good
        self._panels = Panels(root, hidden.for_good | hidden.openable)
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
            if node.is_text_node:
                flow.text(node.text_content or "")
                continue
            attributes = node.attributes
            tag = _meaning(node.tag or "", attributes)
            if leaving:
                flow.leave(tag, attributes)
            elif node.is_element_node:
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
        if tag == "iframe" and len(self._frames) < _MOST_FRAMES and attributes.get("srcdoc"):
            self._frames.append(parsed(attributes["srcdoc"]))
            yield self._frames[-1].body, ""
            return
        yield from [(child, "") for child in node.iter(include_text=True)][::-1]

    def _is_left_out(self, node: Untyped, tag: str, attributes: Untyped) -> bool:
        if tag in _SKIPPED_TAGS:
            self._speak_for(node, tag, attributes)
            return not (self._with_menus and tag == "noscript") and not (tag == "iframe" and "srcdoc" in attributes)
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
            return tag == "dialog" or node.mem_id in self._hidden
        if node.mem_id in self._hidden:
            return True
        if is_hidden(tag, attributes) and attributes.get("hidden") != "until-found":
            return True
        if attributes.get("aria-hidden") == "true" and tag not in BLOCK_TAGS and _is_decoration(node, attributes):
            return True
        classes = (attributes.get("class") or "").split()
        if "doc-backlink" in (attributes.get("role"), f"doc-{attributes.get('epub:type')}") or "fn-backref" in classes:
            # The number of the note itself may be the link back.
            return _NOTE_LABEL.fullmatch((node.text() or "").strip()) is None
        return bool(classes) and not _SKIPPED_CLASSES.isdisjoint(classes)

    def _is_read_whole(self, node: Untyped, tag: str, attributes: Untyped) -> bool:
        """Tell the flow of an element that is no text between tags; whether it was one."""
        if tag == "input":
            self._input(attributes)
        elif tag == "textarea":
            self._flow.field(node.text() or "", self._label(attributes))
        elif tag == "select":
            self._flow.field(chosen_options(node, attributes), self._label(attributes))
        elif tag in ("img", "area"):
            alt = attributes.get("alt")
            self._flow.image((attributes.get("title") if alt is None else alt) or "")
        elif tag in ("progress", "meter"):
            self._flow.amount(shown_amount(tag, attributes))
        elif tag == "output":
            self._flow.amount(one_line(node.text() or ""))
        elif tag == "svg":
            texts = _svg_texts(node, attributes)
            if texts:
                self._flow.chart("\n".join(texts))
        elif tag == "math":
            self._flow.formula(formula(node), apart=attributes.get("display") == "block")
        elif attributes and (attributes.get("epub:type") == "pagebreak" or attributes.get("role") == "doc-pagebreak"):
            if attributes.get("id") not in self._pages:
                label = attributes.get("aria-label") or attributes.get("title") or node.text() or ""
                self._flow.page_label(label)
        else:
            return False
        return True

    def _speak_for(self, node: Untyped, tag: str, attributes: Untyped) -> None:
        """Tell the flow what stands in an element that is not read itself: a formula, the text of a picture."""
        if tag == "script" and (attributes.get("type") or "").startswith("math/tex"):
            self._flow.formula(one_line(node.text() or ""), apart="mode=display" in attributes["type"].replace(" ", ""))
        elif tag == "noscript" and not self._with_menus:
            before = node.prev
            said = (before.attributes.get("alt") or "") if before is not None and before.tag == "img" else ""
            for picture in node.css("img[alt]"):
                alt = picture.attributes.get("alt") or ""
                self._flow.image(alt if alt != said else "")

    def _input(self, attributes: Untyped) -> None:
        kind = (attributes.get("type") or "text").lower()
        if kind in ("checkbox", "radio"):
            self._flow.tick("checked" in attributes, attributes.get("aria-label") or "")
        elif is_typed(kind, attributes):
            self._flow.field(attributes.get("value") or "", self._label(attributes))

    def _label(self, attributes: Untyped) -> str:
        for name in ("aria-label", "placeholder", "title"):
            if attributes.get(name):
                return str(attributes[name])
        return self._labels.get(attributes.get("id") or "", "")


def _meaning(tag: str, attributes: Untyped) -> str:
    """The tag that an element stands for."""
    if tag in _MEANINGLESS and attributes and (role := attributes.get("role")):
        return _ROLES.get(role, tag)
    return tag


def _is_decoration(node: Untyped, attributes: Untyped) -> bool:
    """Whether what only eyes see says nothing, or what stands beside it as well."""
    text = one_line(node.text() or "")
    if not any(map(str.isalnum, text)) or node.tag == "i" or _ICONS.search(attributes.get("class") or ""):
        return True
    letters = "".join(text.split())
    beside = (node.next, node.prev)
    return any(
        one is not None and one.is_element_node and "".join((one.text() or "").split()) == letters for one in beside
    )


def _svg_texts(node: Untyped, attributes: Untyped) -> list[str]:
    """Texts of a drawing, one a line; of an icon its name."""
    texts = [one_line(found.text() or "") for found in node.css("text, foreignObject, foreignobject")]
    if not any(texts) and attributes.get("role") == "img":
        title = node.css_first("title")
        texts = [one_line(attributes.get("aria-label") or (title.text() if title is not None else "") or "")]
    return [text for text in texts if text]
