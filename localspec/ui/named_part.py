"""A list of things under names of the person's own: picked, saved, renamed, deleted, exported and imported."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.chat.named_file import Entry, NamedFile
from localspec.errors import LocalSpecError
from localspec.ui import elements
from localspec.ui.part import QUICK, Part, Update, html


@dataclass(frozen=True, slots=True)
class NamedWords:
    """How a list is called on the page, and in it."""

    kind: str
    """in the names of elements and in the address of the export"""
    choice: str
    """name of the list's element"""
    label: str
    info: str
    name: str
    """what is typed for a new one"""
    export: str
    deleted: str


class NamedPart(Part, Generic[Entry]):
    """One file of them. What an entry holds stands in `fields`, which others build."""

    words: ClassVar[NamedWords]
    first: ClassVar[Sequence[tuple[str, str]]]
    """what can be picked beside them, as label and value; the first of them at first"""
    built_in: ClassVar[Sequence[str]] = ()
    """names of entries that are always there"""

    @property
    @abstractmethod
    def store(self) -> NamedFile[Entry]:
        """Where they are kept."""

    @abstractmethod
    def entry(self, name: str, *fields: Any) -> Entry:  # noqa: ANN401 - what the fields give
        """What the fields say, under this name. Raises SettingsError."""

    def take(self, conversation: Conversation, name: str, fields: Sequence[Any]) -> None:
        """The fields of a tab are the entry of this name now, or "" for none; without `fields` they are as they were
        when it was picked."""

    def build(self) -> None:
        """The list, a name, and what can be done."""
        self.build_choice()
        self.build_buttons()

    def build_choice(self) -> None:
        """The list."""
        self.choice = gr.Dropdown(
            [*self.first, *((name, name) for name in self.built_in)],
            value=self.first[0][1],
            label=self.words.label,
            info=self.words.info,
            allow_custom_value=True,
            elem_id=self.words.choice,
        )

    def build_buttons(self) -> None:
        """A name, and what can be done."""
        kind = self.words.kind
        with gr.Row(elem_id=f"{kind}-buttons", elem_classes="named-buttons"):
            self.name = gr.Textbox(
                label=self.words.name,
                show_label=False,
                placeholder=self.words.name,
                container=False,
                max_lines=1,
                min_width=110,
                elem_id=f"{kind}-name",
            )
            self.save_button, self.rename_button, self.delete_button = (
                gr.Button(label, size="sm", scale=0, min_width=62, elem_id=f"{kind}-{does}")
                for label, does in ((texts.SAVE, "save"), (texts.RENAME, "rename"), (texts.DELETE, "delete"))
            )
        with gr.Row(elem_id=f"{kind}s-foot", elem_classes="named-foot"):
            gr.Markdown(
                f'<div class="exports"><a href="/export/{kind}s.json" download>{self.words.export}</a></div>',
                sanitize_html=False,
            )
            self.importing = gr.UploadButton(
                texts.IMPORT, file_types=[".json"], size="sm", scale=0, min_width=70, elem_id=f"import-{kind}s"
            )
        self.said = html(f"{kind}s-told")

    def connect(self, fields: Sequence[gr.components.Component]) -> None:
        """`fields` are those that `entry` takes."""
        choice, name, said = self.choice, self.name, self.said
        gr.on(None, self.shown, [], [choice, said], **QUICK)
        choice.focus(self.listed, None, choice, **QUICK)
        outputs = [choice, name, said]
        self.save_button.click(self.save, [name, choice, *fields], outputs, **QUICK)
        name.submit(self.save, [name, choice, *fields], outputs, **QUICK)
        self.rename_button.click(self.rename, [name, choice], outputs, **QUICK)
        self.delete_button.click(self.delete, choice, outputs, **QUICK)
        self.importing.upload(self.import_file, self.importing, [choice, said], **QUICK)

    def shown(self) -> tuple[Update, str]:
        """What a new tab shows: all there are now, and what became of a file that could not be read."""
        problem = self.store.problem
        return gr.Dropdown(choices=self.choices()), elements.note(problem, "problem") if problem else ""

    def listed(self) -> Update:
        """The list, which another tab may have changed."""
        return gr.Dropdown(choices=self.choices())

    def save(self, request: gr.Request, name: str, choice: str | None, *fields: Any) -> tuple[Update, Update, str]:  # noqa: ANN401
        """Keep what the fields say under a name: the one that was typed, else that of the entry which is picked."""
        store = self.store
        wanted = (name or "").strip() or (choice if choice and store.is_own(choice) else "")

        def change() -> tuple[str, str]:
            clean = store.kind.own_name(wanted)
            said = texts.PRESET_REPLACED if store.save(self.entry(clean, *fields)) else texts.PRESET_SAVED
            self.take(self.conversation(request), clean, fields)
            return clean, said.format(name=clean)

        return self._changed(change)

    def rename(self, request: gr.Request, name: str, choice: str | None) -> tuple[Update, Update, str]:
        """Give the entry that is picked the name that was typed."""

        def change() -> tuple[str, str]:
            now = self.store.rename(choice or "", name or "")
            self.take(self.conversation(request), now, ())
            return now, texts.PRESET_RENAMED.format(name=now)

        return self._changed(change)

    def delete(self, request: gr.Request, choice: str | None) -> tuple[Update, Update, str]:
        """Delete the entry that is picked. What it held stays in the fields, so that it can be saved again."""

        def change() -> tuple[str, str]:
            self.store.delete(choice or "")
            self.take(self.conversation(request), "", ())
            return "", self.words.deleted.format(name=choice)

        picked, _, said = self._changed(change)
        # Its name stands where it is saved under it again.
        return picked, choice or "", said

    def import_file(self, path: str | None) -> tuple[Update, str]:
        """Add the entries of an exported file, all or none."""
        try:
            number = self.store.add(self.store.kind.read(Path(path or "")))
        except LocalSpecError as error:
            return gr.skip(), elements.note(str(error), "problem")
        said = texts.PRESETS_IMPORTED.format(presets=texts.counted(number, self.store.kind.one))
        return gr.Dropdown(choices=self.choices()), elements.note(said)

    def choices(self) -> list[tuple[str, str]]:
        """What can be picked now, as label and value."""
        return [*self.first, *((entry.name, entry.name) for entry in self.store.all())]

    def _changed(self, change: Callable[[], tuple[str, str]]) -> tuple[Update, Update, str]:
        """What is shown after a change, or why there was none."""
        try:
            name, said = change()
        except LocalSpecError as error:
            return gr.skip(), gr.skip(), elements.note(str(error), "problem")
        return gr.Dropdown(choices=self.choices(), value=name), name, elements.note(said)
