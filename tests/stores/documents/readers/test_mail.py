"""Messages as mail programs write them."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from localspec.stores.documents.parse import parse
from localspec.stores.documents.readers.content import Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.mail import read_mail


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
