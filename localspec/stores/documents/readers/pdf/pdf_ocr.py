"""Text recognition (OCR) of scanned PDF pages by tesseract, where it is installed. It gives each page back as a PDF
that holds the words where they stand in the picture, so that a scanned page is laid out like any other."""

from __future__ import annotations

import functools
import locale
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeAlias

from localspec.stores.documents.readers.content import Untyped

_DOTS_PER_INCH = 300
_MOST_PIXELS = 40_000_000
_SECONDS_PER_PAGE = 90.0  # photos of newspapers take 30; anything longer is no page of text
_MOST_LANGUAGES = 4  # each makes recognition slower
_LEAST_CONFIDENCE = 40.0  # mean of the words, percent: below it is what tesseract sees in photos
_NO_LANGUAGES = {"osd", "equ", "snum"}
_OF_SCRIPT = {
    "Arabic": ("ara", "fas"),
    "Cyrillic": ("rus", "ukr", "bul", "srp"),
    "Devanagari": ("hin", "mar", "nep"),
    "Fraktur": ("deu_latf", "frk"),
    "Greek": ("ell",),
    "Han": ("chi_sim", "chi_tra"),
    "Hangul": ("kor",),
    "Hebrew": ("heb",),
    "Japanese": ("jpn",),
    "Korean": ("kor",),
    "Thai": ("tha",),
}
_OF_CODE = {  # ISO 639-1, as in locales and PDFs, to the names of tesseract's files
    "ar": "ara",
    "bg": "bul",
    "cs": "ces",
    "da": "dan",
    "de": "deu",
    "el": "ell",
    "en": "eng",
    "es": "spa",
    "fa": "fas",
    "fi": "fin",
    "fr": "fra",
    "he": "heb",
    "hi": "hin",
    "hu": "hun",
    "it": "ita",
    "ja": "jpn",
    "ko": "kor",
    "nb": "nor",
    "nl": "nld",
    "no": "nor",
    "pl": "pol",
    "pt": "por",
    "ro": "ron",
    "ru": "rus",
    "sv": "swe",
    "th": "tha",
    "tr": "tur",
    "uk": "ukr",
    "vi": "vie",
    "zh": "chi_sim",
}


class Recognized(NamedTuple):
    """What became of a page: `pdf` holds its words; empty where it has none. None where there was no time for it."""

    page: int  # its index
    pdf: bytes | None


def find_tesseract() -> str | None:
    """The program's path, also where its installer for Windows puts it without telling PATH."""
    found = shutil.which("tesseract")
    if found is None and sys.platform == "win32":  # pragma: no cover
        usual = Path(os.environ.get("PROGRAMFILES", r"C:\Program Files")) / "Tesseract-OCR" / "tesseract.exe"
        found = str(usual) if usual.is_file() else None
    return found


