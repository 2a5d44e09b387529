"""Requests that are not answered: the HTTP status, and OpenAI's names for why."""

from __future__ import annotations

from typing import Any, NoReturn

from localspec.chat.answer_worker import UnexpectedError
from localspec.errors import ContextTooLongError, EmbedderError, LocalSpecError, NoModelError, SettingsError

RETRY_SECONDS = 5
"""After so long it is worth asking again."""
ANY_MODEL = "localspec"
"""As a model's name: the one that is loaded, whatever it is called"""


class RequestError(LocalSpecError):
    """A request that is not answered, with the HTTP status and OpenAI's names for why."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, retry_after: int = 0
    ) -> None:
        """`param` is the field that is to blame; `retry_after` are seconds."""
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.retry_after = retry_after

    @property
    def body(self) -> dict[str, Any]:
        """As OpenAI's clients expect it."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(self.status, kind)
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def refuse(message: str, param: str | None, code: str = "invalid_value") -> NoReturn:
    """Refuse a request (400) for its field `param`."""
    raise RequestError(400, message, param=param, code=code)


def stopped() -> RequestError:
    """Why an answer ends that the person or the end of the application stopped."""
    return RequestError(503, "LocalSpec has stopped this answer.", code="stopped")


def other_model(loaded: str, asked: str) -> RequestError:
    """Another model was asked for than there is."""
    shown = asked[:64]
    return RequestError(404, f"The loaded model is {loaded!r}, not {shown!r}.", param="model", code="model_not_found")


def refusal(error: LocalSpecError, param: str | None = None, prompt: str = "messages") -> RequestError:
    """An error of the application as a client is told of it; `param` is the field to blame for settings, `prompt` that
    for a prompt that is too long."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, UnexpectedError):
        return RequestError(500, f"Something went wrong in LocalSpec ({error.kind}).")
    if isinstance(error, ContextTooLongError):
        return RequestError(400, str(error), param=prompt, code="context_length_exceeded")
    if isinstance(error, SettingsError):
        return RequestError(400, str(error), param=param)
    if isinstance(error, EmbedderError):
        return RequestError(503, str(error), code="model_not_loaded")
    code = "model_not_loaded" if isinstance(error, NoModelError) else "unavailable"
    return RequestError(503, str(error), code=code)
