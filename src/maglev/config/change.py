"""Two configurations -> what differs, and the new one made of the old one's values where they are equal.

Whoever runs on the values can then tell by identity what a reload did not change, at no cost. Pure, and slow for large
ones: some microseconds a value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from maglev.config.model import Config
from maglev.core.model import Backend, Frontend, HealthCheck

V = TypeVar("V", HealthCheck, Backend, Frontend)


@dataclass(frozen=True, slots=True)
class Change:
    """What a reload does: names such as `backend web1` or `vpp.lb.sync-interval`, in the order of the file.

    `config` is the new configuration; `removed_backends` and `_frontends` are names without the kind.
    """

    config: Config
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    removed_backends: frozenset[str]
    removed_frontends: frozenset[str]


def change(old: Config, new: Config) -> Change:
    """From `old` to `new`."""
    checks = _kept(old.healthchecks, new.healthchecks)
    backends = _kept(
        old.backends,
        {name: replace(b, check=checks[b.check.name] if b.check else None) for name, b in new.backends.items()},
    )
    frontends = _kept(old.frontends, new.frontends)
    config = replace(new, healthchecks=checks, backends=backends, frontends=frontends)
    sections = (
        ("healthcheck", old.healthchecks, checks),
        ("backend", old.backends, backends),
        ("frontend", old.frontends, frontends),
    )
    return Change(
        config,
        tuple(f"{kind} {name}" for kind, before, after in sections for name in after if name not in before),
        tuple(f"{kind} {name}" for kind, before, after in sections for name in before if name not in after),
        (
            *_changed_keys(old, new),
            *(f"healthcheck {name}" for name in _changed(old.healthchecks, checks)),
            # That its check is another one is told by the check.
            *(f"backend {name}" for name in _changed(old.backends, backends) if _is_itself_changed(old, new, name)),
            *(f"frontend {name}" for name in _changed(old.frontends, frontends)),
        ),
        frozenset(old.backends.keys() - backends.keys()),
        frozenset(old.frontends.keys() - frontends.keys()),
    )


def _kept(old: Mapping[str, V], new: Mapping[str, V]) -> dict[str, V]:
    return {name: old[name] if name in old and old[name] == value else value for name, value in new.items()}


def _changed(old: Mapping[str, V], new: Mapping[str, V]) -> Iterator[str]:
    return (name for name, value in new.items() if name in old and old[name] is not value)


def _is_itself_changed(old: Config, new: Config, name: str) -> bool:
    before, after = old.backends[name], new.backends[name]
    names = [each.check.name if each.check else None for each in (before, after)]
    return before.address != after.address or before.enabled is not after.enabled or names[0] != names[1]


def _changed_keys(old: Config, new: Config) -> Iterator[str]:
    before, after = _keys(old), _keys(new)
    return (key for key, value in after.items() if before[key] != value)


def _keys(config: Config) -> dict[str, object]:
    """The keys outside the sections of named things, as the file has them."""
    lb, conf = config.lb, config.lb.conf
    return {
        "healthchecker.transition-history": config.transition_history,
        "healthchecker.netns": config.netns,
        "vpp.lb.ipv4-src-address": conf and conf.ipv4_source,
        "vpp.lb.ipv6-src-address": conf and conf.ipv6_source,
        "vpp.lb.sync-interval": lb.sync_interval_s,
        "vpp.lb.stats-interval": lb.stats_interval_s,
        "vpp.lb.startup-min-delay": lb.startup_min_delay_s,
        "vpp.lb.startup-max-delay": lb.startup_max_delay_s,
        "vpp.lb.sticky-buckets-per-core": conf and conf.sticky_buckets_per_core,
        "vpp.lb.flow-timeout": conf and conf.flow_timeout_s,
    }