def recognize(
    program: str, pdf: Untyped, indices: Sequence[int], seconds: float, *, language: str = ""
) -> Iterator[Recognized]:
    """Recognize these pages (by index) in turn, for so many seconds altogether. `language` is the document's own, as
    PDF names it ("de-DE")."""
    if not indices:
        return
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="localspec-ocr-") as folder:
        run = functools.partial(_run, program, Path(folder), deadline)
        installed = _installed(run)
        chosen: list[str] | None = None
        # PDFium draws in this thread alone; tesseract works beside it, and leaves half of the machine to others.
        workers = max(1, (os.cpu_count() or 2) // 2)
        waiting: deque[tuple[int, Future[bytes | None]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for index in indices:
                if time.monotonic() < deadline:
                    picture, dots = _picture(pdf, index)
                    if chosen is None:
                        chosen = _options(run, installed, picture, language)
                    waiting.append((index, pool.submit(_page, run, Path(folder), index, picture, dots, chosen)))
                else:
                    yield from _finished(waiting, 0)
                    yield Recognized(index, None)
                yield from _finished(waiting, workers)
            yield from _finished(waiting, 0)


def _finished(waiting: deque[tuple[int, Future[bytes | None]]], most: int) -> Iterator[Recognized]:
    while len(waiting) > most:
        index, result = waiting.popleft()
        yield Recognized(index, result.result())


Run: TypeAlias = Callable[..., "subprocess.CompletedProcess[bytes] | None"]
"""Runs tesseract with arguments and a picture; None where it failed or took too long."""


def _run(
    program: str, folder: Path, deadline: float, arguments: Sequence[str], picture: bytes = b""
) -> subprocess.CompletedProcess[bytes] | None:
    left = min(_SECONDS_PER_PAGE, deadline - time.monotonic())
    if left <= 0:
        return None
    nice = shutil.which("nice")
    command = [*([nice, "-n", "10"] if nice else []), program, *arguments]
    try:
        return subprocess.run(
            command,
            input=picture,
            capture_output=True,
            timeout=left,
            check=False,
            cwd=folder,
            # One thread a page: several pages at once are faster than several threads on one.
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except (subprocess.TimeoutExpired, OSError):
        return None


def _installed(run: Run) -> set[str]:
    done = run(["--list-langs"])
    lines = done.stdout.decode("utf-8", errors="replace").splitlines()[1:] if done is not None else []
    return {line.strip() for line in lines if line.strip()}


def _options(run: Run, installed: set[str], picture: bytes, language: str) -> list[str]:
    """Arguments that say which languages to look for, and whether to turn pages that lie on their side."""
    script = ""
    if "osd" in installed and len(installed - _NO_LANGUAGES) > _MOST_LANGUAGES:
        done = run(["stdin", "stdout", "--psm", "0", "--dpi", str(_DOTS_PER_INCH)], picture)
        said = done.stdout.decode("utf-8", errors="replace") if done is not None else ""
        script = said.partition("Script:")[2].partition("\n")[0].strip()
    names = languages(installed, script, [language, locale.getlocale()[0] or "", "en"])
    return [*(["-l", "+".join(names)] if names else []), "--psm", "1" if "osd" in installed else "3"]


def languages(installed: set[str], script: str, codes: Sequence[str]) -> list[str]:
    """Those to look for: all if they are few, else those of the script and of these codes ("de-DE")."""
    names = sorted(name for name in installed - _NO_LANGUAGES if "/" not in name)
    if len(names) <= _MOST_LANGUAGES:
        return names
    wanted = [*_OF_SCRIPT.get(script, ()), *(_OF_CODE.get(code[:2].lower(), "") for code in codes)]
    known = [name for name in dict.fromkeys(wanted) if name in names]
    return (known or names)[:_MOST_LANGUAGES]


def _page(run: Run, folder: Path, index: int, picture: bytes, dots: int, options: list[str]) -> bytes | None:
    arguments = ["stdin", f"page{index}", "--dpi", str(dots), *options, "-c", "textonly_pdf=1", "pdf", "tsv"]
    done = run(arguments, picture)
    words, found = folder / f"page{index}.tsv", folder / f"page{index}.pdf"
    try:
        if done is None:
            return None
        if done.returncode != 0 or not found.is_file() or not words.is_file():
            return b""
        confident = _confidence(words.read_text(encoding="utf-8", errors="replace")) >= _LEAST_CONFIDENCE
        return found.read_bytes() if confident else b""
    finally:
        words.unlink(missing_ok=True)
        found.unlink(missing_ok=True)


def _confidence(table: str) -> float:
    """Mean of the words' confidences, weighted by their letters; 0 without any. Column 11 of 12 holds them."""
    total = letters = 0.0
    for line in table.splitlines()[1:]:
        cells = line.split("\t")
        if len(cells) == 12 and (word := cells[11].strip()):
            total += max(0.0, float(cells[10])) * len(word)
            letters += len(word)
    return total / letters if letters else 0.0


def _picture(pdf: Untyped, index: int) -> tuple[bytes, int]:
    """A page in greys as PGM, and its dots per inch."""
    page = pdf[index]
    width, height = page.get_size()
    pixels = max(1.0, width * height) * (_DOTS_PER_INCH / 72) ** 2
    dots = max(50, int(_DOTS_PER_INCH * min(1.0, (_MOST_PIXELS / pixels) ** 0.5)))
    bitmap = page.render(scale=dots / 72, grayscale=True)
    rows = memoryview(bitmap.buffer).cast("B")
    width, height, stride = bitmap.width, bitmap.height, bitmap.stride
    packed = b"".join(rows[row * stride : row * stride + width] for row in range(height))
    bitmap.close()
    page.close()
    return b"P5 %d %d 255\n" % (width, height) + packed, dots
