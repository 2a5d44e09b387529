"""The verification walk: which draft nodes the target accepts, and the token that follows them.

Words as the field uses them (vLLM, `v1/sample/rejection_sampler.py`): *accepted* tokens are draft nodes on the path
that the target's samples took. The sample behind them, which becomes the next root, is a *recovered* token where it
differs from what was drafted there, and a *bonus* token where all drafts of its branch were accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import DraftTree


class Walk(NamedTuple):
    """What one verification emits. The last of `emitted`, a recovered or bonus token, lies on no node of `path`."""

    path: NDArray[np.int32]  # [a] accepted nodes, from the root down
    emitted: NDArray[np.int32]
    """[a + 1] tokens, the recovered or bonus token last, as is one that ends the reply even where it was drafted"""


def walk(tree: DraftTree, sample: Callable[[int], int], is_end: Callable[[int], bool]) -> Walk:
    """Follow the target's samples down the tree.

    `sample(row)` draws the token after row `row` (0 = the root, i + 1 = node i). It is called once per visited node, in
    path order, and the result that matches no child is kept as the recovered or bonus token: so the text is distributed
    exactly as without a draft, and with one seed it is the same text. The walk stops at a token that ends the reply.

    Example: root → 5 → 6, root → 7, and the target's samples are 5 at row 0 and 9 at row 1. The path is [0], the node
    of 5; emitted is [5, 9], where 9 is a recovered token because 6 was drafted there.
    """
    children = {
        (parent, token): node
        for node, (parent, token) in enumerate(zip(tree.parents.tolist(), tree.tokens.tolist(), strict=True))
    }
    path: list[int] = []
    emitted: list[int] = []
    node = -1
    while True:
        token = sample(node + 1)
        emitted.append(token)
        if is_end(token):
            break
        child = children.get((node, token))
        if child is None:
            break
        path.append(child)
        node = child
    return Walk(np.array(path, dtype=np.int32), np.array(emitted, dtype=np.int32))
