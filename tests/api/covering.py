"""Which RPCs have a test, so that one without is missed."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable[..., None])

COVERED: set[str] = set()


def of(rpc: str) -> Callable[[T], T]:
    """The test of this RPC: what it answers, what it does, and each of its errors."""

    def covered(test: T) -> T:
        COVERED.add(rpc)
        return test

    return covered
