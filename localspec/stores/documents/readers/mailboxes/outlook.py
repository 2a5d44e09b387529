"""The reader of Outlook's messages (MSG): properties in a compound file ([MS-OXMSG], [MS-OXPROPS])."""

from __future__ import annotations

import codecs
import datetime
import struct
from collections.abc import Iterator
from pathlib import Path

from localspec.stores.documents.readers.content import (
    BlockWriter,
    Content,
    ParseLimits,
    ReadFile,
    UnreadableError,
    Untyped,
)
from localspec.stores.documents.readers.encodings import one_line
from localspec.stores.documents.readers.mailboxes.attachments import Attachments, write_blocks, write_part
from localspec.stores.documents.readers.mailboxes.outlook_rtf import decompressed, packed_text
from localspec.stores.documents.readers.office.rtf import rich_text

_DAMAGED = UnreadableError("is a damaged message.", "Get the file again, or save it in its program as EML.")
_SUBJECT, _BODY, _HTML, _RTF = "0037", "1000", "1013", "1009"
_SENDER, _SENDER_ADDRESS, _SENDER_SMTP, _TO, _CC = "0C1A", "0C1F", "5D01", "0E04", "0E03"
_FILE_NAME, _SHORT_NAME, _FILE_TYPE, _DATA = "3707", "3704", "370E", "3701"
_SENT, _DELIVERED = 0x00390040, 0x0E060040
_CODE_PAGE, _MESSAGE_CODE_PAGE = 0x3FDE0003, 0x3FFD0003
_TOP_HEADER, _INNER_HEADER = 32, 24  # bytes before the properties of fixed size
_TEXT_SUFFIXES = (".txt", ".csv", ".tsv", ".md", ".html", ".htm", ".log", ".ics")
_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.timezone.utc)
_DEPTH = 5  # messages inside of messages


def read_msg(path: Path, limits: ParseLimits, read_file: ReadFile | None = None) -> Content:
    """Headers as fields, the text, messages and files inside; a warning names files that cannot be read. Raises
    UnreadableError for what is no compound file."""
    import olefile

    try:
        file = olefile.OleFileIO(path)
    except OSError as error:  # the library's own errors are such
        raise _DAMAGED from error
    with file:
        files = Attachments(BlockWriter(limits), limits, read_file)
        message = _Message(file, ())
        _write(files, message, 0)
        return Content(message.text(_SUBJECT), "msg", files.writer.blocks, None, files.warnings())


