"""What operators said of weights at run time, beside the file, and what of it outlives a reload.

It lives as long as maglevd does: after a restart the file alone counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from maglev.core.model import Frontend

Place = tuple[str, str, str]
"""Names of a frontend, a pool of it, and a backend in that."""


@dataclass(frozen=True, slots=True)
class Said:
    """A weight, 0..100, and whether the backend's flows are to be cut; a weight above 0 cuts none."""

    weight: int
    flush: bool


Intent = Mapping[Place, Said]


def applied(frontend: Frontend, intent: Intent) -> Frontend:
    """The frontend with the weights that operators set; the same object if they set none."""
    pools = []
    for pool in frontend.pools:
        said = {name: word for name in pool.weights if (word := intent.get((frontend.name, pool.name, name)))}
        if said:
            weights = {name: said[name].weight if name in said else weight for name, weight in pool.weights.items()}
            flushed = frozenset(name for name, word in said.items() if word.flush and word.weight == 0)
            of_file = {name: weight for name, weight in pool.weights.items() if weights[name] != weight}
            pool = replace(pool, weights=weights, flushed=flushed, file_weights=of_file)
        pools.append(pool)
    return replace(frontend, pools=tuple(pools)) if tuple(pools) != frontend.pools else frontend


def surviving(intent: Intent, before: Mapping[str, Frontend], after: Mapping[str, Frontend]) -> Intent:
    """What still counts once the file says `after`: the file wins where it changed that weight."""
    return {
        place: said
        for place, said in intent.items()
        if (weight := configured(after, place)) is not None and weight == configured(before, place)
    }


def configured(frontends: Mapping[str, Frontend], place: Place) -> int | None:
    """The weight in the file; None where there is no such place."""
    frontend, pool, backend = place
    if frontend not in frontends:
        return None
    return next((each.weights.get(backend) for each in frontends[frontend].pools if each.name == pool), None)
