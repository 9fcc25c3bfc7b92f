"""Small families, and the labels that several families share; must not know where figures come from."""

from collections.abc import Mapping

from maglev.core.model import IPAddress, VipKey
from maglev.core.snapshot import changed
from maglev.core.status import BackendStatus, names_by_address
from maglev.metrics.exposition import Family, escaped, template

SECOND_NS = 1_000_000_000


def single(name: str, text: str, value: float | None) -> Family:
    """A gauge without labels, absent while the value is None."""
    return Family(name, text, "gauge", () if value is None else (template(name) % value,))


def info(name: str, text: str, values: Mapping[str, str]) -> Family:
    """1 with labels, absent without."""
    line = template(f"{name}_info", *values) % (*map(escaped, values.values()), 1)
    return Family(name, text, "info", (line,) if values else ())


def vip_labels(key: VipKey) -> str:
    """As they stand between braces."""
    return f'prefix="{key.prefix}",protocol="{key.protocol_name}",port="{key.port}"'


class Names:
    """What backends of an address are called, escaped; `by_address` is another object only when it says other things.

    So lines that show names outlive changes of health.
    """

    def __init__(self) -> None:
        self._backends: Mapping[str, BackendStatus] = {}
        self.by_address: Mapping[IPAddress, list[str]] = {}

    def follow(self, backends: Mapping[str, BackendStatus]) -> None:
        """These are the backends now."""
        if backends is not self._backends and self._is_otherwise(backends):
            named = names_by_address(backends.values())
            self.by_address = {address: list(map(escaped, names)) for address, names in named.items()}
        self._backends = backends

    def _is_otherwise(self, backends: Mapping[str, BackendStatus]) -> bool:
        before = self._backends
        if tuple(backends) != tuple(before):
            return True
        moved = changed(backends, before).items()
        return any(status.backend.address != before[name].backend.address for name, status in moved)
