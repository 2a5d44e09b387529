"""The reader of plain text, Markdown and code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from localspec.stores.documents.blocks import Block, Table
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, too_much_text
from localspec.stores.documents.readers.encodings import clean, decode, one_line, tidy
from localspec.stores.documents.readers.plain_tables import MOST_ROWS, asciidoc_table, drawn_table, multiline_table
from localspec.stores.documents.readers.web.markdown import read_markdown

__all__ = ["clean", "one_line", "read_text", "tidy"]

_UNSTRUCTURED = {".log", ".csv", ".tsv", ".srt", ".vtt"}
_TITLE_CHARACTERS = 120
_UNDERLINE = re.compile(r"""([=\-~^"'`#*+:._<>])\1{2,}[ \t]*""")
_NUMBERED = re.compile(r"(\d{1,3}(?:\.\d{1,3}){0,5})\.?[ \t]+(?=\S)")
_CHAPTER = re.compile(
    r"(?:chapter|part|section|appendix|kapitel|teil|abschnitt|anhang|chapitre|partie|capítulo|parte|capitolo|глава|часть)"
    r"[ \t]+(?:\d{1,3}|[IVXLC]{1,7}|[A-Z])\b|第[\d一二三四五六七八九十百]{1,5}[章部节節回]",
    re.IGNORECASE,
)
_ITEM = re.compile(r"([ \t]*)(?:[-*+•‣–]|\(?(?:\d{1,3}|[a-z])[.)])[ \t]+(?=\S)")
_ASCIIDOC = re.compile(r"(={1,6})[ \t]+(\S.*)")
_ORG = re.compile(r"(\*{1,8})[ \t]+(\S.*)")
_ORG_TITLE = re.compile(r"#\+title:[ \t]*(.+)", re.IGNORECASE)
_TEX = re.compile(r"\s*\\(part|chapter|section|subsection|subsubsection)\*?\{([^{}]{1,200})\}")
_TEX_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4}
_LONG_RULE = re.compile(r"\s*-{6,}\s*$")
_CAPTION = re.compile(r"(?:Table)?: +(\S.{0,300})")
_RST_NOTE = re.compile(r"\.\. \[(#?\w{1,30}|[#*])\]\s+(\S.*)", re.DOTALL)
_RST_REFERENCE = re.compile(r" ?\[(#?\w{1,30}|[#*])\]_(?!\w)")
_RST_DIRECTIVE = re.compile(r"\s*\.\. (table|container|class|compound|rst-class)::[ \t]*(.*)")
_RST_CODE = re.compile(r"[ \t]*\.\.[ \t]+(?:code-block|code|sourcecode|parsed-literal|highlight|math)::")
_FENCES = {
    ".adoc": re.compile(r"(-{4,}|\.{4,}|\|={3,})[ \t]*$"),
    ".org": re.compile(r"#\+(?:begin|end)_(?:src|example)", re.I),
}
_FENCES[".asciidoc"] = _FENCES[".adoc"]


def read_text(data: bytes, kind: str, limits: ParseLimits, suffix: str = "") -> Content:
    """Plain text, code or Markdown (`kind` 'text', 'code', 'markdown'); the file's lower-case `suffix` tells what marks
    the headings of a text. Lines of text and code stay as they are."""
    text, warning = decode(data)
    text = clean(text)
    if len(text) > limits.characters:
        raise too_much_text(limits.characters)
    warnings = (warning,) if warning else ()
    if kind == "code" or suffix in _UNSTRUCTURED:
        return Content("", kind, [Block(text, None, "", "code" if kind == "code" else "paragraph")], None, warnings)
    writer = BlockWriter(limits)
    title = read_markdown(text, writer) if kind == "markdown" else _TextFlow(writer, suffix).read(text)
    return Content(title, kind, writer.blocks, None, warnings)


