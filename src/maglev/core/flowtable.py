"""The new-flow table: which backend takes which bucket; pure, must not know of VIPs, pools or time.

From VPP src/plugins/lb/lb.c: every backend stands in a row `weight` times (replica 0 .. weight-1), sorted by replica,
then address. Each entry of the row has its own walk over the buckets, drawn from a hash of address and replica. The
entries take turns, each taking the next free bucket of its walk, until no bucket is left.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from operator import ne

Member = tuple[bytes, int]
"""A backend: 16 bytes of address, weight above 0."""

_MASK = (1 << 64) - 1
_PRIME_1 = 0x9E3779B185EBCA87
_PRIME_2 = 0xC2B2AE3D27D4EB4F
_PRIME_3 = 0x165667B19E3779F9
_PRIME_4 = 0x85EBCA77C2B2AE63
_PRIME_5 = 0x27D4EB2F165667C5
_VPP_SEED = 0x9E3779B97F4A7C13  # VPP's clib_xxhash bakes it in
_CACHED_TABLES = 128
_CACHED_MOVES = 1024


def xxh64(key: int, seed: int = _VPP_SEED) -> int:
    """XXH64 of the eight little-endian bytes of `key`; with the default seed it is VPP's `clib_xxhash`."""
    lane = _rotate(key * _PRIME_2 & _MASK, 31) * _PRIME_1 & _MASK
    h = (seed + _PRIME_5 + 8 & _MASK) ^ lane
    h = _rotate(h, 27) * _PRIME_1 + _PRIME_4 & _MASK
    h = (h ^ h >> 33) * _PRIME_2 & _MASK
    h = (h ^ h >> 29) * _PRIME_3 & _MASK
    return h ^ h >> 32


def build(length: int, members: Sequence[Member]) -> Sequence[int]:
    """For each of `length` (a power of two) buckets the position in `members` that owns it; -1 without members.

    Addresses must differ and weights be above 0. The order of `members` makes no difference to who owns what.
    """
    order = sorted(range(len(members)), key=lambda i: members[i])
    table = _build(length, tuple(members[i] for i in order))
    return array("i", map(order.__getitem__, table)) if order else table


@lru_cache(maxsize=_CACHED_MOVES)
def moved(length: int, before: tuple[Member, ...], after: tuple[Member, ...]) -> int:
    """How many buckets have another owner after than before; neither may be empty.

    Kept, as VIPs often share their backends, and what is done to one of them is done to all.
    """
    addresses = {address for address, _ in (*before, *after)}
    places = {address: place for place, address in enumerate(addresses)}
    tables = [
        map([places[address] for address, _ in members].__getitem__, build(length, members))
        for members in (before, after)
    ]
    return sum(map(ne, *tables))


def shares(length: int, members: Sequence[Member]) -> list[int]:
    """How many buckets each of `members` gets in `build`. Taking turns makes that independent of any hash."""
    total = sum(weight for _, weight in members)
    if not total:
        return [0] * len(members)
    turns, rest = divmod(length, total)
    counts = [turns * weight for _, weight in members]
    # The last, partial turn goes by replica, then address; between two weights all replicas have the same members.
    order = sorted(range(len(members)), key=lambda i: members[i])
    replica = 0
    for level in sorted({weight for _, weight in members}):
        standing = [i for i in order if members[i][1] >= level]
        rounds, some = divmod(rest, len(standing))
        if rounds >= level - replica:
            rounds, some = level - replica, 0
        for place, i in enumerate(standing):
            counts[i] += rounds + (place < some)
        rest -= rounds * len(standing) + some
        replica = level
    return counts


@lru_cache(maxsize=_CACHED_TABLES)
def _build(length: int, members: tuple[Member, ...]) -> Sequence[int]:
    if len(members) < 2:
        return array("i", [len(members) - 1]) * length
    mask = length - 1
    table = [-1] * length
    seeds = [_seeds(address, weight) for address, weight in members]
    row = [
        (i, mine[replica])
        for replica in range(max(map(len, seeds)))
        for i, mine in enumerate(seeds)
        if replica < len(mine)
    ]
    owners = [i for i, _ in row]
    at = [seed >> 32 & mask for _, seed in row]
    skip = [(seed & 0xFFFFFFFF | 1) & mask for _, seed in row]
    left = length
    while True:
        for turn, owner in enumerate(owners):
            bucket, step = at[turn], skip[turn]
            while table[bucket] >= 0:
                bucket = bucket + step & mask
            table[bucket] = owner
            at[turn] = bucket + step & mask
            left -= 1
            if not left:
                return array("i", table)


@lru_cache(maxsize=_CACHED_TABLES)
def _seeds(address: bytes, weight: int) -> Sequence[int]:
    """Of each replica. Kept, as the next table asked for is often that of the same VIP with one backend changed."""
    folded = _fold(address)
    return [xxh64(folded ^ replica) for replica in range(weight)]


def _fold(address: bytes) -> int:
    return int.from_bytes(address[:8], "little") ^ int.from_bytes(address[8:], "little")


def _rotate(x: int, bits: int) -> int:
    return (x << bits | x >> (64 - bits)) & _MASK
