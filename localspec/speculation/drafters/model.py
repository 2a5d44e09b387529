"""The draft model alone: its dynamic tree."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError
from localspec.models.draft import WIDTH, DraftModel, TopK
from localspec.speculation.builder import Drafted
from localspec.speculation.interface import Context, DraftTimes, Step
from localspec.speculation.tree import DRAFT_PROBABILITY, EVIDENCE, SIBLING_RANK, SOURCE_DRAFT, DraftTree


class ModelDrafter:
    """Drafts from the draft model alone. A draft model that fails is given up for the reply, which goes on without."""

    name = "draft"
    needs_states = False
    retrieval = None

    def __init__(
        self,
        model: DraftModel,
        min_probability: float = 0.0,
        target_seconds: float = 0.0,
        failed: Callable[[ModelError], None] = lambda _: None,
        *,
        alone: bool = True,
    ) -> None:
        """`min_probability`: path probability below which no node can pay; `target_seconds`: the target's time for one
        token (0: levels may take any). `failed` is told when the model fails. Unless `alone`, searches run beside."""
        self._model = model
        self._min_probability = min_probability
        self._target_seconds = target_seconds
        self._failed = failed
        self._alone = alone
        self._usable = True
        self._unread = False
        self.times = DraftTimes()

    def catch_up(self, tokens: NDArray[np.int32]) -> None:
        """Read what `begin` left unread, once for the rest of the reply."""
        if self._unread:
            self._unread = False
            started = perf_counter()
            self.first(tokens)
            self.times.prefill += perf_counter() - started

    def begin(self, context: Context, *, read: bool = True) -> None:
        """Read the prompt with the draft model; without `read`, only when it is first asked."""
        self.times = DraftTimes()
        self._usable = True
        started = perf_counter()
        try:
            self._model.work_alone(self._alone)
        except ModelError as error:
            self._give_up(error)
        self._unread = not read
        if read:
            self.first(context.tokens)
        self.times.prefill = perf_counter() - started

    def propose(self, context: Context, limit: int) -> DraftTree:
        """The draft model's tree."""
        started = perf_counter()
        first = self.first(context.tokens)
        tree = self.tree_below(first, limit)
        self.times.drafting += perf_counter() - started
        return tree

    def first(self, tokens: NDArray[np.int32], meanwhile: Callable[[], object] | None = None) -> TopK | None:
        """The top-k behind the text, None where the model cannot tell; `meanwhile` runs when it begins to compute."""
        if not self._usable:
            return None
        try:
            return self._model.follow(tokens, meanwhile=meanwhile)
        except ModelError as error:
            self._give_up(error)
            return None

    def tree_below(self, first: TopK | None, limit: int) -> DraftTree:
        """The tree that begins with the first step's top-k; empty where there is none."""
        if first is None or not self._usable:
            return DraftTree.empty()
        try:
            drafted = self._model.draft_tree(first, limit, self._min_probability, self._target_seconds)
        except ModelError as error:
            self._give_up(error)
            return DraftTree.empty()
        count = len(drafted.tokens)
        evidence = np.zeros((count, EVIDENCE), np.float32)
        evidence[:, SIBLING_RANK] = drafted.ranks
        evidence[:, DRAFT_PROBABILITY] = drafted.probabilities
        source = np.full(count, SOURCE_DRAFT, np.uint8)
        return DraftTree.of(drafted.tokens, drafted.parents, source, evidence, drafted.probabilities)

    def candidates(
        self, tokens: NDArray[np.int32], limit: int, min_probability: float, row_price: float, seconds_per_token: float
    ) -> Drafted | None:
        """Its tree; None where it cannot tell.

        Nodes with a lower path probability than `min_probability` are left out. A further level must gain more tokens
        than its rows, `row_price` each, and its own time, at `seconds_per_token`, would bring.
        """
        started = perf_counter()
        drafted: Drafted | None = None
        try:
            first = self._model.follow(tokens, WIDTH) if self._usable else None
            if first is not None:
                tree = self._model.draft_tree(first, limit, min_probability, seconds_per_token, row_price)
                drafted = Drafted(tree.tokens, tree.parents, tree.probabilities)
        except ModelError as error:
            self._give_up(error)
        self.times.drafting += perf_counter() - started
        return drafted

    def knows(self, token: int) -> bool:
        """True for tokens that the draft model can propose."""
        return bool(self._model.knows[token])

    def observe(self, step: Step) -> None:
        """The next draft follows the accepted text by itself."""

    def _give_up(self, error: ModelError) -> None:
        self._usable = False
        self._failed(error)
