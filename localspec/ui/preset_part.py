"""Named sampling settings on the page: picking one sets the fields below, and those say which one they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.chat.sampling_presets import BUILT_IN, RECOMMENDED, SETTINGS, Preset, Presets
from localspec.ui.kept_fields import take_over
from localspec.ui.named_part import NamedPart, NamedWords
from localspec.ui.options import Number, sampling_values
from localspec.ui.part import LATEST, QUICK, Update, Updates, warned


class PresetPart(NamedPart[Preset]):
    """The fields that they set stand below them. What the fields are now is kept for the next tab and start."""

    words = NamedWords(
        kind="preset",
        choice="sampling-preset",
        label=texts.SAMPLING_PRESET,
        info=texts.SAMPLING_PRESET_INFO,
        name=texts.PRESET_NAME,
        export=texts.PRESETS_EXPORT,
        deleted=texts.PRESET_DELETED,
    )
    first = ((texts.PRESET_RECOMMENDED, RECOMMENDED), (texts.PRESET_OWN, ""))
    built_in = tuple(preset.name for preset in BUILT_IN)

    @property
    def store(self) -> Presets:
        """Where they are kept."""
        return self.application.presets

    def entry(self, name: str, *fields: Number) -> Preset:
        """What the fields say, under this name."""
        return Preset(name, **sampling_values(*fields))

    def connect(self, fields: Sequence[gr.components.Component]) -> None:
        """`fields` are those of `SETTINGS`."""
        super().connect(fields)
        self.choice.input(self.pick, [self.choice, *fields], [self.name, *fields], **QUICK)
        typed: list[Any] = [*fields]
        gr.on([field.input for field in typed], self.matching, typed, self.choice, **LATEST)

    def pick(self, name: str | None, request: gr.Request, *fields: Number) -> Updates:
        """Set the fields to those of a preset, or to what is recommended for the model."""
        conversation = self.conversation(request)
        if name == RECOMMENDED:
            self.take(conversation, RECOMMENDED, ())
            engine = self.application.models.engine
            if engine is not None:
                return "", *(getattr(engine.recommended.sampling, setting) for setting in SETTINGS)
        elif name:
            with warned():
                values = self.store.get(name).values
                self.take(conversation, name, [values[setting] for setting in SETTINGS])
                return name if self.store.is_own(name) else "", *(values[setting] for setting in SETTINGS)
        else:
            self.take(conversation, "", fields)
        return gr.skip(), *(gr.skip() for _ in SETTINGS)

    def matching(self, request: gr.Request, *fields: Number) -> Update:
        """The preset that the fields are, now that one was changed by hand."""
        name = next((one.name for one in self.store.all() if [one.values[each] for each in SETTINGS] == [*fields]), "")
        self.take(self.conversation(request), name, fields)
        return name

    def take(self, conversation: Conversation, name: str, fields: Sequence[Any]) -> None:
        """Keep what the fields are, and how it is called; other tabs follow."""
        conversation.own_sampling = name != RECOMMENDED
        values = {"sampling": name, **(dict(zip(SETTINGS, fields, strict=True)) if fields else {})}
        take_over(self.application.preferences, conversation, values)
