"""The model's Markdown as the page is handed it: what is code, what is text, and that it can do nothing."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from localspec.ui import answer_markup, elements, maths
from tests.ui.markdown_cases import MARKDOWN_CASES, MarkdownCase

BLOCKS = "blockquote|code_wrap|div|h[1-6]|hr|li|ol|p|table|ul"
TAGS = {
    "a", "blockquote", "br", "button", "code", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
NO_END = {"br", "hr"}
WRITTEN = re.compile(r"<!--written:([^<>]*?)-->")


class Shown:
    """What the page makes of an answer: it takes blocks of HTML and fences apart at blank lines, as its parser does,
    and fails where a piece is something else, an element is unknown, or one is left open."""

    def __init__(self, markup: str) -> None:
        self.blocks: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self._open: list[str] = []
        rest = markup
        while rest:
            fence = re.match(r"(`{3,})([a-z]*)\n((?:[^\n]*\n)*?)\1(?:\n\n|\Z)", rest)
            if fence is not None:
                assert fence.group(2) in {"", *answer_markup.LANGUAGES.values()}
                # The page takes one line's end away, and puts one there.
                self.blocks.append(fence.group(3).removesuffix("\n").removesuffix("\n"))
                if not fence.group(3).endswith("\n\n"):
                    self.blocks[-1] = fence.group(3).removesuffix("\n")
                rest = rest[fence.end() :]
                continue
            piece, _, rest = rest.partition("\n\n")
            assert re.match(rf"</?(?:{BLOCKS})[ >]", piece), piece
            self._read(piece)
        assert not self._open

    def _read(self, piece: str) -> None:
        # Formulas may have lines: the page takes them out before it looks for blocks.
        assert "\n" not in re.sub("\u2061[^\u2061]*\u2061", "", piece)
        block = re.search(r'<div class="code_wrap">.*?<pre><code>(.*?)</code></pre></div>', piece)
        if block is not None:
            self.blocks.append(html.unescape(block.group(1)).removesuffix("\n"))
            piece = piece.replace(block.group(), "")
        for text, end, tag, attributes in re.findall(r"([^<]*)(?:<(/?)([a-z0-9]+)([^<>]*)>|\Z)", piece):
            assert ">" not in text
            self.words += html.unescape(text)
            if not tag:
                continue
            assert tag in TAGS
            names = re.findall(r' ([a-z-]+)="[^"<>]*"', attributes)
            assert re.sub(r' [a-z-]+="[^"<>]*"', "", attributes) == ""
            assert set(names) <= {"align", "class", "href", "name", "rel", "start", "target", "title", "type"}
            self.addresses += [html.unescape(one) for one in re.findall(r'href="([^"]*)"', attributes)]
            if tag == "br" or (not end and tag not in ("code", "em", "strong", "s", "a", "span")):
                self.words += "\n"
            if end:
                assert self._open.pop() == tag
            elif tag not in NO_END:
                self._open.append(tag)


@pytest.mark.parametrize("case", MARKDOWN_CASES)
def test_code_and_words_are_shown_as_they_were_written(case: MarkdownCase) -> None:
    markup = answer_markup.answer(case.text)
    shown = Shown(markup)
    assert tuple(shown.blocks) == case.blocks
    for words in case.words:
        assert words in shown.words
    assert tuple(map(html.unescape, re.findall("<code>(.*?)</code>(?!</pre>)", markup))) == case.spans


@pytest.mark.parametrize("case", MARKDOWN_CASES)
def test_no_beginning_shows_an_entity_that_nobody_wrote(case: MarkdownCase) -> None:
    for end in range(len(case.text)):
        beginning = case.text[:end]
        shown = Shown(answer_markup.answer(beginning))
        for entity in re.findall(r"&(?:#?\w+);", "\n".join([shown.words, *shown.blocks])):
            assert entity in beginning


SIGNS = st.sampled_from([
    "`", "``", "```", "````", "~~~", "<", ">", "<b>", "</b>", "&", "&lt;", "<!--", "-->", "\n", "\n\n", " ", "    ",
    "\t", "- ", "1. ", "> ", "# ", "|", "|--|", "*", "_", "~", "[", "]", "(", ")", "![", "[1]", "](http://a.b/c)",
    "](javascript:x)", "\\", "$", "$$", "\\(", "\\)", "\\[", "\\]", "x", "y", "5", "=", "---", ":", "http://e.org/a_b",
    "\r\n", "%%%LATEX_BLOCK_0%%%", "py\n", "mermaid\n", "\x0b", "\u2028", "\u2061", "\u2062", "{", "}", '"', "'",
])  # fmt: skip


@example("> " * 200 + "x<b>")
@example("- " * 200 + "x<b>")
@example("[" * 300 + "x<b>" + "](http://a.b/)" * 300)
@example("**" * 300 + "x")
@given(st.lists(SIGNS, max_size=40).map("".join) | st.text(max_size=60))
def test_whatever_is_written_can_only_be_read(text: str) -> None:
    shown = Shown(answer_markup.answer(text, {1, 5}))
    assert all(address.lower().startswith(("http://", "https://", "mailto:")) for address in shown.addresses)
    # No letter is lost, but of what stands behind a fence's marks or in a link's address.
    if not re.search(r"(?:```|~~~)[^\n]+|\]\(", text):
        assert set(re.findall(r"[xy&<]", text)) <= set("".join([shown.words, *shown.blocks]))


@given(st.text() | st.lists(SIGNS).map("".join))
def test_what_was_written_is_kept_for_those_who_copy(text: str) -> None:
    comment = elements.written(text)
    assert "\n" not in comment
    kept = WRITTEN.fullmatch(comment)
    assert kept is not None
    assert "--" not in kept.group(1)
    # As a browser reads it: of references to control characters it makes others, but these are sent as they are.
    assert html.unescape(kept.group(1)) == maths.unmarked(text)
