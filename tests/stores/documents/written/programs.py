"""Makes the files of tests/data/documents/written, each with a program that is no library of Python. Run it from the
folder of the repository as `python -m tests.stores.documents.written.programs [part of a name]` where soffice, pandoc,
pdflatex, ssconvert and Chromium are installed, and the Noto fonts (Debian: fonts-noto-core, fonts-noto-cjk)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.stores.documents.written import content, flat, flat_sheets, sources
from tests.stores.documents.written.printing import printed

WRITTEN = Path(__file__).parents[3] / "data" / "documents" / "written"


def run(*command: str, folder: Path, text: str = "") -> str:
    """What a program writes to its standard output. Raises CalledProcessError."""
    return subprocess.run(command, input=text, cwd=folder, check=True, capture_output=True, text=True).stdout


def by_libreoffice(source: Callable[[], str], flat_suffix: str, target: Path, folder: Path) -> None:
    """LibreOffice opens a flat file and saves it as what the target's name says."""
    (folder / f"source.{flat_suffix}").write_text(source(), encoding="utf-8")
    home = f"-env:UserInstallation=file://{folder}/home"
    suffix = target.suffix.removeprefix(".")
    run("soffice", home, "--headless", "--convert-to", suffix, f"source.{flat_suffix}", folder=folder)
    shutil.move(folder / f"source.{suffix}", target)


def by_gnumeric(target: Path, folder: Path) -> None:
    """Gnumeric opens the workbook that LibreOffice saved, and saves it as its own."""
    by_libreoffice(flat_sheets.workbook, "fods", folder / "book.ods", folder)
    run("ssconvert", "book.ods", str(target), folder=folder)


def by_pandoc(target: Path, folder: Path) -> None:
    """pandoc reads Markdown, and the table with spans from HTML."""
    extra = "-smart" if target.suffix != ".docx" else ""
    is_talk = target.name.startswith("talk")
    source = sources.talk() if is_talk else sources.markdown(changes=target.suffix == ".docx")
    read = run("pandoc", "-f", f"markdown{extra}", "-t", "json", folder=folder, text=source)
    document = json.loads(read)
    table = sources.html_table(content.MAINS, content.MAINS_HEADERS, content.MAINS_TITLE)
    blocks = json.loads(run("pandoc", "-f", "html", "-t", "json", folder=folder, text=table))["blocks"]
    at = next(n for n, block in enumerate(document["blocks"]) if sources.SPANS_HERE in json.dumps(block))
    document["blocks"][at : at + 1] = blocks
    form = {".md": ("-t", "gfm"), ".txt": ("-t", "plain")}.get(target.suffix, ())
    form = ("-t", "markdown") if target.stem.endswith("-own") else form
    run("pandoc", "-f", "json", *form, "-s", "-o", str(target), folder=folder, text=json.dumps(document))


def by_latex(columns: int, target: Path, folder: Path) -> None:
    """pdflatex, twice for the widths of the long table."""
    (folder / "source.tex").write_text(sources.latex(columns=columns), encoding="utf-8")
    for _ in range(3):
        run("pdflatex", "-interaction=batchmode", "-halt-on-error", "source.tex", folder=folder)
    shutil.move(folder / "source.pdf", target)


def by_chromium(columns: int, target: Path, folder: Path) -> None:
    """Chromium prints a page, with a part of the fonts in the file."""
    printed(folder / "source.pdf", sources.page(columns=columns))
    shutil.move(folder / "source.pdf", target)


MADE: dict[str, Callable[[Path, Path], None]] = {
    **{
        f"handbook-libreoffice.{suffix}": partial(by_libreoffice, flat.handbook, "fodt")
        for suffix in ("docx", "odt", "rtf", "html", "epub", "pdf")
    },
    **{
        f"workbook-libreoffice.{suffix}": partial(by_libreoffice, flat_sheets.workbook, "fods")
        for suffix in ("xlsx", "ods", "html", "csv")
    },
    "workbook-gnumeric.xlsx": by_gnumeric,
    "workbook-gnumeric.ods": by_gnumeric,
    **{
        f"talk-libreoffice.{suffix}": partial(by_libreoffice, flat_sheets.talk, "fodp")
        for suffix in ("pptx", "odp", "pdf")
    },
    **{
        f"handbook-pandoc.{suffix}": by_pandoc
        for suffix in ("docx", "odt", "rtf", "html", "epub", "ipynb", "md", "txt", "rst")
    },
    "handbook-pandoc-own.md": by_pandoc,
    "talk-pandoc.pptx": by_pandoc,
    "handbook-tex.pdf": partial(by_latex, 1),
    "handbook-tex-columns.pdf": partial(by_latex, 2),
    "handbook-chromium.pdf": partial(by_chromium, 1),
}


def main(wanted: str = "") -> None:
    """Make the files whose names hold `wanted`."""
    WRITTEN.mkdir(parents=True, exist_ok=True)
    for name, make in MADE.items():
        if wanted in name:
            with tempfile.TemporaryDirectory() as folder:
                make(WRITTEN / name, Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
