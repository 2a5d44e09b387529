"""How llama.cpp attends on the processor: which kernel, and how keys and values are kept. One is twice as fast as the
other, and which depends on the processor: `models.decode_times` measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import llama_cpp

_F16, _BF16 = 1, 30
"""ggml's numbers of the types (ggml.h, enum ggml_type)."""
_MAX_SCORE_BYTES = 512 * 2**20
"""Bytes that the scores of one prefill batch may take where they are computed as a matrix."""


@dataclass(frozen=True, slots=True)
class Attention:
    """A kernel and the types of keys and values."""

    name: str
    flash: bool
    keys: int
    values: int

    def apply(self, parameters: Any) -> None:  # noqa: ANN401 - a ctypes structure of an untyped library
        """Set the parameters of a context."""
        parameters.flash_attn_type = int(
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if self.flash else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        parameters.type_k = self.keys
        parameters.type_v = self.values


OWN = (Attention("our kernel", True, _F16, _F16),)
"""Where our kernel attends: equal bit for bit, whatever the types of keys and values."""
# With K and V both F16 llama.cpp attends to more than 256 positions by another summation for one row than for several,
# and the logits of a draft part from plain ones by up to 1. With K in BF16 one kernel serves every number of rows
# (ops.cpp, use_split_kv_path): equal bit for bit.
BITWISE = (
    Attention("flash, K and V in BF16", True, _BF16, _BF16),
    Attention("flash, K in BF16, V in F16", True, _BF16, _F16),
)
"""For weights whose products don't depend on the number of rows."""
OTHERS = (
    Attention("matrix", False, _F16, _F16),
    Attention("flash, K and V in BF16", True, _BF16, _BF16),
    Attention("flash", True, _F16, _F16),
)
"""For 16- and 32-bit weights, whose products depend on it anyway."""


def choices(*, bitwise: bool, own: bool, heads: int, cells: int, rows: int) -> tuple[Attention, ...]:
    """What a context of `cells` positions may use, for batches of up to `rows` rows."""
    if own:
        return OWN
    if bitwise:
        return BITWISE
    fits = 4 * heads * cells * rows <= _MAX_SCORE_BYTES
    return OTHERS if fits else OTHERS[1:]
