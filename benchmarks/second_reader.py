"""How much of a PDF arrives, and in which order, against a second reader: pdftotext of poppler.

usage: python -m benchmarks.second_reader FILE.pdf … [--pages 400] [--lost 12]

Words are runs of letters, marks and digits after NFKC, in lower case; letters of scripts without blanks count one by
one. pdftotext writes a page twice: as it stands (-layout, which puts columns beside each other) and in its own order
of reading. What fits better stands for it, page by page; figures for -layout alone stand behind. Lines that come again
at the top or bottom of its pages, numbers of pages and dots that lead to them are taken out: ours keeps them once. A
word that a line breaks counts as whole or in parts, as ours has it.

kept: part of its words that ours has. extra: words of ours that it lacks, by its words (spans repeat theirs).
order: longest common subsequence of both, page by page, by its words.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import process_time
from typing import NamedTuple

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

_ALONE = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(f"[{_ALONE}]|[^\\s{_ALONE}]+")
_BREAK = re.compile(r"([^\W\d_]+)[-\u00ad\u2010]\s*\n\s*([^\W\d_]+)")
_COMPOUND = re.compile(r"([^\W\d_]+)[-\u2010]([^\W\d_]+)")
_EDGE_LINES = 3
_FEWEST_COPIES = 2


class Figures(NamedTuple):
    """What the comparison of a page or document gave."""

    words: int
    kept: int
    ordered: int
    lost: Counter[str]
    extra: Counter[str]


class _Letters(dict[int, str | int | None]):
    """Translates all but letters, marks and digits to blanks; soft hyphens to nothing. Accents alone are no letters."""

    def __missing__(self, code: int) -> str | int | None:
        kept = unicodedata.category(chr(code))[0] in "LMN" and not 0x2C6 <= code <= 0x2DD
        found: str | int | None = code if kept else None if chr(code) in "\u00ad\u200b\u200c\u200d\ufeff" else " "
        self[code] = found
        return found


_LETTERS = _Letters()


def words_of(text: str) -> list[str]:
    """Words of a text, in turn."""
    found = _WORD.findall(unicodedata.normalize("NFKC", text).lower().translate(_LETTERS))
    return [word for word in found if not unicodedata.combining(word[0]) or len(word) > 1]


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, by the bits of long numbers (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for number, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << number
    full = (1 << len(one)) - 1
    state = full
    for word in other:
        hits = state & places.get(word, 0)
        state = ((state + hits) | (state - hits)) & full
    return len(one) - state.bit_count()


def second_reading(path: Path, options: Sequence[str], last: int) -> list[str]:
    """pdftotext's text of each page."""
    command = ["pdftotext", "-l", str(last), "-enc", "UTF-8", *options, str(path), "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode("utf-8", errors="replace").split("\f")[:-1]


def without_running(pages: Sequence[str]) -> list[str]:
    """Pages without the lines at their edges that come again, but for their numbers."""
    copies = Counter(key for page in pages for key in {_key(line) for _, line in _edges(page.split("\n"))})
    found = []
    for number, page in enumerate(pages, 1):
        lines = page.split("\n")
        for place, line in _edges(lines):
            key = _key(line)
            is_number = re.fullmatch(r"[ivxlc]+", key) or (line.strip().isdecimal() and abs(int(line) - number) < 90)
            if copies[key] >= _FEWEST_COPIES or is_number:
                lines[place] = ""
        found.append("\n".join(lines))
    return found


def _key(line: str) -> str:
    """A line with numbers as '#': what is the same on several pages."""
    return re.sub(r"\d+", "#", " ".join(line.split())).lower()


def _edges(lines: Sequence[str]) -> list[tuple[int, str]]:
    shown = [place for place, line in enumerate(lines) if line.strip()]
    return [(place, lines[place]) for place in sorted({*shown[:_EDGE_LINES], *shown[-_EDGE_LINES:]})]


def compared(ours: str, theirs: str) -> Figures:
    """Figures of one page."""
    known = set(words_of(ours))
    theirs = _BREAK.sub(lambda match: match[1] + ("" if _whole(match) in known else "-") + match[2], theirs)
    expected = _whole_words(words_of(theirs), known)
    wanted = set(expected)
    ours = _COMPOUND.sub(lambda match: match[1] + ("" if _whole(match) in wanted - known else "-") + match[2], ours)
    found = words_of(ours)
    lost = Counter(expected) - Counter(found)
    extra = Counter(found) - Counter(expected)
    return Figures(len(expected), len(expected) - lost.total(), common(expected, found), lost, extra)


def _whole_words(words: list[str], known: set[str]) -> list[str]:
    """Words with those whole that the second reader writes letter by letter ("s p a c e d") and ours as one."""
    found = []
    start = 0
    while start < len(words):
        end = start
        while (
            end < len(words)
            and len(words[end]) < 4
            and not re.fullmatch(f"[{_ALONE}]", words[end])
            and end - start < 40
        ):
            end += 1
        while end - start > 2 and not (
            (whole := "".join(words[start:end])) in known and whole.isalpha() and len(whole) > 3
        ):
            end -= 1
        end = end if end - start > 2 else start + 1
        found.append("".join(words[start:end]))
        start = end
    return found


def _whole(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[1] + match[2]).lower()


def total(figures: Sequence[Figures]) -> Figures:
    """Figures of several pages or documents together."""
    return Figures(
        sum(one.words for one in figures),
        sum(one.kept for one in figures),
        sum(one.ordered for one in figures),
        sum((one.lost for one in figures), Counter[str]()),
        sum((one.extra for one in figures), Counter[str]()),
    )


def measured(path: Path, last: int) -> tuple[list[Figures], list[Figures], float]:
    """Figures page by page: the better ones, those for -layout alone, and pages read per second of CPU."""
    begun = process_time()
    content = read_pdf(path, ParseLimits())
    seconds = process_time() - begun
    texts: dict[int, list[str]] = {}
    for block in content.blocks:
        texts.setdefault(block.page or 0, []).append(block.text)
    layout = without_running(second_reading(path, ["-layout"], last))
    flowing = without_running(second_reading(path, [], last))
    best, strict = [], []
    for number, (one, other) in enumerate(zip(layout, flowing, strict=True), 1):
        ours = "\n".join(texts.get(number, []))
        figures = [compared(ours, one), compared(ours, other)]
        best.append(max(figures, key=lambda each: (each.kept + each.ordered) / (2 * each.words or 1)))
        strict.append(figures[0])
    return best, strict, (content.pages or 0) / (seconds or 1.0)


def _line(name: str, best: Figures, strict: Figures, speed: float) -> str:
    words = best.words or 1
    return (
        f"{name:<40} {best.words:>8} words  kept {best.kept / words:.4f}  order {best.ordered / words:.4f}  "
        f"extra {best.extra.total() / words:.4f}  (-layout {strict.kept / (strict.words or 1):.4f} "
        f"{strict.ordered / (strict.words or 1):.4f})  {speed:.0f} pages/s"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--pages", type=int, default=400, help="the most that is compared of each file")
    parser.add_argument("--lost", type=int, default=12, help="words named that were lost, and pages out of order")
    options = parser.parse_args()
    if shutil.which("pdftotext") is None:
        sys.exit("pdftotext is missing. Install poppler-utils.")
    every: list[tuple[Figures, Figures]] = []
    for path in options.files:
        best, strict, speed = measured(path, options.pages)
        every.append((total(best), total(strict)))
        print(_line(path.name, *every[-1], speed), flush=True)
        if options.lost:
            pages = sorted((one.ordered / one.words, number) for number, one in enumerate(best, 1) if one.words > 20)
            worst = [f"{number}: {share:.2f}" for share, number in pages[: options.lost] if share < 0.98]
            print(
                "    lost:", " ".join(f"{word}×{count}" for word, count in every[-1][0].lost.most_common(options.lost))
            )
            print("    extra:", " ".join(f"{word}×{n}" for word, n in every[-1][0].extra.most_common(options.lost)))
            print("    least ordered pages:", ", ".join(worst))
    print(_line("together", total([one for one, _ in every]), total([one for _, one in every]), 0))


if __name__ == "__main__":
    main()
