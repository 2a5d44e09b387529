"""Messages as mail programs write them."""

from __future__ import annotations

import io
import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from localspec.stores.documents.parse import parse
from localspec.stores.documents.readers.content import Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.mailboxes.mail import read_mail, read_mbox
from tests.builders import make_pdf


def message(text: str = "Hello,\nthe price is 5 €.\n") -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Jörg Müller <jm@example.org>"
    made["To"] = "a@example.org, b@example.org"
    made["Date"] = "Tue, 05 Mar 2024 10:00:00 +0100"
    made["Subject"] = "Angebot für März"
    made.set_content(text)
    return made


def read(made: EmailMessage | bytes) -> Content:
    return read_mail(made if isinstance(made, bytes) else made.as_bytes(), ParseLimits())


def text_of(content: Content) -> str:
    return "\n".join(block.text for block in content.blocks)


def test_headers_and_text(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(message().as_bytes())
    parsed = parse(path)
    assert (parsed.title, parsed.kind, parsed.warnings) == ("Angebot für März", "mail", ())
    assert [block.text for block in parsed.blocks] == [
        "From: Jörg Müller <jm@example.org>",
        "To: a@example.org, b@example.org",
        "Date: Tue, 05 Mar 2024 10:00:00 +0100",
        "Subject: Angebot für März",
        "Hello,\nthe price is 5 €.",
    ]
    assert {block.kind for block in parsed.blocks[:4]} == {"field"}
    assert {block.section for block in parsed.blocks} == {"Angebot für März"}


def test_a_text_is_taken_once_from_its_forms() -> None:
    made = message()
    made.add_alternative("<html><body><p>Hello,</p><p>the price is 5 €.</p></body></html>", subtype="html")
    assert text_of(read(made)).count("price") == 1


def test_html_alone_and_html_beside_a_notice() -> None:
    page = (
        "<html><body><h1>Offer</h1><p>"
        + "Many words about the price. " * 20
        + "</p><script>evil()</script></body></html>"
    )
    alone = message()
    alone.set_content(page, subtype="html")
    beside = message("Your program shows no HTML.")
    beside.add_alternative(page, subtype="html")
    for made in (alone, beside):
        text = text_of(read(made))
        assert "Many words about the price." in text
        assert "evil" not in text


def test_attachments_of_text_are_read_and_others_named() -> None:
    made = message()
    made.add_attachment("item,sum\nTea,4\nOil,5\n", subtype="csv", filename="list.csv")
    made.add_attachment("# Plan\n\nGo on.", subtype="markdown", filename="plan.md")
    made.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="offer.pdf")
    content = read(made)
    (table,) = [block.table for block in content.blocks if block.table is not None]
    assert (table.rows[0], table.header_rows) == (("item", "sum"), 1)
    assert "Go on." in text_of(content)
    assert content.warnings == ("Attachments that were not read: offer.pdf. Save them and add them as files.",)


def test_messages_inside_are_read() -> None:
    outer = message("See below.")
    inner = message("The inner text.")
    del inner["Subject"]
    inner["Subject"] = "Inner"
    outer.add_attachment(inner)
    content = read(outer)
    assert "Subject: Inner" in text_of(content)
    assert "The inner text." in text_of(content)


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "windows-1252", "koi8-r", "utf-16"])
@pytest.mark.parametrize("transfer", ["8bit", "base64", "quoted-printable"])
def test_encodings(encoding: str, transfer: str) -> None:
    words = "привет" if encoding == "koi8-r" else "Grüße"
    made = EmailMessage()
    made["Subject"] = "x"
    if (encoding, transfer) == ("utf-16", "8bit"):
        pytest.skip("no such message")
    made.set_content(words, charset=encoding, cte=transfer)
    assert words in text_of(read(made))


def test_broken_messages() -> None:
    for data in (
        b"Subject: x\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nwords here\r\n",
        b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nwords here\r\n",
        b"Subject: =?utf-8?b?broken\r\nDate: never\r\nTo: @@@<\r\n\r\nwords here\r\n",
        b"From someone Tue Mar  5 10:00:00 2024\nSubject: x\n\nwords here\n",
    ):
        assert "words here" in text_of(read(data))
    with pytest.raises(UnreadableError):
        read(b"\n\nno headers at all")


