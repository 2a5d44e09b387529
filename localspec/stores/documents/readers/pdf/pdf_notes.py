"""The annotations of a PDF's page as texts: who noted what, and about which words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localspec.stores.documents.readers.content import Untyped
from localspec.stores.documents.readers.encodings import one_line, tidy
from localspec.stores.documents.readers.pdf.pdf_annotations import Annotation, FormField

_QUOTED_CHARACTERS = 300
_DEEPEST = 30  # replies to replies


def typed(found: Sequence[Annotation]) -> list[FormField]:
    """Texts that stand openly on the page, as fields: people fill in forms with them. `export` is who typed."""
    import pypdfium2.raw as pdfium

    return [
        FormField("typed", note.box, "", "", note.text, False, _intro("Note", note.author, ""))
        for note in found
        if note.subtype == pdfium.FPDF_ANNOT_FREETEXT and note.answers is None
    ]


def note_texts(text_page: Untyped, found: Sequence[Annotation]) -> list[str]:
    """All others from top to bottom, each with the words that it marks, and with the replies to it behind it."""
    import pypdfium2.raw as pdfium

    numbers = {note.number for note in found}
    first = [note for note in found if note.answers is None or note.answers not in numbers]
    first.sort(key=lambda note: (-note.box.top, note.box.left))
    texts: list[str] = []
    for note in first:
        if note.subtype != pdfium.FPDF_ANNOT_FREETEXT or note.answers is not None:
            marked = _marked(text_page, note)
            if marked and "".join(marked.split()) == "".join(note.text.split()):
                texts.append(_intro("Marked", note.author, "") + f' "{marked}"')
            else:
                texts.append(f"{_intro('Note', note.author, marked)} {note.text}")
        texts += [f"{_intro('Reply', reply.author, '')} {reply.text}" for reply in _replies(found, note, _DEEPEST)]
    return texts


def _replies(found: Sequence[Annotation], note: Annotation, deepest: int) -> Iterator[Annotation]:
    for reply in found:
        if reply.answers == note.number and reply.number != note.number:
            yield reply
            if deepest:
                yield from _replies(found, reply, deepest - 1)


def _intro(word: str, author: str, marked: str) -> str:
    by = f" by {author}" if author else ""
    about = f' on "{marked}"' if marked else ""
    return f"{word}{by}{about}:"


def _marked(text_page: Untyped, note: Annotation) -> str:
    """The words under a highlight and the like."""
    parts = []
    for box in note.quads[:50]:
        # A quarter of the height off: quadrilaterals touch the neighbouring lines.
        rim = (box.top - box.bottom) / 4
        parts.append(text_page.get_text_bounded(box.left, box.bottom + rim, box.right, box.top - rim))
    marked = one_line(tidy(" ".join(parts)))
    return marked if len(marked) <= _QUOTED_CHARACTERS else marked[: _QUOTED_CHARACTERS - 1] + "…"
