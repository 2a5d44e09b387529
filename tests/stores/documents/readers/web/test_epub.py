"""E-books: chapters in the order of the spine, with the titles of their parts, printed pages and notes."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.web.epub import read_epub
from tests.builders import make_epub

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="EPUB/p.opf"/></rootfiles></container>'
)


def make_book(path: Path, pages: Mapping[str, str], nav: str = "", linear: Mapping[str, str] | None = None) -> Path:
    """An EPUB 3 of pages in the order of the spine."""
    items = "".join(f'<item id="{name}" href="{name}.xhtml" media-type="x"/>' for name in reversed(list(pages)))
    spine = "".join(f'<itemref idref="{name}" linear="{(linear or {}).get(name, "yes")}"/>' for name in pages)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr(
            "EPUB/p.opf",
            '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
            f'<item id="nav" href="nav.xhtml" properties="nav" media-type="x"/>{items}</manifest>'
            f'<spine><itemref idref="nav"/>{spine}</spine></package>',
        )
        archive.writestr("EPUB/nav.xhtml", page(nav))
        for name, body in pages.items():
            archive.writestr(f"EPUB/{name}.xhtml", page(body))
    return path


def page(body: str) -> str:
    head = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
    return f"{head}<head><title/></head><body>{body}</body></html>"


def blocks(path: Path) -> list[Block]:
    with zipfile.ZipFile(path) as archive:
        return read_epub(archive, ParseLimits()).blocks


def places(path: Path) -> list[tuple[str, str]]:
    return [(block.section, block.text) for block in blocks(path)]


NAV = """<nav epub:type="toc"><h1>Contents</h1><ol><li><span>Part One</span><ol><li><a href="a.xhtml">Dawn</a></li>
<li><a href="a.xhtml#noon">Noon</a></li></ol></li><li><a href="b.xhtml">Dusk</a><ol><li><a href="b.xhtml#late">Late</a>
</li></ol></li></ol></nav>"""


def test_chapters_inside_one_file_and_parts_around_them(tmp_path: Path) -> None:
    pages = {
        "a": '<h2>Dawn</h2><p>It began.</p><h2 id="noon">Noon</h2><p>It went on.</p>',
        "c": "<p>Still noon.</p>",
        "b": '<p>It ended.</p><p id="late">Late.</p><h3>Stars</h3><p>Shone.</p>',
    }
    assert places(make_book(tmp_path / "a.epub", pages, NAV)) == [
        ("Part One › Dawn", "Dawn"),
        ("Part One › Dawn", "It began."),
        ("Part One › Noon", "Noon"),
        ("Part One › Noon", "It went on."),
        ("Part One › Noon", "Still noon."),
        ("Dusk", "It ended."),
        ("Dusk › Late", "Late."),
        ("Dusk › Late › Stars", "Stars"),
        ("Dusk › Late › Stars", "Shone."),
    ]


def test_an_older_table_of_contents_with_parts(tmp_path: Path) -> None:
    book = make_epub(tmp_path / "a.epub", [("One", "<p>a</p>"), ("Two", "<p>b</p>")])
    with zipfile.ZipFile(book) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    ncx = members["OEBPS/toc.ncx"].replace(b"/></navPoint>", b"/>", 1)
    members["OEBPS/toc.ncx"] = ncx.replace(b"</navMap>", b"</navPoint></navMap>")
    with zipfile.ZipFile(book, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert places(book) == [("One", "a"), ("One › Two", "b")]


def test_printed_pages_and_notes(tmp_path: Path) -> None:
    nav = NAV + '<nav epub:type="page-list"><ol><li><a href="a.xhtml#p12">12</a></li></ol></nav>'
    pages = {
        "a": '<p>Before</p><p>runs <span id="p12"/>over the page.</p><p>On it.'
        '<a epub:type="noteref" href="n.xhtml#n1">1</a></p><span epub:type="pagebreak" title="13"/><p>Next.</p>',
        "n": '<aside epub:type="footnote" id="n1"><p>A note.</p></aside>',
    }
    found = blocks(make_book(tmp_path / "a.epub", pages, nav, {"n": "no"}))
    assert [(block.label, block.kind, block.text) for block in found] == [
        ("", "paragraph", "Before"),
        ("", "paragraph", "runs over the page."),
        ("12", "paragraph", "On it.[1]"),
        ("13", "paragraph", "Next."),
        ("13", "note", "A note."),
    ]


def test_a_book_that_is_only_a_table_of_contents_is_read(tmp_path: Path) -> None:
    assert places(make_book(tmp_path / "a.epub", {}, "<p>Words</p>")) == [("", "Words")]


def test_notes_beside_the_text_and_what_styles_hide(tmp_path: Path) -> None:
    pages = {
        "one": '<h1>One</h1><p>The first chapter<a epub:type="noteref" href="notes.xhtml#n">1</a>.</p>',
        "notes": '<ol epub:type="endnotes"><li id="n">See there. <a epub:type="backlink" href="#r">back</a></li></ol>',
        "more": "<p>It goes on.</p>",
    }
    nav = '<nav epub:type="toc"><ol><li><a href="one.xhtml">One</a></li></ol></nav>'
    path = make_book(tmp_path / "a.epub", pages, nav, linear={"notes": "no"})
    assert places(path) == [
        ("One", "One"),
        ("One", "The first chapter[1]."),
        ("", "[1] See there."),
        ("One", "It goes on."),
    ]
    styled = page('<p class="running">secret</p><p>The text of the page is longer.</p>')
    linked = styled.replace("<title/>", '<title/><link rel="stylesheet" href="s/a.css"/>')
    with zipfile.ZipFile(make_book(tmp_path / "b.epub", {"one": ""}, nav), "a") as archive:
        archive.writestr("EPUB/s/a.css", ".running { display: none }")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("EPUB/one.xhtml", linked)
    assert [block.text for block in blocks(tmp_path / "b.epub")] == ["The text of the page is longer."]
