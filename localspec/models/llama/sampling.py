"""How the next token is chosen: the settings a person can change, checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from localspec.errors import SettingsError

RANDOM_SEED = 0xFFFFFFFF
"""llama.cpp's value for "take a fresh seed" (LLAMA_DEFAULT_SEED)."""


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """One reply's sampling. `temperature` 0 is greedy; `top_k` 0, `top_p` 1, `min_p` 0, `repeat_penalty` 1 are off.

    `repeat_penalty` looks at the last `repeat_last_n` tokens of the reply, not at the prompt: a penalty on the words
    of a document in the prompt would push the answer away from the document. `grammar` is GBNF text, or "".
    Raises SettingsError when a value is outside its range.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    seed: int = RANDOM_SEED
    grammar: str = ""

    def __post_init__(self) -> None:
        checks = (
            ("temperature", 0.0 <= self.temperature <= 10.0, "from 0 to 10"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("top_p", 0.0 < self.top_p <= 1.0, "above 0, at most 1"),
            ("min_p", 0.0 <= self.min_p < 1.0, "from 0 to below 1"),
            ("repeat_penalty", 0.0 < self.repeat_penalty <= 10.0, "above 0, at most 10"),
            ("repeat_last_n", self.repeat_last_n >= 0, "0 or more"),
            ("seed", 0 <= self.seed <= RANDOM_SEED, f"from 0 to {RANDOM_SEED}"),
        )
        for name, holds, range_text in checks:
            if not holds:
                raise SettingsError(f"The setting {name} is {getattr(self, name)}; it must be {range_text}.")

    @property
    def is_greedy(self) -> bool:
        """True when the most probable token is taken without a sampler chain."""
        return self.temperature == 0.0 and self.repeat_penalty == 1.0 and not self.grammar

    def with_seed_of(self, number: int) -> SamplingSettings:
        """These settings for the reply `number` of many: a random stream of its own, the same in every run."""
        if self.seed == RANDOM_SEED:
            return self
        return replace(self, seed=(self.seed + number) % RANDOM_SEED)
