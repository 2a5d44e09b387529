"""What a whole chat shows: the figures of its replies, added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from localspec.speculation.metrics import ReplyMetrics


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts and seconds of several replies; reading prompts is not included."""

    replies: int = 0
    tokens: int = 0
    seconds: float = 0.0
    drafted: int = 0
    accepted: int = 0
    compared_seconds: float = 0.0  # of the replies of which it is known what plain decoding takes
    plain_seconds: float = 0.0  # what it would have taken for those, each by its own measure

    def plus(self, metrics: ReplyMetrics, *, replies: int = 1) -> Totals:
        """With one more reply, or with more of the last one (`replies` 0)."""
        if not metrics.steps:
            return self
        known = metrics.speedup > 0
        return Totals(
            self.replies + replies,
            self.tokens + metrics.tokens,
            self.seconds + metrics.seconds,
            self.drafted + metrics.drafted,
            self.accepted + metrics.accepted,
            self.compared_seconds + (metrics.seconds if known else 0.0),
            self.plain_seconds + (metrics.tokens * metrics.baseline_seconds if known else 0.0),
        )

    @property
    def tokens_per_second(self) -> float:
        """0 before the first token."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def acceptance_rate(self) -> float:
        """Accepted ÷ drafted nodes; 0 where nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else 0.0

    @property
    def speedup(self) -> float:
        """Speed against plain decoding; 0 while there is no baseline."""
        return self.plain_seconds / self.compared_seconds if self.compared_seconds > 0 else 0.0

    @property
    def saved_seconds(self) -> float:
        """What plain decoding would have taken longer; negative where it would have been faster."""
        return self.plain_seconds - self.compared_seconds


def totals(replies: Iterable[ReplyMetrics]) -> Totals:
    """Of these replies; those without figures are left out."""
    found = Totals()
    for metrics in replies:
        found = found.plus(metrics)
    return found
