"""How long people wait for their chats when there are many: the list, searches, one chat opened, and the start.

usage: python -m benchmarks.many_chats [--chats N] [--messages N] [--rounds N] [--starts N]

Makes a store of N chats (questions and answers count as messages) in a temporary folder and asks it what the page asks:
the first part of the list, searches of several kinds, each with the markup that the page is sent. Then `app.py` is
started on that folder as people start it, several times; the first start warms the disk's cache and is not counted. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.machine import machine
from localspec.access.session_auth import cookie
from localspec.application.list_states import ListState
from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import StoredConversation, StoredTurn
from localspec.ui import chat_list, chat_listing

REPOSITORY = Path(__file__).resolve().parents[1]
WORDS = (
    "lamp", "stone", "harbour", "engine", "letter", "winter", "copper", "valley", "station", "bridge", "garden",
    "signal", "paper", "window", "river", "morning", "north", "teacher", "market", "island", "silver", "number",
    "canvas", "bottle", "meadow", "thunder", "kitchen", "ladder", "planet", "summer", "velvet", "castle", "button",
)  # fmt: skip
SEARCHES = {
    "one word": "harbour",
    "two words": "copper valley",
    "a beginning": "thun",
    "one letter": "s",
    "a word of one chat": "unicorn237",
    "nothing": "nosuchwordanywhere",
    "signs": "?!",
    "a title": "Chat 123",
}


def conversations(chats: int, messages: int) -> Iterator[StoredConversation]:
    """Chats in the words above, answers of about a hundred words."""
    chance = random.Random(0)
    for number in range(chats):
        turns = tuple(
            StoredTurn(
                question := " ".join(chance.choices(WORDS, k=12)) + f" unicorn{number}",
                question,
                " ".join(chance.choices(WORDS, k=100)) + ".",
                reply_tokens=[0] * 130,
                method="auto",
                finish="end",
            )
            for _ in range(messages // 2)
        )
        changed = f"2026-01-{number // 60 % 28 + 1:02}T{number // 60 % 24:02}:{number % 60:02}:00+00:00"
        yield StoredConversation(f"Chat {number}: {WORDS[number % len(WORDS)]}", "documents", turns, changed=changed)


def milliseconds(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The median, and the longest."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken), max(taken)


def shown(store: Conversations, query: str) -> str:
    """What the page is sent for a search; all chats for none."""
    state = ListState(query=query)
    return chat_list.chats(chat_listing.read(store, state), state, 0, "", datetime.now().astimezone())


def seconds_to_start(home: Path) -> float:
    """From the start of `app.py` until its page answers."""
    environment = os.environ | {"LOCALSPEC_HOME": str(home), "LOCALSPEC_TUNE": "off"}
    note = home / "stores" / ".cache" / "instance.json"
    began = time.perf_counter()
    application = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "app.py"), "--no-browser"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while application.poll() is None:
            if note.exists():
                told = json.loads(note.read_text())
                port = int(told["address"].rpartition(":")[2])
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", "/", headers={"Cookie": cookie(told["token"], port)})
                if connection.getresponse().status == 200:
                    return time.perf_counter() - began
            time.sleep(0.02)
    finally:
        application.terminate()
        application.wait()
    raise SystemExit("app.py did not start")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=500)
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--starts", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store = Conversations(home / "stores")
        began = time.perf_counter()
        store.add(conversations(options.chats, options.messages))
        made = time.perf_counter() - began
        size = (home / "stores" / "conversations.db").stat().st_size
        figures: dict[str, float] = {}
        longest: dict[str, float] = {}
        for name, query in {"the list": "", **SEARCHES}.items():
            figures[name], longest[name] = milliseconds(partial(shown, store, query), options.rounds)
        newest = store.newest(1)[0].id
        figures["one chat opened"], longest["one chat opened"] = milliseconds(
            partial(store.load, newest), options.rounds
        )
        store.close()
        starts = [seconds_to_start(home) for _ in range(options.starts + 1)][1:]
    for name, value in figures.items():
        print(f"{name:24s} {value:8.1f} ms   (longest {longest[name]:.1f})")
    print(f"{'start, page answers':24s} {median(starts):8.2f} s    (longest {max(starts):.2f})")
    print(
        json.dumps(
            {
                "chats": options.chats,
                "messages": options.messages,
                "megabytes": round(size / 2**20, 1),
                "seconds_to_import": round(made, 1),
                "milliseconds": {name: round(value, 1) for name, value in figures.items()},
                "longest_milliseconds": {name: round(value, 1) for name, value in longest.items()},
                "start_seconds": [round(value, 2) for value in starts],
                "machine": machine(0),
            }
        )
    )


if __name__ == "__main__":
    main()
