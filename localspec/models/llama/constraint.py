"""What a reply may say at each place: JSON schemas by llguidance, and which drafted tokens a grammar lets through.

llguidance keeps schemas exactly (bounds of numbers, escapes in strings) and says what of a schema it does not know.
llama.cpp's own grammars from schemas drop bounds and let raw line breaks into strings, so here they serve GBNF alone.
"""

from __future__ import annotations

import ctypes
import json
import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.errors import ModelError, SettingsError
from localspec.models.llama.weights import Weights

if TYPE_CHECKING:  # its import takes 0.2 s: only where a schema is asked for
    from llguidance import LLMatcher, LLTokenizer

ANY_OBJECT = '{"type": "object"}'
"""The schema of "some JSON object"."""
_WHITESPACE = r"[\x20\x0A\x0D\x09]{0,24}"
"""Between the parts of a value. Without an end, small models write blanks until the answer is full."""
_UNKNOWN_FORMAT = re.compile(r"Unknown format: (.+)")
_DEEPEST = 400
"""Objects and lists of a schema inside each other, what is referred to included. Some thousands overflow the stack of
llguidance, which ends the process."""
_MOST_GROUPS = 4000
"""Rules, groups and repetitions of a GBNF grammar. llama.cpp goes into them one inside the other, and some ten thousand
overflow its stack."""
_GBNF_TEXT = re.compile(r'"(?:\\.|[^"\\])*"?|\[(?:\\.|[^\]\\])*\]?|#[^\n]*', re.DOTALL)
_GBNF_GROUP = re.compile(r"::=|[({*+?]")
_DATA = frozenset({"const", "default", "enum", "example", "examples"})
"""Keywords whose values are no schemas."""


class GrammarState(Protocol):
    """Where a text stands in its grammar."""

    def allows(self, token: int) -> bool:
        """Whether the token may follow."""

    def after(self, token: int) -> GrammarState:
        """Where it stands behind an allowed token."""

    def close(self) -> None:
        """Free it; safe to call twice."""


class SchemaState:
    """Where a text stands in a JSON schema."""

    def __init__(self, matcher: LLMatcher, vocabulary_size: int, ends: Collection[int]) -> None:
        self._matcher = matcher
        self._ends = ends
        self._bits = np.zeros((vocabulary_size + 31) // 32, np.int32)
        self._vocabulary_size = vocabulary_size

    def allows(self, token: int) -> bool:
        """Whether the token may follow; one that ends a reply where the value is whole."""
        if token in self._ends:
            return self._matcher.is_accepting()
        return self._matcher.validate_tokens([token]) == 1

    def after(self, token: int) -> SchemaState:
        """Where it stands behind an allowed token."""
        behind = SchemaState(self._matcher.deep_copy(), self._vocabulary_size, self._ends)
        behind.accept(token)
        return behind

    def accept(self, token: int) -> None:
        """Take an allowed token. Raises ModelError."""
        if not self._matcher.consume_token(token):
            raise ModelError(f"The answer left its JSON schema ({_reason(self._matcher)}).", "Ask again.")

    def allowed(self) -> NDArray[np.int64]:
        """All tokens that may follow [m], ascending: those that end a reply where the value is whole. Raises
        ModelError where that takes more than llguidance's limits."""
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        found = np.flatnonzero(np.unpackbits(self._bits.view(np.uint8), bitorder="little")[: self._vocabulary_size])
        if self._matcher.is_error() or not len(found):
            raise ModelError(
                f"The JSON schema could not be followed any further ({_reason(self._matcher)}).", "Simplify the schema."
            )
        return found

    def close(self) -> None:
        """Nothing of it lies outside Python."""


class GbnfState:
    """Where a text stands in a GBNF grammar: llama.cpp's sampler."""

    def __init__(self, sampler: Any, *, owned: bool = True) -> None:  # noqa: ANN401 - an untyped library's pointer
        """One that is not `owned` belongs to a chain, which frees it."""
        self._sampler = sampler
        self._owned = owned

    def allows(self, token: int) -> bool:
        """Whether the token may follow."""
        data = llama_cpp.llama_token_data(token, 0.0, 0.0)
        candidates = llama_cpp.llama_token_data_array(ctypes.pointer(data), 1, -1, False)
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(candidates))
        return float(data.logit) == 0.0

    def after(self, token: int) -> GbnfState:
        """Where it stands behind an allowed token. (llama.cpp ends the process at one that is not.)"""
        behind = llama_cpp.llama_sampler_clone(self._sampler)
        llama_cpp.llama_sampler_accept(behind, token)
        return GbnfState(behind)

    def close(self) -> None:
        """Free it."""
        if self._owned and self._sampler is not None:
            llama_cpp.llama_sampler_free(self._sampler)
        self._sampler = None


def allowed_nodes(
    root: GrammarState, tokens: NDArray[np.int32], parents: NDArray[np.int32], ends: Collection[int]
) -> list[int]:
    """The nodes of a draft that the grammar allows behind `root`, parents first. `tokens` [n], `parents` [n] (-1 = the
    root) with parents before children. Nothing is allowed behind a token of `ends`."""
    above, inner = parents.tolist(), set(parents.tolist())
    states: dict[int, GrammarState] = {-1: root}
    kept: list[int] = []
    try:
        for node, token in enumerate(tokens.tolist()):
            state = states.get(above[node])
            if state is None or not state.allows(token):
                continue
            kept.append(node)
            if node in inner and token not in ends:
                states[node] = state.after(token)
    finally:
        del states[-1]
        for state in states.values():
            state.close()
    return kept


