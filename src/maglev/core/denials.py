"""How often denied orders are told: a client that tries in a loop must not fill the log; knows no clock and no log.

The first of a caller and an action is told at once. Those that follow are counted, and told as one whenever a window of
WINDOW_S ends; a window in which there was none forgets them.
"""

from dataclasses import replace

from maglev.core.orders import Ordered

WINDOW_S = 10.0
MAX_KEPT = 256
"""Callers and actions that are kept apart; whoever comes on top of them is counted with the others."""

_Key = tuple[str, str, str]


class Denials:
    """What was denied in the present window; true while there is anything that a window has to end for."""

    def __init__(self) -> None:
        self._counted: dict[_Key, Ordered | None] = {}  # the latest, with how many there were; None: told, none since

    def __bool__(self) -> bool:
        return bool(self._counted)

    def take(self, record: Ordered) -> bool:
        """Whether `record` is to be told at once; if not, it is counted."""
        key = (record.who, _host(record.origin), record.action)
        if key not in self._counted and len(self._counted) >= MAX_KEPT:
            key = ("", "", record.action)
        if key not in self._counted:
            self._counted[key] = None
            return True
        before = self._counted[key]
        self._counted[key] = replace(record, times=before.times + 1 if before else 1)
        return False

    def turn(self) -> list[Ordered]:
        """A window ends: what was counted in it, each the latest of its kind and how many they were."""
        counted = {key: record for key, record in self._counted.items() if record is not None}
        self._counted = dict.fromkeys(counted)
        return [*counted.values()]

    def end(self) -> list[Ordered]:
        """As `turn`, and the next one is a first one again."""
        told = self.turn()
        self._counted = {}
        return told


def _host(origin: str) -> str:
    """Each connection of a client has another port."""
    return origin.rpartition(":")[0]
