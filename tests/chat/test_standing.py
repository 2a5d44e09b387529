"""What is told of documents that a chat cites and that are gone, or say something else now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localspec.application.chats import Chat
from localspec.chat.standing import told
from localspec.chat.transfer import as_markdown
from localspec.stores.library import Library
from localspec.stores.stored_turns import Citation, StoredConversation, StoredTurn
from tests.stores.libraries import open_library


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    opened = open_library(tmp_path / "stores" / "lamps")
    yield opened
    opened.close()


def cited(library: Library, path: Path, text: str) -> StoredTurn:
    """A turn that cites the first passage of a document."""
    path.write_text(text, encoding="utf-8")
    document = library.add(path)
    library.ingest()
    passage = library.passages.of(document.id)[0]
    made = Citation(2, document.name, None, "", passage.text, passage.id)
    return StoredTurn(
        "How?", "How?", "So [2].", finish="end", asked="2026-01-01T00:00:00+00:00", library=library.identity,
        given=(made,), citations=[made],
    )  # fmt: skip


def test_old_chats_tell_of_documents_that_are_gone_or_changed(library: Library, tmp_path: Path) -> None:
    turn = cited(library, tmp_path / "lamp.txt", "The lamp is cleaned with vinegar.")
    other = cited(library, tmp_path / "boat.txt", "The boat costs 12 crowns.")
    kept = StoredConversation("The lamp", "lamps", (turn, other), "2026-01-01T00:00:00+00:00")
    assert told(kept.turns) == [(), ()]
    assert "removed" not in "".join(as_markdown([kept]))

    lamp, boat = (document.id for document in library.documents())
    library.remove(lamp)
    (tmp_path / "boat.txt").write_text("The boat costs 15 crowns.")
    library._table.replace(boat, tmp_path / "boat.txt")
    library.ingest()
    (removed,), (changed,) = told(kept.turns)
    assert removed == "lamp.txt was removed from the library; [2] is as saved in the chat."
    assert changed == "boat.txt has changed since; [2] is as saved in the chat."
    text = "".join(as_markdown([kept]))
    assert removed in text
    assert changed in text
    chat = Chat.restored(1, kept)
    assert [exchange.view.notices for exchange in chat.exchanges if exchange.view] == [(removed,), (changed,)]
    assert [turn.notices for turn in chat.turns] == [[], []], "what is told is not kept"


def test_nothing_is_told_where_the_library_is_not_here(library: Library, tmp_path: Path) -> None:
    turn = cited(library, tmp_path / "lamp.txt", "The lamp is cleaned with vinegar.")
    library.remove(library.documents()[0].id)
    turn.library = "another library"
    assert told([turn, StoredTurn("Hello?", "Hello?", "Hello.")]) == [(), ()]
