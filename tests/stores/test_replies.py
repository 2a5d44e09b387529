"""Learnt replies on real SQLite: what the target wrote joins n-grams and states, and leaves without a trace."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.stores.library import Library
from localspec.stores.replies import MAX_WAITING
from tests.stores.ingestion.test_state_reading import HashReader, assert_complete, states_of, text
from tests.stores.libraries import bytes_as_tokens, bytes_of, open_library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = open_library(tmp_path / "library", reader=HashReader())
    yield opened
    opened.close()


def reply(name: str, length: int = 200) -> NDArray[np.int32]:
    return bytes_as_tokens(text(name, length))


def learn(library: Library, name: str, length: int = 200) -> bool:
    tokens = reply(name, length)
    return library.replies.add(tokens, states_of(tokens), origin="learn")


def drafted(library: Library, tokens: NDArray[np.int32], place: int) -> list[list[int]]:
    """What the dense store knows after the state at a place."""
    assert library.states is not None
    found: list[list[int]] = library.states.search(
        states_of(tokens)[place].astype(np.float32), 5
    ).continuations.tolist()
    return found


def known(library: Library, tokens: NDArray[np.int32]) -> bool:
    """Whether the n-grams of a reply are there."""
    matches = library.ngrams.lookup(tokens[:16], min_n=16, continuation=1)
    return bool((matches.continuations[:, 0] == tokens[16]).any())


def test_a_reply_is_learnt_once(library: Library) -> None:
    tokens = reply("hello")
    states = states_of(tokens)
    assert library.replies.add(tokens, states, origin="learn")
    assert not library.replies.add(tokens, states, origin="chat")
    assert library.replies.add(tokens[:-1], states[:-1], origin="chat")
    assert library.replies.count() == (2, 399)
    assert library.ngrams.lengths() == {-1: 200, -2: 199}
    assert library.states is not None
    assert library.states.positions() == {-1: 199, -2: 198}  # nothing follows the last token
    assert known(library, tokens)
    library.ingest()
    assert len(library.states.search(np.ones(48, np.float32)).similarities)
    assert tokens[51:71].tolist() in drafted(library, tokens, 50)
    assert [*tokens[191:], *[-1] * 11] in drafted(library, tokens, 190)
    assert library.documents() == []
    assert library.passages.search("hello") == []
    assert library.passages.of(-1) == []
    assert library.document_text(-1) == ""
    library.remove(-1)
    assert library.replies.count() == (2, 399)


def test_states_may_begin_later_than_the_tokens(library: Library) -> None:
    tokens = reply("later")
    assert library.replies.add(tokens, states_of(tokens)[30:110], origin="chat", first=30)
    assert library.states is not None
    assert library.states.positions() == {-1: 80}
    library.ingest()
    assert tokens[51:71].tolist() in drafted(library, tokens, 50)
    assert tokens[110:130].tolist() in drafted(library, tokens, 109)
    assert tokens[21:41].tolist() not in drafted(library, tokens, 20)


def test_what_cannot_be_learnt(library: Library) -> None:
    tokens = reply("short")
    for nothing in (tokens[:0], tokens[:1]):
        assert not library.replies.add(nothing, states_of(nothing), origin="chat")
    assert library.replies.add(tokens[:2], states_of(tokens[:2])[:0], origin="chat")
    assert library.replies.add(tokens[:3], states_of(tokens[:3])[2:], origin="chat", first=2)
    assert library.states is not None
    assert (library.replies.count(), library.states.count()) == ((2, 5), 0)
    states = states_of(tokens)
    for bad_tokens, bad_states, first in (
        (tokens[:10], states[:11], 0),
        (tokens, states, 1),
        (tokens, states[:2], -1),
        (-tokens, None, 0),
    ):
        with pytest.raises(ValueError, match="must"):
            library.replies.add(bad_tokens, bad_states, origin="chat", first=first)
        with pytest.raises(ValueError, match="must"):
            library.replies.add_later(bad_tokens, bad_states, first=first)
    with pytest.raises(ValueError, match="finite"):
        library.replies.add(tokens, np.full_like(states, np.nan), origin="chat")
    library.replies.add_later(tokens, np.full_like(states, np.nan))  # is dropped in the background
    library.ingest()
    assert library.progress.done
    assert library.replies.count() == (2, 5)
    assert known(library, tokens) is False


def test_replies_and_documents_side_by_side(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library", reader=HashReader())
    library.state_reading.want(True)
    assert learn(library, "one")
    library.add(write("document.txt", text("document", 1500)))
    library.ingest()
    assert learn(library, "two")
    assert library.state_reading.missing() == 0
    assert library.ngrams.documents() == {-2, -1, 1}
    assert_complete(library)
    library.remove(1)
    library.ingest()
    assert library.ngrams.documents() == {-2, -1}
    assert library.states is not None
    assert library.states.positions() == {-2: 199, -1: 199}
    library.close()
    library = open_library(tmp_path / "library", reader=HashReader())
    assert library.replies.count() == (2, 400)
    assert known(library, reply("one"))
    library.close()


def test_other_targets_and_other_tokenizers(tmp_path: Path, write: Callable[..., Path]) -> None:
    folder = tmp_path / "library"
    library = open_library(folder, reader=HashReader("first"))
    library.add(write("document.txt", text("document", 300)))
    library.ingest()
    learn(library, "one")
    library.close()

    # The same tokenizer, so the n-grams serve; the states are made by the other target when it writes the same.
    library = open_library(folder, reader=HashReader("second"))
    assert known(library, reply("one"))
    assert learn(library, "one")
    assert not learn(library, "one")
    assert library.states is not None
    assert library.states.targets() == {"first": 199, "second": 199}
    assert library.replies.count() == (1, 200)
    library.close()

    library = open_library(folder)  # without states
    assert library.replies.add(reply("plain"), states_of(reply("plain")), origin="chat")
    assert library.replies.count() == (2, 400)
    library.close()

    library = open_library(folder, tokenizer="other", reader=HashReader("third"))
    assert not known(library, reply("one"))
    (reason,) = library.rebuild_needed()
    assert "1 document belong" in reason
    library.rebuild()
    library.ingest()
    assert library.rebuild_needed() == []
    assert library.ngrams.documents() == {1}
    assert learn(library, "one")  # these ids mean another text now
    assert library.ngrams.documents() == {1, -3}
    assert library.replies.count() == (3, 600)
    library.replies.forget()
    assert library.states is not None
    assert (library.replies.count(), library.ngrams.documents(), library.states.targets()) == ((0, 0), {1}, {})
    library.close()


def test_the_worker_learns_when_no_reply_is_written(library: Library) -> None:
    replying = threading.Event()
    replying.set()
    library.start(should_yield=replying.is_set)
    tokens = reply("hello")
    states = states_of(tokens)
    library.replies.add_later(tokens, states)
    tokens, states = tokens.copy(), states.copy()
    assert not library.wait(0.3)
    assert library.replies.count() == (0, 0)
    replying.clear()
    assert library.wait(30)
    assert library.replies.count() == (1, 200)
    assert library.states is not None
    assert len(library.states.search(np.ones(48, np.float32)).similarities)
    assert tokens[51:71].tolist() in drafted(library, tokens, 50)


def test_what_waits_is_a_copy(library: Library) -> None:
    tokens = reply("hello")
    states = states_of(tokens)
    library.replies.add_later(tokens, states)
    expected = tokens.copy()
    tokens[:] = 0
    states[:] = 0
    library.ingest()
    assert known(library, expected)
    assert expected[51:71].tolist() in drafted(library, expected, 50)


def test_closing_learns_what_waits(tmp_path: Path) -> None:
    library = open_library(tmp_path / "library", reader=HashReader())
    for number in range(MAX_WAITING + 10):
        library.replies.add_later(reply(f"reply {number}"))
    library.close()
    library.close()
    library = open_library(tmp_path / "library", reader=HashReader())
    assert library.replies.count() == (MAX_WAITING, MAX_WAITING * 200)  # the newest ones
    assert not known(library, reply("reply 9"))
    assert known(library, reply("reply 10"))
    library.close()


def test_learning_can_be_off(tmp_path: Path) -> None:
    library = open_library(tmp_path / "library", reader=HashReader())
    assert library.replies.learns
    library.replies.add_later(reply("waits"))
    library.replies.set_learning(False)
    library.replies.add_later(reply("ignored"))
    library.ingest()
    assert (library.replies.learns, library.replies.count()) == (False, (0, 0))
    assert learn(library, "asked for")
    library.close()
    library = open_library(tmp_path / "library", reader=HashReader())
    assert not library.replies.learns
    library.replies.set_learning(True)
    library.replies.add_later(reply("learnt"))
    library.close()
    library = open_library(tmp_path / "library", reader=HashReader())
    assert library.replies.learns
    assert library.replies.count() == (2, 400)
    library.close()


def test_forgetting_leaves_no_trace(library: Library, write: Callable[..., Path]) -> None:
    library.state_reading.want(True)
    library.add(write("kept.txt", text("kept", 1500)))
    library.ingest()
    marker = "zyxomarkerquux"
    for number in range(40):
        learn(library, f"{marker}{number}", 300)
    library.ingest()
    library.replies.add_later(reply("still waits"))
    backwards = b"".join(bytes([0, 0, 0, byte]) for byte in marker[::-1].encode())
    forwards = b"".join(bytes([byte, 0, 0, 0]) for byte in marker.encode())
    traces = (backwards, forwards, states_of(reply(f"{marker}7", 300))[40].tobytes())
    assert all(trace in bytes_of(library.folder) for trace in traces)
    size = library.disk_bytes()
    library.replies.forget()
    library.ingest()
    left = bytes_of(library.folder)
    assert not any(trace in left for trace in traces)
    assert library.disk_bytes() < size / 2
    assert library.replies.count() == (0, 0)
    assert library.ngrams.documents() == {1}
    assert not known(library, reply("still waits"))
    assert_complete(library)
    assert learn(library, f"{marker}1")  # as if it had never been known
    assert min(library.ngrams.documents()) < -40  # numbers are never used again


def test_hundreds_of_replies_are_forgotten_in_seconds(library: Library) -> None:
    for number in range(500):
        library.replies.add(reply(f"{number}", 60), None, origin="chat")
    start = time.monotonic()
    library.replies.forget()
    assert time.monotonic() - start < 10
    assert library.ngrams.count() == 0


LEARN_UNTIL_KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
from tests.stores.libraries import open_library
from tests.stores.ingestion.test_state_reading import HashReader
from tests.stores.test_replies import learn

library = open_library(Path(sys.argv[1]), reader=HashReader())

def kill():
    time.sleep(float(sys.argv[2]))
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

threading.Thread(target=kill).start()
number = 0
while True:
    number += 1
    learn(library, f"{sys.argv[2]} {number}")
"""


