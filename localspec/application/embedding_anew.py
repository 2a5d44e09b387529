"""What it takes to use another embedding model: the libraries whose passages get new vectors, and how long that is."""

from __future__ import annotations

from dataclasses import dataclass

from localspec import config
from localspec.errors import StoreError
from localspec.models.embedder_catalogue import EmbedderEntry
from localspec.stores.library import list_libraries
from localspec.stores.overview import overview


@dataclass(frozen=True, slots=True)
class LibraryWork:
    """A library with passages, or one that cannot be read."""

    library: str
    passages: int
    seconds: float  # an estimate
    problem: str = ""


def work_of(entry: EmbedderEntry) -> list[LibraryWork]:
    """What the model would have to embed, by library."""
    stores = config.stores_folder()
    found = []
    for library in list_libraries(stores):
        try:
            passages = overview(stores / library).passages
        except StoreError as error:
            found.append(LibraryWork(library, 0, 0.0, str(error)))
            continue
        if passages:
            found.append(LibraryWork(library, passages, passages / entry.per_second))
    return found
