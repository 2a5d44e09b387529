"""Changes that pages hear of: told at once, or noticed by a look."""

from __future__ import annotations

import queue

from localspec.application.changes import ALL, ANSWER, END, Changes

SOON = 30.0


def test_who_listens_is_told_at_once_until_it_ends() -> None:
    changes = Changes(lambda: 0)
    heard: list[str] = []
    others: list[str] = []
    end = changes.listen(heard.append)
    changes.listen(others.append)
    changes.tell(ANSWER)
    changes.tell()
    end()
    end()
    changes.tell(ANSWER)
    changes.close()
    assert heard == [ANSWER, ALL]
    assert others == [ANSWER, ALL, ANSWER, END]


def test_what_nobody_tells_is_noticed() -> None:
    state = [1]
    changes = Changes(lambda: tuple(state))
    told: queue.Queue[str] = queue.Queue()
    end = changes.listen(told.put)
    try:
        state.append(2)
        assert told.get(timeout=SOON) == ALL
        end()
        state.append(3)
        changes.listen(told.put)
        assert told.get(timeout=SOON) == ALL, "what has changed while nobody listened, too"
    finally:
        changes.close()
