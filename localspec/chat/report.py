"""What a reply's figures mean, in words."""

from __future__ import annotations

from localspec.chat.methods import METHODS
from localspec.speculation.metrics import ReplyMetrics

FASTER = 1.02
SLOWER = 0.98
"""Within these bounds of plain speed a reply counts as neither faster nor slower: timing noise."""

NO_STATES = "No library here has states of this model yet: drafts by meaning come from the chat alone."


def verdict(metrics: ReplyMetrics, method: str, *, has_documents: bool, has_states: bool = True) -> str:
    """One sentence for the panel: whether drafting helped, and if not, why. Without states in the library
    (`has_states`), a second one says so where the method uses them."""
    said = _verdict(metrics, method, has_documents=has_documents)
    return f"{said} {NO_STATES}" if method == "dresd" and not has_states and metrics.steps else said


def _verdict(metrics: ReplyMetrics, method: str, *, has_documents: bool) -> str:
    label = METHODS[method].label if method in METHODS else method
    if method == "plain":
        return "Speculation is off: the method is Plain, so every token is the model's own step."
    if metrics.steps == 0:
        return f"{label}: waiting for the first token."
    if metrics.drafted == 0:
        where = "your documents or this chat" if has_documents else "this chat (no documents are indexed)"
        return f"{label} drafted nothing: nothing in {where} continues these words likely enough to pay for itself."
    if metrics.speedup >= FASTER:
        return f"{label} made this reply {metrics.speedup:.2f}× as fast as plain decoding on this computer."
    if metrics.speedup <= SLOWER:
        return (
            f"{label} was slower than plain decoding here ({metrics.speedup:.2f}×): {metrics.accepted} of its "
            f"{metrics.drafted} drafts were accepted, but on this computer checking them took longer than they saved. "
            "Choose Plain if this goes on."
        )
    return f"{label} ran at the speed of plain decoding ({metrics.speedup:.2f}×): few words could be guessed."
