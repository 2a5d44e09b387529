"""What fills the model's context in a turn, in tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from localspec.stores.stored_turns import PlainTurn

_MOST = 10**9


@dataclass(frozen=True, slots=True)
class ContextUsage:
    """The prompt of one turn by what it holds, in tokens. The answer comes on top, and the rest of `size` is free."""

    size: int = 0  # of the model's context
    system: int = 0  # system prompt, and the chat template's own tokens
    documents: int = 0  # text of documents that was sent with this question or an earlier one
    earlier: int = 0  # earlier questions and answers
    question: int = 0
    forgotten: int = 0  # earlier questions that were left out, with their answers

    @property
    def prompt(self) -> int:
        """Tokens of the whole prompt."""
        return self.system + self.documents + self.earlier + self.question

    def free(self, answer: int) -> int:
        """What is left behind an answer of so many tokens."""
        return max(0, self.size - self.prompt - answer)

    def record(self) -> dict[str, int]:
        """As JSON holds it; `of_record` reads it."""
        return asdict(self)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> ContextUsage:
        """The window that `record` gave; what is missing is 0. Raises ValueError for what cannot be."""
        values: dict[str, int] = {}
        for each in fields(cls):
            value = record.get(each.name, 0)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
                raise ValueError(f"{each.name} must be a whole number from 0 on")
            values[each.name] = value
        return cls(**values)


def measure(
    size: int, prompt: int, earlier: Sequence[PlainTurn], last: PlainTurn, forgotten: int, count: Callable[[str], int]
) -> ContextUsage:
    """The window of a prompt of `prompt` tokens: the turns in it before the `last` one, and how many were left out."""
    documents = said = 0
    for turn in earlier:
        asked = count(turn.question)
        said += asked + turn.answer_length
        documents += _added(turn, asked, count)
    question = count(last.question)
    documents += _added(last, question, count)
    # What is left is the system prompt and the template; pieces that are joined may have a token less than apart.
    return ContextUsage(size, max(0, prompt - documents - said - question), documents, said, question, forgotten)


def _added(turn: PlainTurn, asked: int, count: Callable[[str], int]) -> int:
    """Tokens that were sent with a question beside itself."""
    return max(0, count(turn.content) - asked) if turn.content != turn.question else 0
