"""Which model is loaded at the start: the one chosen last, unless the command line says otherwise or it cannot be; the
default model where none was chosen."""

from __future__ import annotations

from dataclasses import replace

from localspec import texts
from localspec.application.model_manager import ModelManager, fit_sentence
from localspec.application.remembered import Choice, recall
from localspec.errors import LocalSpecError
from localspec.models.choice import default_model, fit_of
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, resolve_draft
from localspec.models.fit.memory import measure_room


class Start:
    """What is loaded first. Options that are given, which None is not, win over what is remembered, and are for this
    start only; with another model named, nothing else of the last choice counts."""

    def __init__(
        self,
        model: str | None = None,
        draft: str | None = None,
        context: int | None = None,
        gpu_layers: int | None = None,
        threads: int | None = None,
    ) -> None:
        self.notice = ""
        """Why it is not what was chosen last"""
        last = recall()
        if last is None or model not in (None, last.model):
            last = Choice()
        elif model is None:
            last = self._usable(last)
        self._is_named = model is not None
        self._model = last.model if model is None else model
        self.choice = Choice(
            self._model or _default(),
            last.draft if draft is None else draft,
            last.context if context is None else context,
            last.gpu_layers if gpu_layers is None else gpu_layers,
            last.threads if threads is None else threads,
        )

    def load(self, models: ModelManager) -> None:
        """Begin to load it. Raises SettingsError while another load is under way."""
        choice = self.choice
        # One that was named on the command line is meant: in its place nothing is loaded.
        or_default = bool(self._model) and not self._is_named
        models.load(self._model, choice.settings, choice.draft, or_default=or_default, notice=self.notice)

    def _usable(self, last: Choice) -> Choice:
        """The last choice, as far as its files are there and it fits."""
        try:
            found = fit_of(last.model, last.draft, last.settings, measure_room())
            if not found.fits and not found.could_be_tried:
                self.notice = texts.LAST_GONE.format(model=last.model, problem=fit_sentence(found))
                return Choice()
        except LocalSpecError as error:
            self.notice = texts.LAST_GONE.format(model=last.model, problem=error)
            return Choice()
        if last.draft not in (AUTOMATIC, NO_DRAFT):
            try:
                if not resolve_draft(last.draft).path.is_file():
                    raise LocalSpecError(texts.FILE_GONE)
            except LocalSpecError as error:
                self.notice = texts.LAST_DRAFT_GONE.format(draft=last.draft, problem=error)
                return replace(last, draft=AUTOMATIC)
        return last


def _default() -> str:
    """The name of the default model, where that is not the one inside a package; else ""."""
    name = default_model(measure_room).name
    return "" if name == DEFAULT_MODEL else name
