"""How far the work on a library's documents is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IngestionProgress:
    """Where the work on the documents stands."""

    documents_done: int = 0
    documents_total: int = 0
    """Documents of this round: since the worker last had nothing to do. While states are read, those to be read."""
    name: str = ""  # The document at work; empty when there is none.
    stage: str = ""  # The work: 'reading', 'splitting', 'n-grams', 'vectors', 'states', 'again', 'anew', or empty.
    fraction: float = 1.0
    """Of the round's work, 0 to 1. Hidden states, which take minutes, are a round of their own: all else is ready."""
    seconds_left: float | None = None
    """Estimate: until all can be asked while documents wait to be read, else until the work at hand is done. None while
    there is none."""
    problem: str = ""
    """What stopped the work, for the person to read. It goes on with the next added document or start."""
    states_left: int = 0  # Tokens whose hidden states are wanted and missing.
    paused: bool = False  # The person wants the background worker to leave documents alone.

    @property
    def done(self) -> bool:
        """Nothing is left to do, and nothing stopped it."""
        return self.documents_done == self.documents_total and not self.states_left and not self.problem
