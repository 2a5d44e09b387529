"""Notebooks of Jupyter: cells, what they wrote, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas

from localspec.stores.documents.parse import parse
from localspec.stores.documents.readers.content import Content, ParseLimits
from localspec.stores.documents.readers.notebook import read_notebook


def read(cells: list[dict[str, Any]], **others: Any) -> Content:
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **others}
    return read_notebook(json.dumps(notebook).encode(), ParseLimits())


def code(source: Any, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs), "metadata": {}, "execution_count": 1}


def test_cells_stand_in_their_order() -> None:
    content = read(
        [
            {"cell_type": "markdown", "source": ["# Sales\n", "\n", "Of *one* year."], "metadata": {}},
            code(["x = 1\n", "print(x)"], {"output_type": "stream", "name": "stdout", "text": ["1\n"]}),
            {"cell_type": "raw", "source": "as it is", "metadata": {}},
        ]
    )
    assert [(block.kind, block.section) for block in content.blocks if block.kind == "code"] == [("code", "Sales")] * 2
    text = "\n".join(block.text for block in content.blocks)
    for words in ("Sales", "Of one year.", "x = 1\nprint(x)", "as it is"):
        assert words in text
    assert (content.kind, content.title) == ("notebook", "Sales")


def test_outputs_are_read_without_pictures() -> None:
    frame = pandas.DataFrame({"city": ["Rome"], "people": [2]})
    content = read(
        [
            code(
                "show()",
                {
                    "output_type": "display_data",
                    "data": {"image/png": "aGFsbG8=", "text/plain": "<Figure>"},
                    "metadata": {},
                },
                {
                    "output_type": "execute_result",
                    "data": {"text/html": frame.to_html(), "text/plain": "x"},
                    "metadata": {},
                },
                {
                    "output_type": "error",
                    "ename": "ValueError",
                    "evalue": "bad \u001b[31mred\u001b[0m",
                    "traceback": ["…"],
                },
            )
        ]
    )
    text = "\n".join(block.text for block in content.blocks)
    assert "aGFsbG8=" not in text
    assert "Rome" in text
    assert "people" in text
    assert "ValueError: bad" in text


def test_the_older_format_is_read() -> None:
    data = {"worksheets": [{"cells": [{"cell_type": "code", "input": "y = 2", "outputs": []}]}], "nbformat": 3}
    content = read_notebook(json.dumps(data).encode(), ParseLimits())
    assert [block.text for block in content.blocks] == ["y = 2"]


def test_what_is_no_notebook_is_code(tmp_path: Path) -> None:
    for text in ('{"a": 1}', "[1, 2]", "not json", "[" * 100_000):
        content = read_notebook(text.encode(), ParseLimits())
        assert (content.kind, content.blocks[0].text) == ("code", text)
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [code("x = 1")], "metadata": {}, "nbformat": 4}), encoding="utf-8")
    parsed = parse(path)
    assert (parsed.kind, parsed.text, parsed.warnings) == ("notebook", "x = 1", ())


def test_what_stands_for_an_object_is_not_its_text() -> None:
    def shown(**data: str) -> dict[str, Any]:
        made = {name.replace("_", "/"): value for name, value in data.items()}
        return {"output_type": "display_data", "data": made, "metadata": {}}

    content = read(
        [
            code(
                "x",
                shown(text_html="<p>Said in HTML</p>", text_plain="<IPython.core.display.HTML object>"),
                shown(text_latex="$$x^2$$", text_plain="<IPython.core.display.Latex object>"),
                shown(text_markdown="- *item*", text_plain="<IPython.core.display.Markdown object>"),
                shown(text_plain="<Figure size 640x480 with 1 Axes>"),
                shown(text_plain="<Axes: xlabel='a'>"),
                shown(text_html="<b>5</b>", text_plain="5 < 6"),
            )
        ]
    )
    assert [block.text for block in content.blocks[1:]] == [
        "Said in HTML",
        "$$x^2$$",
        "- item",
        "<Axes: xlabel='a'>",
        "5 < 6",
    ]
