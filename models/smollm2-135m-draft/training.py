"""Training: texts in batches, the loss, the optimisers, and a checkpoint from which all of it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from network import LONGEST, Config, Draft, with_weights
from selfchat import Chats
from vocabulary import DraftVocabulary

_ALIKE = 64
"""Chats whose lengths differ by less than this are batched in random company."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train. The defaults are those of the shipped draft."""

    rate: float = 1e-3
    """AdamW's learning rate: embeddings, output and norms"""
    muon_rate: float = 4e-3
    """Muon's, for the matrices in between"""
    batch_tokens: int = 3072
    """most tokens of a batch, padding included"""
    hard: float = 0.5
    """share of the loss that asks for the target's first choice; the rest asks for its distribution over four"""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts side by side, padded at their ends."""

    tokens: Tensor
    """[b, t] draft ids, as the draft reads them"""
    choices: Tensor
    """[b, t, c] draft ids of the target's choices"""
    shares: Tensor
    """[b, t, c] what each counts: zero where the target did not write or the draft has no such token"""


class Corpus:
    """Chats as batches."""

    def __init__(self, chats: Chats, vocabulary: DraftVocabulary, settings: Settings) -> None:
        self._chats = chats
        self._vocabulary = vocabulary
        self._said = vocabulary.said()
        self._settings = settings
        self._ends = np.cumsum(chats.lengths)
        self._lengths = np.minimum(chats.lengths, LONGEST)

    def __len__(self) -> int:
        return len(self._lengths)

    def epoch(self, number: int) -> list[list[int]]:
        """Every chat once, in batches of similar lengths; the same for the same seed and `number`."""
        chance = np.random.default_rng([self._settings.seed, number])
        order = chance.permutation(len(self))
        order = order[np.argsort(self._lengths[order] // _ALIKE, kind="stable")]
        groups: list[list[int]] = [[]]
        longest = 0
        for chat in order.tolist():
            longest = max(longest, int(self._lengths[chat]))
            if groups[-1] and longest * (len(groups[-1]) + 1) > self._settings.batch_tokens:
                groups.append([])
                longest = int(self._lengths[chat])
            groups[-1].append(chat)
        return [groups[place] for place in chance.permutation(len(groups))]

    def batch(self, group: list[int]) -> Batch:
        """The chats with these numbers."""
        chats, count = self._chats, self._chats.choices.shape[1]
        longest = int(self._lengths[group].max())
        tokens = np.zeros((len(group), longest), np.int64)
        choices = np.zeros((len(group), longest, count), np.int64)
        shares = np.zeros((len(group), longest, count), np.float32)
        for row, chat in enumerate(group):
            first, length = int(self._ends[chat] - chats.lengths[chat]), int(self._lengths[chat])
            place = slice(first, first + length)
            tokens[row, :length] = self._vocabulary.input_ids[chats.tokens[place]]
            said = self._said[chats.choices[place]]
            choices[row, :length] = np.maximum(said, 0)
            shares[row, :length] = wanted_shares(chats.chances[place], self._settings.hard) * (said >= 0)
        return Batch(*map(torch.from_numpy, (tokens, choices, shares)))


def wanted_shares(chances: NDArray[np.float32], hard: float) -> NDArray[np.float32]:
    """What each of the target's choices [n, c] counts: `hard` for the first one, the rest by probability."""
    total = chances.sum(1, keepdims=True)
    shares = chances / np.maximum(total, 1e-9) * (1 - hard)
    shares[:, 0] += hard * (total[:, 0] > 0)
    return np.asarray(shares, np.float32)


def loss_of(logits: Tensor, choices: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy between the shares [n, c] of `choices` [n, c] and the draft's `logits` [n, v]."""
    surprise = torch.logsumexp(logits, -1, keepdim=True) - logits.gather(1, choices)
    return (surprise * shares).sum() / shares.sum()


def schedule(progress: float, step: int) -> float:
    """The learning rate as a part of its highest: 20 steps up, then level, then straight down from 30% of the way on
    to a last 2%. `progress` goes from 0 to 1."""
    return min(1.0, (step + 1) / 20) * max(0.02, min(1.0, (1 - progress) / 0.7))


class Training:
    """A network on its way: with its optimisers, and where it is in the data."""

    def __init__(self, network: Draft, vocabulary: DraftVocabulary, settings: Settings) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.device)
        self.vocabulary = vocabulary
        self.settings = settings
        self.steps = 0
        self.seconds = 0.0
        """spent on steps, in all sessions"""
        self._epoch = 0
        self._place = 0
        """batches of this epoch that are done"""
        self._chats = 0
        inner = [weight for name, weight in network.named_parameters() if name.startswith("blk.") and weight.dim() == 2]
        known = {id(weight) for weight in inner}
        others = [weight for weight in network.parameters() if id(weight) not in known]
        # Muon (Jordan 2024) moves every matrix by an orthogonal one; scaled to AdamW's steps as Liu et al. 2025
        # (arXiv 2502.16982, section 2.2) propose.
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                inner, lr=settings.muon_rate, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(others, lr=settings.rate, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self._rates = (settings.muon_rate, settings.rate)

    def batches(self, corpus: Corpus) -> Iterator[Batch]:
        """Batches from where training stands, without end; each `step` moves on to the next. With other data than
        before a new epoch begins."""
        if self._chats not in (0, len(corpus)):
            self._epoch, self._place = self._epoch + 1, 0
        self._chats = len(corpus)
        while True:
            groups = corpus.epoch(self._epoch)
            while self._place < len(groups):
                yield corpus.batch(groups[self._place])
            self._epoch, self._place = self._epoch + 1, 0

    def step(self, batch: Batch, progress: float) -> float:
        """Learn from one batch; returns its loss."""
        factor = schedule(progress, self.steps)
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        choices, shares = batch.choices.to(self.device), batch.shares.to(self.device)
        asked = shares.sum(-1) > 0
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.network.logits(self.network(batch.tokens.to(self.device))[asked])
        loss = loss_of(logits.float(), choices[asked], shares[asked])
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        self._place += 1
        return loss.item()

    def save(self, file: Path) -> None:
        """Write a checkpoint, atomically."""
        partial = file.with_name(f"{file.name}.partial")
        torch.save(
            {
                "config": asdict(self.network.config),
                "target_ids": torch.from_numpy(self.vocabulary.target_ids),
                "input_ids": torch.from_numpy(self.vocabulary.input_ids),
                "weights": {name: weight.cpu() for name, weight in self.network.state_dict().items()},
                "training": {
                    "settings": asdict(self.settings),
                    "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
                    "steps": self.steps,
                    "seconds": self.seconds,
                    "epoch": self._epoch,
                    "place": self._place,
                    "chats": self._chats,
                },
            },
            partial,
        )
        partial.replace(file)

    @classmethod
    def load(cls, file: Path) -> Training:
        """Go on from a checkpoint. One without optimisers (see `read_checkpoint`) begins its training anew."""
        stored = _read(file)
        network, vocabulary = _network(stored)
        known = stored.get("training")
        if known is None:
            return cls(network, vocabulary, Settings())
        training = cls(network, vocabulary, Settings(**known["settings"]))
        for optimizer, state in zip(training._optimizers, known["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        training.steps, training.seconds = known["steps"], known["seconds"]
        training._epoch, training._place, training._chats = known["epoch"], known["place"], known["chats"]
        return training


def read_checkpoint(file: Path) -> tuple[Draft, DraftVocabulary]:
    """Network and vocabulary of a checkpoint: a dict {"config": sizes by name, "target_ids": int32 [v], "input_ids":
    int32 [t], "weights": tensors by GGUF name}, beside which more may stand."""
    return _network(_read(file))


def _read(file: Path) -> dict[str, Any]:
    stored: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return stored


def _network(stored: dict[str, Any]) -> tuple[Draft, DraftVocabulary]:
    ids = (stored[name].to(torch.int32).numpy() for name in ("target_ids", "input_ids"))
    return with_weights(Config(**stored["config"]), stored["weights"]), DraftVocabulary(*ids)
