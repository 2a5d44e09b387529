"""The reader of plain text, Markdown and code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import TITLE_CHARACTERS, Content, ParseLimits, too_much_text
from localspec.stores.documents.readers.encodings import clean, decode, one_line, tidy

__all__ = ["clean", "one_line", "read_text", "tidy"]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}#{1,6}(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_MARKUP = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)|`+|\*\*?|(?<!\w)_{1,2}|_{1,2}(?!\w)")


def read_text(data: bytes, kind: str, limits: ParseLimits) -> Content:
    """Plain text, code (`kind` 'text', 'code') or Markdown ('markdown', whose headings become sections)."""
    text, warning = decode(data)
    text = clean(text)
    if len(text) > limits.characters:
        raise too_much_text(limits.characters)
    blocks = list(_markdown_blocks(text)) if kind == "markdown" else [Block(text, None, "")]
    title = blocks[0].section if blocks and kind == "markdown" else ""
    return Content(title, kind, blocks, None, (warning,) if warning else ())


def _markdown_blocks(text: str) -> Iterator[Block]:
    """One block per heading, the heading's own line included; headings in code fences and front matter are none."""
    lines = text.split("\n")
    skip_to = 0
    if lines[0].rstrip() == "---":  # front matter: its closing rule would look like an underlined heading
        skip_to = next((number + 1 for number, line in enumerate(lines[1:400], 1) if line.rstrip() == "---"), 0)
    section, start, fence = "", 0, ""
    for number in range(skip_to, len(lines)):
        line = lines[number]
        if not line or line[0] not in " `~#=-":
            continue
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
            fence = ""
        if fence or mark:
            continue
        heading, first = _markdown_heading(lines, number, skip_to)
        if heading:
            yield from _block("\n".join(lines[start:first]), section)
            section, start = heading, first
    yield from _block("\n".join(lines[start:]), section)


def _markdown_heading(lines: list[str], number: int, earliest: int) -> tuple[str, int]:
    """Heading that the line completes ('' if none) and the number of its first line."""
    line = lines[number].rstrip()
    found = _ATX.match(line) if len(line) < 1000 else None
    if found:
        return _plain_heading(found[1] or ""), number
    underlined = len(line) >= 2 and (not line.strip("=") or not line.strip("-")) and number - 1 >= earliest
    above = lines[number - 1].strip() if underlined else ""
    before = lines[number - 2].strip() if number - 2 >= earliest else ""
    if above and not before and above[0] not in "#>|-*+<=`" and len(above) < 200:
        return _plain_heading(above), number - 1
    return "", number


def _plain_heading(heading: str) -> str:
    return one_line(_MARKUP.sub(lambda found: found[1] or "", heading))[:TITLE_CHARACTERS]


def _block(text: str, section: str) -> Iterator[Block]:
    if text.strip():
        yield Block(text.strip("\n").rstrip(), None, section)
