"""The events by which pages hear of changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from localspec.application.changes import ANSWER, Changes
from localspec.ui import change_events

SOON = 30.0


async def _next(stream: AsyncIterator[str]) -> str:
    return await asyncio.wait_for(anext(stream), SOON)


async def _heard() -> list[str]:
    changes = Changes(lambda: 0)
    stream = change_events.events(changes)
    heard = [await _next(stream)]
    await asyncio.to_thread(changes.tell, ANSWER)
    heard.append(await _next(stream))
    # What comes together is told by one event, of the larger kind.
    for kind in (ANSWER, "all", ANSWER):
        await asyncio.to_thread(changes.tell, kind)
    heard.append(await _next(stream))
    await asyncio.to_thread(changes.close)
    heard += [event async for event in stream]
    return heard


def test_changes_are_told_until_there_are_none() -> None:
    # In a thread of its own: browser tests leave a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        heard = thread.submit(asyncio.run, _heard()).result(SOON)
    assert heard == ["event: hello\ndata:\n\n", "data: answer\n\n", "data: all\n\n"]
