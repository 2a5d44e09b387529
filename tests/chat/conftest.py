"""Real parts for the tests of the chat: the model that is shipped, the embedder, and libraries of generated PDFs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localspec.chat.engine import Engine
from localspec.chat.library_setup import ingest
from localspec.models.decode_times import MeasuredDecodeTimes
from localspec.models.embedder import Embedder
from localspec.models.llama import LoadSettings
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.cost import ThroughputAverage
from localspec.stores.library import Library
from tests.builders import make_pdf
from tests.measurements import measurements

CONTEXT = 2048

HARBOUR = (
    "The Harbour of Velm\n\nThe lighthouse of Velm was built in 1874 by Ada Torrent. It stands on a cliff of red "
    "granite and is forty metres tall.",
    "Tides\n\nThe tide at Velm rises by nine metres in spring. Ships enter the harbour only at high water, guided by "
    "the pilot Jonas Reed.",
)

TOWNS = (
    "Abelin", "Borsk", "Cantavo", "Dremel", "Eskuri", "Farnow", "Gellick", "Hadria", "Isolde", "Jorvan", "Kestrel",
    "Lumena", "Morvek", "Nadira", "Ostrava", "Pellinor", "Quendel", "Rostova", "Sarnath", "Tivoli", "Ulmeren",
    "Vandor", "Westmark", "Xanten", "Yarrow", "Zelkova", "Arkona", "Belmora", "Corvino", "Dunmore", "Elbrus",
    "Fenwick", "Galdur", "Hollin", "Istria", "Jandor", "Kolvik", "Lorient", "Mirren", "Norvik",
)  # fmt: skip
CRAFTS = ("glass", "copper kettles", "woollen blankets", "violins", "clocks", "paper", "saddles", "candles")


def town(number: int) -> str:
    """What the long document says about one town."""
    name, craft = TOWNS[number], CRAFTS[number % len(CRAFTS)]
    return (
        f"The town of {name}\n\n{name} was founded in {1200 + 7 * number} and lies {11 + 3 * number} kilometres from "
        f"the coast. Its people make {craft}, which merchants carry over the pass in summer. The council of {name} "
        f"meets on the {number % 9 + 2}th day of each month in a hall with {number + 3} windows."
    )


def opened(folder: Path, engine: Engine, embedder: Embedder) -> Library:
    """A library in `folder` with the engine's tokenizer."""
    return Library(
        folder,
        tokenizer_fingerprint=engine.tokenizer_fingerprint,
        tokenize=engine.tokenize,
        embedder=embedder,
        state_reader=engine.state_reader,
    )


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that takes the place of the checkout."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def engine(home: Path) -> Iterator[Engine]:
    """The shipped model, in one thread: two wait for each other wherever something else runs besides the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(measurements.lend(home)))
        loaded = Engine("", LoadSettings(context=CONTEXT, threads=1))
    yield loaded
    loaded.close()


class CheapRows(MeasuredDecodeTimes):
    """A computer on which a further row costs a hundredth of a decode, whatever else it is busy with."""

    def __init__(self) -> None:
        super().__init__({256: {1: 0.02, 64: 0.0326}})

    def observe(self, rows: int, cached: int, seconds: float, *, changed: bool = False) -> None:
        """Stay as it is."""


@pytest.fixture
def drafting_pays(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that need drafts: neither this computer's rows nor earlier tests decide whether any are made."""
    monkeypatch.setattr(engine, "times", CheapRows())
    monkeypatch.setattr(engine, "throughput", ThroughputAverage())
    monkeypatch.setattr(engine, "acceptance", Acceptance())


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The shipped embedder."""
    return Embedder()


@pytest.fixture(scope="session")
def harbour(tmp_path_factory: pytest.TempPathFactory, engine: Engine, embedder: Embedder) -> Iterator[Library]:
    """A library of one short PDF of two pages. Tests only read it."""
    folder = tmp_path_factory.mktemp("harbour")
    library = opened(folder / "library", engine, embedder)
    assert ingest(library, [make_pdf(folder / "harbour.pdf", HARBOUR)], lambda text: None) == []
    yield library
    library.close()


@pytest.fixture(scope="session")
def towns(tmp_path_factory: pytest.TempPathFactory, engine: Engine, embedder: Embedder) -> Iterator[Library]:
    """A library of one PDF of 40 pages, too long to be read whole. Tests only read it."""
    folder = tmp_path_factory.mktemp("towns")
    library = opened(folder / "library", engine, embedder)
    pages = [town(number) for number in range(len(TOWNS))]
    assert ingest(library, [make_pdf(folder / "towns.pdf", pages)], lambda text: None) == []
    yield library
    library.close()


@pytest.fixture
def make_library(tmp_path: Path, engine: Engine, embedder: Embedder) -> Iterator[Callable[[list[Path]], Library]]:
    """Makes libraries of a test's own, filled from files."""
    made: list[Library] = []

    def make(files: list[Path]) -> Library:
        library = opened(tmp_path / f"library-{len(made)}", engine, embedder)
        made.append(library)
        assert ingest(library, files, lambda text: None) == []
        return library

    yield make
    for library in made:
        library.close()
