"""The reader of messages (EML, RFC 5322): their headers, their text, and attachments that are text themselves."""

from __future__ import annotations

import email.policy
from collections.abc import Iterable
from email.message import EmailMessage
from email.parser import BytesParser

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.csv_table import read_csv
from localspec.stores.documents.readers.encodings import clean, one_line, tidy
from localspec.stores.documents.readers.html import read_html
from localspec.stores.documents.readers.plain import read_text

HEADERS = ("From", "To", "Cc", "Date", "Subject")
_DEPTH = 5  # messages inside of messages
_MARKDOWN = (".md", ".markdown")


def read_mail(data: bytes, limits: ParseLimits) -> Content:
    """Headers as fields, the text (plain, or else HTML), messages inside and attachments of text. Other attachments are
    named in a warning. Raises UnreadableError for what holds neither headers nor text."""
    message = BytesParser(policy=email.policy.default).parsebytes(data)
    assert isinstance(message, EmailMessage)
    writer = BlockWriter(limits)
    left_out: list[str] = []
    if not message.keys():
        raise UnreadableError("is no message: it has no headers.", "If it is plain text, rename it to .txt.")
    _write_message(writer, message, limits, left_out, 0)
    return Content(_header(message, "Subject"), "mail", writer.blocks, None, attachments_warning(left_out))


def attachments_warning(names: Iterable[str]) -> tuple[str, ...]:
    """What to tell of attachments that were not read."""
    listed = ", ".join(names)
    return (f"Attachments that were not read: {listed}. Save them and add them as files.",) if listed else ()


def _write_message(
    writer: BlockWriter, message: EmailMessage, limits: ParseLimits, left_out: list[str], depth: int
) -> None:
    subject = _header(message, "Subject")
    writer.turn(section=subject)
    for name in HEADERS:
        text = _header(message, name)
        writer.add(f"{name}: {text}" if text else "", "field")
    if message.get_content_type() in ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"):
        left_out.append("the encrypted text of the message")
        return
    body = message.get_body(("plain", "html"))
    if isinstance(body, EmailMessage):
        page = message.get_body(("html",)) if body.get_content_type() == "text/plain" else None
        words = _text(body)
        # Some programs send no more than "This message is in HTML" as text.
        if isinstance(page, EmailMessage) and len(words.split()) * 10 < len(_text(page).split()):
            body = page
        write_part(writer, body.get_content_type(), "", _bytes(body), limits)
    if not message.is_multipart():
        if not isinstance(body, EmailMessage):
            left_out.append(message.get_filename() or message.get_content_type())
        return
    for part in message.iter_attachments() if message.get_content_type() != "multipart/alternative" else ():
        name = one_line(part.get_filename() or "")
        inner = part.get_payload(0) if part.get_content_type() == "message/rfc822" and part.is_multipart() else None
        if isinstance(inner, EmailMessage) and depth < _DEPTH:
            _write_message(writer, inner, limits, left_out, depth + 1)
            writer.turn(section=subject)
        elif isinstance(part, EmailMessage) and not part.is_multipart() and part.get_content_maintype() == "text":
            writer.turn(section=name or subject)
            write_part(writer, part.get_content_type(), name, _bytes(part), limits)
            writer.turn(section=subject)
        elif not _is_shown_inside(part):
            left_out.append(name or part.get_content_type())


def write_part(writer: BlockWriter, content_type: str, name: str, data: bytes, limits: ParseLimits) -> None:
    """Write a text of a message (UTF-8 where its own header names an encoding) by its type or name."""
    section = writer.section
    lowered = name.lower()
    if not data.strip():
        return
    if content_type == "text/html" or lowered.endswith((".html", ".htm")):
        blocks = read_html(data, limits).blocks
    elif content_type == "text/csv" or lowered.endswith((".csv", ".tsv")):
        blocks = read_csv(data, limits).blocks
    else:
        kind = "markdown" if content_type == "text/markdown" or lowered.endswith(_MARKDOWN) else "text"
        blocks = read_text(data, kind, limits).blocks
    _write_blocks(writer, blocks, section)


def _write_blocks(writer: BlockWriter, blocks: list[Block], section: str) -> None:
    for block in blocks:
        writer.turn(section=block.section or section)
        if block.table is not None:
            writer.add_table(block.table)
        else:
            writer.add(tidy(block.text), block.kind, block.level)
    writer.turn(section=section)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return one_line(clean(", ".join(str(one) for one in message.get_all(name, []))))
    except (ValueError, IndexError, AttributeError):  # headers that the library's own parser cannot take
        return ""


def _text(part: EmailMessage) -> str:
    return _bytes(part).decode("utf-8", errors="replace")


def _bytes(part: EmailMessage) -> bytes:
    """The content as UTF-8; as it is where its encoding is unknown or not named, to be guessed."""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return b""
    charset = part.get_content_charset()
    if charset is None or part.get_content_type() == "text/html":
        try:
            data.decode("utf-8")
            return data
        except UnicodeDecodeError:
            pass
    try:
        return data.decode(charset or "cp1252", errors="replace").encode("utf-8", errors="replace")
    except LookupError:
        return data


def _is_shown_inside(part: EmailMessage) -> bool:
    """A picture in an HTML text, a signature: nothing that somebody attached."""
    inline = part.get_content_disposition() != "attachment" and part.get("Content-ID") is not None
    return inline or part.get_content_type() in ("application/pgp-signature", "application/pkcs7-signature")
