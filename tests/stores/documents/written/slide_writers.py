"""The talk by python-pptx."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.stores.documents.written import content


def by_python_pptx(path: Path) -> Path:
    """Bullets, a table with spans, a chart, a hidden slide, a note of the speaker, and all languages."""
    from pptx import Presentation
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.util import Inches

    talk = Presentation()
    place = (Inches(1), Inches(2), Inches(8), Inches(4))
    bullets, table, chart, hidden, words = (talk.slides.add_slide(talk.slide_layouts[at]) for at in (1, 5, 5, 1, 1))
    bullets.shapes.title.text = content.TALK_TITLE
    frame = bullets.placeholders[1].text_frame
    for number, (level, text) in enumerate(content.BULLETS):
        paragraph = frame.add_paragraph() if number else frame.paragraphs[0]
        paragraph.text, paragraph.level = text, level
    bullets.notes_slide.notes_text_frame.text = content.SPEAKER_NOTE
    table.shapes.title.text = content.MAINS_TITLE
    grid = table.shapes.add_table(len(content.MAINS), 4, *place).table
    for row, column, cell in content.spanned(content.MAINS):
        grid.cell(row, column).text = cell.text
        if cell.rows > 1 or cell.columns > 1:
            grid.cell(row, column).merge(grid.cell(row + cell.rows - 1, column + cell.columns - 1))
    chart.shapes.title.text = content.CHART_TITLE
    data: Any = CategoryChartData()  # type: ignore[no-untyped-call]
    data.categories = content.CHART_CATEGORIES
    for name, values in content.CHART_SERIES:
        data.add_series(name, values)
    drawn = chart.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *place, data).chart
    drawn.has_title = True
    drawn.chart_title.text_frame.text = content.CHART_TITLE
    hidden.shapes.title.text = content.HIDDEN_SLIDE
    hidden.placeholders[1].text_frame.text = "They rise."
    hidden._element.set("show", "0")
    words.shapes.title.text = "Languages"
    words.placeholders[1].text_frame.text = "\n".join(language.text for language in content.LANGUAGES.values())
    talk.save(str(path))
    return path


TALKS: dict[str, Callable[[Path], Path]] = {"talk-python-pptx.pptx": by_python_pptx}
"""How each is written when the tests run."""
