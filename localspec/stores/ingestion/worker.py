"""Brings a library's documents from file to searchable, one small committed step after the other, in the background.

Passages and n-grams of all documents come first, for with them a person can ask; their vectors follow, and then the
hidden states of those libraries for which they were wanted. Learnt replies are stored in between, and also while the
work on documents is paused.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, replace

from localspec.errors import EmbedderError, LocalSpecError
from localspec.stores.background import BackgroundWorker
from localspec.stores.database import StoreDatabase
from localspec.stores.documents.passage_vectors import PassageVectors
from localspec.stores.documents.passage_words import PassageWords
from localspec.stores.ingestion.pipeline import Pipeline
from localspec.stores.ingestion.progress import IngestionProgress
from localspec.stores.ingestion.renewal import Renewal
from localspec.stores.ingestion.state_reading import StateReading
from localspec.stores.replies import LearntReplies
from localspec.stores.states.state_store import DamagedStatesError

_logger = logging.getLogger(__name__)

EMBEDDED_AT_ONCE = 12
"""Passages per batch: 0.12 s on two cores with all-MiniLM-L6-v2 in 8 bits, which is how long a reply has company at its
start."""
_STEP_SECONDS = 0.15
"""So long documents are read, split or tokenized before what came of it is stored, at least one."""
_SHOWING = 0.05
"""Part of the time that may go into telling how far the work is, while the work stays the same: counting takes longer
the more documents there are."""
_SHARE_BEFORE_VECTORS = 0.1
"""Part of the progress bar for reading, passages and n-grams: more than their time, so that it moves at once."""


class Ingestion(BackgroundWorker):
    """The steps, and the background thread that takes them until it meets a problem. One thread at a time works."""

    def __init__(
        self,
        database: StoreDatabase,
        pipeline: Pipeline,
        vectors: PassageVectors,
        replies: LearntReplies,
        reading: StateReading,
        renewal: Renewal,
        words: PassageWords,
    ) -> None:
        super().__init__("ingestion")
        self._database = database
        self._pipeline = pipeline
        self._vectors = vectors
        self._replies = replies
        self._reading = reading
        self._renewal = renewal
        self._renewed = 0  # of this round
        self._words = words
        self._round: set[int] = set()
        self._round_over = True
        self._shown_until = 0.0
        self._touched: set[int] = set()
        self._unprepared = True
        self._embedded = 0
        self._embedding_seconds = 0.0
        self._warm = False
        self._embedder_error: EmbedderError | None = None
        self._bytes_read = 0
        self._reading_seconds = 0.0
        (paused,) = database.row("SELECT paused FROM library")
        self._paused = bool(paused)
        self._pauses = False
        self._reads_states = True
        self._should_yield: Callable[[], bool] = lambda: False
        self._report: Callable[[IngestionProgress], None] | None = None
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
        with self.working:
            self._embedded, self._embedding_seconds = 0, 0.0
            self._unprepared = True
            self._embedder_error = None
            self._pauses, self._reads_states = pauses, states
            self._should_yield, self._report = should_yield, report
            self._pipeline.gives_way = lambda: should_yield() and not self.stopping.is_set()
            self.progress = replace(self.progress, problem="")
            self._touched = self._pipeline.unfinished()
            try:
                while self.may_go_on(should_yield):
                    if not self._step():
                        self._show("", "")
                        break
                self._vectors.prepare()
                if self._embedder_error is not None:
                    raise self._embedder_error
            except LocalSpecError as error:
                self.progress = replace(self.progress, problem=str(error))
                if report is not None:
                    report(self.progress)
                raise
            finally:
                if not self.progress.done:
                    self.progress = replace(self.progress, name="", stage="", seconds_left=None)
            return self._touched - self._pipeline.unfinished()

    def _turn(self, should_yield: Callable[[], bool]) -> None:
        """All that there is to do, in the background: a thread has no caller, so the progress tells what went wrong."""
        try:
            self.run(should_yield, pauses=True)
            if not self.stopping.is_set():
                self._database.reclaim()
        except LocalSpecError as error:
            self.progress = replace(self.progress, problem=str(error))
            _logger.warning("Indexing stopped: %s", error)
        except Exception as error:
            self.progress = replace(self.progress, problem=f"Indexing stopped: {type(error).__name__}: {error}")
            _logger.exception("Indexing stopped")

    def _step(self) -> bool:
        """Take the step that is most urgent; False when nothing is left. Damaged states are dropped: that is a step."""
        try:
            return self._take_step()
        except DamagedStatesError as error:
            if not self._reading.available:
                raise
            _logger.warning("All states of this model are dropped. %s", error)
            self._reading.states.drop()
            self._unprepared = True
            return True

    def _take_step(self) -> bool:
        if self._words.store_next():
            return True
        halted = self._pauses and self._paused
        queued = self._pipeline.next() if not halted else []
        if queued:
            self._show(queued[0].name, queued[0].work)
            start = time.perf_counter()
            taken = self._pipeline.advance(queued, self.stopping.is_set, lambda: self._lasted(start))
            self._reading_seconds += time.perf_counter() - start
            if queued[0].stage == "passages":
                self._bytes_read += sum(one.bytes for one in taken)
            self._touched.update(one.document for one in taken)
            return True
        if self._replies.store_next():
            self._unprepared = True
            return True
        try:
            if self._embedder_error is None and not halted and self._embed():
                return True
        except EmbedderError as error:
            self._embedder_error = error  # nothing else needs the embedder
        if self._unprepared:
            self._show("", "")
            self._unprepared = not self._prepare(self._interrupted())
            return True
        try:
            if self._embedder_error is None and not halted and self._renew():
                return True
        except EmbedderError as error:
            self._embedder_error = error
        if self._words.forget_next():
            return True
        return self._reads_states and not halted and self._read(self._interrupted())

    def _lasted(self, start: float) -> bool:
        """Whether a step that began then must end soon."""
        return time.perf_counter() - start > _STEP_SECONDS or self.stopping.is_set() or self._should_yield()

    def _interrupted(self) -> Callable[[], bool]:
        """Whether a longer step must give way: to a reply, to the end, or to work that came since it began."""
        news = self.news
        return lambda: self.stopping.is_set() or self.news != news or self._should_yield()

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

    def _read(self, should_stop: Callable[[], bool]) -> bool:
        """Read one window of a document for its states; False when none is wanted and missing."""
        unread = self._reading.unread() if self._reading.wanted else []
        if not unread:
            return False
        self._show(unread[0].name, "states")
        if not self._reading.read(unread[0], should_stop):
            self.pause_briefly()
        elif unread[0].ends_with_next:
            self._unprepared = True  # a document more to draft from, while the others are read
        return True

    def _embed(self) -> bool:
        texts = self._vectors.missing(EMBEDDED_AT_ONCE)
        if texts:
            row = self._database.row(
                "SELECT name FROM documents JOIN passages ON document = documents.id WHERE embedded = ? LIMIT 1",
                [texts[0][0]],
            )
            self._show(row[0] if row else "", "vectors")
            start = time.perf_counter()
            self._vectors.embed(texts)
            if self._warm:  # the first batch of all also loads the model
                self._embedding_seconds += time.perf_counter() - start
                self._embedded += len(texts)
            self._warm = True
        self._vectors.finish_documents([text for text, _ in texts] if texts else None)
        return bool(texts)

    def _renew(self) -> bool:
        """Take a step with a document that is read again; False when there is none."""
        wanted = self._renewal.next()
        if wanted is None:
            self._renewed = 0
            return False
        document, name, reads, part = wanted
        left = self._renewal.left()
        total = self._renewed + left
        stage, fraction = "again" if reads else "anew", (self._renewed + part) / total
        now = IngestionProgress(self._renewed, total, name, stage, fraction, paused=self._paused)
        self.progress = now
        if self._report is not None:
            self._report(now)
        self._renewal.step(document, EMBEDDED_AT_ONCE, self.stopping.is_set)
        self._renewed += left - self._renewal.left()
        return True

    def _show(self, name: str, work: str) -> None:
        begun = time.perf_counter()
        # A window of states takes so long that counting beside it is nothing.
        if work and work != "states" and work == self.progress.stage and begun < self._shown_until:
            self.progress = replace(self.progress, name=name)
            return
        rows = self._database.rows("SELECT id, stage, passages, bytes FROM documents")
        stages = {document: (stage, passages) for document, stage, passages, _ in rows}
        unfinished = {document for document, (stage, _) in stages.items() if stage not in ("ready", "failed")}
        if unfinished and self._round_over:
            self._round = set()
        self._touched |= unfinished
        self._round |= unfinished
        self._round &= stages.keys()
        ours = [stages[document] for document in self._round]
        waiting = sum(stage in ("queued", "parsed", "passages") for stage, _ in ours)
        finished = sum(stage in ("ready", "failed") for stage, _ in ours)
        passages = sum(count for _, count in ours)
        left = sum(count for stage, count in ours if stage == "ngrams")
        # While documents wait, the embedder must not be needed.
        if left and not waiting and self._embedder_error is None:
            left -= sum(self._vectors.embedded().values())
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
            now = replace(now, **asdict(outlook)) if work == "states" else replace(now, states_left=outlook.states_left)
        self.progress = now
        ended = time.perf_counter()
        self._shown_until = ended + (ended - begun) / _SHOWING if ended - begun > _STEP_SECONDS * _SHOWING else 0.0
        if self._report is not None:
            self._report(now)