def docx() -> bytes:
    from docx import Document

    made = Document()
    made.add_heading("Offer", 1)
    made.add_paragraph("The pump costs 500 euro.")
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def test_files_inside_are_read_by_their_readers(tmp_path: Path) -> None:
    made = message()
    made.add_attachment(docx(), maintype="application", subtype="octet-stream", filename="offer.docx")
    pdf = make_pdf(tmp_path / "list.pdf", ["The valve costs 7 euro.", "The belt costs 9 euro."]).read_bytes()
    made.add_attachment(pdf, maintype="application", subtype="pdf", filename="list.pdf")
    made.add_attachment(docx()[:2000], maintype="application", subtype="octet-stream", filename="broken.docx")
    made.add_attachment(b"\x89PNG\r\n", maintype="image", subtype="png", filename="map.png")
    made.add_attachment(message("A forwarded one.").as_bytes(), maintype="application", subtype="x", filename="old.eml")
    path = tmp_path / "a.eml"
    path.write_bytes(made.as_bytes())
    parsed = parse(path)
    found = {block.text: block.section for block in parsed.blocks}
    assert found["The pump costs 500 euro."] == "offer.docx › Offer"
    assert found["The belt costs 9 euro."] == "list.pdf, page 2"
    assert found["A forwarded one."] == "old.eml › Angebot für März"
    (warning,) = parsed.warnings
    assert "broken.docx (is damaged" in warning
    assert "map.png" in warning
    assert "offer" not in warning


def test_a_mailbox_is_read_message_by_message(tmp_path: Path) -> None:
    path = tmp_path / "inbox.mbox"
    box = mailbox.mbox(path)
    for number in range(3):
        made = message(f"Message {number}.\n\nFrom here on it is quiet.\n")
        made.replace_header("Subject", f"Day {number}")
        box.add(made)
    box.close()
    assert b">From here" in path.read_bytes()
    for name in ("inbox.mbox", "inbox"):
        (tmp_path / name).write_bytes(path.read_bytes())
        parsed = parse(tmp_path / name)
        assert (parsed.kind, parsed.title) == ("mbox", "inbox")
        said = [(block.section, block.text) for block in parsed.blocks if block.kind == "paragraph"]
        assert [text for _, text in said if text.startswith("From here")] == ["From here on it is quiet."] * 3
        assert [place for place, text in said if text.startswith("Message")] == ["Day 0", "Day 1", "Day 2"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_that_only_looks_like_a_beginning_is_text(end: bytes) -> None:
    first = [
        b"From a@example.org Tue Mar  5 10:00:00 2024",
        b"Subject: One",
        b"",
        b"Hello.",
        b"",
        b"From here on it",
        b"is quiet.",
    ]
    second = [b"", b"From b@example.org Tue Mar  5 11:00:00 2024", b"Subject: Two", b"", b"Bye.", b""]
    content = read_mbox(end.join([*first, *second]), ParseLimits())
    said = [(block.section, " ".join(block.text.split())) for block in content.blocks if block.kind == "paragraph"]
    assert ("One", "From here on it is quiet.") in said
    assert said[-1] == ("Two", "Bye.")
    assert read_mbox(b"Subject: Alone\n\nText.\n", ParseLimits()).blocks[-1].text == "Text."


def test_parts_inside_of_parts_and_reports_are_read() -> None:
    made = message()
    inner = EmailMessage()
    inner.set_content("The second text.")
    inner.add_attachment("inner,table\n1,2\n", subtype="csv", filename="b.csv")
    made.make_mixed()
    made.attach(inner)
    assert "The second text." in text_of(read(made))
    assert "inner | table" in text_of(read(made))
    report = (
        b"Subject: Undelivered\nMIME-Version: 1.0\nContent-Type: multipart/report; boundary=b\n\n--b\n"
        b"Content-Type: text/plain\n\nIt was not delivered.\n--b\nContent-Type: message/delivery-status\n\n"
        b"Reporting-MTA: dns; mail.example.org\n\nFinal-Recipient: rfc822; a@example.org\nStatus: 5.1.1\n\n--b--\n"
    )
    assert "Status: 5.1.1" in text_of(read(report))


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("text/plain; charset=utf-8", "Preis für März: fünf".encode("cp1252")),  # not what it says
        ("text/plain; charset=x-unknown", "Preis für März: fünf".encode()),
        ("text/plain", "Preis für März: fünf".encode("cp1252")),
        ("text/plain; charset=iso-8859-15", "Preis für März: fünf".encode("iso-8859-15")),
        ("text/plain; charset=utf-7", "Preis für März: fünf".encode("utf-7")),
        ("text/html; charset=iso-8859-1", "<p>Preis für März: fünf".encode("cp1252")),
        ("text/html", '<meta charset="cp1252"><p>Preis für März: fünf'.encode("cp1252")),
    ],
)
def test_encodings_that_are_missing_or_wrong(header: str, body: bytes) -> None:
    made = f"Subject: a\nMIME-Version: 1.0\nContent-Type: {header}\nContent-Transfer-Encoding: 8bit\n\n".encode()
    assert "Preis für März: fünf" in text_of(read(made + body))
