"""The reader of messages (EML, RFC 5322; MBOX, RFC 4155): their headers, their text, and the files in them."""

from __future__ import annotations

import codecs
import email.policy
import re
from email.message import EmailMessage, Message
from email.parser import BytesParser
from typing import Any

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, ReadFile, UnreadableError
from localspec.stores.documents.readers.encodings import clean, one_line
from localspec.stores.documents.readers.mailboxes.attachments import Attachments, write_part

HEADERS = ("From", "To", "Cc", "Date", "Subject")
_FEW = 4  # one letter in so many beyond ASCII: a language of western Europe
_DEPTH = 5  # messages inside of messages
_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_BEGINNING = re.compile(rb"^From [^\n]*\n(?=[!-9;-~]+:)", re.MULTILINE)  # of a message: its headers follow
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def read_mail(data: bytes, limits: ParseLimits, read_file: ReadFile | None = None) -> Content:
    """Headers as fields, the text (plain, or else HTML), messages and files inside. Files that cannot be read are named
    in a warning. Raises UnreadableError for what holds neither headers nor text."""
    message = parsed_message(data)
    writer = BlockWriter(limits)
    if not message.keys():
        raise UnreadableError("is not an email: it has no headers.", "If it is plain text, rename it to .txt.")
    files = Attachments(writer, limits, read_file)
    _write_message(files, message, 0)
    return Content(_header(message, "Subject"), "mail", writer.blocks, None, files.warnings())


def read_mbox(data: bytes, limits: ParseLimits, read_file: ReadFile | None = None) -> Content:
    """All messages of a mailbox in their order, each under its subject."""
    files = Attachments(BlockWriter(limits), limits, read_file)
    starts = [found for found in _BEGINNING.finditer(data) if _is_apart(data, found.start())]
    ends = [*(found.start() for found in starts[1:]), len(data)]
    # One that does not begin like a mailbox may be a single message.
    places = [(found.end(), end) for found, end in zip(starts, ends, strict=False)] or [(0, len(data))]
    for start, end in places:
        message = parsed_message(_QUOTED_FROM.sub(rb"\1", data[start:end]))
        if message.keys():
            _write_message(files, message, 0)
    return Content("", "mbox", files.writer.blocks, None, files.warnings())


def _is_apart(data: bytes, place: int) -> bool:
    """Whether an empty line stands before a place, or nothing."""
    return not place or data[max(0, place - 2) : place] in (b"\n\n", b"\n") or data[place - 4 : place] == b"\r\n\r\n"


def parsed_message(data: bytes) -> EmailMessage:
    """The tree of a message. Nothing is refused: what is wrong in it is text."""
    message = BytesParser(policy=email.policy.default).parsebytes(data)
    assert isinstance(message, EmailMessage)
    return message


def _write_message(files: Attachments, message: EmailMessage, depth: int) -> None:
    writer = files.writer
    subject = _header(message, "Subject")
    writer.turn(section=subject)
    for name in HEADERS:
        text = _header(message, name)
        writer.add(f"{name}: {text}" if text else "", "field")
    if message.get_content_type() in _ENCRYPTED and not _is_signed(message):
        files.left_out.append("the encrypted text of the message")
        return
    body = message.get_body(("plain", "html"))
    if isinstance(body, EmailMessage):
        page = message.get_body(("html",)) if body.get_content_type() == "text/plain" else None
        words = _text(body)
        # Some programs send no more than "This message is in HTML" as text.
        if isinstance(page, EmailMessage) and len(words.split()) * 10 < len(_text(page).split()):
            body = page
        write_part(writer, body.get_content_type(), "", part_bytes(body), files.limits)
    if not message.is_multipart():
        if not isinstance(body, EmailMessage):
            _write_file(files, message, subject)
        return
    if message.get_content_type() != "multipart/alternative":
        for part in message.iter_attachments():
            _write_inside(files, part, subject, depth)


def _write_inside(files: Attachments, part: Message[Any, Any], subject: str, depth: int) -> None:
    """What stands in a message beside its text."""
    kind = part.get_content_type()
    inner = part.get_payload(0) if kind == "message/rfc822" and part.is_multipart() else None
    if isinstance(inner, EmailMessage) and depth < _DEPTH:
        _write_message(files, inner, depth + 1)
        files.writer.turn(section=subject)
    elif kind == "message/delivery-status" and part.is_multipart():
        statuses = [status for status in part.walk() if status is not part]
        lines = [f"{name}: {value}" for status in statuses for name, value in status.items()]
        files.writer.add(clean("\n".join(lines)))
    elif part.is_multipart() and kind.startswith("multipart/") and depth < _DEPTH:
        body = part.get_body(("plain", "html")) if isinstance(part, EmailMessage) else None
        if isinstance(body, EmailMessage):
            write_part(files.writer, body.get_content_type(), "", part_bytes(body), files.limits)
        if isinstance(part, EmailMessage) and kind != "multipart/alternative":
            for one in part.iter_attachments():
                _write_inside(files, one, subject, depth + 1)
    elif isinstance(part, EmailMessage) and not _is_shown_inside(part):
        _write_file(files, part, subject)


def _write_file(files: Attachments, part: EmailMessage, subject: str) -> None:
    name = one_line(part.get_filename() or "")
    if part.get_content_maintype() == "text" and not part.is_multipart():
        files.writer.turn(section=name or subject)
        write_part(files.writer, part.get_content_type(), name, part_bytes(part), files.limits)
        files.writer.turn(section=subject)
    else:
        data = part.get_payload(decode=True)
        files.add(name, part.get_content_type(), data if isinstance(data, bytes) else b"", subject)


def _is_signed(message: EmailMessage) -> bool:
    return message.get_param("smime-type") == "signed-data"


def _header(message: EmailMessage, name: str) -> str:
    try:
        return one_line(clean(", ".join(str(one) for one in message.get_all(name, []))))
    except (ValueError, IndexError, AttributeError):  # headers that the library's own parser cannot take
        return ""


def _text(part: EmailMessage) -> str:
    return part_bytes(part).decode("utf-8", errors="replace")


def part_bytes(part: EmailMessage) -> bytes:
    """The content as UTF-8; as it is where its encoding is not named, unknown or wrong, to be guessed."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return b""
    charset = part.get_content_charset()
    # A page can say another encoding than its header; the mark at the beginning counts more.
    mark = codecs.BOM_UTF8 if part.get_content_type() == "text/html" else b""
    if mark and charset is None:
        return data
    if charset is None or mark:
        try:
            data.decode("utf-8")
            return mark + data
        except UnicodeDecodeError:
            pass
    try:
        return mark + data.decode(charset or "cp1252").encode("utf-8", errors="replace")
    except LookupError:
        return data
    except UnicodeError:
        is_western = sum(byte > 0x7F for byte in data) * _FEW < len(data)
        return mark + data.decode("cp1252", errors="replace").encode("utf-8") if is_western else data


def _is_shown_inside(part: EmailMessage) -> bool:
    """A picture in an HTML text, a signature: nothing that somebody attached."""
    inline = part.get_content_disposition() != "attachment" and part.get("Content-ID") is not None
    return inline or part.get_content_type() in ("application/pgp-signature", "application/pkcs7-signature")
