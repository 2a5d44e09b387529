"""The reader of Markdown: its parser's tokens, and the HTML between them, flow into blocks as a page does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from localspec.stores.documents.readers.content import BlockWriter
from localspec.stores.documents.readers.web.html_flow import PageFlow
from localspec.stores.documents.readers.web.html_pieces import BLOCK_TAGS, HEADINGS
from localspec.stores.documents.readers.web.markdown_tables import with_bars

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_FRONT_MATTER_LINES = 400
_TITLE = re.compile(r"^title\s*[:=]\s*(.+)$", re.MULTILINE | re.IGNORECASE)
_NESTING = 100  # blocks deeper than that are hostile, and read as text by none of the parsers
_OPEN_TAGS = 400
_INFO = re.compile(r"[{.\s]*([\w+#.-]{1,20})")
_DIRECTIVE = re.compile(r"\{([\w:-]{1,40})\}[ \t]*(.*)")
_OPTIONS = re.compile(r"\A(?:---\n.*?\n---\n|(?::[\w-]+:[^\n]*\n)+)", re.DOTALL)
_TEXT_DIRECTIVES = {
    *("note", "tip", "hint", "important", "warning", "caution", "danger", "attention", "error", "seealso", "todo"),
    *("admonition", "versionadded", "versionchanged", "deprecated", "dropdown", "tab-item", "tab-set", "card", "grid"),
    *("grid-item", "topic", "sidebar", "margin", "epigraph", "table", "figure", "exercise", "solution", "theorem"),
}
"""Of MyST: what stands in them is Markdown."""
_CODE_DIRECTIVES = {"code", "code-block", "code-cell", "sourcecode"}
_DIRECTIVES_INSIDE = 8
_HEADING_ATTRIBUTES = re.compile(r"\s*\{[#.:][^{}]*\}\s*$")
_CONTAINER_LINE = re.compile(r":{3,}[ \t]*(?:\{[^{}]*\}|[\w-]*)[ \t]*")
_TAB = re.compile(r'^([ \t]*)===[!+]?[ \t]+"([^"\n]+)"[ \t]*(?=\n+\1(?:    |\t)\S)', re.MULTILINE)
_TAG = re.compile(r"</?([A-Za-z][\w:-]*)")
_QUOTED = re.compile(r'^(.*?)\s+"(.*)"$')
_SKIPPED = {"script", "style", "template", "iframe", "object", "embed", "noscript", "svg", "head", "title"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_INLINE = {
    *("a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd", "label"),
    *("mark", "picture", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "td"),
    *("th", "time", "tt", "u", "var", "colgroup", "body", "html", "o:p"),
}
_KNOWN = BLOCK_TAGS | set(HEADINGS) | _INLINE | _VOID | _SKIPPED
_ENDS = {  # an open tag of the first group ends where this one begins, unless one of the second stands between
    "li": ({"li"}, {"ul", "ol"}),
    "dt": ({"dt", "dd"}, {"dl"}),
    "dd": ({"dt", "dd"}, {"dl"}),
    "td": ({"td", "th"}, {"table"}),
    "th": ({"td", "th"}, {"table"}),
    "tr": ({"tr"}, {"table"}),
    "p": ({"p"}, BLOCK_TAGS - {"p"}),
}


def read_markdown(text: str, writer: BlockWriter) -> str:
    """Write the blocks of clean Markdown (CommonMark, tables, notes, definitions, formulas); its title, '' if none."""
    front, text = _front_matter(text)
    text = with_bars(text)
    title = ""
    if front:
        writer.add(front, "code")
        found = _TITLE.search(front)
        title = found[1].strip().strip("\"'") if found else ""
    flow = PageFlow(writer)
    parser = _parser()
    _Tokens(flow, parser).read(parser.parse(_TAB.sub(r'\1!!! tab "\2"', text)))
    flow.close()
    return title or flow.first_heading


def _front_matter(text: str) -> tuple[str, str]:
    """(YAML or TOML that stands before the text, without its rules; the text)."""
    rule = text[:3]
    if rule not in ("---", "+++") or text[3:].split("\n", 1)[0].strip():
        return "", text
    lines = text.split("\n", _FRONT_MATTER_LINES)
    for number, line in enumerate(lines[1:-1] if len(lines) > _FRONT_MATTER_LINES else lines[1:], 1):
        if line.rstrip() == rule or (line.rstrip() == "..." and rule == "---"):
            front = "\n".join(lines[1:number])
            is_one = re.match(r"\s*(?:#.*\n|\s)*[\w\"'-]+\s*[:=\[]", front) or not front.strip()
            return (front, "\n".join(lines[number + 1 :])) if is_one else ("", text)
    return "", text


def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.admon import admon_plugin
    from mdit_py_plugins.deflist import deflist_plugin
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.footnote import footnote_plugin

    parser = MarkdownIt("commonmark", {"maxNesting": _NESTING}).enable(["table", "strikethrough"])
    parser.use(footnote_plugin, inline=False, move_to_end=False).use(deflist_plugin).use(admon_plugin)
    return parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)


class _Tags:
    """Keeps the tags of a flow well nested, though HTML between paragraphs opens and closes them as it likes."""

    def __init__(self, flow: PageFlow) -> None:
        self._flow = flow
        self._open: list[tuple[str, Mapping[str, str | None]]] = []

    def enter(self, tag: str, attributes: Mapping[str, str | None]) -> None:
        """A tag opens, and may end others."""
        ended, between = _ENDS.get(tag, (frozenset(), frozenset()))
        for number in range(len(self._open) - 1, -1, -1) if ended else ():
            if self._open[number][0] in ended:
                self._leave_until(number)
            if number >= len(self._open) or self._open[number][0] in between:
                break
        if len(self._open) < _OPEN_TAGS:
            self._open.append((tag, attributes))
            self._flow.enter(tag, attributes)

    def leave(self, tag: str) -> None:
        """A tag closes, with those that are open inside; one that is not open is passed over."""
        for number in range(len(self._open) - 1, -1, -1):
            if self._open[number][0] == tag:
                self._leave_until(number)
                return

    def _leave_until(self, number: int) -> None:
        while len(self._open) > number:
            tag, attributes = self._open.pop()
            self._flow.leave(tag, attributes)


class _Html(HTMLParser):
    """Tells of the tags in a piece of HTML. What is no tag of HTML is text: `Vec<String>`."""

    def __init__(self, flow: PageFlow, tags: _Tags) -> None:
        super().__init__(convert_charrefs=True)
        self._flow = flow
        self._tags = tags
        self._skipped = ""

    def read(self, text: str) -> None:
        """Read a piece."""
        self.reset()
        self.feed(text)
        self.close()
        self._skipped = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        attributes = dict(attrs)
        if self._skipped:
            return
        if tag not in _KNOWN:
            self._flow.text(self.get_starttag_text() or "")
        elif tag in _SKIPPED:
            self._skipped = tag
        elif tag == "img":
            self._flow.image(attributes.get("alt") or "")
        elif tag == "input":
            if attributes.get("type") in ("checkbox", "radio"):
                self._flow.tick("checked" in attributes)
        elif tag in _VOID:
            self._flow.enter(tag, attributes)
            self._flow.leave(tag, attributes)
        else:
            self._tags.enter(tag, attributes)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that says that it is empty; only those of XML are."""
        if tag in _VOID or tag not in _KNOWN:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        if self._skipped:
            self._skipped = "" if tag == self._skipped else self._skipped
        elif tag not in _KNOWN:
            self._flow.text(f"</{tag}>")
        else:
            self._tags.leave(tag)

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if not self._skipped:
            self._flow.text(data)


