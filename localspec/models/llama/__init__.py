"""llama.cpp: the only importer of llama_cpp, by its low-level interface (ctypes).

- `backend.py` the library itself, `weights.py` a loaded file, `devices.py` graphics processors, `cards.py` those
  that lie idle, and why
- contexts over weights: `target.py` verifies draft trees, `branches.py` grows a draft model's tree, `streams.py` writes
  many replies at once, `reader.py` reads texts for their hidden states or logits
- `batch.py` batches as arrays, `watch.py` ends graphs early, `stopping.py` in
  mid-batch when a person stops, `attention.py` ways to attend, `sampling.py` draws tokens,
  `constraint.py` holds them to a grammar or schema, `trial_load.py` is the program that loads a file to check it

May import errors, config, locks, `native` and the header of `models.files`. Imported through this package: what is
listed in `__all__`, and `sampling.SamplingSettings`.
"""

from localspec.models.llama.backend import (
    echo_log,
    gpu_offload_available,
    halves,
    kernels,
    library_version,
    recent_log,
    requantize,
    system_info,
    tells_of_short_memory,
)
from localspec.models.llama.branches import MAX_BRANCHES, BranchingContext
from localspec.models.llama.cards import Graphics, graphics
from localspec.models.llama.devices import Device, gpu_devices, gpu_names
from localspec.models.llama.reader import LOGIT_ROWS, WINDOW, LogitReader, StateReader
from localspec.models.llama.stopping import StopSignal
from localspec.models.llama.streams import ReplyStreams, Written, common_start
from localspec.models.llama.target import DEFAULT_CONTEXT, MAX_ROWS, PREFILL_ROWS, LlamaModel
from localspec.models.llama.weights import LoadSettings, Weights

__all__ = [
    "DEFAULT_CONTEXT",
    "LOGIT_ROWS",
    "MAX_BRANCHES",
    "MAX_ROWS",
    "PREFILL_ROWS",
    "WINDOW",
    "BranchingContext",
    "Device",
    "Graphics",
    "LlamaModel",
    "LoadSettings",
    "LogitReader",
    "ReplyStreams",
    "StateReader",
    "StopSignal",
    "Weights",
    "Written",
    "common_start",
    "echo_log",
    "gpu_devices",
    "gpu_names",
    "gpu_offload_available",
    "graphics",
    "halves",
    "kernels",
    "library_version",
    "recent_log",
    "requantize",
    "system_info",
    "tells_of_short_memory",
]
