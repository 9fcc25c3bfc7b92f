"""What frontends owe each other, because VPP keys VIPs by prefix, protocol and port; knows nothing of YAML.

On one prefix: every VIP is given once, all VIPs have one encap, and a VIP for all ports stands alone. VPP refuses
anything else (its errors -81 and -73). Different prefixes do not disturb each other: the longest match wins.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from ipaddress import ip_network

from maglev.config.faults import Faults, shown
from maglev.config.frontends import Draft
from maglev.core.model import Backend, Encap, Frontend, IPNetwork, VipKey


def settle(drafts: Iterable[Draft], backends: Mapping[str, Backend | None], faults: Faults) -> dict[str, Frontend]:
    """The frontends with their encap; notes in `faults` what cannot stand together.

    The encap follows from the family of the backends. A frontend without any takes that of its neighbours on the
    prefix, which leaves no conflict, or else that of the VIP's own family.
    """
    by_prefix: dict[IPNetwork, list[tuple[Draft, VipKey]]] = defaultdict(list)
    for draft in drafts:
        if draft.vip is not None:
            by_prefix[draft.vip.prefix].append((draft, draft.vip))
    versions: dict[IPNetwork, int] = {}
    for prefix, group in by_prefix.items():
        _check_keys(group, faults)
        versions[prefix] = _check_version(group, faults)
    _check_loops(drafts, by_prefix, backends, faults)
    return {
        draft.name: frontend
        for draft in drafts
        if draft.vip and (frontend := draft.finished(Encap.for_backends(versions[draft.vip.prefix])))
    }


def _check_keys(group: list[tuple[Draft, VipKey]], faults: Faults) -> None:
    first: dict[VipKey, Draft] = {}
    for draft, vip in group:
        twin = first.setdefault(vip, draft)
        if twin is not draft:
            faults.add(draft.place, f"{vip} is the VIP of {_at(twin)} already: use another port or address")
    whole = next((draft for draft, vip in group if vip.port == 0), None)
    if whole is None:
        return
    for draft, vip in group:
        if vip.port:
            remedy = "give every frontend of the address a port, or use another address"
            faults.add(draft.place, f"all ports of {vip.prefix} belong to {_at(whole)}: {remedy}")


def _check_version(group: list[tuple[Draft, VipKey]], faults: Faults) -> int:
    leader: Draft | None = None
    for draft, vip in group:
        if draft.version is None:
            continue
        leader = leader or draft
        if draft.version != leader.version:
            pair = (
                f"its backends are IPv{draft.version}, those of {_at(leader)} on {vip.prefix} are IPv{leader.version}"
            )
            faults.add(draft.place, f"{pair}: VPP has one encapsulation for a prefix, use another address")
    return (leader and leader.version) or group[0][1].prefix.version


def _check_loops(
    drafts: Iterable[Draft],
    by_prefix: Mapping[IPNetwork, list[tuple[Draft, VipKey]]],
    backends: Mapping[str, Backend | None],
    faults: Faults,
) -> None:
    lengths = sorted({(prefix.version, prefix.prefixlen) for prefix in by_prefix})
    for draft in drafts:
        for name in (name for pool in draft.pools for name in pool.weights):
            backend = backends.get(name)
            if backend is None:
                continue
            around = (
                ip_network((backend.address, n), strict=False) for v, n in lengths if v == backend.address.version
            )
            if target := next((by_prefix[prefix][0][0] for prefix in around if prefix in by_prefix), None):
                faults.add(
                    draft.place,
                    f"its backend {shown(name)} has the address {backend.address}, which is the VIP of {_at(target)} "
                    "or lies in it: packets would go round in circles until VPP dies, give the backend's own address",
                )


def _at(draft: Draft) -> str:
    return f"{shown(draft.name)} (line {draft.place.line})"