class _Tokens:
    """Tells a flow of the parser's tokens."""

    def __init__(self, flow: PageFlow, parser: MarkdownIt) -> None:
        self._flow = flow
        self._parser = parser
        self._inside = 0  # directives that are open
        self._tags = _Tags(flow)
        self._html = _Html(flow, self._tags)
        self._parts: list[bool] = []  # of each open admonition: whether it is a tab
        self._links: list[tuple[str, int]] = []

    def read(self, tokens: Sequence[Token]) -> None:
        """All tokens of a text."""
        before = ""
        for token in tokens:
            kind = token.type
            if kind == "inline" and before != "admonition_title_open":
                self._read_inline(token.children or [], is_heading=before == "heading_open")
            elif kind in ("fence", "code_block"):
                self._read_code(token)
            elif kind == "html_block":
                self._html.read(token.content)
            elif kind in ("math_block", "math_block_label"):
                self._put("p", f"$${token.content}$$")
            elif kind == "hr":
                self._put("p", "")
            elif kind.startswith("footnote_reference"):
                self._read_note(token)
            elif kind.startswith("admonition"):
                self._read_admonition(token)
            elif not token.hidden and token.tag and token.nesting:
                self._turn(token)
            before = kind

    def _read_code(self, token: Token) -> None:
        directive = _DIRECTIVE.match(token.info.strip())
        name, title = (directive[1].lower(), directive[2].strip()) if directive else ("", "")
        if name in _TEXT_DIRECTIVES and self._inside < _DIRECTIVES_INSIDE:
            self._inside += 1
            words = [] if name in ("admonition", "table", "figure") else [name]
            self._put("p", ": ".join([*words, *([title] if title else [])]))
            self.read(self._parser.parse(_OPTIONS.sub("", token.content)))
            self._inside -= 1
            return
        found = _INFO.match(title if name in _CODE_DIRECTIVES else token.info) if token.type == "fence" else None
        content = _OPTIONS.sub("", token.content) if name in _CODE_DIRECTIVES else token.content
        self._flow.code(content, found[1] if found else "")

    def _put(self, tag: str, text: str) -> None:
        self._tags.enter(tag, {})
        self._flow.text(text)
        self._tags.leave(tag)

    def _turn(self, token: Token) -> None:
        if token.nesting > 0:
            self._tags.enter(token.tag, {name: str(value) for name, value in token.attrs.items()})
        else:
            self._tags.leave(token.tag)

    def _read_note(self, token: Token) -> None:
        if token.nesting < 0:
            self._tags.leave("aside")
        else:
            self._tags.enter("aside", {"role": "doc-footnote"})
            self._flow.mark(f"[{token.meta.get('label', '')}] ")

    def _read_admonition(self, token: Token) -> None:
        if token.type == "admonition_open":
            is_tab = token.meta.get("tag") == "tab"
            self._parts.append(is_tab)
            self._tags.enter("div", {})
            if is_tab:
                self._flow.open_part(token.content)
            else:
                self._put("p", _QUOTED.sub(r"\1: \2", token.info.strip()))
        elif token.type == "admonition_close":
            if self._parts.pop():
                self._flow.close_part()
            self._tags.leave("div")

    def _read_inline(self, children: list[Token], *, is_heading: bool) -> None:
        run: list[str] = []  # texts and ends of lines, told at once: between Chinese signs such an end is nothing
        for number, token in enumerate(children):
            kind = token.type
            if kind == "text":
                text = token.content
                if is_heading and number == len(children) - 1:
                    text = _HEADING_ATTRIBUTES.sub("", text)
                elif text.startswith(":::"):
                    text = _CONTAINER_LINE.sub("", text, count=1)
                run.append(text)
                continue
            if kind == "softbreak":
                run.append("\n")
                continue
            self._flow.text("".join(run))
            run = []
            self._read_mark(children, number)
        self._flow.text("".join(run))

    def _read_mark(self, children: list[Token], number: int) -> None:
        """What stands between texts."""
        token = children[number]
        kind = token.type
        if kind == "code_inline":
            self._flow.text(token.content)
        elif kind == "hardbreak":
            self._flow.enter("br", {})
        elif kind == "html_inline":
            found = _TAG.match(token.content)
            if found and found[1].lower() in _SKIPPED:
                self._flow.text(token.content)
            else:
                self._html.read(token.content)
        elif kind == "image":
            self._flow.image(token.content)
        elif kind in ("math_inline", "math_inline_double"):
            mark = "$" if kind == "math_inline" else "$$"
            self._flow.text(f"{mark}{token.content}{mark}")
        elif kind == "footnote_ref":
            self._flow.text(f"[{token.meta.get('label', '')}]")
        elif kind == "link_open":
            self._links.append((str(token.attrs.get("href", "")), number))
        elif kind == "link_close":
            self._leave_link(children, number)
        elif token.nesting:
            self._turn(token)

    def _leave_link(self, children: list[Token], end: int) -> None:
        """A link's address follows its text, where it says more than that and leads elsewhere."""
        address, start = self._links.pop() if self._links else ("", end)
        text = "".join(child.content for child in children[start + 1 : end])
        if address and not address.startswith("#") and address.removeprefix("mailto:") != text:
            self._flow.text(f" ({address})")
