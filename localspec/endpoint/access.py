"""Who may ask: nobody until it is switched on, then whoever has the token."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from localspec.config import cache_folder
from localspec.endpoint.refusals import RequestError
from localspec.whole_file import write_whole

_TOKEN = re.compile("sk-localspec-[A-Za-z0-9_-]{43}")
_SCHEME = b"bearer "


class Access:
    """The switch and the token, which outlives the application: other programs need to be told it once."""

    def __init__(self) -> None:
        self.is_on = False
        self.token = ""
        """What a request must carry; empty until it was first switched on"""

    def switch(self, on: bool) -> None:
        """Let others ask, or no longer."""
        if on and not self.token:
            self.token = _kept(_file()) or self._drawn()
        self.is_on = on

    def renew(self) -> None:
        """Draw another token; the one before is worth nothing from now on."""
        self.token = self._drawn()

    def check(self, authorization: Sequence[bytes]) -> None:
        """Raises RequestError unless it is on and the one header among `authorization` carries the token."""
        if not self.is_on:
            raise RequestError(404, "The API server is off. Turn it on in LocalSpec's settings.", code="endpoint_off")
        given = authorization[0] if len(authorization) == 1 else b""
        if not given[: len(_SCHEME)].lower() == _SCHEME:
            raise RequestError(
                401, "Send the token from LocalSpec's settings as “Authorization: Bearer …”.", code="no_api_key"
            )
        if not secrets.compare_digest(given[len(_SCHEME) :].strip(), self.token.encode()):
            raise RequestError(
                401,
                "This token is not valid. Use the one in LocalSpec's settings, under “API server”.",
                code="invalid_api_key",
            )

    def _drawn(self) -> str:
        token = f"sk-localspec-{secrets.token_urlsafe(32)}"
        # Where it cannot be written, the next start draws another one.
        with contextlib.suppress(OSError):
            write_whole(_file(), f"{token}\n")
        return token


def _file() -> Path:
    return cache_folder() / "endpoint-token"


def _kept(file: Path) -> str:
    """The token in `file`; empty where there is none."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return token if _TOKEN.fullmatch(token) else ""