class _TextFlow:
    """Writes the paragraphs of a text, and sections where their headings are sure."""

    def __init__(self, writer: BlockWriter, suffix: str) -> None:
        self._writer = writer
        self._suffix = suffix
        self._styles: list[tuple[str, bool]] = []  # of underlines, in the order in which they came
        self._title = ""
        self._table_title = ""  # of the table that follows
        self._margins: list[int] = []  # of the list so far, from the outermost item
        self._is_literal = False  # whether indented lines go on with code

    def read(self, text: str) -> str:
        """Write the text; its title, where it says one."""
        groups = list(self._groups(text.split("\n")))
        end = 0  # of a table over several groups
        for number, group in enumerate(groups):
            if number < end:
                continue
            found = multiline_table(groups[number : number + MOST_ROWS]) if _LONG_RULE.match(group[0]) else None
            if found is not None:
                self._table(found[0])
                end = number + found[1]
                continue
            before = groups[number - 1] if number else []
            after = groups[number + 1] if number + 1 < len(groups) else []
            self._group(group, before, after)
        return self._title

    def _groups(self, lines: list[str]) -> Iterator[list[str]]:
        """Lines between empty lines; what stands between fences is one."""
        fence = _FENCES.get(self._suffix)
        group: list[str] = []
        opened = ""
        for line in lines:
            mark = fence.match(line) if fence is not None else None
            if mark and not opened:
                if group:
                    yield group
                group, opened = [line], line.rstrip() if self._suffix != ".org" else "org"
            elif opened:
                group.append(line)
                if mark and (line.rstrip() == opened or opened == "org"):
                    yield group
                    group, opened = [], ""
            elif line.strip():
                if group and (self._marked(line) is not None or self._begins_table(line, group[-1])):
                    yield group
                    group = []
                group.append(line)
            elif group:
                yield group
                group = []
        if group:
            yield group

    def _group(self, lines: list[str], before: list[str], after: list[str]) -> None:
        fence = _FENCES.get(self._suffix)
        if fence is not None and fence.match(lines[0]):
            end = len(lines) - (len(lines) > 1 and fence.match(lines[-1]) is not None)
            asciidoc = asciidoc_table(lines[1:end]) if lines[0].startswith("|") else None
            if asciidoc is not None:
                self._writer.add_table(asciidoc)
            else:
                self._writer.add("\n".join(lines[1:end]), "code")
            return
        if self._suffix == ".rst" and self._literal(lines, before):
            return
        lines = self._headings(lines, before, after)
        if not lines or self._caption(lines) or (self._suffix == ".rst" and self._directive(lines)):
            return
        if not lines[0][0].isspace() and not _ITEM.match(lines[0]):
            self._margins = []
        if self._suffix == ".rst":
            lines = [_RST_REFERENCE.sub(r"[\1]", line) for line in lines]
        table = drawn_table(lines) if len(lines) >= 3 else None
        if table is not None:
            self._table(table)
        elif _ITEM.match(lines[0]) and _is_list(lines):
            self._items(lines)
        elif lines[0].lstrip()[:1] in ("+", "|") and len({line.lstrip()[:1] for line in lines} - {"+", "|"}) == 0:
            self._writer.add("\n".join(lines), "code")
        else:
            self._writer.add("\n".join(lines))

    def _begins_table(self, line: str, before: str) -> bool:
        """Whether a table of Org begins or ends here, without an empty line."""
        return self._suffix == ".org" and line.lstrip().startswith("|") != before.lstrip().startswith("|")

    def _literal(self, lines: list[str], before: list[str]) -> bool:
        """Write lines of reStructuredText that stand indented below "::"; whether they do."""
        opens = bool(before) and (
            _RST_CODE.match(before[0]) is not None
            or (before[-1].rstrip().endswith("::") and not before[-1].lstrip().startswith(".."))
        )
        goes_on = self._is_literal
        self._is_literal = (opens or goes_on) and all(line[0].isspace() for line in lines)
        if not self._is_literal:
            return False
        if opens:
            self._writer.add("\n".join(lines), "code")
        else:
            for line in ("", *lines):
                self._writer.add_code_line(line)
        return True

    # -- headings ---------------------------------------------------------------------------------------------------

    def _headings(self, lines: list[str], before: list[str], after: list[str]) -> list[str]:
        """Write the heading that a group begins with; what is left of it."""
        marked = self._marked(lines[0])
        if marked is not None:
            self._heading(*marked)
            return lines[1:]
        over = len(lines) > 2 and _UNDERLINE.fullmatch(lines[0]) and lines[0].rstrip() == lines[2].rstrip()
        rest = lines[1:] if over else lines
        if len(rest) > 1 and _is_underlined(rest[0], rest[1], indented=bool(over)):
            style = (rest[1][0], bool(over))
            if style not in self._styles:
                self._styles.append(style)
            self._heading(rest[0].strip(), self._styles.index(style) + 1)
            return rest[2:]
        if self._suffix in ("", ".txt", ".text"):
            level = _plain_level(lines, before, after, with_capitals=not self._styles)
            if level:
                self._heading(lines[0].strip(), level)
                return lines[1:]
        return lines

    def _marked(self, line: str) -> tuple[str, int] | None:
        """(heading, level) of a line with its format's mark."""
        if self._suffix in (".adoc", ".asciidoc") and (found := _ASCIIDOC.fullmatch(line)):
            return found[2], len(found[1])
        if self._suffix == ".org":
            if found := _ORG_TITLE.fullmatch(line):
                return found[1], 1
            if found := _ORG.fullmatch(line):
                return found[2], len(found[1])
        if self._suffix == ".tex" and (found := _TEX.match(line)):
            return found[2], _TEX_LEVELS[found[1]]
        return None

    def _heading(self, text: str, level: int) -> None:
        text = one_line(text)
        self._writer.turn(section=text)
        self._writer.add(text, "heading", level)
        if self._suffix not in ("", ".txt", ".text", ".tex"):
            self._title = self._title or text

    # -- lists ------------------------------------------------------------------------------------------------------

    def _items(self, lines: list[str]) -> None:
        starts = [number for number, line in enumerate(lines) if _ITEM.match(line)]
        for start, end in pairwise([*starts, len(lines)]):
            text = "\n".join(line.strip() for line in lines[start:end])
            margin = _margin(lines[start])
            while self._margins and self._margins[-1] > margin:
                self._margins.pop()
            if not self._margins or self._margins[-1] < margin:
                self._margins.append(margin)
            self._writer.add(text, "list item", len(self._margins) - 1)

    # -- tables, and what reStructuredText marks ----------------------------------------------------------------------

    def _table(self, table: Table) -> None:
        self._writer.add_table(replace(table, title=self._table_title))
        self._table_title = ""

    def _caption(self, lines: list[str]) -> bool:
        """Whether this is pandoc's caption of the table above, which it names."""
        found = _CAPTION.fullmatch(one_line(" ".join(lines)))
        above = self._writer.blocks[-1] if self._writer.blocks else None
        if found is None or above is None or above.table is None or above.table.title:
            return False
        self._writer.blocks[-1] = replace(above, table=replace(above.table, title=found[1]))
        return True

    def _directive(self, lines: list[str]) -> bool:
        """Whether this is a note, or says only how what follows is shown."""
        if note := _RST_NOTE.match("\n".join(lines)):
            self._writer.add(f"[{note[1]}] {one_line(note[2])}", "note")
            return True
        found = _RST_DIRECTIVE.fullmatch(lines[0])
        if found and len(lines) == 1:
            self._table_title = one_line(found[2]) if found[1] == "table" else ""
        return bool(found) and len(lines) == 1


