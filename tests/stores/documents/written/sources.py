"""The handbook as Markdown for pandoc, as LaTeX, and as a page that Chromium prints."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tests.stores.documents.written import content
from tests.stores.documents.written.content import Cell

SPANS_HERE = "MAINS-TABLE"
"""Where the table with spans belongs, which Markdown cannot say."""

# -- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(*, changes: bool) -> str:
    """The handbook for pandoc. `changes`: with a comment and tracked changes, which its writer of DOCX knows."""
    lines = ["---", f"title: {content.TITLE}", "lang: en", "---", ""]
    for level, heading in content.HEADINGS:
        lines += [f"{'#' * level} {heading}", ""]
        for text in content.PARAGRAPHS[heading]:
            lines += [text, ""]
        if heading == "Rake drive":
            mark = 'author="Ann" date="2026-01-02T10:00:00Z"'
            comment = f'[{content.COMMENT}]{{.comment-start id="7" {mark}}} watched[]{{.comment-end id="7"}}'
            deleted = f"[{content.DELETED}]{{.deletion {mark}}}" if changes else ""
            inserted = f"[{content.INSERTED}]{{.insertion {mark}}}" if changes else content.INSERTED
            lines += [
                *(content.FIGURES, ""),
                f"The rake is driven[^1] by a motor[^2] and{comment if changes else ' watched'} by a bell.",
                *("", f"[^1]: {content.FOOTNOTE}", "", f"[^2]: {content.ENDNOTE}", ""),
                *(f"It is stopped {inserted}{deleted} at night.", ""),
            ]
        elif heading == "Contracts":
            for clause in content.CLAUSES:
                lines.append(f"{'    ' * clause.level}{clause.number.split('.')[-1]}.  {clause.text}")
            lines += ["", "The watchman carries:", ""]
            lines += [f"{'    ' * level}-   {text}" for level, text in content.BULLETS] + [""]
        elif heading == "Mains":
            lines += [SPANS_HERE, ""]
        elif heading == "Stores":
            lines += [_row(content.STOCK_HEADER), _row(["---"] * len(content.STOCK_HEADER))]
            lines += [*map(_row, content.STOCK), "", f": {content.STOCK_TITLE}", ""]
    for name, language in content.LANGUAGES.items():
        direction = " dir=rtl" if language.from_right else ""
        lines += [f"::: {{lang={name}{direction}}}", language.text, ":::", ""]
    return "\n".join([*lines, content.LAST, ""])


def talk() -> str:
    """The talk as Markdown, each heading a slide."""
    lines = [f"# {content.TALK_TITLE}", ""]
    lines += [f"{'    ' * level}-   {text}" for level, text in content.BULLETS]
    lines += ["", "::: notes", content.SPEAKER_NOTE, ":::", "", f"# {content.MAINS_TITLE}", "", SPANS_HERE, ""]
    lines += ["# Languages", ""]
    for language in content.LANGUAGES.values():
        lines += [language.text, ""]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


# -- HTML -------------------------------------------------------------------------------------------------------------

_FONTS = {
    "zh": "Noto Sans CJK SC",
    "ja": "Noto Sans CJK JP",
    "th": "Noto Sans Thai",
    "hi": "Noto Sans Devanagari",
    "ar": "Noto Sans Arabic",
    "he": "Noto Sans Hebrew",
}
_STYLE = """
body { font: 11pt "DejaVu Sans", sans-serif; } h1 { font-size: 17pt } h2 { font-size: 14pt } h3 { font-size: 12pt }
ol { list-style: none; counter-reset: item; } ol > li { counter-increment: item; }
ol > li::before { content: counters(item, ".") "  "; }
table { border-collapse: collapse } td, th { border: 1px solid black; padding: 2px 6px; text-align: left }
caption { text-align: left }
""" + "".join(f':lang({name}) {{ font-family: "{font}" }}\n' for name, font in _FONTS.items())


def html_table(rows: Sequence[Sequence[Cell]], headers: int, title: str) -> str:
    """A table with spans and a caption."""
    lines = []
    for number, row in enumerate(rows):
        name = "th" if number < headers else "td"
        line = ""
        for cell in row:
            reach = f' rowspan="{cell.rows}"' if cell.rows > 1 else ""
            reach += f' colspan="{cell.columns}"' if cell.columns > 1 else ""
            line += f"<{name}{reach}>{'<br>'.join(map(html.escape, cell.text.split(chr(10))))}</{name}>"
        lines.append(f"<tr>{line}</tr>")
    head, body = "".join(lines[:headers]), "".join(lines[headers:])
    return f"<table><caption>{title}</caption><thead>{head}</thead><tbody>{body}</tbody></table>"


def page(*, languages: Sequence[str] = tuple(content.LANGUAGES), columns: int = 1) -> str:
    """The handbook as HTML, in as many columns, with its last part in these languages."""
    parts = [f"<h1 style='font-size: 22pt'>{content.TITLE}</h1>"]
    for level, heading in content.HEADINGS:
        parts.append(f"<h{level}>{heading}</h{level}>")
        parts += [f"<p>{text}</p>" for text in content.PARAGRAPHS[heading]]
        if heading == "Rake drive":
            parts.append(f"<p>{content.FIGURES}</p>")
        elif heading == "Contracts":
            parts.append(_list("ol", [(clause.level, clause.text) for clause in content.CLAUSES]))
            parts += ["<p>The watchman carries:</p>", _list("ul", content.BULLETS)]
        elif heading == "Mains":
            parts.append(html_table(content.MAINS, content.MAINS_HEADERS, f"Table 1: {content.MAINS_TITLE}"))
        elif heading == "Stores" and columns == 1:
            rows = [[Cell(text) for text in row] for row in (content.STOCK_HEADER, *content.STOCK)]
            parts.append(html_table(rows, 1, f"Table 2: {content.STOCK_TITLE}"))
    for name in languages:
        language = content.LANGUAGES[name]
        parts.append(f'<p lang="{name}"{" dir=rtl" if language.from_right else ""}>{language.text}</p>')
    parts.append(f"<p>{content.LAST}</p>")
    set_in = f"body {{ columns: {columns}; text-align: justify }}" if columns > 1 else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{content.TITLE}</title>'
        f"<style>{_STYLE}{set_in}</style></head><body>{''.join(parts)}</body></html>"
    )


def _list(name: str, items: Sequence[tuple[int, str]]) -> str:
    made, depth = "", -1
    for level, text in items:
        if level > depth:
            made += f"<{name}>" * (level - depth)
        else:
            made += f"</li></{name}>" * (depth - level) + "</li>"
        made += f"<li>{text}"
        depth = level
    return made + f"</li></{name}>" * (depth + 1)


# -- LaTeX ------------------------------------------------------------------------------------------------------------

_LATEX_SIGNS = {"%": r"\%", "€": r"\texteuro{}", "&": r"\&", "$": r"\$", "#": r"\#", "_": r"\_"}
_LATEX_HEADINGS = ("section*", "subsection*", "subsubsection*")


def _latex(text: str) -> str:
    return "".join(_LATEX_SIGNS.get(sign, sign) for sign in text)


def latex(*, columns: int) -> str:
    """The handbook for pdflatex. In one column with a table over several pages."""
    lines = [
        rf"\documentclass[10pt,a4paper{',twocolumn' if columns == 2 else ''}]{{article}}",
        r"\usepackage[T1]{fontenc}\usepackage{textcomp,lmodern}" if columns == 1 else r"\usepackage{textcomp}",
        r"\usepackage{booktabs,longtable,array,fancyhdr}",
        rf"\pagestyle{{fancy}}\fancyhf{{}}\fancyhead[L]{{{content.HEADER}}}\fancyfoot[C]{{{content.FOOTER}}}",
        r"\renewcommand\labelenumi{\theenumi}\renewcommand\theenumi{\arabic{enumi}}",
        r"\renewcommand\labelenumii{\theenumii}\renewcommand\theenumii{\theenumi.\arabic{enumii}}",
        r"\renewcommand\labelenumiii{\theenumiii}\renewcommand\theenumiii{\theenumii.\arabic{enumiii}}",
        rf"\title{{{content.TITLE}}}\author{{}}\date{{}}\begin{{document}}\maketitle\thispagestyle{{fancy}}",
    ]
    for level, heading in content.HEADINGS:
        lines.append(rf"\{_LATEX_HEADINGS[level - 1]}{{{heading}}}")
        lines += [f"{_latex(text)}\n" for text in content.PARAGRAPHS[heading]]
        if heading == "Rake drive":
            lines += [
                _latex(content.FIGURES),
                "",
                rf"The rake is driven\footnote{{{content.FOOTNOTE}}} by a motor.",
                "",
            ]
        elif heading == "Contracts":
            lines += [_latex_list("enumerate", [(clause.level, clause.text) for clause in content.CLAUSES])]
            lines += ["The watchman carries:", _latex_list("itemize", content.BULLETS)]
        elif heading == "Mains":
            lines += _latex_mains("table*" if columns == 2 else "table")
        elif heading == "Stores" and columns == 1:
            lines += [rf"\begin{{longtable}}{{llll}}\caption{{{content.STOCK_TITLE}}}\\\toprule"]
            lines += [" & ".join(content.STOCK_HEADER) + r"\\\midrule\endfirsthead\toprule"]
            lines += [" & ".join(content.STOCK_HEADER) + r"\\\midrule\endhead\bottomrule\endfoot"]
            lines += [" & ".join(row) + r"\\" for row in content.STOCK] + [r"\end{longtable}"]
    lines += [f"{content.LANGUAGES[name].text}\n" for name in ("de", "fr")]
    return "\n".join([*lines, content.LAST, r"\end{document}", ""])


def _latex_mains(around: str) -> list[str]:
    """Packages for cells over several rows are not everywhere: their text stands in the first row alone."""
    lines = [rf"\begin{{{around}}}[t]\caption{{{content.MAINS_TITLE}}}\centering\begin{{tabular}}{{llll}}\toprule"]
    lines += [
        r" & \multicolumn{2}{c}{Pressure in bar} & \\\cmidrule(lr){2-3}",
        r"Main & lowest & highest & Remarks\\\midrule",
    ]
    for row in content.MAINS_READ[content.MAINS_HEADERS :]:
        lines.append(
            " & ".join("" if row == content.MAINS_READ[4] and text == "South" else text for text in row) + r"\\"
        )
    return [*lines, rf"\bottomrule\end{{tabular}}\end{{{around}}}"]


def _latex_list(name: str, items: Sequence[tuple[int, str]]) -> str:
    made, depth = "", -1
    for level, text in items:
        made += rf"\begin{{{name}}}" * max(0, level - depth) + rf"\end{{{name}}}" * max(0, depth - level)
        made += rf"\item {text} "
        depth = level
    return made + rf"\end{{{name}}}" * (depth + 1) + "\n"
