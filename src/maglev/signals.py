"""The signals that ask a program to stop: taken at its start, heard until its very end; knows nothing of what stops.

trio's own receiver sends again, when it closes, what it was not asked for: a second Ctrl-C would end a program half way
through its stop. Here the first signal that asks for the stop is the last one that does anything.
"""

import ctypes
import operator
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

# A handler of C that does nothing. One of Python could be interrupted by the next signal, and that one by the next.
_nothing = operator.is_
_libc = ctypes.CDLL(None)
_IGNORE = ctypes.c_void_p(1)  # SIG_IGN of signal(2)


@contextmanager
def stopped_by(stop: Callable[[], object], *numbers: signal.Signals) -> Iterator[None]:
    """In the body the first of these signals has `stop` called, between the steps of trio's tasks; it must not raise.

    For programs alone: afterwards the signals stay ignored, as all that is left to do is to end.
    """
    token = trio.lowlevel.current_trio_token()

    def take(_number: int, _frame: object) -> None:
        for number in numbers:
            signal.signal(number, _nothing)
        token.run_sync_soon(stop, idempotent=True)

    with _handled_by(take, numbers):
        yield


@contextmanager
def heard_by(hear: Callable[[], object], number: signal.Signals) -> Iterator[None]:
    """In the body `hear` is called for the signal, between the steps of trio's tasks; it must not raise.

    Afterwards the signal stays ignored, as above.
    """
    token = trio.lowlevel.current_trio_token()
    with _handled_by(lambda *_: token.run_sync_soon(hear, idempotent=True), (number,)):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, object], object], numbers: tuple[signal.Signals, ...]) -> Iterator[None]:
    for number in numbers:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in numbers:
            # By the kernel first: Python complains of a signal that comes while it changes the handler to `ignore`.
            signal.signal(number, _nothing)
            _libc.signal(number.value, _IGNORE)
            signal.signal(number, signal.SIG_IGN)
