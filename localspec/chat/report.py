"""What a reply's figures mean, in words; and why it is the one from before."""

from __future__ import annotations

from localspec import texts
from localspec.chat.methods import METHODS
from localspec.chat.turn import Turn
from localspec.speculation.metrics import ReplyMetrics, proposing_share
from localspec.texts import counted

FASTER = 1.02
SLOWER = 0.98
"""Within these bounds of plain speed a reply counts as neither faster nor slower: timing noise."""

LOOKED = 1.0 - SLOWER
"""From this part of the time on it is said that looking for drafts took time, though none came of it."""

UNKNOWN_DRAFT = "there is no matching draft model here."
NO_STATES = "No library here was read by this model yet, so drafts by meaning only come from this chat."
SEARCHES_ALONE = "No draft model is in use, so drafts only came from searches."
LONG_IDLE = 48
"""Tokens without a draft after which a method that decides for itself says so."""
IDLE = "Nothing was drafted for the last {tokens} tokens: there was no likely continuation."
DRAFT_LEFT_OUT = "The draft model was not used: on this computer it would take longer than it saves."
DRAFT_ALONE = "draft"
"""Name of the method that has nothing but the draft model."""


def verdict(
    metrics: ReplyMetrics, method: str, *, has_documents: bool, has_states: bool = True, has_draft: bool = True
) -> str:
    """One sentence for the panel: whether drafting helped, and if not, why. Where the method uses them, further ones
    say that the library has no hidden states (`has_states`), and that there is no draft model (`has_draft`)."""
    known = METHODS.get(method)
    said = [_verdict(metrics, method, has_documents=has_documents, has_draft=has_draft)]
    if known is not None and metrics.steps:
        if known.needs_draft and not has_draft and method != DRAFT_ALONE:
            said.append(SEARCHES_ALONE)
        if known.uses_states and not has_states:
            said.append(NO_STATES)
        if known.sized_by_itself and metrics.drafted and metrics.idle_tokens >= LONG_IDLE:
            said.append(IDLE.format(tokens=metrics.idle_tokens))
        elif known.sized_by_itself and has_draft and _left_out(metrics):
            said.append(DRAFT_LEFT_OUT)
    return " ".join(said)


def told_factor(metrics: ReplyMetrics, digits: int = 2) -> str:
    """Speed against plain decoding as a number, "" where it cannot be told. Where nothing was drafted it is 1.0: plain
    decoding against itself, but for what looking for drafts took."""
    if not metrics.steps or not metrics.speedup:
        return ""
    if not metrics.drafted and proposing_share(metrics) < LOOKED:
        return "1.0"
    return f"{metrics.speedup:.{digits}f}"


def _left_out(metrics: ReplyMetrics) -> bool:
    """In a reply of some length the draft model proposed nothing while others did."""
    return metrics.drafted > 0 and metrics.tokens >= LONG_IDLE and not metrics.drafted_by_source.get(DRAFT_ALONE)


def _accepted(metrics: ReplyMetrics) -> str:
    were = "was" if metrics.accepted == 1 else "were"
    return f"{metrics.accepted} of {counted(metrics.drafted, 'draft')} {were} accepted"


def same_again(before: Turn, now: Turn) -> str:
    """Why the answer to a question that was asked again is the one from before. Empty where it is another one, none was
    made, or chance gave the same."""
    if now is before or now.reply != before.reply or now.made_with is None:
        return ""
    sampling = now.made_with.options.sampling
    if sampling.temperature == 0:
        return texts.SAME_AGAIN
    # A fresh seed is another one each time.
    is_fixed = before.made_with is not None and before.made_with.options.sampling.seed == sampling.seed
    return texts.SAME_SEED if is_fixed else ""


def _verdict(metrics: ReplyMetrics, method: str, *, has_documents: bool, has_draft: bool) -> str:
    known = METHODS.get(method)
    label = known.label if known is not None else method
    with_draft = has_draft and known is not None and (known.needs_draft or known.sized_by_itself)
    if method == "plain":
        return "Plain decoding: no drafts."
    if method == DRAFT_ALONE:
        if not has_draft and metrics.drafted == 0:
            return "Plain decoding: no draft model is in use."
        label = "The draft model"
    if metrics.steps == 0:
        return f"{label}: waiting for the first token."
    looked = proposing_share(metrics) >= LOOKED
    share = f"{proposing_share(metrics):.0%}"
    if metrics.drafted == 0 and method == DRAFT_ALONE:
        if looked:
            return texts.NOTHING_WORTH_GUESSING.format(label=label, share=share)
        return f"{label} drafted nothing: no draft was likely enough."
    if metrics.drafted == 0:
        where = "your documents or this chat" if has_documents else "this chat (no documents are indexed)"
        what = f"neither the draft model nor anything in {where}" if with_draft else f"nothing in {where}"
        if looked:
            return texts.NOTHING_WORTH_DRAFTING.format(label=label, what=what, share=share)
        return f"{label} drafted nothing: {what} offered a likely continuation."
    if not metrics.speedup:
        return f"{label}: {texts.SPEED_UNTOLD[metrics.untold].format(accepted=_accepted(metrics))}"
    if metrics.speedup >= FASTER:
        return f"{label} made this answer {metrics.speedup:.2f}× as fast as plain decoding on this computer."
    if metrics.speedup <= SLOWER:
        work = "making and checking" if with_draft else "checking"
        return (
            f"{label} was slower than plain decoding here ({metrics.speedup:.2f}×): {_accepted(metrics)}, "
            f"but {work} them took longer than they saved. Choose Plain if this goes on."
        )
    return f"{label} was about as fast as plain decoding ({metrics.speedup:.2f}×): few drafts were accepted."
