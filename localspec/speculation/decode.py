"""The decoding loop. Everything else (chat, command line, benchmarks, tests) consumes its stream of steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.cost import StepCost
from localspec.speculation.fusion import fuse
from localspec.speculation.interface import Context, Drafter, Sampler, Step, Target, need_states
from localspec.speculation.policy import Budget
from localspec.speculation.tree import DraftTree, credited
from localspec.speculation.verify import walk


def generate(
    target: Target,
    sampler: Sampler,
    drafters: Sequence[Drafter],
    prompt: NDArray[np.int32],
    budget: Budget,
    max_tokens: int,
    clock: Callable[[], float] = perf_counter,
    *,
    keep_states: bool = False,
) -> Iterator[Step]:
    """Decode a reply to `prompt` [n], one `Step` per verification. No drafters: plain decoding, one token a step.

    The last prompt token is the first root, so even the first token may be drafted. The KV cache is consistent at each
    yield: closing the generator between steps loses nothing. Time the consumer spends between steps is not counted.
    The target keeps the hidden states of the reply when a drafter needs them, or for `keep_states`.
    """
    with_states = keep_states or need_states(drafters)
    target.use_states(with_states)
    context = Context(prompt, max_tokens, target.known_states if with_states else None)
    for drafter in drafters:
        drafter.begin(context)
    left = max_tokens
    finish = ""
    while left > 0 and not finish:
        started = clock()
        cached = target.cached
        room = target.context_size - cached - 1
        tree = _draft(drafters, sampler, budget, context, min(budget.limit, room), left, cached)
        rows = min(budget.cost.rows(len(tree), cached), room + 1) if drafters else 0
        proposed = clock()
        target.decode(int(context.tokens[-1]), tree.tokens, tree.parents, rows)
        decoded = clock()
        path, emitted = walk(tree, sampler.sample, target.is_end)
        sampled = clock()
        target.keep(path)
        context.extend(emitted)
        left -= len(emitted)
        finish = _finish(target, int(emitted[-1]), left)
        source = np.zeros(len(emitted), np.uint8)  # SOURCE_TARGET
        if len(path):
            source[: len(path)] = credited(tree.source[path])
        disturbed = target.disturbed
        cost = StepCost(cached, max(rows, 1), sampled - proposed, sampled - started, disturbed)
        budget.observe(tree, path, cost)
        rest = clock() - sampled
        seconds = proposed - started, decoded - proposed, sampled - decoded, rest
        step = Step(emitted, source, tree, path, *seconds, finish, disturbed)
        if drafters:
            learning = clock()
            for drafter in drafters:
                drafter.observe(step)
            step.propose_seconds += clock() - learning
        yield step


def _draft(
    drafters: Sequence[Drafter], sampler: Sampler, budget: Budget, context: Context, limit: int, left: int, cached: int
) -> DraftTree:
    """What is verified next: at most `limit` nodes, none so deep that no token of the `left` ones follows it, and none
    that the reply's grammar forbids."""
    if not drafters or limit <= 0 or left <= 1:
        return DraftTree.empty()
    tree = fuse([drafter.propose(context, limit) for drafter in drafters])
    allowed = sampler.allowed(tree.tokens, tree.parents) if len(tree) else None
    if allowed is not None and len(allowed) < len(tree):
        tree = tree.take(allowed) if allowed else DraftTree.empty()
    return budget.choose(tree, limit, left - 1, cached)


def _finish(target: Target, last: int, left: int) -> str:
    """Why the reply ends after its token `last`; "" when it goes on."""
    if target.is_end(last):
        return "end"
    if left <= 0:
        return "length"
    # With or without drafts, the last position of the KV cache is used.
    return "context" if target.cached >= target.context_size else ""
