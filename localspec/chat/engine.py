"""A loaded target with what belongs to it: one lock, T(k), the template, the learnt acceptance."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from localspec.chat.template import ChatTemplate
from localspec.config import cache_folder
from localspec.models.catalogue import resolve
from localspec.models.check import check
from localspec.models.llama import LlamaModel, LoadSettings
from localspec.models.tuning import decode_seconds
from localspec.speculation.acceptance import Acceptance


class Engine:
    """The one model of a process. Requests take turns; `busy` tells background work to give way.

    Raises ModelError when the model cannot be loaded.
    """

    def __init__(self, model: str = "", settings: LoadSettings | None = None) -> None:
        entry = resolve(model)
        verdict = check(entry.path, cache_folder())
        self.name = entry.name
        self.tokenizer_fingerprint = verdict.tokenizer_fingerprint
        self.weights_fingerprint = verdict.weights_fingerprint
        self.model = LlamaModel(entry.path, settings)
        try:
            self.decode_seconds = decode_seconds(self.model, cache_folder())
        except BaseException:
            self.model.close()
            raise
        begin = [self.model.bos] if self.model.adds_bos else []
        self.template = ChatTemplate(
            self.model.chat_template,
            bos=self.model.special_token("bos"),
            eos=self.model.special_token("eos"),
            begin=begin,
        )
        self.acceptance = Acceptance()
        self._lock = threading.Lock()
        self._wanted = 0
        self._count_lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """True while a reply is being written or waits for its turn."""
        return self._wanted > 0

    @contextmanager
    def turn(self) -> Iterator[LlamaModel]:
        """The model, for one request at a time."""
        with self._count_lock:
            self._wanted += 1
        try:
            with self._lock:
                yield self.model
        finally:
            with self._count_lock:
                self._wanted -= 1

    def tokenize(self, text: str) -> NDArray[np.int32]:
        """Ids of what people or documents say; needs no turn."""
        return self.model.tokenize(text)

    @property
    def plain_seconds(self) -> float:
        """Measured T(1) in seconds."""
        return float(self.decode_seconds[1])

    def close(self) -> None:
        """Wait for the running request and free the model."""
        with self.turn() as model:
            model.close()
