"""Clean text, and texts of unknown encodings."""

from __future__ import annotations

import codecs
import re
import unicodedata

from localspec.stores.documents.readers.content import UnreadableError

_NEWLINES = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
# What SQLite or a browser cannot hold, and marks that only disturb search: controls, surrogates, non-characters, BOMs.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\U0001fffe\U0001ffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_TYPOGRAPHY = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}) | {
    **dict.fromkeys((0x00AD, 0x200B, 0x2060), ""),  # soft hyphen, zero-width space, word joiner
    **dict.fromkeys((0x00A0, 0x202F, 0x2007), " "),  # no-break spaces
}


def clean(text: str) -> str:
    """`text` that SQLite can store as UTF-8: newlines as LF, no controls but tab and LF, no lone surrogates."""
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)
    return _UNWANTED.sub("", _NEWLINES.sub("\n", text))


def tidy(text: str) -> str:
    """`clean` text of a typeset document: ligatures spelled out, soft hyphens dropped, one kind of space."""
    if text.isascii():
        return clean(text)
    return unicodedata.normalize("NFC", clean(text).translate(_TYPOGRAPHY))


def one_line(text: str) -> str:
    """`tidy` text with every run of white space as one space."""
    return " ".join(tidy(text).split())


BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\v\b\x1b")) + b"\x7f"
_WESTERN_SIGNS = b"\x80\x85\x91-\x97\x99\xa0\xa1\xa3\xa7\xa9\xab\xae\xb0-\xb3\xb5\xb7\xbb-\xbf"
_HIGH = re.compile(rb"[\x80-\xff]+")
_WESTERN_LETTERS = rb"[\xc0-\xd6\xd8-\xf6\xf8-\xff]{1,3}"
_WESTERN = re.compile(rb"[%s]+|(?<=[A-Za-z])%s|%s(?=[A-Za-z])" % (_WESTERN_SIGNS, _WESTERN_LETTERS, _WESTERN_LETTERS))
_SAMPLE_BYTES = 64 * 1024
_BINARY = UnreadableError(
    "is a binary file, not text.", "Open it with its own program and save it as PDF, DOCX or text."
)


def decode(data: bytes) -> tuple[str, str]:
    """Text of a file of unknown encoding, and a warning ('' if there is nothing to tell). Byte-order mark, then UTF-8,
    then UTF-16 by its zero bytes, then UTF-8 with broken places, then a guess. Raises UnreadableError when the bytes
    are no text."""
    for mark, encoding in BOMS:
        if data.startswith(mark):
            text = data.decode(encoding if encoding != "utf-8" else "utf-8-sig", errors="replace")
            _refuse_controls(text)
            return text, _broken_warning(text, encoding.upper())
    encoding = _utf16_without_mark(data)
    if encoding:
        text = data.decode(encoding, errors="replace")
        _refuse_controls(text)
        return text, ""
    # Real text holds next to none of these; compressed or machine data holds one in ten.
    if len(data) - len(data.translate(None, _CONTROL_BYTES)) > len(data) // 100:
        raise _BINARY
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    intact = len(text) - len(text.encode("ascii", errors="ignore")) - broken
    guessed = None if intact >= broken else _guess_encoding(data)
    if guessed is None:
        return text, _broken_warning(text, "UTF-8")
    return data.decode(guessed, errors="replace"), f"The file is not UTF-8; it was read as {guessed}, which is a guess."


def _refuse_controls(text: str) -> None:
    if len(_UNWANTED.findall(text)) > max(1, len(text) // 100):
        raise _BINARY


def _broken_warning(text: str, encoding: str) -> str:
    count = text.count("\ufffd")
    return f"The file is broken {encoding}: {count:,} places could not be decoded and show as \ufffd." if count else ""


def _utf16_without_mark(data: bytes) -> str:
    sample = data[:_SAMPLE_BYTES]
    pairs = len(sample) // 2
    if pairs < 4 or len(data) % 2:
        return ""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > pairs * 0.6 and even <= pairs * 0.01:
        return "utf-16-le"
    if even > pairs * 0.6 and odd <= pairs * 0.01:
        return "utf-16-be"
    return ""


def _guess_encoding(data: bytes) -> str | None:
    first = next(_HIGH.finditer(data)).start()
    start = data.rfind(b"\n", 0, first) + 1
    sample = data[max(start, first - _SAMPLE_BYTES) :][:_SAMPLE_BYTES]
    high = sum(map(len, _HIGH.findall(sample)))
    if high < 3 or (high < 8 and high < len(sample) * 0.1):
        # Too little for statistics, which would offer Arabic for two broken bytes.
        return "cp1252" if not _HIGH.search(_WESTERN.sub(b"", sample)) else None
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_exclusion=["utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_7", "utf_8"])
    best = matches.best()
    if best is None:
        return None
    # Its neighbours decode Western text as well, and differ in rare letters only: the common one is the better guess.
    if any(match.encoding == "cp1252" and match.chaos <= best.chaos for match in matches):
        return "cp1252"
    return best.encoding