def _margin(line: str) -> int:
    expanded = line.expandtabs()
    return len(expanded) - len(expanded.lstrip())


def _is_list(lines: list[str]) -> bool:
    """Whether every line is an item or goes on with one."""
    margin = _margin(lines[0])
    return all(_margin(line) > margin or (_ITEM.match(line) and _margin(line) == margin) for line in lines[1:])


def _is_underlined(title: str, line: str, *, indented: bool) -> bool:
    """Whether a line of signs underlines the one above it, and not just the first word of a table."""
    text = title.strip()
    if not _UNDERLINE.fullmatch(line) or not 0 < len(text) <= _TITLE_CHARACTERS:
        return False
    if (title[0].isspace() and not indented) or _UNDERLINE.fullmatch(title) or not any(map(str.isalnum, text)):
        return False
    length = len(line.rstrip())
    # Chinese and Japanese signs are as wide as two.
    return len(text) * 0.75 <= length <= max(len(text) * 3, 8) or length >= 60


def _plain_level(lines: list[str], before: list[str], after: list[str], *, with_capitals: bool) -> int:
    """Level of the heading that a line with nothing but its words is; 0 where that is not sure. Capitals say nothing in
    a text that underlines its headings."""
    line = lines[0].rstrip()
    if line[0].isspace() or len(line) > 90 or not after + lines[1:] or line[-1] in ".,;:!?。，、;|" or ". . ." in line:
        return 0
    letters = [sign for sign in line if sign.isalpha()]
    alone = len(lines) == 1
    capitals = with_capitals and line.upper() == line != line.lower()
    if capitals and (alone or _margin(lines[1]) >= 2) and len(letters) >= 4:
        return 1 if len(line) <= 60 and not _ITEM.match(line) and "=" not in line and "  " not in line else 0
    if not alone or "...." in line or "\t" in line:
        return 0
    if _CHAPTER.match(line):
        return 1
    found = _NUMBERED.match(line)
    words = line[found.end() :] if found else ""
    if found is None or not words[0].isalpha() or words[0].islower() or len(words.split()) > 12:
        return 0
    level = found[1].count(".") + 1
    in_list = any(group and _NUMBERED.match(group[0]) and len(group) == 1 for group in (before, after))
    return 0 if level == 1 and in_list else level
