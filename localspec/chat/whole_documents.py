"""Documents that are read whole because the person wants it: all of their text, or none and the reason why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from localspec.errors import ContextTooLongError, SettingsError
from localspec.stores.library import DocumentInfo, Library

FRAME = 8
"""Tokens around a text: a line that names it, and empty lines."""
_ROUND = 512
"""A context length that is advised is a multiple of this."""
_NAMED = 3
_READ = ("ngrams", "ready")


def wanted(library: Library | None, ids: Sequence[int]) -> tuple[list[DocumentInfo], list[str]]:
    """The documents of these ids, or all that can be read where none is named, and what is to be said about others.

    Raises SettingsError when one that was named is gone, failed, or is not read yet, and when there is none at all.
    """
    documents = library.documents() if library is not None else []
    if not ids:
        ready = [info for info in documents if _is_read(info)]
        if not ready:
            waiting = any(info.status not in (*_READ, "failed") for info in documents)
            said = "The documents are still being read." if waiting else "There is no document to read whole."
            raise SettingsError(said, "Try again in a moment." if waiting else "Add one, or ask without.")
        return ready, [f"Not in this answer: {_why(info)}" for info in documents if not _is_read(info)]
    known = {info.id: info for info in documents}
    found = []
    for identity in ids:
        info = known.get(identity)
        if info is None:
            raise SettingsError(
                "The document to read whole is not in this library any more.", "Choose another, or the best passages."
            )
        if not _is_read(info):
            raise SettingsError(_why(info), "Choose another document, or the best passages.")
        found.append(info)
    return found, []


def needed(documents: Sequence[DocumentInfo], known: Collection[int], count: Callable[[str], int]) -> int:
    """Tokens of those documents that the prompt does not hold already."""
    return sum(info.tokens + count(info.name) + FRAME for info in documents if info.id not in known)


def too_long(documents: Sequence[DocumentInfo], needs: int, room: int, size: int, longest: int) -> ContextTooLongError:
    """That these documents, which need `needs` tokens, do not fit in the `room` there is in a context of `size`, and
    what can be done about it. `longest` is the longest context that the model was made for."""
    names = ", ".join(info.name for info in documents[:_NAMED])
    if len(documents) > _NAMED:
        names = f"{names} and {len(documents) - _NAMED:,} more"
    verb = "needs" if len(documents) == 1 else "need"
    whole = "whole document" if len(documents) == 1 else "whole documents"
    least = -(-(needs + size - max(0, room)) // _ROUND) * _ROUND
    ways = []
    if least <= longest:
        ways.append(f"load the model with a context length of {least:,} or more")
    if len(documents) > 1:
        ways.append("choose a single document")
    ways.append("ask with the best passages instead")
    limit = f" This model reads {longest:,} tokens at most." if least > longest else ""
    advice = f"{', or '.join([', '.join(ways[:-1]), ways[-1]]) if len(ways) > 1 else ways[0]}."
    return ContextTooLongError(
        f"Too long to be read whole: {names} {verb} {needs:,} tokens, and there is room for {max(0, room):,} of the"
        f" context's {size:,}; the rest is for the question, its answer and the instructions. Nothing of the {whole}"
        f" was sent.{limit}",
        advice[0].upper() + advice[1:],
    )


def _is_read(info: DocumentInfo) -> bool:
    return info.status in _READ and info.passages > 0 and info.tokens > 0


def _why(info: DocumentInfo) -> str:
    """Why a document cannot be read whole now."""
    if info.status == "failed":
        return info.reason or f"{info.name} could not be read."
    if info.status in _READ:
        return f"{info.name} holds no text."
    return f"{info.name} is still being read."
