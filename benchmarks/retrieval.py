"""Is the passage that answers a question among the five that search finds, in eight languages?

usage: python -m benchmarks.retrieval --faq FOLDER --templates FOLDER [--embedder words|NAME …] [--work FOLDER]

200 questions in our own words (benchmarks/data/retrieval_questions.json), 25 a language: English, German, French,
Russian, Chinese and Japanese about the sections of the Debian FAQ, Hindi and Thai about what Debian's installer and
packages ask. The texts are not ours and not in the repository; Debian's packages have them:

    apt-get download debian-faq debian-faq-{de,fr,ru,zh-cn,ja}     # dpkg-deb -x each into X,
                                                                    # --faq X/usr/share/doc/debian/FAQ
    apt-get download keyboard-configuration console-setup debconf popularity-contest tasksel exim4-config samba-common
                                                                    # dpkg-deb -e each into Y/PACKAGE; --templates Y
    and of main/debian-installer: base-installer partman-base partman-auto partman-auto-lvm partman-crypto partman-lvm
    partman-md pkgsel                                               # likewise into Y

With --help-pages, ten more questions in each of the first four languages, on which nothing of the search was chosen,
are asked of the GNOME desktop's help (package gnome-user-docs, usr/share/help).

Every language is a library of one document, cut and searched as a person's are. `words` is the search without vectors,
in passages cut for the built-in model; any other name is an embedding model (`embedders list`). A passage is right when
it holds a part of the section or template that the question is about. Of 8 questions a language that nothing of it
answers, it is counted how many are told to be about something else. The last line is JSON.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder
from localspec.models.embedder_catalogue import embedder_entry
from localspec.stores.documents.passage_vectors import EmbedderLike
from localspec.stores.library import Library

_QUESTIONS = Path(__file__).with_name("data") / "retrieval_questions.json"
_FAQ = {
    "english": "*.en.html",
    "german": "de/*.html",
    "french": "fr/*.html",
    "russian": "ru/*.html",
    "chinese": "zh-cn/*.html",
    "japanese": "ja/*.html",
}
_TEMPLATES = {"hindi": "hi", "thai": "th"}
_HELP = {"english": "C", "german": "de", "french": "fr", "russian": "ru"}
_MALLARD = "{http://projectmallard.org/1.0/}"
_HEADING = re.compile(r'<h[1-5] class="title"[^>]*>\s*<a id="([^"]+)"></a>(.*?)</h[1-5]>', re.DOTALL)
_BLOCK_ENDS = re.compile(r"</(?:p|li|dt|dd|pre|tr|div)>", re.IGNORECASE)
_CHUNK = 25
"""Characters of a section that make a passage one of its own."""
WITHIN = 5
WORDS = "words"


class NoEmbedder:
    """Leaves the search to the words, in passages that are cut as for the built-in model."""

    fingerprint = ""
    dimension = 1
    languages: tuple[str, ...] = ()
    relevance = None

    def __init__(self) -> None:
        self._ruler = Embedder()
        self.longest = self._ruler.longest
        self.count_tokens = self._ruler.count_tokens

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Raises EmbedderError."""
        raise EmbedderError("There is no embedding model here.")

    embed_questions = embed


def faq_sections(folder: Path, pattern: str) -> dict[str, tuple[str, str]]:
    """Title and text of each section of the FAQ, by its id, which is the same in every language."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted(folder.glob(pattern)):
        parts = _HEADING.split(file.read_text(encoding="utf-8"))
        for name, title, body in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            text = _plain(body)
            if text:
                found[name] = (re.sub(r"\s+", " ", _plain(title)), text)
    return found


def _plain(markup: str) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", "", _BLOCK_ENDS.sub("\0", markup)))
    return "\n\n".join(line for part in text.split("\0") if (line := re.sub(r"\s+", " ", part).strip()))


def template_sections(folder: Path, language: str) -> dict[str, tuple[str, str]]:
    """Title and text of each template that has a description in a language, by its name."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted(folder.glob("*/templates")):
        for block in file.read_text(encoding="utf-8").split("\n\n"):
            fields: dict[str, list[str]] = {}
            lines: list[str] = []
            for line in block.splitlines():
                if line.startswith(" "):
                    lines.append(line[1:])
                elif ":" in line:
                    name, _, value = line.partition(":")
                    lines = fields.setdefault(name, [])
                    lines.append(value.strip())
            told = fields.get(f"Description-{language}.UTF-8", [])
            if len(told) > 1:
                text = "\n\n".join(" ".join(told[1:]).split(" . "))
                found["".join(fields["Template"])] = (told[0], text)
    return found


