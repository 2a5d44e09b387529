"""A conversation: questions in, streamed and cited answers out."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from localspec import texts
from localspec.chat.answer import answer, ending
from localspec.chat.engine import Engine
from localspec.chat.material import PLAIN_SYSTEM
from localspec.chat.methods import plan, sources_of
from localspec.chat.prompt_builder import PromptBuilder
from localspec.chat.sampling_defaults import against_loops
from localspec.chat.template import Message
from localspec.chat.token_probabilities import ProbabilityRecorder
from localspec.chat.turn import CUT, EDITED, MadeWith, ReplyOptions, Turn, Update
from localspec.errors import ContextTooLongError, SettingsError
from localspec.models.llama import StopSignal
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores.library import Library

_TRIES = 1000
"""Seeds behind a chosen one that are taken for answers that ran in circles."""


class Session:
    """One conversation with the engine's model over at most one library."""

    def __init__(
        self,
        engine: Engine,
        library: Library | None = None,
        system: str = "",
        *,
        learns: bool = True,
        turns: list[Turn] | None = None,
    ) -> None:
        """`system` replaces the built-in system prompt; what to do with documents is said after it where there are any.
        Without `learns`, the library learns nothing from this one.

        `turns` are those of a conversation that is gone on with; the list stays the caller's, who sees what is added.
        """
        self.learns = learns
        self.engine = engine
        self.library = library
        self.turns: list[Turn] = turns if turns is not None else []
        self.adopt(self.turns)
        self.prompts = PromptBuilder(engine, library, system, self.turns)

    @property
    def system(self) -> str:
        """The person's own system prompt, as the last question was asked with it; "" for none."""
        return self.prompts.system

    def ask(
        self,
        question: str,
        options: ReplyOptions | None = None,
        *,
        instead_of: int | None = None,
        stop: StopSignal | None = None,
    ) -> Generator[Update, None, None]:
        """Answer `question`. Closing the iterator early keeps the text so far, with `finish` "stopped"; so does `stop`,
        at once, which ends it by StoppedError.

        It takes the place of the turn at `instead_of` and of all after it, where that is given: one that ran in circles
        is drawn otherwise when it is asked for again. Raises LocalSpecError.
        Without a word of an answer, the conversation then is as it was before the question.
        """
        options = options or ReplyOptions()
        turns, selection = list(self.turns), self.prompts.selection.copy()
        turn: Turn | None = None
        with self.engine.turn(stop):
            try:
                options = settled(options, self.engine, question)
                if instead_of is not None:
                    options = _otherwise(options, turns[instead_of:][:1], question)
                    self.cut(instead_of)
                turn, prompt = self.prompts.compose(question, options)
                turn.made_with = self._made_with(options)
                self.turns.append(turn)
                yield from self._answer(prompt, turn, options)
            finally:
                if turn is None or not (turn.finish or turn.reply_tokens):
                    self.turns[:], self.prompts.selection = turns, selection

    def go_on(
        self, options: ReplyOptions | None = None, *, stop: StopSignal | None = None
    ) -> Generator[Update, None, None]:
        """Write on where the last answer ends. Closing the iterator early keeps the text so far; so does `stop`.

        The figures are those of the new part until it is done, then those of the whole answer. Raises LocalSpecError,
        SettingsError when there is no answer that can be gone on with. Without another word, the answer then is as it
        was: the model may have nothing to add to one that it had ended.
        """
        options = options or ReplyOptions()
        if not self.turns or not self.turns[-1].can_go_on:
            raise SettingsError(texts.NOTHING_TO_CONTINUE, texts.NOTHING_TO_CONTINUE_ADVICE)
        turn = self.turns[-1]
        options = settled(options, self.engine, turn.question)
        selection, count, begun = self.prompts.selection.copy(), len(turn.reply_tokens), False
        before = turn.finish, turn.notices, turn.metrics, turn.method, turn.made_with, turn.window, turn.citations
        earlier = ReplyMetrics(plain_seconds=turn.metrics.plain_seconds)
        earlier.merge(turn.metrics)
        with self.engine.turn(stop):
            try:
                prompt = self.prompts.compose_on(options)
                turn.notices = [notice for notice in turn.notices if notice != ending(turn)]
                turn.finish, turn.method, begun = "", options.method, True
                turn.made_with = self._made_on(turn.made_with if before[0] in CUT else None, options)
                turn.metrics = ReplyMetrics()
                yield from self._answer(prompt, turn, options, earlier)
            finally:
                ended_again = begun and turn.finish and before[0] not in ("end", EDITED)
                if not ended_again and len(turn.reply_tokens) == count:
                    turn.finish, turn.notices, turn.metrics, turn.method = before[:4]
                    turn.made_with, turn.window, turn.citations = before[4:]
                    self.prompts.selection = selection
                self.prompts.refresh()

    def cut(self, turns: int) -> None:
        """Take back all but the first `turns` turns."""
        self.show(turns, ())

    def show(self, position: int, turns: Sequence[Turn]) -> None:
        """Go on from these turns, of this model, instead of those from this position on."""
        self.turns[position:] = turns
        self.prompts.cut(position)

    def adopt(self, turns: Iterable[Turn]) -> None:
        """Make turns of which `show` may be given some the model's."""
        for turn in turns:
            _adopt(turn, self.engine)

    def _answer(
        self, prompt: NDArray[np.int32], turn: Turn, options: ReplyOptions, earlier: ReplyMetrics | None = None
    ) -> Iterator[Update]:
        engine, library = self.engine, self.library
        learns = self.learns and not turn.edited
        learner = library if learns and library is not None and library.replies.learns else None
        planned = plan(sources_of(engine, library), options.method, options.sizing, options.rows)
        return answer(engine, prompt, turn, options, planned, learner=learner, earlier=earlier)

    def _made_with(self, options: ReplyOptions) -> MadeWith:
        return MadeWith(options, self.engine.weights_fingerprint)

    def _made_on(self, before: MadeWith | None, options: ReplyOptions) -> MadeWith | None:
        """What an answer follows from that is gone on with: where words are drawn, two streams of chance made it."""
        now = self._made_with(options)
        if before is None or before.weights != now.weights:
            return None
        if not (before.options.sampling.is_greedy and options.sampling.is_greedy):
            return None
        return replace(now, options=replace(options, thinking=before.options.thinking))  # its prompt stays


