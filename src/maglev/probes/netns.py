"""Opens something inside a network namespace of Linux; knows nothing of what is opened.

setns(2) moves one thread, and this one has other sockets to open: it is back before anybody else has a turn.
"""

import ctypes
import os
from collections.abc import Callable
from errno import EINVAL, ENOENT, EPERM
from functools import cache
from pathlib import Path
from typing import TypeVar

from maglev.errors import Incapable
from maglev.probes.verdict import our_fault

FOLDER = Path("/run/netns")  # where `ip netns` keeps them
_CLONE_NEWNET = 0x40000000
_REMEDIES = {
    ENOENT: "`ip netns list` shows what there is",
    EPERM: "maglevd needs CAP_SYS_ADMIN to enter it",
    EINVAL: "it is no network namespace",
}
_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


def opened_inside(name: str, open_it: Callable[[], T]) -> T:
    """What `open_it` returns, called inside the namespace `name`. Raises Fault, which is ours, and Incapable.

    The namespace is looked up each time: one that was made anew under the same name is another one.
    """
    home = _home()
    try:
        inside = os.open(FOLDER / name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(inside)
        finally:
            os.close(inside)
    except OSError as error:
        raise our_fault(f"cannot enter network namespace {name}", error, _REMEDIES.get(error.errno or 0)) from error
    try:
        return open_it()
    finally:
        try:
            _enter(home)
        except OSError as error:  # whatever this thread opens next would be in the wrong place
            raise Incapable("cannot leave network namespace", netns=name, error=error) from error


def identity(name: str) -> tuple[int, int] | None:
    """Tells a namespace from one made anew under the same name; None: there is none."""
    try:
        found = (FOLDER / name).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@cache
def _home() -> int:
    """The namespace that this thread began in; kept for good, as a way back must not fail for want of a descriptor."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
