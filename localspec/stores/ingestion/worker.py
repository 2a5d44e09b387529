"""Brings a library's documents from file to searchable, one small committed step after the other, in the background.

Passages and n-grams of all documents come first, for with them a person can ask; their vectors follow, and then the
hidden states of those libraries for which they were wanted. Learnt replies are stored in between, and also while the
work on documents is paused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from localspec.errors import EmbedderError, LocalSpecError
from localspec.stores.background import BackgroundWorker
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.passage_vectors import PassageVectors
from localspec.stores.ingestion.pipeline import Pipeline
from localspec.stores.ingestion.state_reading import StateReading
from localspec.stores.replies import LearntReplies
from localspec.stores.states.state_store import DamagedStatesError

_logger = logging.getLogger(__name__)

EMBEDDED_AT_ONCE = 4
"""Passages per batch: 0.12 s on two cores with all-MiniLM-L6-v2, which is how long a reply has company at its start.
More at once are no faster (32 took 1.0 s), and with the model's threads beside them six times that."""
_SHARE_BEFORE_VECTORS = 0.1
"""Part of the progress bar for reading, passages and n-grams: more than their time, so that it moves at once."""


@dataclass(frozen=True, slots=True)
class IngestionProgress:
    """Where the work on the documents stands."""

    documents_done: int = 0
    documents_total: int = 0
    """Documents of this round: since the worker last had nothing to do. While states are read, those to be read."""
    name: str = ""
    """The document at work; empty when there is none."""
    stage: str = ""
    """The work: 'reading', 'splitting', 'n-grams', 'vectors', 'states', or empty."""
    fraction: float = 1.0
    """Of the round's work, 0 to 1. Hidden states, which take minutes, are a round of their own: all else is ready."""
    seconds_left: float | None = None
    """Estimate: until all can be asked while documents wait to be read, else until the work at hand is done. None while
    there is none."""
    problem: str = ""
    """What stopped the work, for the person to read. It goes on with the next added document or start."""
    states_left: int = 0
    """Tokens whose hidden states are wanted and missing."""
    paused: bool = False
    """The person wants the background worker to leave documents alone."""

    @property
    def done(self) -> bool:
        """Nothing is left to do, and nothing stopped it."""
        return self.documents_done == self.documents_total and not self.states_left and not self.problem


