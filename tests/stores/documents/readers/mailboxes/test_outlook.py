"""Outlook's messages, built as [MS-OXMSG] says."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import pytest

from localspec.errors import DocumentError
from localspec.stores.documents.parse import parse
from localspec.stores.documents.readers.content import Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.mailboxes.outlook import read_msg
from localspec.stores.documents.readers.mailboxes.outlook_rtf import decompressed
from tests.compound_file import Storage, write_compound_file

_SENT_AT = 133_541_208_000_000_000  # 2024-03-05 14:00 UTC in steps of 100 ns since 1601


def properties(header: int, fixed: dict[int, int]) -> bytes:
    return bytes(header) + b"".join(struct.pack("<IIQ", tag, 6, value) for tag, value in fixed.items())


def wide(**texts: str) -> Storage:
    return {f"__substg1.0_{number[1:]}001F": text.encode("utf-16-le") for number, text in texts.items()}


def message(**texts: str) -> Storage:
    fixed = {0x00390040: _SENT_AT, 0x3FDE0003: 65001}
    head = {"p0037": "Angebot für März", "p0C1A": "Jörg Müller", "p5D01": "jm@example.org", "p0E04": "Ann; Bob"}
    return {"__properties_version1.0": properties(32, fixed), **wide(**(head | texts))}


def read(path: Path, storage: Storage) -> Content:
    return read_msg(write_compound_file(path / "a.msg", storage), ParseLimits())


def text_of(content: Content) -> str:
    return "\n".join(block.text for block in content.blocks)


def test_headers_and_text(tmp_path: Path) -> None:
    body = "Hello,\r\nthe price is 5 €. " + "More words. " * 400
    parsed = parse(write_compound_file(tmp_path / "a.msg", message(p1000=body)))
    assert (parsed.title, parsed.kind, parsed.warnings) == ("Angebot für März", "msg", ())
    assert [block.text for block in parsed.blocks[:4]] == [
        "From: Jörg Müller <jm@example.org>",
        "To: Ann; Bob",
        "Date: 2024-03-05 14:00 UTC",
        "Subject: Angebot für März",
    ]
    assert parsed.blocks[4].text.startswith("Hello,\nthe price is 5 €. More words.")
    assert parsed.blocks[4].text.count("More words.") == 400


def test_html_alone_is_read(tmp_path: Path) -> None:
    page = "<html><body><h1>Offer</h1><p>Grüße aus Köln</p><script>evil()</script></body></html>"
    text = text_of(read(tmp_path, {**message(), "__substg1.0_10130102": page.encode()}))
    assert "Grüße aus Köln" in text
    assert "evil" not in text


def test_texts_in_a_code_page(tmp_path: Path) -> None:
    storage: Storage = {
        "__properties_version1.0": properties(32, {0x3FFD0003: 1251}),
        "__substg1.0_0037001E": "Привет".encode("cp1251"),
        "__substg1.0_1000001E": "Как дела".encode("cp1251"),
    }
    content = read(tmp_path, storage)
    assert content.title == "Привет"
    assert "Как дела" in text_of(content)


def test_attachments_and_messages_inside(tmp_path: Path) -> None:
    inner = message(p1000="The inner text.", p0037="Inner")
    inner["__properties_version1.0"] = properties(24, {})
    storage = message(p1000="See below.")
    storage["__attach_version1.0_#00000000"] = {
        "__properties_version1.0": properties(8, {}),
        **wide(p3707="list.csv"),
        "__substg1.0_37010102": b"item,sum\nTea,4\nOil,5\n",
    }
    storage["__attach_version1.0_#00000001"] = {
        "__properties_version1.0": properties(8, {}),
        **wide(p3707="offer.pdf"),
        "__substg1.0_37010102": b"%PDF-1.4",
    }
    storage["__attach_version1.0_#00000002"] = {
        "__properties_version1.0": properties(8, {}),
        "__substg1.0_3701000D": inner,
    }
    content = read(tmp_path, storage)
    (table,) = [block.table for block in content.blocks if block.table is not None]
    assert table.rows == (("item", "sum"), ("Tea", "4"), ("Oil", "5"))
    assert "Subject: Inner\nThe inner text." in text_of(content)
    assert content.warnings == ("Attachments that were not read: offer.pdf. Save them and add them as files.",)


def test_other_compound_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="old binary Office"):
        parse(write_compound_file(tmp_path / "a.doc", {"WordDocument": b"x" * 5000}))
    cut = write_compound_file(tmp_path / "b.msg", message(p1000="words")).read_bytes()[:400]
    (tmp_path / "b.msg").write_bytes(cut)
    with pytest.raises(UnreadableError):
        read_msg(tmp_path / "b.msg", ParseLimits())


HELLO = (  # [MS-OXRTFCP], section 3.1.1
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
REPEATED = "1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0"  # section 3.1.2
PACKED = (
    r"{\rtf1\ansi\ansicpg1251\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fcharset238 Arial;}}"
    r"{\*\htmltag64 <html>}{\*\htmltag50 <body>}{\*\htmltag96 <h1>}\htmlrtf {\b \htmlrtf0 \'cf\'f0\'e8\'e2\'e5\'f2"
    r"\htmlrtf }\htmlrtf0{\*\htmltag104 </h1>}{\*\htmltag64 <p>}\htmlrtf secret\htmlrtf0 5 {\*\htmltag84 &lt;}"
    r" 6 \u8364?, {\f1 \'e8as} \{a\}{\*\mhtmltag64 <p class=x>}{\*\htmltag72 </p>}{\*\htmltag50 </body>}}"
)


def plain(rtf: bytes) -> bytes:
    """As [MS-OXRTFCP] packs what is not compressed."""
    return struct.pack("<IIII", len(rtf) + 12, len(rtf), 0x414C454D, 0) + rtf


def test_text_that_is_there_as_compressed_rich_text_only(tmp_path: Path) -> None:
    limits = ParseLimits()
    assert decompressed(bytes.fromhex(HELLO), limits) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    assert decompressed(bytes.fromhex(REPEATED), limits) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
    content = read(tmp_path, {**message(), "__substg1.0_10090102": bytes.fromhex(HELLO)})
    assert content.warnings == ()
    assert [(block.section, block.text) for block in content.blocks[-1:]] == [("Angebot für März", "hello world")]


def test_a_page_that_is_packed_into_rich_text(tmp_path: Path) -> None:
    content = read(tmp_path, {**message(), "__substg1.0_10090102": plain(PACKED.encode("ascii"))})
    assert [(block.kind, block.text) for block in content.blocks[-2:]] == [
        ("heading", "Привет"),
        ("paragraph", "5 < 6 €, čas {a}"),
    ]
    text = rb"{\rtf1\ansi\fromtext{\fonttbl{\f0 Arial;}}\htmlrtf no\htmlrtf0 First line\par Second\tab line}"
    content = read(tmp_path, {**message(), "__substg1.0_10090102": plain(text)})
    assert content.blocks[-1].text == "First line\nSecond\tline"


@pytest.mark.parametrize(
    "data",
    [
        b"short",
        struct.pack("<IIII", 100, 100, 0x12345678, 0) + b"x" * 84,
        struct.pack("<IIII", 100, 0xFFFFFFFF, 0x75465A4C, 0) + b"\xff" * 84,  # says that it unpacks to 4 GB
    ],
)
def test_damaged_rich_text_is_told(tmp_path: Path, data: bytes) -> None:
    content = read(tmp_path, {**message(), "__substg1.0_10090102": data})
    assert "the text of the message, which is damaged" in content.warnings[0]


def test_any_bytes_unpack_to_no_more_than_they_say() -> None:
    random = Random(7)
    for _ in range(200):
        data = struct.pack("<IIII", 0, random.randrange(5000), 0x75465A4C, 0) + random.randbytes(300)
        size = struct.unpack_from("<I", data, 4)[0]
        assert len(decompressed(data, ParseLimits())) <= min(size, 300 * 17)
