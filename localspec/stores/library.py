"""A person's document library: one folder with copies of the files, one database, and caches that can be remade."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec.errors import EmbedderError, StoreError
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.blocks import Block
from localspec.stores.documents.document_table import DOCUMENT_MIGRATIONS, DocumentInfo, DocumentTable, read_document
from localspec.stores.documents.file_store import FileStore
from localspec.stores.documents.folders import WATCHING_MIGRATIONS, FolderInfo
from localspec.stores.documents.passage_texts import PASSAGE_MIGRATIONS
from localspec.stores.documents.passage_vectors import EmbedderLike, PassageVectors
from localspec.stores.documents.passage_words import WORD_MIGRATIONS, WORDED_AT_OPENING, PassageWords
from localspec.stores.documents.search import FoundPassage, PassageSearch
from localspec.stores.documents.watching import Watching
from localspec.stores.ingestion.pipeline import Pipeline
from localspec.stores.ingestion.progress import IngestionProgress
from localspec.stores.ingestion.removed_documents import REMOVED_MIGRATIONS, RemovedDocument, RemovedDocuments
from localspec.stores.ingestion.renewal import Renewal
from localspec.stores.ingestion.renewed_documents import RENEWAL_MIGRATIONS
from localspec.stores.ingestion.state_reading import READING_MIGRATIONS, StateReaderLike, StateReading
from localspec.stores.ingestion.worker import Ingestion
from localspec.stores.naming import DATABASE, library_name, list_libraries, lock_library
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore
from localspec.stores.overview import folder_bytes
from localspec.stores.replies import REPLY_MIGRATIONS, LearntReplies
from localspec.stores.states.state_store import STATE_MIGRATIONS, StateStore

__all__ = ["DocumentInfo", "FolderInfo", "FoundPassage", "IngestionProgress", "RemovedDocument", "library_name"]
__all__ += ["list_libraries"]

_logger = logging.getLogger(__name__)

_CACHE = "passages.hnsw"
MIGRATIONS = (
    *DOCUMENT_MIGRATIONS,
    *PASSAGE_MIGRATIONS,
    *WORD_MIGRATIONS,
    *NGRAM_MIGRATIONS,
    *STATE_MIGRATIONS,
    *READING_MIGRATIONS,
    *REPLY_MIGRATIONS,
    *WATCHING_MIGRATIONS,
    *RENEWAL_MIGRATIONS,
    *REMOVED_MIGRATIONS,
)
"""Of a library's database."""


