"""Named system prompts on the page: picking one makes it the chat's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.chat.system_prompts import BUILT_IN_PROMPT, SystemPrompt, SystemPrompts
from localspec.ui.named_part import NamedPart, NamedWords
from localspec.ui.part import QUICK, Tick, Update, Updates, remember, warned


class PromptPart(NamedPart[SystemPrompt]):
    """The field with the chat's own stands below the list."""

    told = ("prompt",)
    words = NamedWords(
        kind="prompt",
        choice="saved-prompt",
        label=texts.SAVED_PROMPT,
        info=texts.SAVED_PROMPT_INFO,
        name=texts.PROMPT_NAME,
        export=texts.PROMPTS_EXPORT,
        deleted=texts.PROMPT_DELETED,
    )
    first = ((texts.PROMPT_BUILT_IN, BUILT_IN_PROMPT), (texts.PROMPT_OWN, ""))

    def __init__(self, application: Application, use: Callable[[Conversation, str], None]) -> None:
        """`use` makes a text the system prompt of a tab's chat."""
        super().__init__(application)
        self._use = use

    @property
    def store(self) -> SystemPrompts:
        """Where they are kept."""
        return self.application.prompts

    def entry(self, name: str, *fields: str) -> SystemPrompt:
        """What the field says, under this name."""
        return SystemPrompt(name, fields[0] or "")

    def build_choice(self) -> None:
        """The list."""
        super().build_choice()
        self.named["prompt"] = self.choice

    def connect(self, fields: Sequence[gr.components.Component]) -> None:
        """The field with the chat's system prompt."""
        super().connect(fields)
        self.choice.input(self.pick, self.choice, [self.name, *fields], **QUICK)

    def pick(self, name: str | None, request: gr.Request) -> Updates:
        """Make a prompt the chat's, or go back to the built-in one."""
        conversation = self.conversation(request)
        if name == BUILT_IN_PROMPT:
            self._use(conversation, "")
            self.take(conversation, name, ())
            return "", ""
        if name:
            with warned():
                text = self.store.get(name).text
                self._use(conversation, text)
                self.take(conversation, name, ())
                return name, text
        return gr.skip(), gr.skip()

    def take(self, conversation: Conversation, name: str, fields: Sequence[object]) -> None:
        """It was picked by name: of two with the same text the list goes on to show this one."""
        remember(conversation, {"prompt": self._known(conversation)})

    def named_now(self, conversation: Conversation) -> Update:
        """The list, at the name of what is the chat's system prompt now."""
        remember(conversation, {"prompt": self._known(conversation)})
        return gr.update(choices=self.choices(), value=self.store.name_of(conversation.chat.system))

    def tell(self, tick: Tick) -> None:
        """The name of the chat's system prompt, where that has changed."""
        system = tick.conversation.chat.system
        shown = gr.update(choices=self.choices(), value=self.store.name_of(system))
        tick.tell("prompt", self._known(tick.conversation), shown)

    def _known(self, conversation: Conversation) -> str:
        return f"{self.store.version} {conversation.chat.system}"
