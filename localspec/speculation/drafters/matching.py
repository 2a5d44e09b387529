"""What prompt lookup, REST and DReSD share: a search for matches, and a draft tree of what follows them."""

from __future__ import annotations

from localspec.speculation.builder import TreeInputs, build_tree
from localspec.speculation.drafters.vote_weights import MIN_SHARE
from localspec.speculation.interface import Context, DraftTimes, Match, Retrieval, Step
from localspec.speculation.tree import DraftTree


class MatchingDrafter:
    """A matcher (`interface.Matcher`) that drafts from its own matches alone: the tree is the trie of what follows
    them, weighed by their votes. Auto takes `matches` into its tree of all sources instead."""

    name: str
    needs_states = False
    times: DraftTimes | None = None
    retrieval: Retrieval | None = None

    def __init__(self, continuation: int, min_share: float = MIN_SHARE, decay: float = 1.0) -> None:
        """`continuation`: tokens that are drafted behind a match at most; `min_share`: nodes with a smaller share of
        all votes are left out; `decay` as in `build_tree`."""
        self._continuation = continuation
        self._min_share = min_share
        self._decay = decay

    def begin(self, context: Context) -> None:
        """A new reply starts."""

    def matches(self, context: Context) -> list[Match]:
        """Places where the text may go on as the context does, the best first."""
        raise NotImplementedError

    def propose(self, context: Context, limit: int) -> DraftTree:
        """The `limit` nodes with the most votes; empty without a match."""
        return build_tree(
            TreeInputs(int(context.tokens[-1]), self.matches(context)),
            limit,
            min_probability=self._min_share,
            max_depth=self._continuation,
            decay=self._decay,
        )

    def observe(self, step: Step) -> None:
        """Neither the context's earlier text nor a store changes with a step."""
