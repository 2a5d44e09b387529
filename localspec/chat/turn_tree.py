"""The turns of a chat as a tree: each may have siblings, of which one is shown, and each of these what followed it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from localspec.chat.turn import Turn
from localspec.stores.stored_turns import NO_PARENT, StoredConversation


@dataclass(eq=False, slots=True)
class TurnNode:
    """A turn in its place."""

    number: int
    """its own in the chat, as it is kept under; higher than its parent's and than those of its older siblings"""
    parent: int  # number of the turn before it, `NO_PARENT` where it begins the chat
    turn: Turn


@dataclass(eq=False, slots=True)
class _Place:
    """Siblings, the oldest first."""

    nodes: list[TurnNode] = field(default_factory=list)
    shown: int = -1  # index of the one that is shown


class TurnTree:
    """All turns of a chat. `path` are those that are shown; whoever works with their turns as a list keeps that list in
    step. Positions count along the path, from 0. One thread at a time may change it, others may look at it."""

    def __init__(self, turns: Iterable[Turn] = ()) -> None:
        """A line of these turns, without branches."""
        self.path: list[TurnNode] = []
        self._places: dict[int, _Place] = {}
        """by the number of their parent"""
        self.next_number = 0
        """of the turn that is added next"""
        for turn in turns:
            self.add(turn, len(self.path))

    @classmethod
    def of_stored(cls, kept: StoredConversation) -> TurnTree:
        """That of a kept conversation."""
        tree = cls()
        for node in kept.tree:
            place = tree._places.setdefault(node.parent, _Place())
            place.nodes.append(TurnNode(node.number, node.parent, Turn.of_stored(node.turn)))
            if node.shown or place.shown < 0:
                place.shown = len(place.nodes) - 1
            tree.next_number = node.number + 1
        tree.path = list(tree._below(NO_PARENT))
        return tree

    @property
    def turns(self) -> list[Turn]:
        """Those that are shown; a new list."""
        return [node.turn for node in self.path]

    @property
    def nodes(self) -> list[TurnNode]:
        """All of them, by number."""
        found = [node for place in list(self._places.values()) for node in list(place.nodes)]
        return sorted(found, key=lambda node: node.number)

    def next(self, position: int, turn: Turn) -> TurnNode:
        """A node that `add` takes: a new sibling at this position, which may be the one behind the last."""
        return TurnNode(self.next_number, self.path[position - 1].number if position else NO_PARENT, turn)

    def add(self, turn: Turn, position: int) -> TurnNode:
        """Show a new sibling at this position. What followed the one that was shown stays with that one."""
        node = self.next(position, turn)
        place = self._places.setdefault(node.parent, _Place())
        place.nodes.append(node)
        place.shown = len(place.nodes) - 1
        self.path[position:] = [node]
        self.next_number = node.number + 1
        return node

    def siblings(self, position: int) -> tuple[int, int]:
        """(index of the turn that is shown at this position, how many there are)."""
        place = self._places[self.path[position].parent]
        return place.shown, len(place.nodes)

    def sibling(self, position: int, index: int) -> TurnNode:
        """The sibling of this index. Raises IndexError when there is none."""
        nodes = self._places[self.path[position].parent].nodes
        if not 0 <= index < len(nodes):
            raise IndexError(index)
        return nodes[index]

    def show(self, node: TurnNode) -> int:
        """Show this turn, with what is shown before and behind it; returns the first position that is another now."""
        before = self.path
        known = {each.number: each for each in self.nodes}
        parent = node.number
        while parent != NO_PARENT:
            place = self._places[known[parent].parent]
            place.shown = place.nodes.index(known[parent])
            parent = known[parent].parent
        self.path = list(self._below(NO_PARENT))
        pairs = enumerate(zip(before, self.path, strict=False))
        return next((at for at, (one, other) in pairs if one is not other), min(len(before), len(self.path)))

    def shown(self, last: TurnNode) -> list[int]:
        """Numbers of the turns that are shown once `last` is, which may be about to be added."""
        nodes = {node.number: node for node in self.nodes} | {last.number: last}
        places = {place.nodes[place.shown].parent: place.nodes[place.shown].number for place in self._places.values()}
        number = last.number
        while number != NO_PARENT:
            places[nodes[number].parent] = number
            number = nodes[number].parent
        return list(places.values())

    def below(self, position: int) -> list[int]:
        """Numbers of all turns at this position, siblings with what follows each."""
        wanted = {self.path[position - 1].number if position else NO_PARENT}
        found = []
        for node in self.nodes:  # a parent's number is lower
            if node.parent in wanted:
                found.append(node.number)
                wanted.add(node.number)
        return found

    def cut(self, position: int) -> None:
        """Take back all turns at this position and what follows them."""
        if position >= len(self.path):
            return
        gone = self.below(position)
        self._places.pop(self.path[position].parent)
        for number in gone:
            self._places.pop(number, None)
        del self.path[position:]
        self.next_number = max((node.number for node in self.nodes), default=-1) + 1

    def _below(self, parent: int) -> Iterator[TurnNode]:
        """What is shown behind a turn."""
        while place := self._places.get(parent):
            node = place.nodes[place.shown]
            yield node
            parent = node.number
