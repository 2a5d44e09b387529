"""The text of a message that Outlook keeps as compressed Rich Text ([MS-OXRTFCP]), in which a page can be packed
([MS-OXRTFEX])."""

from __future__ import annotations

import codecs
import re
import struct

from localspec.stores.documents.readers.content import ParseLimits, UnreadableError

_COMPRESSED, _PLAIN = 0x75465A4C, 0x414C454D  # COMPTYPE: "LZFu" and "MELA"
_HEADER = struct.Struct("<IIII")  # COMPSIZE, RAWSIZE, COMPTYPE, CRC
_WINDOW = 4096
_BEGINNING = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What the window holds before the first byte ([MS-OXRTFCP], section 2.1.2.1)."""
_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\(.)|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
_CHARSETS = (  # of `\fcharset`
    {128: "cp932", 129: "cp949", 134: "gbk", 136: "big5", 161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255"}
    | {178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250"}
)
_SIGNS = {
    "par": "\n",
    "line": "\n",
    "tab": "\t",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "endash": "–",
    "emdash": "—",
}
_SYMBOLS = {"~": "\u00a0", "_": "\u00ad", "{": "{", "}": "}", "\\": "\\"}
_LEFT_OUT = {"fonttbl", "colortbl", "stylesheet", "info", "pict", "mhtmltag", "generator", "listtable"}


def decompressed(data: bytes, limits: ParseLimits) -> bytes:
    """The Rich Text. Raises UnreadableError for what is damaged or larger than a text may be."""
    if len(data) < _HEADER.size:
        raise UnreadableError("has a damaged text.")
    _, size, kind, _ = _HEADER.unpack_from(data)
    if size > limits.text_bytes:
        raise UnreadableError("has a text that is too large.")
    if kind == _PLAIN:
        return data[_HEADER.size : _HEADER.size + size]
    if kind != _COMPRESSED:
        raise UnreadableError("has a damaged text.")
    window = bytearray(_BEGINNING.ljust(_WINDOW, b"\0"))
    place = len(_BEGINNING)
    made = bytearray()
    at = _HEADER.size
    while at < len(data) and len(made) < size:
        flags = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data) or len(made) >= size:
                break
            if not flags >> bit & 1:
                piece = data[at : at + 1]
                at += 1
            else:
                reference = int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
                at += 2
                start, length = reference >> 4, (reference & 15) + 2
                if start == place:
                    return bytes(made[:size])
                piece = _copied(window, start, place, length)
            for byte in piece:
                window[place] = byte
                place = (place + 1) % _WINDOW
            made += piece
    return bytes(made[:size])


def _copied(window: bytearray, start: int, place: int, length: int) -> bytes:
    """What a reference means; it may reach into what it writes itself."""
    piece = bytearray()
    for offset in range(length):
        behind = (start + offset - place) % _WINDOW
        piece.append(piece[behind] if behind < len(piece) else window[(start + offset) % _WINDOW])
    return bytes(piece)


def packed_text(rtf: bytes) -> tuple[str, str]:
    """('html' or 'plain', the text that was packed into Rich Text); ('', '') where it is Rich Text of its own."""
    head = rtf[:2000]
    kind = "html" if rb"\fromhtml" in head else "plain" if rb"\fromtext" in head else ""
    return (kind, _Unpacking().read(rtf.decode("latin-1"))) if kind else ("", "")


class _Unpacking:
    """Takes what stands in `htmltag` groups, and the text outside of what only Rich Text shows (`htmlrtf`)."""

    def __init__(self) -> None:
        self._page = "cp1252"
        self._fonts: dict[int, str] = {}
        self._parts: list[str] = []
        self._bytes = bytearray()
        self._encoding = ""  # of the bytes that wait
        self._stack: list[tuple[str, int, int, bool]] = []
        self._state: tuple[str, int, int, bool] = ("text", -1, 1, False)  # place, font, bytes behind \u, only RTF
        self._skip = 0

    def read(self, text: str) -> str:
        """The text of a whole file."""
        for token in _TOKEN.finditer(text):
            word, number, code, symbol, brace, letters = token.groups()
            if brace == "{":
                self._stack.append(self._state)
                self._skip = 0
            elif brace == "}":
                self._state = self._stack.pop() if self._stack else self._state
                self._skip = 0
            elif word:
                self._word(word, int(number) if number else None)
            elif code:
                self._add_byte(int(code, 16))
            elif symbol == "*":
                continue
            elif symbol:
                self._add(_SYMBOLS.get(symbol, ""))
            elif letters:
                taken = letters[self._skip :]
                self._skip = max(0, self._skip - len(letters))
                self._add(taken)
        self._flush()
        return "".join(self._parts)

    def _word(self, word: str, number: int | None) -> None:
        place, font, behind, only_rtf = self._state
        if word == "htmltag":
            self._state = ("tag", font, behind, False)
        elif word in _LEFT_OUT:
            self._state = ("fonts" if word == "fonttbl" else "none", font, behind, only_rtf)
        elif word == "htmlrtf":
            self._state = (place, font, behind, number != 0)
        elif word == "ansicpg" and number:
            self._page = _known(f"cp{number}") or self._page
        elif word == "f" and number is not None:
            self._state = (place, number, behind, only_rtf)
        elif word == "fcharset" and place == "fonts" and number in _CHARSETS:
            self._fonts[font] = _CHARSETS[number]
        elif word == "uc" and number is not None:
            self._state = (place, font, max(0, number), only_rtf)
        elif word == "u" and number is not None:
            self._add(chr(number % 65_536))
            self._skip = behind
        elif word in _SIGNS:
            self._add(_SIGNS[word])

    def _is_read(self) -> bool:
        place, _, _, only_rtf = self._state
        return place in ("text", "tag") and not only_rtf

    def _add(self, text: str) -> None:
        if self._is_read() and text:
            self._flush()
            self._parts.append(text)

    def _add_byte(self, byte: int) -> None:
        if self._skip:
            self._skip -= 1
        elif self._is_read():
            encoding = self._fonts.get(self._state[1], self._page)
            if encoding != self._encoding:
                self._flush()
                self._encoding = encoding
            self._bytes.append(byte)

    def _flush(self) -> None:
        if self._bytes:
            self._parts.append(self._bytes.decode(self._encoding, errors="replace"))
            self._bytes.clear()


def _known(name: str) -> str:
    name = {"cp65001": "utf-8", "cp10000": "mac_roman"}.get(name, name)
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
