"""The choice of what a question is read with: the best passages, or whole documents. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from localspec import texts
from localspec.errors import SettingsError
from localspec.stores.library import DocumentInfo

PASSAGES = ""
ALL = "all"
_MOST = 200
_READ = ("ngrams", "ready")


def choices(library: str, infos: Sequence[DocumentInfo]) -> list[tuple[str, str]]:
    """What can be picked, as label and value; the newest documents first."""
    ready = [info for info in infos if info.status in _READ and info.tokens > 0]
    listed = [(texts.READ_PASSAGES, PASSAGES)]
    if not ready:
        return listed
    everything = texts.READ_ALL.format(tokens=f"{sum(info.tokens for info in ready):,}")
    single = [
        (texts.READ_ONE.format(name=info.name, tokens=f"{info.tokens:,}"), f"{info.id} {library}")
        for info in reversed(ready)
    ]
    return [*listed, (everything, ALL), *single[:_MOST]]


def chosen(value: str | None, library: str) -> tuple[int, ...] | None:
    """The documents to be read whole, as `ReplyOptions` has them. Raises SettingsError for one of another library."""
    if not value or value == texts.READ_PASSAGES:
        return None
    if value == ALL:
        return ()
    identity, _, own = value.partition(" ")
    if not identity.isdecimal() or len(identity) > 18 or own != library:
        raise SettingsError(texts.READ_ELSEWHERE.format(library=library), texts.READ_ELSEWHERE_ADVICE)
    return (int(identity),)