class Library:
    """A library that is open in this process, and in no other. Any thread may call any method. Every method raises
    StoreError when the folder cannot be read or written, and DiskFullError when it is full; nothing that was stored
    before is lost then."""

    def __init__(
        self,
        folder: Path,
        *,
        tokenizer_fingerprint: str,
        tokenize: Callable[[str], NDArray[np.int32]],
        embedder: EmbedderLike,
        state_reader: StateReaderLike | None = None,
        other_embedders: Callable[[], Sequence[EmbedderLike]] = list,
    ) -> None:
        """Open `folder`, or begin a library there. `tokenize` turns text into the target model's token ids, int32 [n];
        `tokenizer_fingerprint` names it. The embedder is first asked when vectors are made or searched, and the state
        reader when hidden states are wanted; without one there are none. `other_embedders` are asked for while one of
        them has made vectors that `embedder` has not replaced yet. Raises LibraryInUseError when another instance holds
        the folder."""
        self.folder = folder
        self.name = folder.name
        self._files = FileStore(folder / "files")
        self._lock = lock_library(folder, "Close the other window, or use that.")
        try:
            self._database = StoreDatabase(folder / DATABASE, MIGRATIONS)
            (identity,) = self._database.row("SELECT id FROM library")
            self.identity = str(identity)
            """names it for good, whatever its folder is called"""
            self.ngrams = NgramStore(self._database, tokenizer_fingerprint)
            # Without a reader it names no target: nothing is found then, but what other targets have is removed.
            target, dimension = (state_reader.fingerprint, state_reader.dimension) if state_reader else ("", 1)
            states = StateStore(self._database, folder, identity, target, dimension)
            self.states = states if state_reader else None
            self.state_reading = StateReading(self._database, self.ngrams, states, state_reader, self._wake)
            """whether documents are read for their hidden states, and how far that is"""
            self.replies = LearntReplies(
                *(self._database, self.ngrams, states, tokenizer_fingerprint),
                keeps_states=state_reader is not None,
                on_change=self._wake,
            )
            """what the target wrote in chats"""
            vectors = PassageVectors(self._database, folder / _CACHE, identity, embedder, other_embedders)
            self._vectors = vectors
            (words := PassageWords(self._database)).store_next(WORDED_AT_OPENING)
            self.passages = PassageSearch(self._database, vectors, words)
            """what the documents say, found by a question or by its place"""
            self._pipeline = Pipeline(
                self._database, self._files.folder, tokenize, ngrams=self.ngrams, vectors=vectors, states=states
            )
            self.renewal = Renewal(self._database, self._pipeline, vectors, self._wake)
            """documents that an older version has read, and that can be read better now"""
            self._ingestion = Ingestion(
                *(self._database, self._pipeline, vectors, self.replies, self.state_reading, self.renewal, words)
            )
            forget, erase = self._pipeline.forget, words.forget_some
            self._table = DocumentTable(self._database, self._files, forget=forget, erase=erase, on_change=self._wake)
            self.watching = Watching(
                self._database, self._table, excluded=[folder.parent], halted=lambda: self._ingestion.paused
            )
            """the folders that documents come from"""
            self.removed = self._keep_removed(vectors, states, erase)
        except BaseException:
            self._lock.release()
            raise

    def _keep_removed(self, vectors: PassageVectors, states: StateStore, erase: Callable[[], None]) -> RemovedDocuments:
        """Documents that are in no list and no search, and can be brought back. Copies of files that belong to no
        document, removed or not, are deleted."""
        removed = RemovedDocuments(
            *(self._database, self._files, self._pipeline, self.renewal),
            vectors=vectors,
            ngrams=self.ngrams,
            states=states,
            erase=erase,
            on_change=self._wake,
        )
        self._table.bring_back = removed.bring_back_content
        self._files.sweep({file for (file,) in self._database.rows("SELECT file FROM documents")} | removed.files())
        return removed

    @property
    def progress(self) -> IngestionProgress:
        """Where the work on the documents stands."""
        return self._ingestion.progress

    @property
    def changes(self) -> int:
        """Transactions so far: documents and what they have are the same while the number is."""
        return self._database.commits

    def add(self, path: Path, *, name: str = "", keeps_source: bool = False) -> DocumentInfo:
        """Copy a file into the library and queue it, as `DocumentTable.add` does; a running worker takes it from there.
        It is shown under its own name, or `name`."""
        return self._table.add(path, name=name, keeps_source=keeps_source)

    def documents(self) -> list[DocumentInfo]:
        """All documents, oldest first."""
        return self._table.all()

    def remove(self, document: int) -> None:
        """Delete a document with everything that was made from it, for good; `removed.put` removes one that can be
        brought back. An unknown one is no error."""
        self._table.remove(document)

    def failed(self) -> list[int]:
        """Ids of the documents that could not be read."""
        return [info.id for info in self.documents() if info.status == "failed"]

    def index_again(self, document: int | None = None) -> None:
        """Read a document anew, or all of them, as `DocumentTable.again` does; what was made of it is made again."""
        self._table.again(document)

    def embedded(self, documents: Collection[int] | None = None) -> dict[int, int]:
        """Passages with a vector, of documents that have some of them, among these or all. Raises EmbedderError."""
        return self._vectors.embedded(documents)

    @property
    def paused(self) -> bool:
        """Whether the background worker leaves documents alone."""
        return self._ingestion.paused

    def pause(self, on: bool) -> None:
        """Have the background worker leave documents alone after the step at work, now and in later sessions, or go on.
        What is there can be searched and drafted from meanwhile, and replies are learnt."""
        self._ingestion.pause(on)
        self.watching.wake()

    def ingest(
        self,
        *,
        should_yield: Callable[[], bool] = lambda: False,
        progress: Callable[[IngestionProgress], None] | None = None,
        states: bool = True,
    ) -> list[DocumentInfo]:
        """Do all unfinished work in this thread, paused or not; the documents that became ready or failed by it.

        Before each step (a stage of some documents, 12 vectors, or 1024 states) it waits while `should_yield` is true.
        It may be killed at any moment, and goes on there the next time. Without `states`, wanted states are left for
        later: they take minutes. Also raises EmbedderError, when all but the vectors is done, and ModelError, when only
        states are missing.
        """
        finished = self._ingestion.run(should_yield, progress, states=states)
        return [document for document in self.documents() if document.id in finished]

    def start(self, *, should_yield: Callable[[], bool] = lambda: False) -> None:
        """Start the background workers: one does what `ingest` does whenever there is something to do, one looks at the
        library's folders."""
        self._ingestion.start(should_yield)
        self.watching.start(should_yield)

    def stop(self) -> None:
        """Stop the workers, or an `ingest` in another thread, after their current step."""
        self.watching.stop()
        self._ingestion.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the worker has nothing to do, is paused, or `progress.problem` says why it stopped; False after
        `timeout` seconds."""
        return self._ingestion.wait(timeout)

    def document_text(self, document: int) -> str:
        """The whole text of a document; empty before it was read."""
        return read_document(self._database, document).text

    def rebuild_needed(self) -> list[str]:
        """What was made with another tokenizer or embedder and is not used now, in words; empty if all is well."""
        reasons = []
        if outdated := self._without_ngrams():
            reasons.append(f"The drafts' n-grams of {_count(len(outdated), 'document')} belong to another tokenizer.")
        try:
            passages, documents = self._vectors.outdated()
        except EmbedderError as error:
            return [*reasons, str(error)]
        if passages:
            reasons.append(
                f"The search vectors of {_count(passages, 'passage')} in {_count(documents, 'document')} belong to"
                " another embedding model."
            )
        return reasons

    def rebuild(self) -> None:
        """Queue what `rebuild_needed` names, from the stored text; the worker, or the next `ingest`, does it. N-grams
        of other tokenizers stay, for a return to their model; vectors of another embedder serve until those of this one
        are there."""
        with self._database.write() as database:
            database.execute(
                "UPDATE documents SET stage = 'passages' WHERE id IN (SELECT value FROM json_each(?))",
                [json.dumps(self._without_ngrams())],
            )
        self._wake()
        # Apart, so that n-grams are made again even where the embedder cannot be used.
        self.renewal.want_embedded()

    def disk_bytes(self) -> int:
        """Bytes of everything in the library's folder."""
        return folder_bytes(self.folder)

    def memory_bytes(self) -> int:
        """Memory that the open indexes hold: n-grams, passage vectors and states, by the formulas of their stores. An
        estimate; what was not used yet is not loaded. SQLite's page caches (2 MB per thread at most) are left out."""
        states = self.states.memory_bytes if self.states is not None else 0
        return self.ngrams.memory_bytes + self._vectors.memory_bytes + states

    def close(self) -> None:
        """Stop the workers after their current step, learn the replies that wait, and close everything."""
        self.stop()
        try:
            while self.replies.store_next():
                pass
        except StoreError as error:  # closing must not fail for something that is made again by every chat
            _logger.warning("Replies were not learnt: %s", error)
        finally:
            self._database.close()
            self._lock.release()

    def _wake(self) -> None:
        """There is something new to do."""
        self._ingestion.wake()

    def _without_ngrams(self) -> list[int]:
        rows = self._database.rows("SELECT id FROM documents WHERE stage IN ('ngrams', 'ready')")
        return sorted({document for (document,) in rows} - self.ngrams.documents())


def blocks_of(library: Library, document: int) -> tuple[Block, ...]:
    """What a document consists of; nothing before it was read. Raises StoreError."""
    return read_document(library._database, document).blocks


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
