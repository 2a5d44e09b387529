"""One question with its answer, as a conversation holds it; what an answer is asked with, and how it is told of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from localspec import texts
from localspec.chat.context_usage import ContextUsage
from localspec.chat.methods import DEFAULT_METHOD, check_method
from localspec.chat.origins import Origins
from localspec.chat.template import EFFORTS
from localspec.errors import SettingsError
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.interface import Step
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores.stored_turns import PlainTurn, StoredTurn, plain

_logger = logging.getLogger(__name__)

CUT = ("length", "context", "stopped", "interrupted")
"""How an answer ends that can be gone on with."""
LOOP = "loop"
"""How an answer ends that began to repeat itself: it is not gone on with, not learnt from, and no measure of speed."""
EDITED = "edited"
"""How an answer ends that a person wrote, or rewrote."""

DOCUMENT_USES = ("auto", "always", "none")
"""Whether a question is answered from documents; see `ReplyOptions.documents`."""
THINKING = ("", "on", "off", *EFFORTS)
"""How a model may be told to think"""


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """How one answer is made."""

    method: str = DEFAULT_METHOD
    sizing: str = "device"
    rows: int = 0
    max_tokens: int = 512
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    whole: tuple[int, ...] | None = None
    """ids of documents to be read whole, () for all of the library, None for what suits the question"""
    documents: str = "auto"
    """"auto": where the question is about them, "always", but for small talk, or "none\""""
    thinking: str = ""
    """"on", "off", "low", "medium" or "high", for models that can be told so; "" for what the model does by itself"""
    system: str | None = None
    """the person's own system prompt from this question on, "" for none; None leaves it as it is"""
    ends_loops: bool = True  # An answer that begins to repeat itself is ended there
    recommended: bool = False
    """draw as is recommended for the model and the question; of `sampling` seed, grammar, schema and biases count"""

    def __post_init__(self) -> None:
        check_method(self.method, self.sizing)
        if self.documents not in DOCUMENT_USES:
            raise SettingsError(
                f"There is no use of documents called {self.documents!r}.", f"Choose one of {', '.join(DOCUMENT_USES)}."
            )
        if self.max_tokens < 1:
            raise SettingsError(f"The setting max tokens is {self.max_tokens}.", "Choose 1 or more.")
        if self.thinking not in THINKING:
            raise SettingsError(texts.NO_THINKING.format(wanted=self.thinking[:20]), texts.NO_THINKING_ADVICE)


@dataclass(frozen=True, slots=True)
class MadeWith:
    """What an answer follows from, beside its prompt."""

    options: ReplyOptions
    weights: str  # fingerprint of the model's


@dataclass(slots=True)
class Turn(PlainTurn):
    """One question with its answer, as shown and as sent."""

    metrics: ReplyMetrics = field(default_factory=ReplyMetrics)
    origins: Origins = field(default_factory=Origins)
    """where each token of the reply came from; empty where that is not known"""
    window: ContextUsage | None = None  # what filled the context; None where that is not known
    made_with: MadeWith | None = None  # None where that is not known any more: it is not kept on disk

    @classmethod
    def of_stored(cls, stored: StoredTurn) -> Turn:
        """A turn that was kept, to be shown and gone on with. What cannot be understood any more is left out."""
        turn = cls(**plain(stored))
        turn.finish = turn.finish or "interrupted"
        with _left_out("Figures"):
            turn.metrics = ReplyMetrics.of_record(stored.metrics)
        with _left_out("Where the words came from"):
            turn.origins = Origins.unpack(stored.origins)
        with _left_out("What filled the context"):
            turn.window = ContextUsage.of_record(stored.window) if stored.window else None
        return turn

    def stored(self) -> StoredTurn:
        """As it is kept: a copy, which the next step does not change."""
        return StoredTurn(
            **plain(self),
            metrics=self.metrics.record() if self.finish else {},
            window=self.window.record() if self.window is not None else {},
            origins=self.origins.pack(),
        )

    @property
    def is_cut(self) -> bool:
        """True when the answer ends before the model ended it, and can be gone on with."""
        return self.finish in CUT

    @property
    def can_go_on(self) -> bool:
        """True when the model can write on where the answer ends: unless it is being written, or ran in circles."""
        return self.is_cut or (self.finish in ("end", EDITED) and bool(self.reply))

    @property
    def is_measure(self) -> bool:
        """True where its figures say how fast answers are: one that ran in circles is fast, and a person's is not the
        model's."""
        return not (self.looped or self.edited)

    @property
    def looped(self) -> bool:
        """True when it was ended because it repeated itself."""
        return self.finish == LOOP

    def ran_in_circles(self, question: str) -> bool:
        """True when it is the looped answer to this question: another try must be drawn otherwise."""
        return self.looped and self.question == question

    @property
    def state(self) -> str:
        """How it stands, for styles and words about it: "done", "looped" or "stopped"."""
        return "looped" if self.looped else "done" if self.finish in ("end", "length", "context", EDITED) else "stopped"


@dataclass(frozen=True, slots=True)
class Update:
    """What is new while an answer is made. `stage`: "reading" (`progress` 0–1), "writing" or "done"."""

    stage: str
    turn: Turn
    delta: str = ""
    thinking: str = ""  # what was thought; no part of `delta`
    progress: float = 0.0
    step: Step | None = None
    seconds_left: float = 0.0  # of reading, an estimate


@contextmanager
def _left_out(what: str) -> Iterator[None]:
    """Go on without a part of a kept reply that cannot be understood."""
    try:
        yield
    except ValueError as error:
        _logger.warning("%s of a kept reply: left out (%s)", what, error)