def help_sections(folder: Path, language: str) -> dict[str, tuple[str, str]]:
    """Title and text of each page of the desktop's help, by its name."""
    found = {}
    for file in sorted((folder / language / "gnome-help").glob("*.page")):
        root = ElementTree.parse(file).getroot()
        for info in root.iter(f"{_MALLARD}info"):
            info.clear()
        title = root.find(f"{_MALLARD}title")
        parts = [part for kind in ("title", "p") for part in root.iter(f"{_MALLARD}{kind}") if part is not title]
        order = {part: number for number, part in enumerate(root.iter())}
        lines = [_spaced("".join(part.itertext())) for part in sorted(parts, key=lambda part: order[part])]
        if title is not None and any(lines):
            found[file.stem] = (_spaced("".join(title.itertext())), "\n\n".join(filter(None, lines)))
    return found


def _spaced(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def is_of(passage: str, section: str) -> bool:
    """Whether a passage holds a part of a section."""
    held, wanted = (re.sub(r"\s+", "", text) for text in (passage, section))
    starts = range(0, max(1, len(wanted) - _CHUNK), _CHUNK)
    return any(wanted[start : start + _CHUNK] in held for start in starts)


def filled(folder: Path, sections: dict[str, tuple[str, str]], embedder: EmbedderLike) -> Library:
    """The library of one language, indexed."""
    library = Library(
        folder / "library",
        tokenizer_fingerprint="bytes",
        tokenize=lambda text: np.frombuffer(text.encode(), np.uint8).astype(np.int32),
        embedder=embedder,
    )
    if not library.documents():
        source = folder / "text.md"
        source.write_text("".join(f"## {title}\n\n{text}\n\n" for title, text in sections.values()), encoding="utf-8")
        library.add(source)
    if not isinstance(embedder, NoEmbedder) and library.rebuild_needed():
        library.rebuild()
    try:
        library.ingest()
    except EmbedderError:
        if not isinstance(embedder, NoEmbedder):
            raise
    return library


def measured(
    library: Library, sections: dict[str, tuple[str, str]], questions: dict[str, str], unrelated: Sequence[str]
) -> dict[str, Any]:
    """What a library finds of its questions."""
    missed, scores, told = [], [], []
    answered = 0
    for name, question in questions.items():
        found = library.passages.look_up(question, WITHIN)
        scores.append((found.similarity, found.coverage))
        answered += found.is_relevant
        if not any(is_of(passage.text, sections[name][1]) for passage in found.passages):
            missed.append(name)
    for question in unrelated:
        found = library.passages.look_up(question, WITHIN)
        told.append((found.similarity, found.coverage))
    return {
        "found": 1 - len(missed) / len(questions),
        "about": answered / len(questions),
        "unrelated_told": sum(not library.passages.look_up(question).is_relevant for question in unrelated)
        / len(unrelated),
        "passages": sum(document.passages for document in library.documents()),
        "missed": missed,
        "scores": scores,
        "unrelated_scores": told,
    }


def _texts(options: argparse.Namespace) -> Iterator[tuple[str, str, dict[str, tuple[str, str]]]]:
    """Each text: the set of its questions, its language, its sections."""
    for language in options.language:
        if language in _FAQ:
            yield "questions", language, faq_sections(options.faq, _FAQ[language])
        else:
            yield "questions", language, template_sections(options.templates, _TEMPLATES[language])
        if options.help_pages and language in _HELP:
            yield "help", language, help_sections(options.help_pages, _HELP[language])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faq", type=Path, required=True)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--help-pages", type=Path)
    parser.add_argument("--embedder", nargs="+", default=[WORDS, "all-minilm-l6-v2"])
    parser.add_argument("--language", nargs="+", default=[*_FAQ, *_TEMPLATES])
    parser.add_argument("--work", type=Path, help="keep the libraries there, for the next time")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    options = parser.parse_args()
    asked = json.loads(_QUESTIONS.read_text(encoding="utf-8"))
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.embedder:
            embedder: EmbedderLike = NoEmbedder() if name == WORDS else Embedder.of(embedder_entry(name))
            for kind, language, sections in _texts(options):
                folder = (options.work or Path(temporary)) / name / kind / language
                folder.mkdir(parents=True, exist_ok=True)
                library = filled(folder, sections, embedder)
                found = measured(library, sections, asked[kind][language], asked["unrelated"][language])
                library.close()
                figures.setdefault(name, {})[f"{language}{'' if kind == 'questions' else ' (help)'}"] = found
                sys.stderr.write(
                    f"{name:24} {kind:9} {language:9} {found['passages']:4} passages: {found['found']:4.0%} among"
                    f" {WITHIN}, {found['about']:4.0%} about, {found['unrelated_told']:4.0%} of others told"
                    f"  missed: {' '.join(found['missed'])}\n"
                )
    if options.json:
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    short = {name: {one: round(found["found"], 3) for one, found in all_.items()} for name, all_ in figures.items()}
    sys.stdout.write(json.dumps(short) + "\n")


if __name__ == "__main__":
    main()
