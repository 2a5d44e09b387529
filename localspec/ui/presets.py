"""Named sampling settings on the page: picked, saved, renamed, deleted, exported and imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from localspec import texts
from localspec.chat.sampling_presets import BUILT_IN, SETTINGS, Preset, Presets, read
from localspec.errors import LocalSpecError
from localspec.ui import markup
from localspec.ui.options import Number, sampling_values

Update = Any
"""A component's new value, or what `gr.update` makes; Gradio types neither."""


@dataclass(slots=True)
class PresetParts:
    """The components of this part; the fields that a preset sets stand below them."""

    choice: gr.Dropdown
    name: gr.Textbox
    save: gr.Button
    rename: gr.Button
    delete: gr.Button
    importing: gr.UploadButton
    told: gr.Markdown


def build() -> PresetParts:
    """Make the components inside the current Blocks."""
    names = [preset.name for preset in BUILT_IN]
    choice = gr.Dropdown(
        [(texts.PRESET_OWN, ""), *((name, name) for name in names)],
        value=names[0],
        label=texts.SAMPLING_PRESET,
        info=texts.SAMPLING_PRESET_INFO,
        allow_custom_value=True,
        elem_id="sampling-preset",
    )
    with gr.Row(elem_id="preset-buttons"):
        name = gr.Textbox(
            label=texts.PRESET_NAME,
            show_label=False,
            placeholder=texts.PRESET_NAME,
            container=False,
            max_lines=1,
            min_width=110,
            elem_id="preset-name",
        )
        save, rename, delete = (
            gr.Button(label, size="sm", scale=0, min_width=62, elem_id=f"preset-{kind}")
            for label, kind in ((texts.SAVE, "save"), (texts.RENAME, "rename"), (texts.DELETE, "delete"))
        )
    with gr.Row(elem_id="presets-foot"):
        gr.Markdown(
            f'<div class="exports"><a href="/export/presets.json" download>{texts.PRESETS_EXPORT}</a></div>',
            sanitize_html=False,
        )
        importing = gr.UploadButton(
            texts.IMPORT, file_types=[".json"], size="sm", scale=0, min_width=70, elem_id="import-presets"
        )
    told = gr.Markdown(sanitize_html=False, elem_id="presets-told")
    return PresetParts(choice, name, save, rename, delete, importing, told)


class PresetEvents:
    """The handlers, over one file of presets."""

    def __init__(self, presets: Callable[[], Presets]) -> None:
        """`presets` opens them when they are first wanted."""
        self._presets = presets

    def connect(self, parts: PresetParts, fields: list[Any], quick: dict[str, Any]) -> None:
        """Tie the handlers to the components; `fields` are those of `SETTINGS`."""
        gr.on(None, self.shown, [], [parts.choice, parts.told], **quick)
        parts.choice.focus(self.listed, None, parts.choice, **quick)
        parts.choice.input(self.pick, parts.choice, [parts.name, *fields], **quick)
        gr.on([field.input for field in fields], self.matching, fields, parts.choice, **_latest(quick))
        outputs = [parts.choice, parts.name, parts.told]
        parts.save.click(self.save, [parts.name, parts.choice, *fields], outputs, **quick)
        parts.name.submit(self.save, [parts.name, parts.choice, *fields], outputs, **quick)
        parts.rename.click(self.rename, [parts.name, parts.choice], outputs, **quick)
        parts.delete.click(self.delete, parts.choice, outputs, **quick)
        parts.importing.upload(self.import_file, parts.importing, [parts.choice, parts.told], **quick)

    def shown(self) -> tuple[Update, str]:
        """What a new tab shows: all there are now, and what became of a file that could not be read."""
        presets = self._presets()
        said = markup.note(presets.problem, "problem") if presets.problem else ""
        return gr.Dropdown(choices=self._choices()), said

    def listed(self) -> Update:
        """The list, which another tab may have changed."""
        return gr.Dropdown(choices=self._choices())

    def pick(self, name: str | None) -> tuple[Update, ...]:
        """Set the fields to those of a preset."""
        skipped = tuple(gr.skip() for _ in SETTINGS)
        if not name:
            return gr.skip(), *skipped
        presets = self._presets()
        try:
            values = presets.get(name).values
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
            return gr.skip(), *skipped
        return name if presets.is_own(name) else "", *(values[setting] for setting in SETTINGS)

    def matching(self, *fields: Number) -> Update:
        """The preset that the fields are, now that one was changed by hand."""
        for preset in self._presets().all():
            if [preset.values[setting] for setting in SETTINGS] == list(fields):
                return preset.name
        return ""

    def save(self, name: str, choice: str | None, *fields: Number) -> tuple[Update, Update, str]:
        """Keep what the fields say under a name: the one that was typed, else that of the preset which is picked."""
        presets = self._presets()
        wanted = (name or "").strip() or (choice if choice and presets.is_own(choice) else "")

        def change() -> tuple[str, str]:
            kept = Preset(wanted, **sampling_values(*fields))
            said = texts.PRESET_REPLACED if presets.save(kept) else texts.PRESET_SAVED
            clean = " ".join(wanted.split())
            return clean, said.format(name=clean)

        return self._changed(change)

    def rename(self, name: str, choice: str | None) -> tuple[Update, Update, str]:
        """Give the preset that is picked the name that was typed."""

        def change() -> tuple[str, str]:
            now = self._presets().rename(choice or "", name or "")
            return now, texts.PRESET_RENAMED.format(name=now)

        return self._changed(change)

    def delete(self, choice: str | None) -> tuple[Update, Update, str]:
        """Delete the preset that is picked. Its settings stay in the fields, so that it can be saved again."""

        def change() -> tuple[str, str]:
            self._presets().delete(choice or "")
            return "", texts.PRESET_DELETED.format(name=choice)

        picked, _, said = self._changed(change)
        # Its name stands where it is saved under it again.
        return picked, choice or "", said

    def import_file(self, path: str | None) -> tuple[Update, str]:
        """Add the presets of an exported file, all or none."""
        try:
            number = self._presets().add(read(Path(path or "")))
        except LocalSpecError as error:
            return gr.skip(), markup.note(str(error), "problem")
        said = texts.PRESETS_IMPORTED.format(presets=texts.counted(number, "preset"))
        return gr.Dropdown(choices=self._choices()), markup.note(said)

    def _changed(self, change: Callable[[], tuple[str, str]]) -> tuple[Update, Update, str]:
        """What is shown after a change, or why there was none."""
        try:
            name, said = change()
        except LocalSpecError as error:
            return gr.skip(), gr.skip(), markup.note(str(error), "problem")
        return gr.Dropdown(choices=self._choices(), value=name), name, markup.note(said)

    def _choices(self) -> list[tuple[str, str]]:
        return [(texts.PRESET_OWN, ""), *((preset.name, preset.name) for preset in self._presets().all())]


def _latest(quick: dict[str, Any]) -> dict[str, Any]:
    return {**quick, "trigger_mode": "always_last"}
