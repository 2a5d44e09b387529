"""Requests to go on with a text as it is (`/v1/completions`), read and checked."""

from __future__ import annotations

from dataclasses import dataclass

from localspec.endpoint.refusals import refuse
from localspec.endpoint.reply_fields import ReplyRequest, longest, shared_fields
from localspec.endpoint.request_fields import WITHOUT_EFFECT, Fields, read_json, sound

USUAL_TOKENS = 16
"""Of a completion of which nobody says how long it may be: as OpenAI has it"""
MOST_LOGPROBS_HERE = 5
"""Alternatives of each token, as OpenAI allows for completions"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest(ReplyRequest):
    """A text to be gone on with."""

    prompt: str | tuple[int, ...]
    """text, in which the names of control tokens count as such, or token ids"""
    echo: bool = False  # the answer begins with the prompt


def parse_completion(body: bytes) -> CompletionRequest:
    """The request in `body`. Raises RequestError (400) that names the field to blame."""
    fields = Fields(read_json(body))
    shared = shared_fields(fields)
    prompt = _prompt(fields.take("prompt"))
    echo, top = bool(fields.flag("echo")), fields.whole("logprobs", 0, MOST_LOGPROBS_HERE)
    if echo and top is not None:
        refuse("No probabilities are told for the prompt: ask for echo or for logprobs.", "echo", "unsupported_value")
    if fields.text("suffix"):
        refuse("LocalSpec writes no text between two others: leave suffix out.", "suffix", "unsupported_parameter")
    if fields.whole("best_of", 1, 20) not in (None, 1):
        refuse("One answer is written: best_of must be 1.", "best_of", "unsupported_value")
    request = CompletionRequest(
        **shared,
        prompt=prompt,
        echo=echo,
        ends_loops=False,  # a text may well repeat itself
        max_tokens=longest(fields, "max_tokens") or USUAL_TOKENS,
        top_logprobs=top,
    )
    fields.finish(WITHOUT_EFFECT)
    return request


def _prompt(value: object) -> str | tuple[int, ...]:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        value = value[0]  # a list of one prompt
    if isinstance(value, str) and value:
        return sound(value, "prompt")
    if isinstance(value, list) and value:
        if all(isinstance(one, str | list) for one in value):
            refuse("One prompt is answered at a time.", "prompt", "unsupported_value")
        if all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**31 for one in value):
            return tuple(value)
    return refuse("The prompt must be a text or a list of token ids.", "prompt", "invalid_type")
