"""Loops are told from texts that repeat with good reason; tokens are words, marks and single digits here."""

from __future__ import annotations

import random
import re

import pytest

from localspec.speculation.loops import LoopDetector

_TOKEN = re.compile(r" ?[^\W\d_]+|\d|\n| |[^\w\s]|_")


class Words:
    """A vocabulary of whatever a text holds."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.texts: list[bytes] = []

    def tokens(self, text: str) -> list[int]:
        for part in _TOKEN.findall(text):
            if part not in self.ids:
                self.ids[part] = len(self.texts)
                self.texts.append(part.encode())
        return [self.ids[part] for part in _TOKEN.findall(text)]

    def piece(self, token: int) -> bytes:
        return self.texts[token]


def first_loop(text: str, step: int = 1) -> int:
    """Tokens after which a loop is seen; 0 for none."""
    words = Words()
    tokens = words.tokens(text)
    detector = LoopDetector(words.piece)
    for place in range(0, len(tokens), step):
        found = detector.add(tokens[place : place + step])
        if found:
            return place + found
    return 0


SENTENCE = "The fox went to the river to find some water for the old badger.\n"
START = "Once upon a time there was a fox who lived near a wide river and knew every stone of it.\n"
PARAGRAPH = (
    "The committee met in the morning to discuss the budget for the coming year, and every member had a question about"
    " the costs of the new library. The chair answered them one after another, as patiently as she could, and asked for"
    " a vote before lunch. Nobody was against it, though two of them did not vote at all.\n"
)
OTHER = ("She said that the boat was ready to sail. ", "He said that the wind was not strong enough. ")


def shuffled(rounds: int) -> str:
    chance = random.Random(4)
    lines = [
        "The harbour was quiet in the early morning light. ",
        "Nobody had seen the captain since the storm. ",
        "A gull cried over the empty market square. ",
    ]
    return "".join(chance.choice(lines) for _ in range(rounds))


LOOPS = {
    "a sentence": START + SENTENCE * 60,
    "a paragraph": START + PARAGRAPH * 8,
    "two sentences in turn": START + "".join(OTHER) * 40,
    "numbered items": "".join(f"{number}. {SENTENCE}" for number in range(1, 60)),
    "numbered in brackets": "".join(f"{number}) {SENTENCE}" for number in range(1, 60)),
    "one word": START + "very " * 900,
    "an endless row of numbers": "Here they are: " + "25, " * 500,
    "endless headings": "**Activities:**\n" * 200,
    "sentences in any order": START + shuffled(80),
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_found(name):
    text = LOOPS[name]
    found = first_loop(text)
    assert 0 < found < 0.8 * len(_TOKEN.findall(text))
    assert first_loop(text, 7) == found, "at the same token in steps of several"


CHORUS = "Sing with me of the silver sea, of the wind and the turning tide,\nof the gulls that fly in the morning sky\n"
VERSES = [
    "My father had a fishing boat that was painted blue and white,\nhe sailed it out at break of day and home again at"
    " night.\n",
    "My mother had a garden wall where the roses used to climb,\nshe told us all the names of them and the month of"
    " flowering time.\n",
    "My brother had a violin that he played beside the door,\nand all the neighbours came to hear, and always asked for"
    " more.\n",
]


def bottles(last: int) -> str:
    return "".join(
        f"{n} bottles of beer on the wall, {n} bottles of beer. Take one down and pass it around, {n - 1} bottles of"
        " beer on the wall.\n"
        for n in range(99, last, -1)
    )


def encoded(length: int) -> str:
    chance = random.Random(1)
    return "".join(
        chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") for _ in range(length)
    )


ORDINARY = {
    "song with a refrain": "".join(verse + CHORUS * 2 for verse in VERSES),
    "la la la": "".join(verse + "La la la la la la la la, la la la la la la.\n" * 4 for verse in VERSES),
    "na na na, hey": "Na na na nananana, nananana, hey Jude.\n" * 16,
    "counting song": bottles(80),
    "multiplication table": "".join(f"{a} x {b} = {a * b}\n" for a in range(1, 11) for b in range(1, 11)),
    "table of equal cells": "| Day | Open | Note |\n| --- | --- | --- |\n" + "| Monday | yes | none |\n" * 25,
    "numbers": ", ".join(str(number) for number in range(1, 300)),
    "zeros": "[" + ", ".join(["0"] * 100) + "]",
    "identity matrix": "\n".join(
        "[" + ", ".join("1" if row == column else "0" for column in range(12)) + "]" for row in range(12)
    ),
    "JSON items": "[" + ",\n".join(f'{{"id": {n}, "name": "Item {n}", "ready": true}}' for n in range(40)) + "]",
    "empty HTML table": "<table>\n" + ("<tr>" + "<td></td>" * 4 + "</tr>\n") * 9 + "</table>",
    "asserts": "".join(f"    assert add({n}, {n + 1}) == {2 * n + 1}\n" for n in range(60)),
    "layers": "model = Sequential(\n" + "    Linear(64, 64), ReLU(),\n" * 12 + ")\n",
    "SQL rows": "".join(f"INSERT INTO people (name, age) VALUES ('Person {n}', {20 + n});\n" for n in range(30)),
    "base64": encoded(1500),
    "base64 of zeros": "A" * 1000,
    "rule": "=" * 200 + "\n" + PARAGRAPH + "-" * 200,
    "list of like items": "".join(
        f"{n}. Visit the {place} museum, which is open every day and free of charge.\n"
        for n, place in enumerate(
            ["city", "harbour", "railway", "science", "maritime", "toy", "glass", "war", "folk"], 1
        )
    ),
    "sentence said thrice": START + SENTENCE * 3 + PARAGRAPH,
    "paragraph said twice": PARAGRAPH * 2 + START,
    "diff": "".join(f"-    value_{n} = old({n})\n+    value_{n} = new({n})\n" for n in range(40)),
    "liturgy": "".join(
        f"From {what}, good Lord, deliver us.\n"
        for what in ("pride", "envy", "hatred", "famine", "plague", "battle", "murder", "sudden death", "storm", "fire")
    ),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_repeats_with_good_reason_passes(name):
    assert first_loop(ORDINARY[name]) == 0


def test_a_reply_that_goes_on_is_seen_with_what_it_began_with():
    words = Words()
    tokens = words.tokens(START + SENTENCE * 40)
    whole = LoopDetector(words.piece)
    assert not any(whole.add([token]) for token in tokens[:120])
    assert LoopDetector(words.piece, tokens[:300]).add(tokens[300:301])
    assert not LoopDetector(words.piece, tokens[:100]).add(tokens[100:101])


def test_at_its_limit_a_reply_is_called_a_loop_sooner():
    words = Words()
    detector = LoopDetector(words.piece)
    assert not detector.add(words.tokens(START + SENTENCE * 6))
    assert detector.at_limit()
    detector = LoopDetector(words.piece)
    detector.add(words.tokens(START + PARAGRAPH))
    assert not detector.at_limit()
