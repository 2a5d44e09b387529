"""The verification walk: which draft nodes the target accepts, and the token that follows them.

Words as the field uses them: *accepted* tokens are draft nodes on the path the target's samples took; the *bonus*
token is the sample that left the tree, which becomes the next root.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.tree import DraftTree


class Walk(NamedTuple):
    """What one verification emits. `emitted` ends with the bonus token, which lies on no node of `path`."""

    path: NDArray[np.int32]
    """[a] accepted nodes, from the root down"""
    emitted: NDArray[np.int32]
    """[a + 1] tokens, the bonus token last; a token that ends the reply is one even where it was drafted"""


def walk(tree: DraftTree, sample: Callable[[int], int], is_end: Callable[[int], bool]) -> Walk:
    """Follow the target's samples down the tree.

    `sample(row)` draws the token after row `row` (0 = the root, i + 1 = node i). It is called once per visited node, in
    path order, and its mismatching result is kept as the bonus token: so the text is distributed exactly as without
    a draft, and with one seed it is the same text. The walk stops at a token that ends the reply.
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