class SingleReply:
    """Answers a prompt as it is: nothing is looked up for it, left out, or learnt from the answer."""

    def __init__(
        self, engine: Engine, prompt: NDArray[np.int32], library: Library | None = None, question: str = ""
    ) -> None:
        """`prompt` [n] are its tokens, `library` gives drafts, no text. `question` is what it asks, for which sampling
        may be recommended.

        Raises ContextTooLongError. Needs no turn, so that it is known before the engine is free.
        """
        self._engine = engine
        self._library = library
        self._question = question
        self._tokens = prompt
        size = engine.model.context_size
        if len(prompt) >= size:
            raise ContextTooLongError(
                f"The messages are {len(prompt)} tokens long; the context of {engine.name} holds {size}.",
                "Send less text, or load the model with a larger context.",
            )

    def write(
        self, options: ReplyOptions, recorder: ProbabilityRecorder | None = None, stop: StopSignal | None = None
    ) -> Generator[Update, None, None]:
        """The reply, as `Session.ask` gives it."""
        with self._engine.turn(stop):
            planned = plan(sources_of(self._engine, self._library), options.method, options.sizing, options.rows)
            turn = Turn("", "", method=options.method)
            options = settled(options, self._engine, self._question)
            yield from answer(self._engine, self._tokens, turn, options, planned, recorder=recorder)


def with_system(messages: Sequence[Message]) -> list[Message]:
    """These messages; where none is a system message, the chat's own goes before them."""
    if any(message.role == "system" for message in messages):
        return list(messages)
    return [Message("system", PLAIN_SYSTEM), *messages]


def settled(options: ReplyOptions, engine: Engine, question: str) -> ReplyOptions:
    """The options with the sampling that is recommended for the model and the question, where that is asked for."""
    if not options.recommended:
        return options
    return replace(options, sampling=engine.recommended.of(options.sampling, question), recommended=False)


def _otherwise(options: ReplyOptions, before: Sequence[Turn], question: str) -> ReplyOptions:
    """The options for another answer to this question where the one `before` ran in circles."""
    if not any(turn.ran_in_circles(question) for turn in before):
        return options
    made, sampling = before[0].made_with, options.sampling
    if made is not None and 0 < made.options.sampling.seed - sampling.seed < _TRIES:  # the last one was such a try
        sampling = replace(sampling, seed=made.options.sampling.seed)
    return replace(options, sampling=against_loops(sampling))


def _adopt(turn: Turn, engine: Engine) -> None:
    """Make a turn from elsewhere one of this model's: a reply's tokens mean nothing to another tokenizer."""
    own, size = engine.tokenizer_fingerprint, engine.model.vocabulary_size
    if turn.tokenizer != own or not all(0 <= token < size for token in turn.reply_tokens):
        turn.reply_tokens, turn.thinking_tokens = engine.tokenize(turn.reply).tolist(), 0
        turn.tokenizer = own
