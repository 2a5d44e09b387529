"""What became of the documents that a chat cites: told where the chat is shown and exported."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from localspec import config, texts
from localspec.errors import LocalSpecError
from localspec.stores.naming import list_libraries
from localspec.stores.overview import Standing, library_identity, standings
from localspec.stores.stored_turns import Citation, PlainTurn

_logger = logging.getLogger(__name__)


def told(turns: Sequence[PlainTurn]) -> list[tuple[str, ...]]:
    """For each turn, sentences about the cited documents that were removed from its library or changed since; none
    where the library is not here."""
    folders = _folders({turn.library for turn in turns if turn.library and turn.citations})
    return [
        _sentences(turn.citations, _standings(folders[turn.library], turn)) if turn.library in folders else ()
        for turn in turns
    ]


def _folders(identities: Iterable[str]) -> dict[str, Path]:
    """Where the libraries of these identities lie."""
    wanted, found = {*identities}, {}
    if wanted:
        for name in list_libraries(config.stores_folder()):
            folder = config.stores_folder() / name
            try:
                identity = library_identity(folder)
            except LocalSpecError as error:
                _logger.debug("Not looked into: %s", error)
                continue
            if identity in wanted:
                found[identity] = folder
    return found


def _standings(folder: Path, turn: PlainTurn) -> list[Standing]:
    try:
        return standings(folder, [(citation, turn.asked) for citation in turn.citations])
    except LocalSpecError as error:
        _logger.warning("What became of the cited documents is not known: %s", error)
        return []


def _sentences(citations: Sequence[Citation], found: Sequence[Standing]) -> tuple[str, ...]:
    said = []
    for standing, sentence in (("removed", texts.CITED_REMOVED), ("changed", texts.CITED_CHANGED)):
        numbers: dict[str, list[int]] = {}
        for citation, what in zip(citations, found, strict=False):
            if what == standing and citation.source:
                numbers.setdefault(citation.file, []).append(citation.number)
        for file, those in numbers.items():
            said.append(sentence.format(file=file, numbers=", ".join(f"[{number}]" for number in sorted(those))))
    return tuple(said)
