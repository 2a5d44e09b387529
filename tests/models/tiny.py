"""Tiny GGUF files, written with the reference library: real ones, which llama.cpp loads, and headers alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np


def header(path: Path, architecture: str, numbers: Mapping[str, int | bool], tokens: int = 4) -> Path:
    """A file that says of its model what `numbers` (keys without the architecture) say, with one small tensor."""
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_context_length(512)
    writer.add_block_count(1)
    writer.add_embedding_length(32)
    writer.add_head_count(2)
    for key, value in numbers.items():
        name = f"{architecture}.{key}"
        if isinstance(value, bool):
            writer.add_bool(name, value)
        else:
            writer.add_uint32(name, value)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"t{number}" for number in range(tokens)])
    writer.add_tensor("token_embd.weight", np.zeros((tokens, 32), np.float32))
    return _written(writer, path)


def mamba(path: Path, like: Path, width: int = 32, layers: int = 2) -> Path:
    """A recurrent model of random weights, with the tokenizer of the file `like`: llama.cpp's `mamba`."""
    source = gguf.GGUFReader(str(like))
    inner, state, kernel, rank = 2 * width, 8, 4, 4
    writer = gguf.GGUFWriter(str(path), "mamba")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(layers)
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    writer.add_layer_norm_rms_eps(1e-5)
    for field in source.fields.values():
        if field.name.startswith("tokenizer."):
            inside = field.types[1] if len(field.types) > 1 else None
            writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inside)
    draw = np.random.default_rng(5)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, (draw.standard_normal(shape) * 0.1).astype(np.float32))

    add("token_embd.weight", len(source.fields["tokenizer.ggml.tokens"].data), width)
    writer.add_tensor("output_norm.weight", np.ones(width, np.float32))
    for layer in range(layers):
        block = f"blk.{layer}."
        writer.add_tensor(f"{block}attn_norm.weight", np.ones(width, np.float32))
        add(f"{block}ssm_in.weight", 2 * inner, width)
        add(f"{block}ssm_conv1d.weight", inner, kernel)
        add(f"{block}ssm_conv1d.bias", inner)
        add(f"{block}ssm_x.weight", rank + 2 * state, inner)
        add(f"{block}ssm_dt.weight", inner, rank)
        add(f"{block}ssm_dt.bias", inner)
        writer.add_tensor(f"{block}ssm_a", -np.ones((inner, state), np.float32))
        add(f"{block}ssm_d", inner)
        add(f"{block}ssm_out.weight", width, inner)
    return _written(writer, path)


def _written(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