class Ingestion:
    """The steps, and the background thread that takes them. One thread at a time works."""

    def __init__(
        self,
        database: StoreDatabase,
        pipeline: Pipeline,
        vectors: PassageVectors,
        replies: LearntReplies,
        reading: StateReading,
    ) -> None:
        self._database = database
        self._pipeline = pipeline
        self._vectors = vectors
        self._replies = replies
        self._reading = reading
        self._worker = BackgroundWorker("ingestion", self._turn)
        self._round: set[int] = set()
        self._round_over = True
        self._unprepared = True
        self._embedded = 0
        self._embedding_seconds = 0.0
        self._warm = False
        self._embedder_error: EmbedderError | None = None
        self._bytes_read = 0
        self._reading_seconds = 0.0
        with database.read() as connection:
            (paused,) = connection.execute("SELECT paused FROM library").fetchone()
        self._paused = bool(paused)
        self._pauses = False
        self.progress = IngestionProgress(paused=self._paused)

    @property
    def paused(self) -> bool:
        """Whether the background worker leaves documents alone, in this session and later ones."""
        return self._paused

    def pause(self, on: bool) -> None:
        """Leave documents alone after the step at work, or go on."""

        def remember() -> None:
            self._paused = on
            self.progress = replace(self.progress, paused=on)

        with self._database.write() as database:
            database.execute("UPDATE library SET paused = ?", [int(on)])
            self._database.after_commit(remember)
        self.wake()

    def run(
        self,
        should_yield: Callable[[], bool] = lambda: False,
        report: Callable[[IngestionProgress], None] | None = None,
        *,
        states: bool = True,
        pauses: bool = False,
    ) -> set[int]:
        """Take steps until none is left or `stop` is called; the documents that became ready or failed.

        `should_yield` is asked before each step, and while it is true nothing happens. Without `states`, those that are
        missing stay so. With `pauses` documents are left alone while the person wants that. Raises StoreError,
        DiskFullError or ModelError: what was committed stays, and the next run goes on there. Raises EmbedderError when
        all but the vectors is done.
        """
        with self._worker.working:
            self._embedded, self._embedding_seconds = 0, 0.0
            self._unprepared = True
            self._embedder_error = None
            self._pauses = pauses
            self.progress = replace(self.progress, problem="")
            unfinished = self._pipeline.unfinished()
            try:
                while self._worker.may_go_on(should_yield):
                    if not self._step(should_yield, report, states):
                        self._show("", "", report)
                        break
                    unfinished |= self._pipeline.unfinished()
                self._vectors.prepare()
                self._report_embedder()
            except LocalSpecError as error:
                self.progress = replace(self.progress, problem=str(error))
                if report is not None:
                    report(self.progress)
                raise
            finally:
                if not self.progress.done:
                    self.progress = replace(self.progress, name="", stage="", seconds_left=None)
            return unfinished - self._pipeline.unfinished()

    def start(self, should_yield: Callable[[], bool]) -> None:
        """Start the worker thread, which begins with what is unfinished; one that is there tries again."""
        self._worker.start(should_yield)

    def wake(self) -> None:
        """There is new work."""
        self._worker.wake()

    def stop(self) -> None:
        """End the worker, and a `run` in any thread, after the step at work; what is unfinished stays for later."""
        self._worker.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the worker has nothing to do or has met a problem; False after `timeout` seconds."""
        return self._worker.wait(timeout)

    def _turn(self, should_yield: Callable[[], bool]) -> None:
        """All that there is to do, in the background: a thread has no caller, so the progress tells what went wrong."""
        try:
            self.run(should_yield, pauses=True)
            if not self._worker.stopping.is_set():
                self._database.reclaim()
        except LocalSpecError as error:
            self.progress = replace(self.progress, problem=str(error))
            _logger.warning("Indexing stopped: %s", error)
        except Exception as error:
            self.progress = replace(self.progress, problem=f"Indexing stopped: {type(error).__name__}: {error}")
            _logger.exception("Indexing stopped")

    def _step(
        self, should_yield: Callable[[], bool], report: Callable[[IngestionProgress], None] | None, states: bool
    ) -> bool:
        """Take the step that is most urgent; False when nothing is left. Damaged states are dropped: that is a step."""
        try:
            return self._take_step(should_yield, report, states)
        except DamagedStatesError as error:
            if not self._reading.available:
                raise
            _logger.warning("All states of this model are dropped. %s", error)
            self._reading.states.drop()
            self._unprepared = True
            return True

    def _take_step(
        self, should_yield: Callable[[], bool], report: Callable[[IngestionProgress], None] | None, states: bool
    ) -> bool:
        halted = self._pauses and self._paused
        queued = self._pipeline.next() if not halted else None
        if queued is not None:
            self._show(queued.name, queued.work, report)
            start = time.perf_counter()
            self._pipeline.advance(queued)
            self._reading_seconds += time.perf_counter() - start
            if queued.stage == "passages":
                self._bytes_read += queued.bytes
            return True
        if self._replies.store_next():
            self._unprepared = True
            return True
        try:
            if self._embedder_error is None and not halted and self._embed(report):
                return True
        except EmbedderError as error:
            self._embedder_error = error  # nothing else needs the embedder
        if self._unprepared:
            self._show("", "", report)
            self._unprepared = not self._prepare(self._interrupted(should_yield))
            return True
        return states and not halted and self._read(self._interrupted(should_yield), report)

    def _interrupted(self, should_yield: Callable[[], bool]) -> Callable[[], bool]:
        """Whether a longer step must give way: to a reply, to the end, or to work that came since it began."""
        news = self._worker.news
        return lambda: self._worker.stopping.is_set() or self._worker.news != news or should_yield()

    def _prepare(self, should_stop: Callable[[], bool]) -> bool:
        """Make the indexes ready for searches and drafts; False when it was interrupted."""
        self._vectors.prepare()
        if not self._reading.available:
            return True
        stopped = False

        def remember() -> bool:
            nonlocal stopped
            stopped = stopped or should_stop()
            return stopped

        self._reading.states.prepare(remember)
        return not stopped

    def _read(self, should_stop: Callable[[], bool], report: Callable[[IngestionProgress], None] | None) -> bool:
        """Read one window of a document for its states; False when none is wanted and missing."""
        if not self._reading.wanted:
            return False
        unread = self._reading.unread()
        if not unread:
            return False
        self._show(unread[0].name, "states", report)
        if not self._reading.read(unread[0], should_stop):
            self._worker.pause_briefly()
        elif unread[0].ends_with_next:
            self._unprepared = True  # a document more to draft from, while the others are read
        return True

    def _embed(self, report: Callable[[IngestionProgress], None] | None) -> bool:
        passages = self._vectors.missing(EMBEDDED_AT_ONCE)
        if passages:
            with self._database.read() as connection:
                row = connection.execute(
                    "SELECT name FROM documents JOIN passages ON document = documents.id WHERE passages.id = ?",
                    [passages[0][0]],
                ).fetchone()
            self._show(row[0] if row else "", "vectors", report)
            start = time.perf_counter()
            self._vectors.embed(passages)
            if self._warm:  # the first batch of all also loads the model
                self._embedding_seconds += time.perf_counter() - start
                self._embedded += len(passages)
            self._warm = True
        with self._database.write() as database:
            database.execute(
                "UPDATE documents SET stage = 'ready' WHERE stage = 'ngrams' AND NOT EXISTS (SELECT 1 FROM passages"
                " LEFT JOIN embeddings ON passage = passages.id AND embedder = ?"
                " WHERE document = documents.id AND passage IS NULL)",
                [self._vectors.embedder_row(database.conn)],
            )
        return bool(passages)

    def _report_embedder(self) -> None:
        if self._embedder_error is not None:
            raise self._embedder_error

    def _show(self, name: str, work: str, report: Callable[[IngestionProgress], None] | None) -> None:
        with self._database.read() as connection:
            rows = connection.execute("SELECT id, stage, passages, bytes FROM documents").fetchall()
        stages = {document: (stage, passages) for document, stage, passages, _ in rows}
        unfinished = {document for document, (stage, _) in stages.items() if stage not in ("ready", "failed")}
        if unfinished and self._round_over:
            self._round = set()
        self._round |= unfinished
        self._round &= stages.keys()
        ours = [stages[document] for document in self._round]
        waiting = sum(stage in ("queued", "parsed", "passages") for stage, _ in ours)
        finished = sum(stage in ("ready", "failed") for stage, _ in ours)
        passages = sum(count for _, count in ours)
        left = sum(count for stage, count in ours if stage == "ngrams")
        # While documents wait, the embedder must not be needed.
        if left and not waiting and self._embedder_error is None:
            left -= self._vectors.embedded()
        fraction = _SHARE_BEFORE_VECTORS * (1 - waiting / len(ours)) if ours else 1.0
        if ours and not waiting:
            fraction += (1 - _SHARE_BEFORE_VECTORS) * (1 - left / passages if passages else 1.0)
        seconds_left = None
        if not left and not waiting:
            seconds_left = 0.0
        elif self._embedded and not waiting:
            seconds_left = left * self._embedding_seconds / self._embedded
        elif waiting and self._bytes_read:
            unread = sum(size for _, stage, _, size in rows if stage in ("queued", "parsed", "passages"))
            seconds_left = unread * self._reading_seconds / self._bytes_read
        self._round_over = finished == len(ours)
        now = IngestionProgress(finished, len(ours), name, work, min(fraction, 1.0), seconds_left, paused=self._paused)
        if self._reading.wanted:
            outlook = self._reading.outlook()
            now = replace(now, states_left=outlook.missing)
            if work == "states":
                now = replace(
                    now,
                    documents_done=outlook.documents_done,
                    documents_total=outlook.documents_total,
                    fraction=outlook.fraction,
                    seconds_left=outlook.seconds_left,
                )
        self.progress = now
        if report is not None:
            report(now)
