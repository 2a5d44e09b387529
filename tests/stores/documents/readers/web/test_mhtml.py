"""Pages that a browser saved as one file."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from localspec.errors import DocumentError
from localspec.stores.documents.parse import parse


def saved(folder: Path, *, page: str = "", name: str = "a.mhtml") -> Path:
    """As Chromium writes it: the page first, then its styles, pictures and frames."""
    made = EmailMessage()
    made["From"] = "<Saved by Blink>"
    made["Snapshot-Content-Location"] = "https://example.org/"
    made["Subject"] = "Größen"
    made["MIME-Version"] = "1.0"
    made.make_related()
    if page:
        made.add_related(page.encode(), "text", "html", headers=["Content-Location: https://example.org/"])
    made.add_related(b".gone { display: none }", "text", "css", headers=["Content-Location: https://example.org/a.css"])
    made.add_related(b"\x89PNG", "image", "png", headers=["Content-Location: https://example.org/a.png"])
    if page:
        made.add_related(b"<p>In a frame.</p>", "text", "html", cid="<frame-2@mhtml.blink>")
    path = folder / name
    path.write_bytes(made.as_bytes())
    return path


PAGE = (
    '<html><head><title>Größen</title><link rel="stylesheet" href="https://example.org/a.css"></head><body>'
    '<h1>Größen</h1><p class="gone">secret</p><p>Alle Maße in Metern.</p><img alt="Karte" src="a.png">'
    '<iframe src="cid:frame-2@mhtml.blink"></iframe></body></html>'
)


@pytest.mark.parametrize("name", ["a.mhtml", "a.mht"])
def test_a_saved_page_is_read_with_its_styles_and_frames(tmp_path: Path, name: str) -> None:
    parsed = parse(saved(tmp_path, page=PAGE, name=name))
    assert (parsed.kind, parsed.title, parsed.warnings) == ("mhtml", "Größen", ())
    assert [block.text for block in parsed.blocks] == ["Größen", "Alle Maße in Metern.", "Karte", "In a frame."]


def test_one_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="without a page"):
        parse(saved(tmp_path))