class _Message:
    """A storage with properties: a message or an attachment."""

    def __init__(self, file: Untyped, storage: tuple[str, ...]) -> None:
        self._file = file
        self.storage = storage
        header = _INNER_HEADER if storage else _TOP_HEADER
        data = self._stream("__properties_version1.0")[header:]
        entries = (struct.unpack_from("<IIQ", data, at) for at in range(0, len(data) - 15, 16))
        self._fixed = {tag: value for tag, _, value in entries}

    def _stream(self, name: str) -> bytes:
        place = [*self.storage, name]
        if not self._file.exists(place):
            return b""
        data = self._file.openstream(place).read()
        assert isinstance(data, bytes)
        return data

    def text(self, number: str) -> str:
        """A property of text in one line; empty if it is not there."""
        return one_line(self.words(number).decode("utf-8"))

    def words(self, number: str) -> bytes:
        """A property of text as UTF-8."""
        wide = self._stream(f"__substg1.0_{number}001F")
        if wide:
            return wide.decode("utf-16-le", errors="replace").rstrip("\0").encode("utf-8", errors="replace")
        narrow = self._stream(f"__substg1.0_{number}001E")
        return narrow.decode(self._encoding(_MESSAGE_CODE_PAGE), errors="replace").rstrip("\0").encode("utf-8")

    def bytes_of(self, number: str) -> bytes:
        """A property of bytes."""
        return self._stream(f"__substg1.0_{number}0102")

    def page(self) -> bytes:
        """The text as HTML in UTF-8; empty if there is none."""
        data = self.bytes_of(_HTML)
        return data.decode(self._encoding(_CODE_PAGE), errors="replace").encode("utf-8") if data else self.words(_HTML)

    def _encoding(self, tag: int) -> str:
        number = self._fixed.get(tag, self._fixed.get(_CODE_PAGE, 1252)) & 0xFFFFFFFF
        name = {65001: "utf-8", 20127: "cp1252", 28591: "cp1252", 1200: "utf-16-le"}.get(number, f"cp{number}")
        name = {"cp20866": "koi8-r", "cp50220": "iso2022_jp", "cp51932": "euc_jp", "cp54936": "gb18030"}.get(name, name)
        try:
            "".encode(name)
        except LookupError:
            return "cp1252"
        return name

    def date(self) -> str:
        """When it was sent, in UTC."""
        ticks = self._fixed.get(_SENT) or self._fixed.get(_DELIVERED)
        if not ticks:
            return ""
        try:
            return f"{_EPOCH + datetime.timedelta(microseconds=ticks // 10):%Y-%m-%d %H:%M} UTC"
        except OverflowError:
            return ""

    def attachments(self) -> Iterator[_Message]:
        """Its attachments, in their order."""
        depth = len(self.storage)
        found = {
            place[depth]
            for place in self._file.listdir(streams=True, storages=True)
            if tuple(place[:depth]) == self.storage
            and len(place) > depth
            and place[depth].lower().startswith("__attach_version1.0_")
        }
        for name in sorted(found):
            yield _Message(self._file, (*self.storage, name))

    def inner(self) -> _Message | None:
        """The message that an attachment is."""
        place = [*self.storage, f"__substg1.0_{_DATA}000D"]
        if not self._file.exists([*place, "__properties_version1.0"]):
            return None
        return _Message(self._file, tuple(place))


def _write(files: Attachments, message: _Message, depth: int) -> None:
    writer, limits = files.writer, files.limits
    subject = message.text(_SUBJECT)
    writer.turn(section=subject)
    address = message.text(_SENDER_SMTP) or message.text(_SENDER_ADDRESS)
    sender = message.text(_SENDER)
    if "@" in address and address != sender:
        sender = f"{sender} <{address}>".strip()
    headers = (sender, message.text(_TO), message.text(_CC), message.date(), subject)
    for name, text in zip(("From", "To", "Cc", "Date", "Subject"), headers, strict=True):
        writer.add(f"{name}: {text}" if text else "", "field")
    words, page = message.words(_BODY), message.page()
    if words.strip():
        write_part(writer, "text/plain", "", words, limits)
    elif page.strip():
        write_part(writer, "text/html", "", page, limits)
    elif message.bytes_of(_RTF):
        _write_rich_text(files, message.bytes_of(_RTF))
    for attachment in message.attachments():
        name = attachment.text(_FILE_NAME) or attachment.text(_SHORT_NAME)
        inner = attachment.inner()
        if inner is not None and depth < _DEPTH:
            _write(files, inner, depth + 1)
        elif name.lower().endswith(_TEXT_SUFFIXES) or attachment.text(_FILE_TYPE).startswith("text/"):
            writer.turn(section=name or subject)
            write_part(writer, attachment.text(_FILE_TYPE), name, attachment.bytes_of(_DATA), limits)
        else:
            files.add(name, attachment.text(_FILE_TYPE), attachment.bytes_of(_DATA), subject)
        writer.turn(section=subject)


def _write_rich_text(files: Attachments, data: bytes) -> None:
    """The text of a message that is there as Rich Text only."""
    section = files.writer.section
    try:
        rtf = decompressed(data, files.limits)
        kind, text = packed_text(rtf)
        if kind:
            packed = text.encode("utf-8", errors="replace")
            write_part(files.writer, f"text/{kind}", "", codecs.BOM_UTF8 + packed, files.limits)
        else:
            write_blocks(files.writer, rich_text(rtf, files.limits).blocks)
    except UnreadableError:
        files.left_out.append("the text of the message, which is damaged")
    files.writer.turn(section=section)
