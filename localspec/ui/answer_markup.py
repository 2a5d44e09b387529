"""The model's Markdown as markup that can do nothing but be read. Pure functions.

A document can make a model write anything: a tag, or a picture from another computer, which would tell that computer
what was read. So nothing but what is written here becomes an element, and every other character is shown as it was
written: tags, entities, pictures, links to anything but the web. One parser, ours, says where code, lists and emphasis
are. The page's own one is handed what it cannot take for something else: blocks of HTML of one line each, and the
fences of code, which it colours and gives a button to copy; those stand in the first column between blank lines, also
those of list items and quotes.

An answer is drawn several times a second while it grows. What takes long are its lines, not its blocks, and lines that
are finished stay the same, so they are kept.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline, image
from markdown_it.token import Token

from localspec.ui import maths
from localspec.ui.elements import cite

LANGUAGES: Final = {
    **dict.fromkeys(("bash", "console", "sh", "shell", "zsh"), "bash"),
    **dict.fromkeys(("c", "h"), "c"),
    **dict.fromkeys(("c++", "cc", "cpp", "cxx", "hpp"), "cpp"),
    "css": "css",
    **dict.fromkeys(("go", "golang"), "go"),
    **dict.fromkeys(("html", "svg", "xhtml", "xml"), "markup"),
    "java": "java",
    **dict.fromkeys(("javascript", "js", "jsx", "mjs", "ts", "tsx", "typescript"), "javascript"),
    **dict.fromkeys(("json", "json5", "jsonc"), "json"),
    **dict.fromkeys(("latex", "tex"), "latex"),
    "php": "php",
    **dict.fromkeys(("py", "python", "python3"), "python"),
    **dict.fromkeys(("rs", "rust"), "rust"),
    **dict.fromkeys(("mysql", "postgresql", "sql", "sqlite"), "sql"),
    **dict.fromkeys(("yaml", "yml"), "yaml"),
}
"""Languages of code as models name them, and as the page's colouring does. Any other name stays out of the page, for
there it could be a diagram, or break the drawing."""

UNSETTLED = 2
"""Blocks at the end of a text that may change when it grows: what begins as a paragraph of its own, such as the number
of an item, may become a part of the list before it."""
_DEEPEST = 40
"""Lists and quotes in each other, two levels a list; what is deeper is text."""
_WEB: Final = ("http://", "https://", "mailto:")
_URL = re.compile(r"https?://[^\s<>\"'`|\\]+[^\s<>\"'`|\\.,:;!?*_~)\]}]", re.IGNORECASE)
_MARKER = re.compile(r"(?<!!)\[(\d{1,3}(?:\s?[,;]\s?\d{1,3}){0,9})\](?!\()")
"""Numbers of passages as models write them: [1], or [1, 2]."""
_PLACE_OF_FORMULA = "%%%LATEX_BLOCK"
"""What the page writes in a formula's place for a moment begins so; where a person or model wrote that, it stays."""
_COPY_BUTTON = (
    '<button title="copy" class="copy_code_button">'
    '<span class="copy-text">⧉</span><span class="check">✓</span></button>'
)


def answer(text: str, numbers: Collection[int] = ()) -> str:
    """The model's Markdown to be handed to the page. Where one of the `numbers` of passages stands in brackets, outside
    of code, it becomes a button that opens the passage. Pieces stand between blank lines, and none is left open."""
    return "\n\n".join(blocks(text, numbers))


def blocks(text: str, numbers: Collection[int] = (), *, unfinished: bool = False) -> list[str]:
    """The same by paragraphs, lists and what else stands at the top level. `unfinished`: as markup that a page can show
    at once, each of one element: code without colours, formulas as they were written. As text grows, none but the last
    `UNSETTLED` change."""
    state = StateCore(maths.unmarked(text), _PARSER, {})
    for rule in _BLOCK_RULES:
        rule(state)
    drawn = _blocks(state.tokens, frozenset(numbers), unfinished)
    return [maths.as_written(block) for block in drawn] if unfinished else drawn


# -- parsing ------------------------------------------------------------------------------------------------------


class _WebMarkdown(MarkdownIt):
    """Links lead to the web, or are text."""

    def validateLink(self, url: str) -> bool:  # noqa: N802
        return url.lower().startswith(_WEB)