def schema_state(weights: Weights, schema: str) -> SchemaState:
    """The beginning of a text that fits a JSON schema, given as JSON. Raises SettingsError that says what is wrong."""
    from llguidance import LLMatcher

    try:
        parsed = json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"The JSON schema is not JSON ({error}).", "Correct it.") from error
    if parsed is True:
        parsed = {}  # anything
    if not isinstance(parsed, dict):
        raise SettingsError("The JSON schema must be an object.", "Correct it.")
    if _depth(parsed) > _DEEPEST:
        raise SettingsError("The JSON schema is too deep.", "Nest less, and shorten the chains of references.")
    tokenizer = _tokenizer(weights)
    left_out: set[str] = set()
    while True:
        matcher = LLMatcher(tokenizer, _compiled(parsed), log_level=0)
        if not matcher.is_error():
            return SchemaState(matcher, weights.vocabulary_size, weights.end_tokens)
        # A format that is not known says nothing about a value (JSON Schema 2020-12, section 7.2.3).
        unknown = _UNKNOWN_FORMAT.search(matcher.get_error())
        if unknown is None or unknown[1] in left_out:
            raise SettingsError(
                f"The JSON schema cannot be followed: {_reason(matcher)}.", "Correct it, or leave that part out."
            )
        left_out.add(unknown[1])
        parsed = _without_format(parsed, unknown[1])


def check_gbnf(grammar: str) -> None:
    """Raises SettingsError for a grammar at which llama.cpp would end the process."""
    if len(_GBNF_GROUP.findall(_GBNF_TEXT.sub("", grammar))) > _MOST_GROUPS:
        raise SettingsError(
            f"The grammar is too large: it may have {_MOST_GROUPS:,} rules, groups and repetitions.", "Simplify it."
        )


def _depth(schema: object) -> int:
    """Objects and lists inside each other, with what references lead to; more than `_DEEPEST` where there is no end."""
    known: dict[str, int] = {}

    def below(node: object) -> int:
        most = 0
        if isinstance(node, list):
            for one in node:
                most = max(most, below(one))
        elif isinstance(node, dict):
            for one in node.values():
                most = max(most, below(one))
            place = node.get("$ref")
            if isinstance(place, str) and place.startswith("#"):
                if place not in known:
                    known[place] = 0  # what leads back to itself goes no deeper
                    known[place] = below(_at(schema, place))
                most = max(most, known[place])
        else:
            return 0
        return most + 1

    try:
        return below(schema)
    except RecursionError:
        return _DEEPEST + 1


def _at(schema: object, pointer: str) -> object:
    """What a reference such as "#/$defs/name" leads to; None where that is nothing (RFC 6901)."""
    found: object = schema
    for part in unquote(pointer).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(name)] if name.isdecimal() and len(name) < 9 and int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, dict) else None
    return found


def _compiled(schema: object) -> str:
    from llguidance import LLMatcher

    overrides: Any = {"whitespace_pattern": _WHITESPACE}
    return LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=overrides)


def _reason(matcher: LLMatcher) -> str:
    lines = matcher.get_error().strip().splitlines()
    return lines[0].rstrip(".") if lines else "no reason given"


def _without_format(schema: Any, name: str) -> Any:  # noqa: ANN401 - any JSON
    """The schema without `"format": name`."""
    if isinstance(schema, list):
        return [_without_format(one, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key in _DATA else _without_format(value, name)
        for key, value in schema.items()
        if not (key == "format" and value == name)
    }


class _Vocabulary:
    """A model's vocabulary in the shape in which llguidance asks for it."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.tokens: Sequence[bytes] = [weights.piece(token) for token in range(weights.vocabulary_size)]
        self.special_token_ids = sorted({*weights.end_tokens, *(n for n, piece in enumerate(self.tokens) if not piece)})
        self.eos_token_id = self.special_token_ids[0]
        self.bos_token_id = None
        named = list(self.tokens)
        for token in self.special_token_ids:
            named[token] = b"\xff<|%d|>" % token  # a byte that is in no text marks what is none
        self.tokens = named

    def __call__(self, text: bytes) -> list[int]:
        return [int(token) for token in self._weights.tokenize(text.decode("utf-8", "replace"))]


def _tokenizer(weights: Weights) -> LLTokenizer:
    """Made once for a model: it takes a quarter of a second for 50,000 tokens."""
    from llguidance import LLTokenizer, TokenizerWrapper

    if weights.schema_tokenizer is None:
        if not weights.end_tokens:
            raise SettingsError(f"{weights.path.name} has no token that ends an answer.", "Ask without a JSON schema.")
        wrapped = TokenizerWrapper(_Vocabulary(weights))
        weights.schema_tokenizer = LLTokenizer(wrapped, eos_token=sorted(weights.end_tokens))
    tokenizer: LLTokenizer = weights.schema_tokenizer
    return tokenizer
