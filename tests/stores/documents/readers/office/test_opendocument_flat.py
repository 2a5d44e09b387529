"""OpenDocument as one XML file reads like its archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from localspec.errors import DocumentError
from localspec.stores.documents.parse import ParsedDocument, parse
from tests.stores.documents.readers.office.test_opendocument import DECLARED

CHART = """<loext:p/>
<office:document {declared} office:mimetype="application/vnd.oasis.opendocument.chart"><office:body>
<office:chart><chart:chart chart:class="chart:bar"><chart:title><text:p>Tonnes</text:p></chart:title>
<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p/></table:table-cell>
<table:table-cell><text:p>Kiel</text:p></table:table-cell></table:table-row></table:table-header-rows>
<table:table-rows><table:table-row><table:table-cell><text:p>May</text:p></table:table-cell>
<table:table-cell><text:p>12</text:p></table:table-cell></table:table-row></table:table-rows></table:table>
</chart:chart></office:chart></office:body></office:document>"""


def flat(folder: Path, kind: str, body: str, name: str, *, before: str = "") -> ParsedDocument:
    path = folder / name
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{before}\n\n<office:document {DECLARED} xmlns:loext="urn:loext"'
        f' office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.{kind}">'
        "<office:meta><dc:title>Ports</dc:title></office:meta><office:styles/><office:master-styles/>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>",
        encoding="utf-8",
    )
    return parse(path)


def test_a_flat_text(tmp_path: Path) -> None:
    body = '<text:h text:outline-level="1">Velm</text:h><text:p>The tide\n   rises.</text:p>'
    picture = "<office:binary-data>iVBORw0KGgo=</office:binary-data>"
    body += f"<text:p><draw:frame><draw:image>{picture}</draw:image></draw:frame></text:p>"
    parsed = flat(tmp_path, "text", body, "a.fodt")
    assert (parsed.kind, parsed.title, parsed.warnings) == ("odt", "Ports", ())
    assert [(block.kind, block.text) for block in parsed.blocks] == [
        ("heading", "Velm"),
        ("paragraph", "The tide rises."),
    ]
    # By its content, whatever it is called.
    assert "it was read as that" in flat(tmp_path, "text", body, "a.xml").warnings[0]


def test_a_flat_sheet(tmp_path: Path) -> None:
    cells = [
        "".join(f"<table:table-cell><text:p>{text}</text:p></table:table-cell>" for text in row)
        for row in (("Port", "Depth"), ("Velm", "9 m"))
    ]
    rows = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    parsed = flat(tmp_path, "spreadsheet", f'<table:table table:name="Tides">{rows}</table:table>', "a.fods")
    assert parsed.kind == "ods"
    assert [block.table.rows for block in parsed.blocks if block.table] == [(("Port", "Depth"), ("Velm", "9 m"))]


def test_a_chart_inside_a_flat_presentation(tmp_path: Path) -> None:
    chart = f"<draw:frame><draw:object>{CHART.format(declared=DECLARED)}</draw:object></draw:frame>"
    parsed = flat(tmp_path, "presentation", f'<draw:page draw:name="One">{chart}</draw:page>', "a.fodp")
    assert parsed.pages == 1
    (found,) = [block for block in parsed.blocks if block.kind == "chart"]
    assert found.table is not None
    assert (found.table.title, found.table.rows[1]) == ("Tonnes", ("May", "12"))


def test_what_is_hostile_or_damaged_is_refused(tmp_path: Path) -> None:
    entity = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    with pytest.raises(DocumentError, match="defines XML entities"):
        flat(tmp_path, "text", "<text:p>&a;</text:p>", "a.fodt", before=entity)
    with pytest.raises(DocumentError, match="is damaged"):
        flat(tmp_path, "text", "<text:p>", "a.fodt")
    with pytest.raises(DocumentError, match="of a kind that cannot be read"):
        flat(tmp_path, "formula", "<text:p>x</text:p>", "a.fodt")
    (tmp_path / "b.fodt").write_text("no XML at all")
    with pytest.raises(DocumentError, match=r"named \.fodt but"):
        parse(tmp_path / "b.fodt")
