"""Names that the server has at this moment, for completion; none, and no complaint, if it does not answer."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from maglev.cli.grammar import Said
from maglev.errors import MaglevError

if TYPE_CHECKING:
    from maglev.cli.client import Client

KEPT_S = 5.0
TIMEOUT_S = 1.0  # a user waits for it between two keys

_Key = tuple[str, str | None, str | None]


class LiveNames:
    """Asks `client` and keeps its answers for `KEPT_S`; what failed is asked again each time.

    `client` is called when it is needed first, and may raise MaglevError.
    """

    def __init__(self, client: "Callable[[], Client]", clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[_Key, tuple[float, Sequence[str]]] = {}

    def __call__(self, place: str, said: Said) -> Sequence[str]:
        """As `completion.Names` wants it."""
        key = (place, said.arguments.get("FRONTEND"), said.arguments.get("POOL"))
        now = self._clock()
        self._kept = {each: kept for each, kept in self._kept.items() if now < kept[0] + KEPT_S}
        if key not in self._kept:
            try:
                self._kept[key] = now, self._ask(*key)
            except MaglevError:
                return ()
        return self._kept[key][1]

    def _ask(self, place: str, frontend: str | None, pool: str | None) -> Sequence[str]:
        match place:
            case "FRONTEND":
                return self._client().frontend_names(timeout_s=TIMEOUT_S)
            case "POOL" if frontend is not None:
                return [each.name for each in self._client().frontend(frontend, timeout_s=TIMEOUT_S).pools]
            case "BACKEND" if frontend is not None:
                pools = self._client().frontend(frontend, timeout_s=TIMEOUT_S).pools
                return [backend.name for each in pools if each.name == pool for backend in each.backends]
            case "BACKEND":
                return self._client().backend_names(timeout_s=TIMEOUT_S)
            case "HEALTHCHECK":
                return [each.name for each in self._client().health_checks(timeout_s=TIMEOUT_S)]
            case _:
                return ()
