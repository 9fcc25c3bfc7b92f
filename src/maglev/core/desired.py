"""config x health -> Desired: active pool, effective weights, flush. The only place these rules stand.

| health            | where                  | effective weight  | flush         |
|-------------------|------------------------|-------------------|---------------|
| up                | in the active pool     | configured weight | if said       |
| up                | in another pool        | 0                 | if said       |
| down              | any                    | 0                 | flush-on-down |
| disabled, removed | any                    | 0                 | always        |
| unknown, paused   | any                    | 0                 | never         |

The active pool is the first one that holds a backend that is up and has a weight above 0. `If said`: by an operator who
set the weight to 0 with a flush. The health is `BackendStatus.counts_as`: after a reload that changed its check, a
backend counts as before until the new check has answered.

In the warmup VPP's table is left as it is for a frontend of which a backend is unknown. So until then it is not said to
be down, nor to use another pool than the first: that would tell of an outage at each restart of ours.
"""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import assert_never

from maglev.core.health import State
from maglev.core.model import TABLE_LENGTH, Backend, Encap, Frontend, IPAddress, LbConf, VipKey


@dataclass(frozen=True, slots=True)
class Effective:
    """What one backend shall have in VPP: its weight, and whether its flows shall be cut when it has none."""

    weight: int
    flush: bool


class FrontendState(enum.Enum):
    """Up if any effective weight is above 0; unknown if no backend has a real state yet; else down.

    In the warmup unknown, not down, as long as any backend has none.
    """

    UNKNOWN = 0
    UP = 1
    DOWN = 2

    @property
    def word(self) -> str:
        """The word that users see."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Resolved:
    """A frontend under given states: effective weights pool by pool, keyed by backend name.

    `active_pool` is None where no pool can take traffic, and in the warmup where another than the first may have it.
    """

    state: FrontendState
    active_pool: int | None
    pools: tuple[Mapping[str, Effective], ...]


@dataclass(frozen=True, slots=True)
class DesiredVip:
    """What one VIP shall be; backends keyed by address."""

    encap: Encap
    src_ip_sticky: bool
    table_length: int
    backends: Mapping[IPAddress, Effective]


@dataclass(frozen=True, slots=True)
class Desired:
    """The whole LB table as it shall be; `conf` None leaves VPP's global parameters alone."""

    conf: LbConf | None
    vips: Mapping[VipKey, DesiredVip]


def active_pool(frontend: Frontend, states: Mapping[str, State]) -> int | None:
    """Index of the active pool, or None when no pool can take traffic."""
    for index, pool in enumerate(frontend.pools):
        if any(weight > 0 and states[name] is State.UP for name, weight in pool.weights.items()):
            return index
    return None


def effective(
    state: State, configured: int, is_active: bool, flush_on_down: bool, is_flushed: bool = False
) -> Effective:
    """One cell of the table at the head of this file."""
    match state:
        case State.UP:
            return Effective(configured if is_active else 0, flush=is_flushed)
        case State.DOWN:
            return Effective(0, flush=flush_on_down)
        case State.DISABLED | State.REMOVED:
            return Effective(0, flush=True)
        case State.UNKNOWN | State.PAUSED:
            return Effective(0, flush=False)
        case _:
            assert_never(state)


def resolve(frontend: Frontend, states: Mapping[str, State], *, in_warmup: bool = False) -> Resolved:
    """Weights, active pool and state of `frontend`; `states` must name every backend of it."""
    active = active_pool(frontend, states)
    is_known = [states[name] is not State.UNKNOWN for name in frontend.backend_names]
    is_vague = in_warmup and not all(is_known)
    pools = tuple(
        {
            name: effective(states[name], weight, index == active, frontend.flush_on_down, name in pool.flushed)
            for name, weight in pool.weights.items()
        }
        for index, pool in enumerate(frontend.pools)
    )
    if active is not None:
        state = FrontendState.UP
    elif is_vague or not any(is_known):
        state = FrontendState.UNKNOWN
    else:
        state = FrontendState.DOWN
    return Resolved(state, None if is_vague and active else active, pools)


def desired_vip(frontend: Frontend, resolved: Resolved, backends: Mapping[str, Backend]) -> DesiredVip:
    """The VIP of a resolved frontend.

    An address that stands in it more than once, in several pools or under several names, counts once: with its highest
    weight, and its flows are cut only if every mention says so.
    """
    merged: dict[IPAddress, Effective] = {}
    for pool in resolved.pools:
        for name, cell in pool.items():
            address = backends[name].address
            seen = merged.setdefault(address, cell)
            if seen is not cell:
                merged[address] = Effective(max(seen.weight, cell.weight), flush=seen.flush and cell.flush)
    return DesiredVip(frontend.encap, frontend.src_ip_sticky, TABLE_LENGTH, merged)


def desired(
    conf: LbConf | None,
    frontends: Collection[Frontend],
    resolved: Mapping[str, Resolved],
    backends: Mapping[str, Backend],
) -> Desired:
    """The table for `frontends`, whose keys are unique by the config's own check."""
    return Desired(conf, {f.vip: desired_vip(f, resolved[f.name], backends) for f in frontends})
