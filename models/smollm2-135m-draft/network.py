"""The draft model in PyTorch: Llama's architecture, small, with a vocabulary of its own.

Names of weights are those of GGUF, and queries and keys rotate in neighbouring pairs (2i, 2i + 1) as llama.cpp rotates
those of the architecture `llama`, so that weights are exported as they are, without the permutation that checkpoints of
transformers need.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

LONGEST = 2048
"""Tokens of the longest text the network reads in PyTorch."""


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of a network. The defaults are those of the shipped draft."""

    width: int = 384
    layers: int = 2
    heads: int = 4
    kv_heads: int = 4
    head_dim: int = 128
    ff: int = 1024
    vocab: int = 16384
    theta: float = 1e16
    """Base of the rotation's wavelengths. So large a base leaves most pairs of a head practically unrotated: there
    keys are compared by content alone, wherever they are (see wiring.py)"""
    eps: float = 1e-5


class Draft(nn.Module):
    """Tokens to final states; `output` makes logits of them. Its state dict has GGUF's names of tensors."""

    cosines: Tensor
    sines: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.token_embd = nn.Embedding(config.vocab, config.width)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.output_norm = nn.RMSNorm(config.width, config.eps)
        self.output = nn.Linear(config.width, config.vocab, bias=False)
        cosines, sines = rotations(LONGEST, config.head_dim, config.theta)
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # GPT-2's way: what writes into the residual stream starts smaller, by the number of such writers.
                writes = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * config.layers) if writes else 1.0))

    def forward(self, tokens: Tensor) -> Tensor:
        """Normed final states [b, t, width] of `tokens` [b, t], t <= `LONGEST`."""
        states: Tensor = self.token_embd(tokens)
        length = tokens.shape[1]
        for block in self.blk:
            states = block(states, self.cosines[:length], self.sines[:length])
        normed: Tensor = self.output_norm(states)
        return normed

    def logits(self, states: Tensor) -> Tensor:
        """Logits [..., vocab] of final states [..., width]."""
        return functional.linear(states, self.output.weight)


class Block(nn.Module):
    """One layer: attention and a gated feed-forward network, each behind a norm and added to the residual stream."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.attn_norm = nn.RMSNorm(config.width, config.eps)
        self.attn_q = nn.Linear(config.width, queries, bias=False)
        self.attn_k = nn.Linear(config.width, keys, bias=False)
        self.attn_v = nn.Linear(config.width, keys, bias=False)
        self.attn_output = nn.Linear(queries, config.width, bias=False)
        self.ffn_norm = nn.RMSNorm(config.width, config.eps)
        self.ffn_gate = nn.Linear(config.width, config.ff, bias=False)
        self.ffn_up = nn.Linear(config.width, config.ff, bias=False)
        self.ffn_down = nn.Linear(config.ff, config.width, bias=False)

    def forward(self, states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """States [b, t, width] one layer on."""
        config = self.config
        normed = self.attn_norm(states)
        values = self._heads(self.attn_v(normed), config.kv_heads)
        queries = rotate(self._heads(self.attn_q(normed), config.heads), cosines, sines).to(values.dtype)
        keys = rotate(self._heads(self.attn_k(normed), config.kv_heads), cosines, sines).to(values.dtype)
        sharing = config.heads // config.kv_heads
        if sharing > 1:
            keys, values = keys.repeat_interleave(sharing, 1), values.repeat_interleave(sharing, 1)
        read = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        states = states + self.attn_output(read.transpose(1, 2).flatten(2))
        normed = self.ffn_norm(states)
        changed: Tensor = states + self.ffn_down(functional.silu(self.ffn_gate(normed)) * self.ffn_up(normed))
        return changed

    def _heads(self, rows: Tensor, count: int) -> Tensor:
        """[b, t, count · head_dim] as [b, count, t, head_dim]."""
        batch, length, _ = rows.shape
        return rows.view(batch, length, count, self.config.head_dim).transpose(1, 2)


def angles(head_dim: int, theta: float) -> Tensor:
    """By how many radians each of a head's pairs turns per position [head_dim / 2], fastest first (float64)."""
    return theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)


def rotations(length: int, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines [length, head_dim / 2] of rotary position embedding (Su et al. 2021, arXiv 2104.09864)."""
    turned = torch.outer(torch.arange(length, dtype=torch.float64), angles(head_dim, theta))
    return torch.cos(turned).float(), torch.sin(turned).float()


def rotate(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """`heads` [b, h, t, head_dim] with every pair (2i, 2i + 1) turned by its position's angle."""
    even, odd = heads[..., 0::2], heads[..., 1::2]
    return torch.stack((even * cosines - odd * sines, even * sines + odd * cosines), -1).flatten(-2)


def with_weights(config: Config, weights: Mapping[str, Tensor]) -> Draft:
    """A network with these weights, by their GGUF names. Raises RuntimeError where names or shapes differ."""
    network = Draft(config)
    network.load_state_dict(dict(weights))
    return network
