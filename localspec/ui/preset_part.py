"""Named sampling settings on the page: picked, saved, renamed, deleted, exported and imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from localspec import texts
from localspec.chat.sampling_presets import BUILT_IN, RECOMMENDED, SETTINGS, Preset, read
from localspec.errors import LocalSpecError
from localspec.ui import elements
from localspec.ui.options import Number, sampling_values
from localspec.ui.part import LATEST, QUICK, Part, Update, Updates, html, warned

_FIRST = ((texts.PRESET_RECOMMENDED, RECOMMENDED), (texts.PRESET_OWN, ""))


class PresetPart(Part):
    """One file of presets; the fields that they set stand below them."""

    def build(self) -> None:
        """The list, a name, and what can be done."""
        names = [preset.name for preset in BUILT_IN]
        self.choice = gr.Dropdown(
            [*_FIRST, *((name, name) for name in names)],
            value=RECOMMENDED,
            label=texts.SAMPLING_PRESET,
            info=texts.SAMPLING_PRESET_INFO,
            allow_custom_value=True,
            elem_id="sampling-preset",
        )
        with gr.Row(elem_id="preset-buttons"):
            self.name = gr.Textbox(
                label=texts.PRESET_NAME,
                show_label=False,
                placeholder=texts.PRESET_NAME,
                container=False,
                max_lines=1,
                min_width=110,
                elem_id="preset-name",
            )
            self.save_button, self.rename_button, self.delete_button = (
                gr.Button(label, size="sm", scale=0, min_width=62, elem_id=f"preset-{kind}")
                for label, kind in ((texts.SAVE, "save"), (texts.RENAME, "rename"), (texts.DELETE, "delete"))
            )
        with gr.Row(elem_id="presets-foot"):
            gr.Markdown(
                f'<div class="exports"><a href="/export/presets.json" download>{texts.PRESETS_EXPORT}</a></div>',
                sanitize_html=False,
            )
            self.importing = gr.UploadButton(
                texts.IMPORT, file_types=[".json"], size="sm", scale=0, min_width=70, elem_id="import-presets"
            )
        self.said = html("presets-told")

    def connect(self, fields: list[Any]) -> None:
        """`fields` are those of `SETTINGS`."""
        choice, name, said = self.choice, self.name, self.said
        gr.on(None, self.shown, [], [choice, said], **QUICK)
        choice.focus(self.listed, None, choice, **QUICK)
        choice.input(self.pick, choice, [name, *fields], **QUICK)
        gr.on([field.input for field in fields], self.matching, fields, choice, **LATEST)
        outputs = [choice, name, said]
        self.save_button.click(self.save, [name, choice, *fields], outputs, **QUICK)
        name.submit(self.save, [name, choice, *fields], outputs, **QUICK)
        self.rename_button.click(self.rename, [name, choice], outputs, **QUICK)
        self.delete_button.click(self.delete, choice, outputs, **QUICK)
        self.importing.upload(self.import_file, self.importing, [choice, said], **QUICK)

    def shown(self) -> tuple[Update, str]:
        """What a new tab shows: all there are now, and what became of a file that could not be read."""
        presets = self.application.presets
        said = elements.note(presets.problem, "problem") if presets.problem else ""
        return gr.Dropdown(choices=self._choices()), said

    def listed(self) -> Update:
        """The list, which another tab may have changed."""
        return gr.Dropdown(choices=self._choices())

    def pick(self, name: str | None, request: gr.Request) -> Updates:
        """Set the fields to those of a preset, or to what is recommended for the model."""
        self.conversation(request).own_sampling = name != RECOMMENDED
        if name == RECOMMENDED:
            engine = self.application.models.engine
            if engine is not None:
                return "", *(getattr(engine.recommended.sampling, setting) for setting in SETTINGS)
        elif name:
            with warned():
                presets = self.application.presets
                values = presets.get(name).values
                return name if presets.is_own(name) else "", *(values[setting] for setting in SETTINGS)
        return gr.skip(), *(gr.skip() for _ in SETTINGS)

    def matching(self, request: gr.Request, *fields: Number) -> Update:
        """The preset that the fields are, now that one was changed by hand."""
        self.conversation(request).own_sampling = True
        for preset in self.application.presets.all():
            if [preset.values[setting] for setting in SETTINGS] == list(fields):
                return preset.name
        return ""

    def save(self, name: str, choice: str | None, *fields: Number) -> tuple[Update, Update, str]:
        """Keep what the fields say under a name: the one that was typed, else that of the preset which is picked."""
        presets = self.application.presets
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
            now = self.application.presets.rename(choice or "", name or "")
            return now, texts.PRESET_RENAMED.format(name=now)

        return self._changed(change)

    def delete(self, choice: str | None) -> tuple[Update, Update, str]:
        """Delete the preset that is picked. Its settings stay in the fields, so that it can be saved again."""

        def change() -> tuple[str, str]:
            self.application.presets.delete(choice or "")
            return "", texts.PRESET_DELETED.format(name=choice)

        picked, _, said = self._changed(change)
        # Its name stands where it is saved under it again.
        return picked, choice or "", said

    def import_file(self, path: str | None) -> tuple[Update, str]:
        """Add the presets of an exported file, all or none."""
        try:
            number = self.application.presets.add(read(Path(path or "")))
        except LocalSpecError as error:
            return gr.skip(), elements.note(str(error), "problem")
        said = texts.PRESETS_IMPORTED.format(presets=texts.counted(number, "preset"))
        return gr.Dropdown(choices=self._choices()), elements.note(said)

    def _changed(self, change: Callable[[], tuple[str, str]]) -> tuple[Update, Update, str]:
        """What is shown after a change, or why there was none."""
        try:
            name, said = change()
        except LocalSpecError as error:
            return gr.skip(), gr.skip(), elements.note(str(error), "problem")
        return gr.Dropdown(choices=self._choices(), value=name), name, elements.note(said)

    def _choices(self) -> list[tuple[str, str]]:
        return [*_FIRST, *((preset.name, preset.name) for preset in self.application.presets.all())]
