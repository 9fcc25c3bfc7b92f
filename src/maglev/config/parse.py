"""Text -> Config, or one error that lists every fault with its path and line; must not know who asks or why.

A fault of syntax is one of YAML itself, after which nothing can be read; all others are listed together.
"""

from pathlib import Path

from maglev.config import document
from maglev.config.faults import ConfigFaults, Fault, Faults, Place
from maglev.config.fields import Fields
from maglev.config.frontends import checks_in_use, read_frontends
from maglev.config.healthchecks import read_backends, read_healthchecks
from maglev.config.lb import read_lb
from maglev.config.model import Config
from maglev.config.names import netns
from maglev.config.rules import settle
from maglev.config.values import integer

__all__ = ["Config", "ConfigFaults", "Fault", "load", "parse"]

MAX_BYTES = 4 * document.MAX_CHARACTERS  # what UTF-8 can need for them
MAX_HISTORY = 1000

_TOP = "maglev"
_SECTION_KEYS = ("healthchecker", "vpp", "healthchecks", "backends", "frontends")
_CHECKER_KEYS = ("transition-history", "netns")
_VPP_KEYS = ("lb",)


def load(path: Path, *, vpp_in_use: bool = True) -> Config:
    """The configuration in the file `path`. Raises ConfigFaults."""
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(f"cannot read {path}: {reason}") from error
    if len(raw) > MAX_BYTES:
        raise _unreadable(f"{path} is larger than {MAX_BYTES} bytes: is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8: save the file in that encoding"
        raise _unreadable(message, line) from error
    return parse(text, vpp_in_use=vpp_in_use)


def parse(text: str, *, vpp_in_use: bool = True) -> Config:
    """The configuration that `text` describes. Raises ConfigFaults, whatever the text.

    Without `vpp_in_use` the source addresses of `vpp.lb` may be left out.
    """
    faults = Faults()
    root = document.read(text, faults)
    if not isinstance(root, document.Mapping) or _TOP not in root.entries:
        message = "missing: everything stands under the key `maglev:` at the top"
        faults.add(Place((_TOP,), root.line, root.column), message)
        raise faults.as_error()
    top = Fields(root, Place((), root.line, root.column), faults, (_TOP,))
    config = _config(top.section(_TOP, _SECTION_KEYS), faults, vpp_in_use)
    document.dissolve(root)
    if faults:
        raise faults.as_error()
    return config


def _config(fields: Fields, faults: Faults, vpp_in_use: bool) -> Config:
    checker = fields.section("healthchecker", _CHECKER_KEYS)
    checks = read_healthchecks(fields.section("healthchecks", known=None))
    backends = read_backends(fields.section("backends", known=None), checks)
    drafts = read_frontends(fields.section("frontends", known=None), backends)
    # A default in place of what is wrong would give rise to another fault.
    waited_for = () if faults else checks_in_use(drafts, backends)
    return Config(
        transition_history=checker.get("transition-history", integer(1, MAX_HISTORY), 5),
        netns=checker.find("netns", netns),
        lb=read_lb(fields.section("vpp", _VPP_KEYS), vpp_in_use, waited_for),
        healthchecks={name: check for name, check in checks.items() if check},
        backends={name: backend for name, backend in backends.items() if backend},
        frontends=settle(drafts, backends, faults),
    )


def _unreadable(message: str, line: int | None = None) -> ConfigFaults:
    return ConfigFaults((Fault("", line, None, message),), is_syntax=True)
