"""The draft as a GGUF file, and what is read from such files. The only importer of the package `gguf`.

The file is a plain `llama` model without a tokenizer. How its ids belong to the target's stands in metadata of our own:

    localspec.draft.target       string       name of the target
    localspec.draft.target_ids   int32 [v]    the target's id of each draft id
    localspec.draft.input_ids    int32 [t]    the draft id that stands for each of the target's ids on input
    localspec.draft.tokens       string [v]   the target's own text of each draft token, as its vocabulary stores it, so
                                              that a reader can make sure that it has the right target
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import Tensor

from network import Draft
from vocabulary import DraftVocabulary

TYPES = ("F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0")
"""Types that `gguf` can write."""
CONTEXT = 8192
"""Positions the file says it is good for. The network has no learnt positions; it is trained on shorter texts."""
KEYS = "localspec.draft"


@dataclass(frozen=True, slots=True)
class TensorTypes:
    """Types of the matrices by class. Norms stay F32.

    Only a row of the embeddings is read per token, and coarse ones cost no hits; the rest in Q4_0 costs two of a
    hundred."""

    embeddings: str = "Q4_0"
    attention: str = "Q8_0"
    feed_forward: str = "Q8_0"
    output: str = "Q8_0"

    def of(self, tensor: str) -> gguf.GGMLQuantizationType:
        """Type of the matrix called `tensor`."""
        if tensor.startswith("token_embd"):
            name = self.embeddings
        elif ".attn_" in tensor:
            name = self.attention
        elif ".ffn_" in tensor:
            name = self.feed_forward
        else:
            name = self.output
        return gguf.GGMLQuantizationType[name]


def write(
    path: Path,
    network: Draft,
    vocabulary: DraftVocabulary,
    tokens: Sequence[bytes],
    target: str,
    types: TensorTypes | None = None,
) -> None:
    """Write the draft, atomically. `tokens` [v] are the target's texts of the draft's tokens, as its file has them."""
    types = types or TensorTypes()
    config = network.config
    if not len(tokens) == len(vocabulary.target_ids) == config.vocab:
        raise ValueError(f"{len(tokens)} tokens and {len(vocabulary.target_ids)} ids for {config.vocab} rows")
    partial = path.with_name(f"{path.name}.partial")
    writer = gguf.GGUFWriter(partial, "llama")
    writer.add_name(f"{target} draft")
    writer.add_license("apache-2.0")
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(config.width)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.ff)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_rope_freq_base(config.theta)
    writer.add_layer_norm_rms_eps(config.eps)
    writer.add_vocab_size(config.vocab)
    writer.add_tokenizer_model("no_vocab")
    writer.add_string(f"{KEYS}.target", target)
    writer.add_array(f"{KEYS}.target_ids", vocabulary.target_ids.tolist())
    writer.add_array(f"{KEYS}.input_ids", vocabulary.input_ids.tolist())
    writer.add_array(f"{KEYS}.tokens", list(tokens))
    for name, weight in network.state_dict().items():
        values = weight.detach().float().cpu().numpy()
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            kind = types.of(name)
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.replace(path)


def read_vocabulary(path: Path) -> DraftVocabulary:
    """How the ids of a draft's file belong to its target's. Raises ValueError for a file that doesn't say."""
    reader = gguf.GGUFReader(path)
    arrays = []
    for name in ("target_ids", "input_ids"):
        field = reader.get_field(f"{KEYS}.{name}")
        if field is None:
            raise ValueError(f"{path.name} has no {KEYS}.{name}: it is no draft made by this recipe")
        arrays.append(np.array(field.contents(), np.int32))
    return DraftVocabulary(*arrays)


def read_tensor(path: Path, name: str) -> Tensor:
    """One tensor of a model's file, dequantized to float32, rows first. Raises ValueError where there is none."""
    for tensor in gguf.GGUFReader(path).tensors:
        if tensor.name == name:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            return torch.from_numpy(np.array(values, np.float32))
    raise ValueError(f"{path.name} has no tensor called {name}")