def test_a_kill_leaves_whole_replies(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    before = 0
    for delay in np.random.default_rng(int(time.time())).uniform(0.05, 0.4, 4):
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(LEARN_UNTIL_KILLED), str(folder), str(delay)],
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert (child.returncode != 0, child.stderr) == (True, b"")
        library = open_library(folder, reader=HashReader())
        count, tokens = library.replies.count()
        assert count >= before
        before = count
        assert library.states is not None
        lengths = library.ngrams.lengths()
        assert (len(lengths), sum(lengths.values())) == (count, tokens)
        assert library.states.positions() == {document: length - 1 for document, length in lengths.items()}
        library.close()


FULL_DISK = """
import resource, sys
from pathlib import Path
from localspec.errors import DiskFullError
from tests.stores.libraries import open_library
from tests.stores.ingestion.test_state_reading import HashReader
from tests.stores.test_replies import learn, reply

library = open_library(Path(sys.argv[1]), reader=HashReader())
learn(library, "small")
limit = max(path.stat().st_size for path in Path(sys.argv[1]).rglob("*")) + 60_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    learn(library, "huge", 200_000)
except DiskFullError as error:
    print("call:", error)
library.replies.add_later(reply("huge too", 200_000))
library.start()
library.wait()
print("worker:", library.progress.problem)
library.close()
print("closed: yes")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on file sizes")
def test_a_full_disk_loses_only_the_reply_that_did_not_fit(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(folder)], capture_output=True, text=True, check=True
    )
    answers = dict(line.split(": ", 1) for line in child.stdout.splitlines())
    assert "disk is full" in answers["call"]
    assert "disk is full" in answers["worker"]
    assert answers["closed"] == "yes"
    library = open_library(folder, reader=HashReader())
    assert library.replies.count() == (1, 200)
    assert library.ngrams.documents() == {-1}
    assert library.states is not None
    assert library.states.positions() == {-1: 199}
    library.close()


def test_replies_that_lie_in_a_text_are_found(library: Library) -> None:
    """As a chat learns them: with the token before the answer, and the one that ended it; in parts, where it was
    stopped and gone on with."""
    answer = reply("hello", 60)
    before, ended = np.array([250], np.int32), np.array([251], np.int32)
    parts = [answer[:30], np.concatenate([answer[29:], ended])]
    for tokens in ([before, *parts[:1]], parts[1:], [before, reply("other", 60), ended], [answer[:2]]):
        assert library.replies.add(np.concatenate(tokens), None, origin="chat")
    assert set(library.replies.within(answer.tolist())) == {-1, -2}
    assert library.replies.within(reply("other", 60).tolist()) == (-3,)
    assert library.replies.within(answer[5:].tolist()) == (-2,)
    assert library.replies.within([]) == ()
    library.replies.forget()
    assert library.replies.within(answer.tolist()) == ()
