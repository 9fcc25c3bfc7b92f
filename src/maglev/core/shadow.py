"""VPP's table as we know it between two audits; must not know what the table ought to be.

Moved by acknowledged operations only. Where VPP gave an answer that does not fit what we know, that VIP is in doubt: it
is not to be written until an audit tells.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from maglev.core.counters import Moved
from maglev.core.model import IPNetwork, LbConf, VipKey
from maglev.core.observed import AddVip, DelVip, Observed, ObservedVip, Op, SetConf, advance

NO_KEYS: AbstractSet[VipKey] = frozenset()


class Shadow:
    """One audited table and what became of it."""

    def __init__(self, conf: LbConf | None) -> None:
        self._found: dict[VipKey, ObservedVip] = {}
        self.observed = Observed(conf, self._found)
        """Frozen once the last VIP was `found`; what is acknowledged makes another one."""
        self.doubtful: set[VipKey] = set()
        self.moved = Moved()
        self._keys_on: dict[IPNetwork, set[VipKey]] = {}

    def found(self, key: VipKey, vip: ObservedVip) -> None:
        """The audit showed this VIP."""
        self._found[key] = vip
        self._keys_on.setdefault(key.prefix, set()).add(key)

    @property
    def prefixes(self) -> AbstractSet[IPNetwork]:
        """Of all VIPs that are there."""
        return frozenset(self._keys_on)  # hashes are copied; of the keys' view each would be worked out again

    def keys_on(self, prefix: IPNetwork) -> AbstractSet[VipKey]:
        """The VIPs on `prefix`."""
        return self._keys_on.get(prefix, NO_KEYS)

    def acknowledge(self, ops: Sequence[Op]) -> None:
        """Take in what VPP has done, in order; `moved` is whose indexes may be others by now.

        What cannot have been done to the table that we know puts its VIP in doubt: VPP says yes, for one, to the
        deletion of a backend that somebody else has deleted.
        """
        self.moved.add(ops)
        try:
            self.observed = advance(self.observed, ops)
        except KeyError:
            for op in ops:
                self._acknowledge_one(op)
        for op in ops:
            if isinstance(op, AddVip):
                self._keys_on.setdefault(op.vip.prefix, set()).add(op.vip)
            elif isinstance(op, DelVip) and op.vip in (keys := self._keys_on.get(op.vip.prefix, set())):
                keys.discard(op.vip)
                if not keys:
                    del self._keys_on[op.vip.prefix]

    def _acknowledge_one(self, op: Op) -> None:
        try:
            self.observed = advance(self.observed, (op,))
        except KeyError:
            if not isinstance(op, SetConf):
                self.doubtful.add(op.vip)
