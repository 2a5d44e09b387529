"""The rows of turns: what a kill leaves of branches, and that none of it is taken for another's."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import NO_PARENT, Citation, StoredNode, StoredTurn


def steps(store: Conversations, seed: int) -> None:
    """For ever, what people do with branches, one transaction each; each is said once it is done."""
    chance = random.Random(seed)
    parents: dict[int, int] = {}
    identity = store.begin("Tree", "documents")
    for step in range(10**9):
        number = max(parents, default=-1) + 1
        kind = chance.choice(("put", "put", "put", "show", "remove")) if len(parents) > 2 else "put"
        if kind == "put":
            parents[number] = chance.choice([NO_PARENT, *parents])
            passage = Citation(1 + step % 3, "a.pdf", step, "", f"Passage {step}.")
            made = StoredTurn(f"Q{step}", f"Q{step}", f"A{step}", asked="2026-01-01T00:00:00+00:00", given=(passage,))
            store.put(identity, number, made, parent=parents[number])
        elif kind == "show":
            store.show(identity, [chance.choice([*parents])])
        else:
            gone = {chance.choice([*parents][1:])}
            for one, parent in parents.items():
                if parent in gone:
                    gone.add(one)
            store.remove(identity, gone)
            parents = {one: parent for one, parent in parents.items() if one not in gone}
        print(step, flush=True)  # noqa: T201 - the test listens


class _Enough(Exception):  # noqa: N818 - it is no error
    """As many steps as the other one did."""


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_costs_the_step_at_work(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.stores.test_turn_rows import Conversations, steps\n"
        "steps(Conversations(Path(sys.argv[1])), int(sys.argv[2]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "killed"), str(seed)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.05 + 0.03 * seed)
    os.kill(child.pid, signal.SIGKILL)
    done = 1 + len(child.stdout.readlines())
    child.wait()
    child.stdout.close()
    killed = Conversations(tmp_path / "killed")
    assert killed.set_aside is None
    found = killed.load(1).tree
    killed.close()
    expected: list[tuple[StoredNode, ...]] = []
    whole = Conversations(tmp_path / "whole")

    def said(step: int, **_: object) -> None:
        if step >= done - 1:
            expected.append(whole.load(1).tree)
        if step >= done:
            raise _Enough

    monkeypatch.setattr("builtins.print", said)
    with pytest.raises(_Enough):
        steps(whole, seed)
    whole.close()
    assert found in expected, "as it was before the step at work, or behind it"


def test_a_turn_that_was_written_elsewhere_before_is_where_it_is_written_now(tmp_path: Path) -> None:
    """Such as a question that could not be taken back on a full disk."""
    store = Conversations(tmp_path)
    identity = store.begin("Tree", "documents")
    for number in range(3):
        store.put(identity, number, StoredTurn(f"Q{number}", f"Q{number}", "A"))
    store.put(identity, 3, StoredTurn("Q3", "Q3", "A"), parent=2)
    store.show(identity, [1])
    store.put(identity, 3, StoredTurn("Another", "Another", "A"), parent=0)
    assert [turn.question for turn in store.load(identity).turns] == ["Q0", "Another"]
    store.remove(identity, [3])
    assert [turn.question for turn in store.load(identity).turns] == ["Q0", "Q1", "Q2"]
    store.close()


def test_a_passage_lies_once_on_a_path(tmp_path: Path) -> None:
    store = Conversations(tmp_path)
    identity = store.begin("Tree", "documents")
    first, other = (Citation(1, name, 1, "", f"Passage of {name}.", 5) for name in ("a.pdf", "b.pdf"))
    given = [first, first, other, other]
    for number, parent in enumerate((NO_PARENT, 0, NO_PARENT, 2)):
        turn = StoredTurn("Q", "Q", "A", given=(given[number],), citations=[given[number]])
        store.put(identity, number, turn, parent=parent)
    assert [node.turn.citations for node in store.load(identity).nodes] == [[one] for one in given]
    rows = store._database.rows("SELECT turn, number, file FROM citations ORDER BY turn")
    assert rows == [(0, 1, "a.pdf"), (2, 1, "b.pdf")]
    store.remove(identity, [0, 1])
    assert [node.turn.citations for node in store.load(identity).tree] == [[other], [other]]
    store.remove(identity, [2, 3])
    assert store.newest() == []
    store.close()