def _formula(state: StateInline, silent: bool) -> bool:
    """A formula in a line."""
    if state.src[state.pos] not in "$\\":
        return False
    text = state.src if state.posMax == len(state.src) else state.src[: state.posMax]
    found = maths.formula_at(text, state.pos)
    if found is not None:
        formula, state.pos = found
        if not silent:
            state.push("formula", "", 0).content = maths.marked(formula)
        return True
    if not text.startswith("$$", state.pos):
        return False
    # The second one begins none either.
    if not silent:
        state.append_pending("$$")
    state.pos += 2
    return True


def _formula_block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A formula that has its lines for itself; lists and headings are not looked for in it."""
    start = state.bMarks[first] + state.tShift[first]
    if state.is_code_block(first) or not state.src.startswith(("$$", "\\["), start):
        return False
    end = first
    while end < last and not state.isEmpty(end) and state.sCount[end] >= state.blkIndent:
        end += 1
        text = state.getLines(first, end, state.blkIndent, False).strip()
        found = maths.formula_at(text, 0)
        if found is not None:
            break
    else:
        return False
    if found[1] < len(text):
        return False
    if not silent:
        state.line = end
        token = state.push("formula", "p", 0)
        token.content, token.map = maths.marked(found[0]), [first, end]
    return True


def _too_deep(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """Lines of a depth that the parser would leave out."""
    if state.level < _DEEPEST:
        return False
    if not silent:
        state.line = last
        token = state.push("lines", "p", 0)
        token.content, token.map = state.getLines(first, last, state.blkIndent, False), [first, last]
    return True


def _picture(state: StateInline, silent: bool) -> bool:
    """A picture, as the text that stands for it."""
    start = state.pos
    if state.src[start] != "!" or not image(state, True):
        return False
    if not silent:
        token = state.push("text_special", "", 0)
        token.content = state.src[start : state.pos]
    return True


def _backslash(state: StateInline, silent: bool) -> bool:
    """A backslash before what means nothing here, so that it has nothing to take away: C:\\Users\\<name>."""
    start = state.pos
    escaped = state.src[start + 1 : start + 2] if state.src[start] == "\\" and start + 1 < state.posMax else ""
    begins_line = start == 0 or state.src[start - 1] == "\n"
    if escaped not in ("<", "&", ">") or (escaped == ">" and begins_line):
        return False
    if not silent:
        state.append_pending("\\" + escaped)
    state.pos += 2
    return True


def _parser() -> MarkdownIt:
    parser = _WebMarkdown("commonmark", {"maxNesting": 2 * _DEEPEST})
    parser.enable(["table", "strikethrough"])
    # As text: tags, entities, addresses in angle brackets, and definitions of links, which would not be shown at all.
    parser.disable(["html_block", "html_inline", "entity", "autolink", "reference"])
    parser.block.ruler.before("table", "too_deep", _too_deep, {"alt": []})
    parser.block.ruler.before("fence", "formula", _formula_block, {"alt": ["paragraph", "blockquote", "list"]})
    parser.inline.ruler.before("escape", "formula", _formula)
    parser.inline.ruler.before("escape", "backslash", _backslash)
    parser.inline.ruler.at("image", _picture)
    return parser


_PARSER: Final = _parser()
_BLOCK_RULES: Final = [rule for rule in _PARSER.core.ruler.getRules("") if rule.__name__ in ("normalize", "block")]


# -- drawing ------------------------------------------------------------------------------------------------------


def _blocks(tokens: Sequence[Token], numbers: frozenset[int], unfinished: bool) -> list[str]:
    """Blocks of HTML in one line each, and fences; those of one block of the top level between blank lines."""
    blocks: list[str] = []
    pieces: list[str] = []
    line: list[str] = []
    wrapped = False
    for token in tokens:
        if token.type in ("fence", "code_block"):
            if unfinished:
                line.append(_plain_code(_code_of(token)))
            else:
                pieces += ["".join(line), _code(token)]
                line = []
        elif token.type == "inline":
            line.append(_inline(token.content, numbers))
        elif token.hidden:
            # The paragraphs of a list without blank lines; behind code, the page would take a mere text for Markdown.
            if token.nesting > 0:
                wrapped = not line
            line += ["<div>" if token.nesting > 0 else "</div>"] if wrapped else []
        elif token.type == "formula":
            line.append(f"<p>{token.content}</p>")
        elif token.type == "lines":
            line.append(f"<p>{'<br>'.join(map(_text, token.content.splitlines()))}</p>")
        else:
            line.append(_tag(token))
        if token.level == 0 and token.nesting <= 0 and token.type != "inline":
            blocks.append("\n\n".join(piece for piece in (*pieces, "".join(line)) if piece))
            pieces, line = [], []
    return blocks


def _tag(token: Token) -> str:
    if token.nesting < 0:
        return f"</{token.tag}>"
    attributes = ""
    if token.tag == "ol" and "start" in token.attrs:
        attributes = f' start="{int(token.attrs["start"])}"'
    elif token.tag in ("th", "td") and "style" in token.attrs:
        attributes = f' align="{str(token.attrs["style"]).partition(":")[2]}"'
    return f"<{token.tag}{attributes}>"


def _code(token: Token) -> str:
    """A block of code: a fence that no line of it can close, or markup where the page's parser would change it."""
    code = _code_of(token)
    # Tabs would be spaces: Gradio expands them, and its page those at a line's beginning once more.
    if "\t" in code or _PLACE_OF_FORMULA in code:
        return _plain_code(code)
    ticks = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, ticks + 1)
    language = LANGUAGES.get(token.info.strip().partition(" ")[0].lower(), "")
    # The page leaves out one empty line at the end.
    empty = "\n" if code.endswith("\n\n") or code == "\n" else ""
    return f"{fence}{language}\n{code}{empty}{fence}"


