"""From a prompt to an answer: the prompt is read, the reply decoded into its turn, and the library learns from it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from localspec import texts
from localspec.chat.citations import cited
from localspec.chat.engine import Engine
from localspec.chat.methods import without_draft
from localspec.chat.reply_stream import ReplyPart, ReplyStream
from localspec.chat.token_probabilities import ProbabilityRecorder
from localspec.chat.turn import LOOP, ReplyOptions, Turn, Update
from localspec.models.llama import LlamaModel
from localspec.speculation.decode import generate
from localspec.speculation.interface import Drafter, Step, need_states
from localspec.speculation.loops import LoopDetector
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.policy import Budget
from localspec.stores.library import Library

LEAST_LEARNT = 8
"""Shorter replies teach nothing that is worth a place in the stores."""


def answer(
    engine: Engine,
    prompt: NDArray[np.int32],
    turn: Turn,
    options: ReplyOptions,
    planned: tuple[list[Drafter], Budget],
    *,
    learner: Library | None = None,
    earlier: ReplyMetrics | None = None,
    with_states: bool = False,
    recorder: ProbabilityRecorder | None = None,
) -> Iterator[Update]:
    """Decode behind `prompt` [n] into `turn`, inside the engine's turn.

    `planned` are the drafters of the reply and what sizes their trees. `learner` is given the reply with its hidden
    states. Where the reply began before, `earlier` are the figures of that part: `turn.metrics` are those of the new
    part until it is done, then those of the whole. With `with_states` the prompt's hidden states are kept although no
    drafter looks at them. `recorder` notes how likely each token was. Closing the iterator early keeps what was
    written, with `finish` "stopped"; without a further token the turn's text is as it was. Raises SettingsError,
    ModelError.
    """
    model, (drafters, budget) = engine.model, planned
    sampler = model.sampler(options.sampling)
    written: list[int] = []
    shown = len(turn.reply_tokens)
    sampler.follow(turn.reply_tokens)
    turn.metrics.plain_seconds = engine.plain_seconds_at(len(prompt))
    try:
        yield from _read(engine, prompt, turn, with_states or need_states(drafters))
        keeps = learner is not None
        drawing = sampler if recorder is None else recorder.watching(model, sampler)
        steps = generate(model, drawing, drafters, prompt, budget, options.max_tokens, keep_states=keeps)
        loops = loop_detector(model, options, turn.reply_tokens)
        before = [] if _has_no_thought(options) else prompt[: len(prompt) - shown].tolist()
        stream = ReplyStream(engine.marks, before, turn.reply_tokens, turn.thinking, turn.reply)
        rest = yield from _write(stream, steps, drafters, turn, written, loops)
        _take_in(turn, earlier)
        turn.citations = cited(turn.reply, turn.given, turn.question)
        for notice in (without_draft(engine, turn.method), ending(turn)):  # the draft model may have failed on the way
            if notice and notice not in turn.notices:
                turn.notices.append(notice)
        yield Update("done", turn, rest.answer, rest.thinking, 1.0)
    finally:
        sampler.close()
        engine.remember()
        if not turn.finish and len(turn.reply_tokens) > shown:  # a stop, or an error in the middle
            _take_in(turn, earlier)
            turn.finish = "stopped"
            turn.citations = cited(turn.reply, turn.given, turn.question)
        if learner is not None and not turn.looped:
            _learn(model, learner, prompt, written, max(0, turn.thinking_tokens - shown))


def ending(turn: Turn) -> str:
    """What is said about how an answer ends; "" where nothing is."""
    if turn.finish == "context":
        return "Stopped because the model's context is full. Start a new chat to go on."
    if turn.finish == "length" and turn.thinking and not turn.reply:
        return texts.THOUGHT_TO_THE_LIMIT.format(tokens=turn.metrics.tokens)
    if turn.finish == "length":
        return f"Stopped at the {turn.metrics.tokens}-token limit."
    return texts.LOOPED if turn.looped else ""


def loop_detector(model: LlamaModel, options: ReplyOptions, written: Sequence[int] = ()) -> LoopDetector | None:
    """What notices that an answer repeats itself, of which so much is `written`; None where that is not for us to
    judge: a grammar may want it."""
    if not options.ends_loops or options.sampling.grammar or options.sampling.json_schema:
        return None
    return LoopDetector(model.piece, written)


def _has_no_thought(options: ReplyOptions) -> bool:
    """Whether a grammar or schema lets no thought end, not even one that the prompt has opened: all is answer then."""
    grammar = options.sampling.grammar
    return bool(options.sampling.json_schema) or (bool(grammar) and "think" not in grammar.casefold())


def _read(engine: Engine, prompt: NDArray[np.int32], turn: Turn, with_states: bool) -> Iterator[Update]:
    model = engine.model
    started = perf_counter()
    turn.metrics.prompt_tokens = len(prompt)
    turn.metrics.reused_tokens = min(model.common_prefix(prompt), len(prompt) - 1)

    def left(tokens: int) -> float:
        return engine.reading_seconds(tokens, states=with_states)

    yield Update("reading", turn, progress=0.0, seconds_left=left(turn.metrics.unread_tokens))
    before, since = 0, perf_counter()
    for done, total in model.prefill(prompt, states=with_states):
        now = perf_counter()
        engine.times.reading.observe(done - before, now - since, states=with_states)
        turn.metrics.prefill_seconds = now - started
        yield Update("reading", turn, progress=done / max(1, total), seconds_left=left(total - done))
        before, since = done, perf_counter()


def _write(
    stream: ReplyStream,
    steps: Iterator[Step],
    drafters: Sequence[Drafter],
    turn: Turn,
    written: list[int],
    loops: LoopDetector | None,
) -> Generator[Update, None, ReplyPart]:
    """Take each step into the turn, and all tokens, the end too, into `written`, up to the one at which `loops` says
    stop: the same one with drafts and without. Returns what was held back."""
    turn.origins.fit(len(stream.text))
    for step in steps:
        emitted = step.emitted.tolist()
        written += emitted
        if step.finish == "end":
            emitted = emitted[:-1]
        loop = loops.add(emitted) if loops is not None else 0
        if loop:
            del emitted[loop:]
            step = replace(step, emitted=step.emitted[:loop], source=step.source[:loop])
        turn.metrics.add(step)
        turn.metrics.take(drafters)
        turn.reply_tokens += emitted
        parts = stream.add(emitted)
        answered = [part.answer for part in parts]
        turn.origins.add(step.source.tolist(), answered)
        turn.reply, turn.thinking, turn.thinking_tokens = stream.text, stream.thinking, stream.thinking_tokens
        yield Update("writing", turn, "".join(answered), "".join(part.thinking for part in parts), 1.0, step)
        turn.finish = step.finish
        if loop or (step.finish == "length" and loops is not None and loops.at_limit()):
            turn.finish = LOOP
            break
    rest = stream.finish()
    turn.reply, turn.thinking = stream.text, stream.thinking
    if rest.answer and turn.origins.lengths:
        turn.origins.lengths[-1] += len(rest.answer)
    return rest


def _take_in(turn: Turn, earlier: ReplyMetrics | None) -> None:
    """The figures of the whole answer, where this part of it went on at an earlier one."""
    if earlier is not None:
        earlier.merge(turn.metrics)
        turn.metrics = earlier


def _learn(model: LlamaModel, library: Library, prompt: NDArray[np.int32], written: Sequence[int], skip: int) -> None:
    """Hand a reply and its hidden states, which the decoder has computed already, to the library, without its first
    `skip` tokens, which were thought."""
    if len(written) - skip < LEAST_LEARNT:
        return
    states, known = model.known_states()
    first = len(prompt) - 1
    if len(known) != first + len(written) or not known[first:].all():
        return  # a step that failed in the middle
    tokens = np.concatenate([prompt[-1:], np.array(written, np.int32)])
    library.replies.add_later(tokens[skip:], states[first + skip :])
