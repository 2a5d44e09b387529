"""The handbook as a flat OpenDocument file, which LibreOffice reads and saves as others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from tests.stores.documents.written import content
from tests.stores.documents.written.content import Cell

_SPACES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
    "dc": "http://purl.org/dc/elements/1.1/",
    "meta": "urn:oasis:names:tc:opendocument:xmlns:meta:1.0",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
    "chart": "urn:oasis:names:tc:opendocument:xmlns:chart:1.0",
    "presentation": "urn:oasis:names:tc:opendocument:xmlns:presentation:1.0",
    "number": "urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0",
    "xlink": "http://www.w3.org/1999/xlink",
    "of": "urn:oasis:names:tc:opendocument:xmlns:of:1.2",
}
_FONTS = {
    "zh": ("Noto Sans CJK SC", "asian", "zh-CN"),
    "ja": ("Noto Sans CJK JP", "asian", "ja-JP"),
    "th": ("Noto Sans Thai", "complex", "th-TH"),
    "hi": ("Noto Sans Devanagari", "complex", "hi-IN"),
    "ar": ("Noto Sans Arabic", "complex", "ar-SA"),
    "he": ("Noto Sans Hebrew", "complex", "he-IL"),
}
_BORDER = 'fo:border="0.5pt solid #000000" fo:padding="0.05cm"'


def document(kind: str, *parts: str) -> str:
    """A flat file: 'text', 'spreadsheet', 'presentation' or 'chart'."""
    spaces = " ".join(f"xmlns:{name}={quoteattr(space)}" for name, space in _SPACES.items())
    meta = f"<office:meta><dc:title>{content.TITLE}</dc:title></office:meta>" if kind == "text" else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {spaces} office:version="1.3"'
        f' office:mimetype="application/vnd.oasis.opendocument.{kind}">{meta}{"".join(parts)}</office:document>'
    )


def _font_styles() -> str:
    """One style of a paragraph per language."""
    styles = ""
    for language in content.LANGUAGES:
        font, group, tag = _FONTS.get(language, ("DejaVu Sans", "", language))
        after = f"-{group}" if group else ""
        name = "fo" if not group else "style"
        code, _, country = tag.partition("-")
        country = f' {name}:country{after}="{country}"' if country else ""
        direction = ' style:writing-mode="rl-tb" fo:text-align="end"' if content.LANGUAGES[language].from_right else ""
        styles += (
            f'<style:style style:name="L{language}" style:family="paragraph" style:parent-style-name="Standard">'
            f"<style:paragraph-properties{direction}/>"
            f'<style:text-properties style:font-name{after}="{font}" {name}:language{after}="{code}"{country}/>'
            "</style:style>"
        )
    return styles


def font_faces() -> str:
    """The fonts that all scripts need."""
    names = {font for font, _, _ in _FONTS.values()} | {"DejaVu Sans"}
    faces = "".join(
        f'<style:font-face style:name="{name}" svg:font-family="&apos;{name}&apos;"/>' for name in sorted(names)
    )
    return f"<office:font-face-decls>{faces}</office:font-face-decls>"


def lines_as_paragraphs(text: str, style: str = "Standard") -> str:
    """A paragraph per line."""
    named = f' text:style-name="{style}"' if style else ""
    return "".join(f"<text:p{named}>{escape(line)}</text:p>" for line in text.split("\n"))


def cells_as_rows(rows: Sequence[Sequence[Cell]], style: str = "", *, number_style: str = "") -> list[str]:
    """The rows of a table, with covered cells in their places."""
    begun = {(row, column): cell for row, column, cell in content.spanned(tuple(map(tuple, rows)))}
    width = max(column + cell.columns for (_, column), cell in begun.items())
    found = []
    for row in range(len(rows)):
        line = "<table:table-row>"
        for column in range(width):
            cell = begun.get((row, column))
            if cell is None:
                line += "<table:covered-table-cell/>"
                continue
            reach = f' table:number-rows-spanned="{cell.rows}"' if cell.rows > 1 else ""
            reach += f' table:number-columns-spanned="{cell.columns}"' if cell.columns > 1 else ""
            named = f' table:style-name="{style}"' if style else ""
            if number_style and cell.text.replace(".", "", 1).isdigit():
                value = f'office:value-type="float" office:value="{cell.text}"'
                line += f'<table:table-cell table:style-name="{number_style}"{reach} {value}/>'
                continue
            inner = lines_as_paragraphs(cell.text)
            line += f'<table:table-cell{named}{reach} office:value-type="string">{inner}</table:table-cell>'
        found.append(line + "</table:table-row>")
    return found


def _table(name: str, rows: Sequence[Sequence[Cell]], headers: int, style: str = "Box") -> str:
    lines = cells_as_rows(rows, style)
    width = sum(cell.columns for cell in rows[0])
    return (
        f'<table:table table:name="{name}"><table:table-column table:number-columns-repeated="{width}"/>'
        f"<table:table-header-rows>{''.join(lines[:headers])}</table:table-header-rows>"
        f"{''.join(lines[headers:])}</table:table>"
    )


def _caption(text: str, number: int) -> str:
    field = (
        f'<text:sequence text:name="Table" text:formula="ooow:Table+1" style:num-format="1">{number}</text:sequence>'
    )
    return f'<text:p text:style-name="Table">Table {field}: {text}</text:p>'


def nested_list(items: Sequence[tuple[int, str]], style: str) -> str:
    """A list of (level, text)."""

    def inner(at: int, level: int) -> tuple[str, int]:
        made = ""
        while at < len(items) and items[at][0] >= level:
            if items[at][0] > level:
                deeper, at = inner(at, level + 1)
                made = made.removesuffix("</text:list-item>") + f"<text:list>{deeper}</text:list></text:list-item>"
                continue
            made += f"<text:list-item>{lines_as_paragraphs(items[at][1])}</text:list-item>"
            at += 1
        return made, at

    return f'<text:list text:style-name="{style}">{inner(0, 0)[0]}</text:list>'


def _handbook_parts() -> Iterator[str]:
    yield f'<text:p text:style-name="Title">{content.TITLE}</text:p>'
    for level, heading in content.HEADINGS:
        yield f'<text:h text:style-name="Heading_20_{level}" text:outline-level="{level}">{heading}</text:h>'
        yield from (lines_as_paragraphs(text) for text in content.PARAGRAPHS[heading])
        if heading == "Rake drive":
            yield lines_as_paragraphs(content.FIGURES)
            footnote, endnote = lines_as_paragraphs(content.FOOTNOTE), lines_as_paragraphs(content.ENDNOTE)
            yield (
                '<text:p>The rake is driven<text:note text:id="n1" text:note-class="footnote"><text:note-citation>1'
                f"</text:note-citation><text:note-body>{footnote}</text:note-body></text:note> by a"
                ' motor<text:note text:id="n2" text:note-class="endnote"><text:note-citation>i</text:note-citation>'
                f"<text:note-body>{endnote}</text:note-body></text:note> and watched"
                "<office:annotation><dc:creator>Ann</dc:creator><dc:date>2026-01-02T10:00:00</dc:date>"
                f"{lines_as_paragraphs(content.COMMENT)}</office:annotation> by a bell.</text:p>"
            )
            yield (
                '<text:p>It is stopped <text:change-start text:change-id="c1"/>'
                f'{content.INSERTED}<text:change-end text:change-id="c1"/><text:change text:change-id="c2"/>'
                " at night.</text:p>"
            )
        elif heading == "Contracts":
            yield nested_list([(clause.level, clause.text) for clause in content.CLAUSES], "Clauses")
            yield lines_as_paragraphs("The watchman carries:")
            yield nested_list(content.BULLETS, "Bullets")
        elif heading == "Mains":
            yield _caption(content.MAINS_TITLE, 1)
            yield _table("Mains", content.MAINS, content.MAINS_HEADERS)
        elif heading == "Stores":
            yield _caption(content.STOCK_TITLE, 2)
            yield _table("Stock", [[Cell(text) for text in row] for row in (content.STOCK_HEADER, *content.STOCK)], 1)
    for name, language in content.LANGUAGES.items():
        yield f'<text:p text:style-name="L{name}">{language.text}</text:p>'
    yield lines_as_paragraphs(content.LAST)


def handbook() -> str:
    """A text document (FODT)."""
    levels = "".join(
        f'<text:list-level-style-number text:level="{level}" style:num-format="1" text:display-levels="{level}">'
        '<style:list-level-properties text:list-level-position-and-space-mode="label-alignment">'
        f'<style:list-level-label-alignment text:label-followed-by="listtab" fo:margin-left="{level}cm"'
        ' fo:text-indent="-0.6cm"/></style:list-level-properties></text:list-level-style-number>'
        for level in (1, 2, 3)
    )
    dots = "".join(
        f'<text:list-level-style-bullet text:level="{level}" text:bullet-char="{sign}">'
        '<style:list-level-properties text:list-level-position-and-space-mode="label-alignment">'
        f'<style:list-level-label-alignment text:label-followed-by="listtab" fo:margin-left="{level}cm"'
        ' fo:text-indent="-0.6cm"/></style:list-level-properties></text:list-level-style-bullet>'
        for level, sign in ((1, "•"), (2, "◦"))
    )
    changes = (
        '<text:tracked-changes><text:changed-region text:id="c1"><text:insertion><office:change-info>'
        "<dc:creator>Ann</dc:creator><dc:date>2026-01-02T10:00:00</dc:date></office:change-info></text:insertion>"
        '</text:changed-region><text:changed-region text:id="c2"><text:deletion><office:change-info>'
        "<dc:creator>Ann</dc:creator><dc:date>2026-01-02T10:00:00</dc:date></office:change-info>"
        f"{lines_as_paragraphs(content.DELETED)}</text:deletion></text:changed-region></text:tracked-changes>"
    )
    headings = "".join(
        f'<style:style style:name="Heading_20_{level}" style:display-name="Heading {level}" style:family="paragraph"'
        f' style:parent-style-name="Standard" style:default-outline-level="{level}">'
        f'<style:text-properties fo:font-size="{20 - 3 * level}pt" fo:font-weight="bold"/></style:style>'
        for level in (1, 2, 3)
    )
    styles = (
        '<office:styles><style:style style:name="Standard" style:family="paragraph"><style:paragraph-properties'
        ' fo:margin-bottom="0.2cm"/><style:text-properties style:font-name="DejaVu Sans" fo:font-size="11pt"/>'
        '</style:style><style:style style:name="Title" style:family="paragraph" style:parent-style-name="Standard">'
        '<style:text-properties fo:font-size="22pt" fo:font-weight="bold"/></style:style><style:style'
        ' style:name="Caption" style:family="paragraph" style:parent-style-name="Standard"/><style:style'
        ' style:name="Table" style:family="paragraph" style:parent-style-name="Caption"/>'
        f'{headings}<text:list-style style:name="Clauses">{levels}</text:list-style><text:list-style'
        f' style:name="Bullets">{dots}</text:list-style></office:styles>'
    )
    automatic = (
        f'<office:automatic-styles>{_font_styles()}<style:style style:name="Box" style:family="table-cell">'
        f'<style:table-cell-properties {_BORDER}/></style:style><style:page-layout style:name="Page">'
        '<style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm" fo:margin="2cm"/>'
        '<style:header-style><style:header-footer-properties fo:margin-bottom="0.5cm"/></style:header-style>'
        '<style:footer-style><style:header-footer-properties fo:margin-top="0.5cm"/></style:footer-style>'
        "</style:page-layout></office:automatic-styles>"
    )
    pages = (
        '<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="Page"><style:header>'
        f"{lines_as_paragraphs(content.HEADER)}</style:header><style:footer>{lines_as_paragraphs(content.FOOTER)}</style:footer>"
        "</style:master-page></office:master-styles>"
    )
    body = f"<office:body><office:text>{changes}{''.join(_handbook_parts())}</office:text></office:body>"
    return document("text", font_faces(), styles, automatic, pages, body)
