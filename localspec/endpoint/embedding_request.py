"""Requests for vectors of meaning (`/v1/embeddings`), read and checked."""

from __future__ import annotations

from dataclasses import dataclass

from localspec.endpoint.refusals import refuse
from localspec.endpoint.reply_fields import model_name
from localspec.endpoint.request_fields import WITHOUT_EFFECT, Fields, read_json, sound

MOST_INPUTS = 2048
"""Texts in one request, as OpenAI allows"""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to be turned into vectors."""

    model: str
    inputs: tuple[str, ...]
    as_base64: bool = False
    dimensions: int | None = None


def parse_embedding(body: bytes) -> EmbeddingRequest:
    """The request in `body`. Raises RequestError (400) that names the field to blame."""
    fields = Fields(read_json(body))
    model = model_name(fields)
    inputs = _inputs(fields.take("input"))
    form = fields.text("encoding_format") or "float"
    if form not in ("float", "base64"):
        refuse("This must be float or base64.", "encoding_format")
    dimensions = fields.whole("dimensions", 1, 2**31)
    fields.finish(WITHOUT_EFFECT)
    return EmbeddingRequest(model, inputs, form == "base64", dimensions)


def _inputs(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        refuse("The input must be a text or a list of texts.", "input", "invalid_type")
    if len(texts) > MOST_INPUTS:
        refuse(f"There may be {MOST_INPUTS} texts at most.", "input")
    if all(isinstance(one, int | list) for one in texts):
        refuse("Send texts: token ids belong to another model's vocabulary.", "input", "unsupported_value")
    for number, one in enumerate(texts):
        path = "input" if isinstance(value, str) else f"input[{number}]"
        if not isinstance(one, str):
            refuse("This must be a text.", path, "invalid_type")
        if not one:
            refuse("An empty text has no meaning.", path)
        sound(one, path)
    return tuple(texts)
