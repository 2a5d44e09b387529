"""The reader of Rich Text files (RTF 1.9.1): text, headings, lists, tables, notes, comments, headers and footers."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from pathlib import Path

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.office.rtf_story import ParagraphState, RowState, RtfStory, RtfStyles
from localspec.stores.documents.readers.office.running import PAGE_NUMBER, running_text
from localspec.stores.documents.readers.office.symbol_fonts import shown_symbol

_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
_CODE_PAGES = (  # of `\\fcharset`
    {0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5", 161: "cp1253"}
    | {162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874"}
    | {238: "cp1250", 254: "cp437", 255: "cp850"}
)
_SIGNS = (
    {"tab": "\t", "line": "\n", "page": "\n", "softline": "\n", "emdash": "—", "endash": "–", "emspace": " "}
    | {"enspace": " ", "qmspace": " ", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“"}
    | {"rdblquote": "”", "nestcell": " | ", "nestrow": "\n", "zwj": "\u200d", "zwnj": "\u200c"}
)
_SYMBOLS = {"~": "\u00a0", "_": "-", "-": "", "\\": "\\", "{": "{", "}": "}"}
_MATHS = {"mden": "/", "msup": "^", "msub": "_", "mr": ""}
_RUNNING = {f"{kind}{page}" for kind in ("header", "footer") for page in ("", "l", "r", "f")}
_CONTAINERS = {  # groups whose own text is none, but in which text may stand
    *("shp", "shpinst", "shpgrp", "do", "field", "mmath", "moMath", "moMathPara", "moMathParaPr", "upr", "object"),
    *("info", "mf", "mnum", "me", "msSup", "msSub", "msSubSup", "mrad", "md", "mnary"),
}
_TEXT_GROUPS = {"fldrslt", "result", "ud"}
_SKIPPED = {
    *("fonttbl", "colortbl", "stylesheet", "pict", "themedata", "datastore", "listtable", "listoverridetable"),
    *("revtbl", "rsidtbl", "generator", "xmlnstbl", "latentstyles", "filetbl", "shprslt", "nonshppict", "background"),
    *("pnseclvl", "bkmkstart", "bkmkend", "atrfstart", "atrfend", "atndate", "atnref", "atnicn", "mmathPr", "sp"),
    *("author", "operator", "keywords", "comment", "doccomm", "subject", "company", "manager", "category", "creatim"),
    *("revtim", "printim", "buptim", "nesttableprops", "nonesttables", "tc", "xe", "objdata", "objclass", "private"),
    *("ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn", "fldtype", "datafield", "template", "hlinkbase"),
}


@dataclass
class _Group:
    """What a `}` takes back."""

    target: str = "text"  # 'text', 'skip', 'none', 'marker', 'title', 'author', 'code', 'form', 'item', 'font', 'style'
    font: int = 0
    hidden: bool = False
    deleted: bool = False
    fallback: int = 1  # bytes that stand behind a Unicode sign for old programs
    ends: str = ""  # what is whole when this group ends
    starred: bool = False


def read_rtf(path: Path, limits: ParseLimits) -> Content:
    """A Rich Text file in its order; notes and comments stand behind the paragraphs that they belong to."""
    return rich_text(path.read_bytes(), limits)


def rich_text(data: bytes, limits: ParseLimits) -> Content:
    """The same, of the bytes of one."""
    writer = BlockWriter(limits)
    reader = _Reader(writer, limits)
    reader.read(data.decode("latin-1"))
    return Content(one_line(reader.title), "rtf", writer.blocks)


class _Reader:
    def __init__(self, writer: BlockWriter, limits: ParseLimits) -> None:
        self.title = ""
        self._limits = limits
        self._styles = RtfStyles()
        self._fonts: dict[int, tuple[str, str]] = {}  # code page and name
        self._page = "cp1252"
        self._stories = [RtfStory(writer, self._styles)]
        self._group = _Group()
        self._stack: list[_Group] = []
        self._bytes = bytearray()
        self._skip = 0  # bytes of a fallback that are still to come
        self._notes = 0
        self._author = ""
        self._collected = ""  # text of a group that is no text of the document
        self._number = 0  # of the font or style that is declared
        self._level: int | None = None
        self._based_on = 0
        self._form: dict[str, int] = {}
        self._items: list[str] = []
        self._running: list[str] = []
        self._footers: list[str] = []

    def read(self, text: str) -> None:
        """Read the whole file, also one that ends too early."""
        place = 0
        while found := _TOKEN.match(text, place):
            place = found.end()
            word, number, byte, symbol, brace, plain = found.groups()
            if word == "bin":
                place += max(0, int(number or 0))
            elif word is not None:
                self._flush()
                self._word(word, int(number) if number is not None else None)
            elif byte is not None:
                self._take_bytes(bytes([int(byte, 16)]))
            elif symbol is not None:
                self._flush()
                self._symbol(symbol)
            elif brace is not None:
                self._flush()
                self._brace(brace)
            elif plain is not None:
                self._take_bytes(plain.encode("latin-1"))
        self._flush()
        while len(self._stories) > 1:
            self._stories.pop()
        self._stories[0].end()
        self._stories[0].writer.turn()
        for footer in self._footers:
            self._stories[0].writer.add(footer, "running")

    def _brace(self, brace: str) -> None:
        self._skip = 0
        if brace == "{":
            self._stack.append(self._group)
            self._group = replace(self._group, ends="", starred=False)
        elif self._stack:
            ended, self._group = self._group, self._stack.pop()
            if ended.ends:
                self._end(ended.ends)

    def _take_bytes(self, data: bytes) -> None:
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._bytes += data

    def _flush(self) -> None:
        """The bytes so far are text in the font's code page."""
        if not self._bytes or self._group.target == "skip":
            self._bytes.clear()
            return
        data, self._bytes = bytes(self._bytes), bytearray()
        page, name = self._fonts.get(self._group.font, ("", ""))
        if name.lower() in ("symbol", "wingdings") and self._group.target in ("text", "marker"):
            self._put("".join(shown_symbol(code, name) or chr(code) for code in data))
            return
        self._put(data.decode(page or self._page, errors="replace"))

    def _put(self, text: str) -> None:
        target = self._group.target
        if self._group.hidden or self._group.deleted:
            return
        if target == "text":
            self._stories[-1].parts.append(text)
        elif target == "marker":
            self._stories[-1].marker += text
        elif target not in ("skip", "none"):
            self._collected += text
            if target in ("font", "style") and ";" in text:
                self._declare()

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self._group.starred = True
        elif symbol in "\r\n":
            self._stories[-1].end_paragraph()
        elif self._skip:
            self._skip -= 1
        else:
            self._put(_SYMBOLS.get(symbol, ""))

    def _word(self, word: str, number: int | None) -> None:
        group = self._group
        if word == "u":
            # Pairs for signs beyond the first 65,536 are joined when the paragraph is tidied.
            code = (number or 0) % 65536
            font = self._fonts.get(group.font, ("", ""))[1]
            self._put_code(code, font)
            self._skip = group.fallback
        elif group.target == "skip":
            return
        elif self._destination(word, number):
            group.starred = False
        elif group.starred:
            group.target, group.starred = "skip", False
        elif word in _SIGNS:
            self._put(_SIGNS[word])
        elif group.target in ("font", "style", "form"):
            self._declaration(word, number)
        elif not self._character(word, number):
            self._structure(word, number)

    def _put_code(self, code: int, font: str) -> None:
        parts = self._stories[-1].parts
        if 0xDC00 <= code < 0xE000 and self._group.target == "text" and parts and "\ud800" <= parts[-1][-1:] < "\udc00":
            high = ord(parts[-1][-1])
            parts[-1] = parts[-1][:-1] + chr(0x10000 + (high - 0xD800) * 0x400 + code - 0xDC00)
        elif 0xF020 <= code <= 0xF0FF:
            self._put(shown_symbol(code, font or "Symbol") or chr(code))
        else:
            self._put(chr(code))

    def _destination(self, word: str, number: int | None) -> bool:
        """Whether the word begins a group of its own."""
        group = self._group
        if word in ("fonttbl", "stylesheet"):
            group.target = "font" if word == "fonttbl" else "style"
            self._collected, self._number, self._level, self._based_on = "", 0, None, 0
        elif word in _SKIPPED:
            group.target = "skip"
        elif word in ("footnote", "annotation", "shptxt", "dptxbxtext") or word in _RUNNING:
            self._begin_story(word)
        elif word in ("listtext", "pntext"):
            group.target = "marker"
            self._stories[-1].marker = ""
        elif word in ("title", "atnauthor", "fldinst", "ffl"):
            targets = {"title": "title", "atnauthor": "author", "fldinst": "code", "ffl": "item"}
            group.target, group.ends, self._collected = targets[word], word, ""
        elif word == "formfield":
            group.target, group.ends, self._form, self._items = "form", word, {}, []
        elif word in _MATHS:
            group.target = "text"
            self._put(_MATHS[word])
        elif word in _CONTAINERS:
            group.target = "none"
        elif word in _TEXT_GROUPS and group.target in ("none", "text"):
            group.target = "text"
        else:
            return False
        return True

    def _begin_story(self, word: str) -> None:
        if word == "footnote":
            self._notes += 1
            self._put(f"[{self._notes}]")
        inside = RtfStory(BlockWriter(self._limits), self._styles, running=True)
        self._stories.append(inside)
        self._group.target, self._group.ends = "text", word
        self._group.hidden = False

    def _end(self, word: str) -> None:
        """A group with content of its own is whole."""
        if word == "title":
            self.title = self._collected
        elif word == "atnauthor":
            self._author = one_line(self._collected)
        elif word == "ffl":
            self._items.append(one_line(self._collected))
        elif word == "formfield":
            self._put_form_value()
        elif word == "fldinst":
            if self._collected.split()[:1] and self._collected.split()[0].upper() in (
                "PAGE",
                "NUMPAGES",
                "SECTIONPAGES",
            ):
                self._put_page_number()
        else:
            self._end_story(word)

    def _end_story(self, word: str) -> None:
        inside = self._stories.pop()
        inside.end()
        text = "\n".join(block.text for block in inside.writer.blocks).strip()
        outer = self._stories[-1]
        if word in _RUNNING:
            text = running_text(text)
            if text and text not in self._running:
                self._running.append(text)
                if word.startswith("footer"):
                    self._footers.append(text)
                else:
                    outer.end_table()
                    outer.writer.add(text, "running")
        elif word == "footnote":
            outer.beside.append(("note", f"[{self._notes}] {text}" if text else ""))
        elif word == "annotation":
            author, self._author = self._author, ""
            outer.beside.append(
                ("note", f"Comment by {author}: {text}" if author else f"Comment: {text}") if text else ("note", "")
            )
        else:
            outer.beside.append(("text box", text))

    def _put_page_number(self) -> None:
        """In headers and footers it is marked; the result that follows is its value when the file was saved."""
        if self._is_running():
            self._stories[-1].parts.append(PAGE_NUMBER)
            self._group.target = "skip"  # the field's group, so that its result is not read

    def _is_running(self) -> bool:
        return any(one.ends in _RUNNING for one in (*self._stack, self._group))

    def _put_form_value(self) -> None:
        result = self._form.get("ffres", 25)
        if result == 25:
            result = self._form.get("ffdefres", 0)
        kind = self._form.get("fftype", 0)
        value = "☒" if result else "☐"
        if kind == 2:
            value = self._items[result] if 0 <= result < len(self._items) else ""
        if kind in (1, 2):
            self._stories[-1].parts.append(value)

    def _declaration(self, word: str, number: int | None) -> None:
        """Fonts, styles and form fields."""
        value = number or 0
        if self._group.target == "form":
            self._form[word] = value
        elif word == ("f" if self._group.target == "font" else "s"):
            self._number, self._level, self._based_on, self._collected = value, None, 0, ""
        elif word == "sbasedon":
            self._based_on = value
        elif word == "fcharset":
            self._fonts[self._number] = (_CODE_PAGES.get(value, ""), "")
        elif word in ("cs", "ts", "ds"):
            self._group.target = "skip"
        elif word == "outlinelevel":
            self._level = value

    def _declare(self) -> None:
        """A font or style has its name."""
        name, self._collected = one_line(self._collected.partition(";")[0]), ""
        if self._group.target == "font":
            self._fonts[self._number] = (self._fonts.get(self._number, ("", ""))[0], name)
            return
        self._styles.declare(self._number, name.lower(), self._level, self._based_on)

    def _character(self, word: str, number: int | None) -> bool:
        group = self._group
        if word == "plain":
            group.hidden = group.deleted = False
        elif word == "v":
            group.hidden = number != 0
        elif word == "deleted":
            group.deleted = number != 0
        elif word == "f":
            group.font = number or 0
        elif word == "uc":
            group.fallback = max(0, number or 0)
        elif word == "ansicpg":
            self._page = _code_page(number or 1252)
        elif word in ("mac", "pc", "pca"):
            self._page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}[word]
        elif word == "chpgn":
            self._put(PAGE_NUMBER if self._is_running() else "")
        else:
            return False
        return True

    def _structure(self, word: str, number: int | None) -> None:
        story = self._stories[-1]
        if self._group.target == "marker":  # a list's number has formats of its own
            if word == "par":  # AbiWord writes the whole item there
                story.end_marked_paragraph()
            return
        if word in ("par", "sect"):
            story.end_paragraph()
        elif word == "pard":
            story.paragraph = ParagraphState()
        elif word == "s":
            story.paragraph.style = number or 0
        elif word == "outlinelevel":
            story.paragraph.outline = number or 0
        elif word == "ilvl":
            story.paragraph.level = max(0, number or 0)
        elif word == "li":
            story.paragraph.indent = number or 0
        elif word == "intbl":
            story.paragraph.in_table = True
        elif word == "cell":
            story.end_cell()
        elif word == "row":
            story.end_row()
        elif word == "trowd":
            story.row = RowState()
        elif word == "trhdr":
            story.row.is_header = True
        elif word in ("clmgf", "clmrg", "clvmgf", "clvmrg"):
            story.row.next_merge.add(word)
        elif word == "cellx":
            story.row.edges.append(number or 0)
            story.row.merges.append(story.row.next_merge)
            story.row.next_merge = set()


def _code_page(number: int) -> str:
    name = {65001: "utf-8", 10000: "mac_roman", 936: "gbk", 950: "big5", 1361: "johab"}.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"