def _code_of(token: Token) -> str:
    code = token.content
    return code if code.endswith("\n") or not code else f"{code}\n"


def _plain_code(code: str) -> str:
    escaped = _text(code).replace("\n", "&#10;").replace("\t", "&#9;")
    return f'<div class="code_wrap">{_COPY_BUTTON}<pre><code>{escaped}</code></pre></div>'


@lru_cache(maxsize=1024)
def _inline(content: str, numbers: frozenset[int]) -> str:
    """The inside of a paragraph, heading or cell."""
    tokens: list[Token] = []
    _PARSER.inline.parse(content, _PARSER, {}, tokens)
    shown: list[str] = []
    run, links = "", 0
    for token in tokens:
        if token.type == "text":
            run += token.content
            continue
        if run:
            shown.append(_text(run) if links else _words(run, numbers))
            run = ""
        links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        shown.append(_span(token))
    if run:
        shown.append(_words(run, numbers))
    return "".join(shown)


def _span(token: Token) -> str:
    if token.type == "formula":
        return token.content
    if token.type == "code_inline":
        return f"<code>{_text(token.content)}</code>"
    if token.type in ("softbreak", "hardbreak"):
        return "<br>"
    if token.type == "link_open":
        return _link(str(token.attrs["href"]), str(token.attrs.get("title", "")))
    if token.tag in ("em", "strong", "s", "a"):
        return f"</{token.tag}>" if token.nesting < 0 else f"<{token.tag}>"
    return _text(token.content).replace("\n", "<br>")


def _link(address: str, title: str = "") -> str:
    said = f' title="{_text(" ".join(title.split()))}"' if title else ""
    return f'<a href="{_text(address)}"{said} target="_blank" rel="noopener noreferrer">'


def _words(text: str, numbers: frozenset[int]) -> str:
    """Text outside of links and code, with the addresses in it as links."""
    shown, end = [], 0
    for found in _URL.finditer(text):
        url = found.group()
        shown += [_cited(text[end : found.start()], numbers), f"{_link(url)}{_text(url)}</a>"]
        end = found.end()
    return "".join([*shown, _cited(text[end:], numbers)])


def _cited(text: str, numbers: frozenset[int]) -> str:
    escaped = _text(text)
    return _MARKER.sub(lambda found: _markers(found, numbers), escaped) if numbers else escaped


def _markers(found: re.Match[str], numbers: frozenset[int]) -> str:
    """Numbers in brackets as buttons, if there is a passage for each of them."""
    named = [int(number) for number in re.findall(r"\d+", found.group(1))]
    if not all(number in numbers for number in named):
        return found.group()
    return "".join(cite(number, str(number), "marker") for number in named)


def _text(text: str) -> str:
    """Text as it is, in an element or an attribute."""
    return html.escape(text).replace(_PLACE_OF_FORMULA, "&#37;%%LATEX_BLOCK")
