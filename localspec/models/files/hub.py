"""Where the files of the catalogue lie on the hub, and what its answers mean.

What is needed of the hub is one address, `ENDPOINT/OWNER/NAME/resolve/REVISION/FILE`, which redirects to where the
bytes lie. The redirect's headers X-Linked-Size and X-Linked-Etag tell size and SHA-256 of a large file. HF_ENDPOINT in
the environment names another hub or a mirror.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from localspec.errors import DownloadError, SettingsError
from localspec.models.files.catalogue import CatalogueEntry

DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What the hub says about a file."""

    version: str  # Changes with the content; "" = it does not say
    sha256: str  # In lower-case hexadecimal; "" = it does not say
    total: int  # Bytes of the whole file; 0 = unknown
    start: int  # Position of the first byte that this answer sends; -1 = it sends none, or does not say


def endpoint() -> str:
    """Address of the hub: HF_ENDPOINT, else Hugging Face. Raises SettingsError."""
    address = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or DEFAULT_ENDPOINT
    if not re.match(r"https?://[^/]", address):
        raise SettingsError(
            f"HF_ENDPOINT is {address!r}, which is not a web address.", f"Unset it, or set it to {DEFAULT_ENDPOINT}."
        )
    return address


def token() -> str:
    """The person's access token, HF_TOKEN, or "". Raises SettingsError, which does not show it."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise SettingsError("HF_TOKEN contains invalid characters.", "Correct it, or unset it.")
    return token


def address_of(entry: CatalogueEntry) -> str:
    """Address of an entry's file. Raises SettingsError."""
    return f"{endpoint()}/{quote(f'{entry.repository}/resolve/{entry.revision}/{entry.file}')}"


def may_change(status: int) -> bool:
    """True for an answer that may be another one soon: the server has trouble or too much to do."""
    return status in (408, 425, 429) or status >= 500


def refusal(entry: CatalogueEntry, status: int, headers: Mapping[str, str]) -> DownloadError | None:
    """The error that an answer without the bytes of a file stands for; None where it brings them."""
    name = entry.repository
    if status in (200, 206):
        if headers.get("Content-Type", "").startswith("text/html"):
            return no_gguf(entry)
        if headers.get("Content-Encoding", "identity") != "identity":
            return DownloadError(f"{address_of(entry)} comes compressed, which was not asked for.", "Avoid the proxy.")
        return None
    if status in (401, 403):
        known = "The token in HF_TOKEN was refused." if os.environ.get("HF_TOKEN") else "It may ask for a log-in."
        return DownloadError(
            f"{endpoint()} does not hand out {entry.file} of {name} (status {status}). {known}",
            f"Accept the model's terms at {endpoint()}/{name}, then put an access token into HF_TOKEN.",
        )
    if status in (404, 410):
        return DownloadError(
            f"{endpoint()} no longer has {entry.file} in {name} (status {status}).",
            "Pick another model, or put the GGUF file into the folder models/ by hand.",
        )
    return DownloadError(
        f"{address_of(entry)} cannot be downloaded (status {status}).",
        "Check HF_ENDPOINT, and the proxy if there is one.",
    )


def no_gguf(entry: CatalogueEntry) -> DownloadError:
    """The error for an answer of something else than a model."""
    return DownloadError(
        f"{address_of(entry)} answered with something else than a GGUF file, such as a web page.",
        "The network may want you to log in first, or HF_ENDPOINT may be wrong.",
    )


def remote_file(status: int, headers: Sequence[Mapping[str, str]]) -> RemoteFile:
    """What the headers tell: those of each redirect, then of the answer itself. The hub's own come with the first."""
    answer = headers[-1]
    size = next((_number(each["X-Linked-Size"]) for each in headers if "X-Linked-Size" in each), 0)
    tag = next((each["X-Linked-Etag"] for each in headers if "X-Linked-Etag" in each), "").removeprefix("W/")
    own = answer.get("ETag", "")
    # A weak tag promises no equal bytes, so parts of such files cannot be put together.
    version = tag or ("" if own.startswith("W/") else own) or answer.get("Last-Modified", "")
    checksum = tag.strip('"').lower()
    start, total = 0, _number(answer.get("Content-Length", ""))
    if status in (206, 416):
        found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", answer.get("Content-Range", "").strip())
        start, total = (int(found[1] or -1), _number(found[2])) if found else (-1, 0)
    return RemoteFile(version, checksum if re.fullmatch("[0-9a-f]{64}", checksum) else "", size or total, start)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
