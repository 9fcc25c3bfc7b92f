"""The terminal, borrowed while something is watched: any key is heard at once, and all is given back whatever happens.

Knows nothing of what is watched, nor of what is drawn meanwhile.
"""

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any, TypeAlias

_IN_BACKGROUND_S = 1.0  # between two looks whether we are in the foreground again
_ENDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_Way: TypeAlias = Callable[[int, FrameType | None], None]
"""What a signal does."""


class Keys:
    """Hears keys on `terminal`; without one only time passes."""

    def __init__(self, terminal: int | None) -> None:
        self._terminal = terminal
        self._woken, self._wakes = os.pipe()
        os.set_blocking(self._wakes, False)
        self._closing = threading.RLock()  # a signal may wake while its thread does
        self._is_closed = False

    def wait(self, timeout_s: float | None) -> bool:
        """Whether a key was pressed within that time; False also when somebody woke us. Ctrl-C raises as ever.

        A terminal that has gone counts as a key: nobody is left to press one.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            hears = self._terminal if self._terminal is not None and is_in_foreground(self._terminal) else None
            left_s = None if deadline_s is None else max(deadline_s - time.monotonic(), 0.0)
            if self._terminal is not None and hears is None:  # another job has the terminal: reading would stop us
                left_s = _IN_BACKGROUND_S if left_s is None else min(left_s, _IN_BACKGROUND_S)
            ready = _readable([self._woken] if hears is None else [self._woken, hears], left_s)
            if hears in ready and hears is not None:
                _consume(hears)
                strike()
                return True
            if self._woken in ready:
                _consume(self._woken)
                return False
            if deadline_s is not None and time.monotonic() >= deadline_s:
                return False

    def wake(self) -> None:
        """Have who waits look around; from any thread, and from a signal."""
        with self._closing, contextlib.suppress(BlockingIOError):  # so many have woken him already
            if not self._is_closed:
                os.write(self._wakes, b"w")

    def close(self) -> None:
        """Nobody waits any more; who wakes late is not heard."""
        with self._closing:
            self._is_closed = True
            os.close(self._woken)
            os.close(self._wakes)


def strike() -> None:
    """A key has ended something as Ctrl-C does: whoever handles SIGINT, as a shell that notes it, is told; no more."""
    if callable(signal.getsignal(signal.SIGINT)):
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def _nothing() -> None:
    """Nothing more to take, or to give back."""


@contextlib.contextmanager
def pressed(enter: Callable[[], None] = _nothing, leave: Callable[[], None] = _nothing) -> Iterator[Keys]:
    """The keys of stdin's terminal, which echoes none of them meanwhile. Keys of before do not count.

    `enter` takes what else of a terminal is wanted, and `leave` gives it back; each may be called again and again, as
    of a job that is stopped and continued. Nothing of this happens where stdin is no terminal, or one that another job
    has, but for `enter` and `leave`.
    """
    terminal = _terminal_of_stdin()
    keys = Keys(terminal)
    borrowed = _Borrowed(terminal, enter, leave)
    is_needed = terminal is not None or leave is not _nothing
    try:
        with _signals(borrowed, keys) if is_needed else contextlib.nullcontext():
            if terminal is not None:
                with contextlib.suppress(termios.error):  # it has gone, which counts as a key
                    termios.tcflush(terminal, termios.TCIFLUSH)
            borrowed.take()
            yield keys
    finally:
        keys.close()


@contextlib.contextmanager
def as_it_was(leave: Callable[[], None]) -> Iterator[None]:
    """Somebody else takes stdin's terminal; a signal that ends us meanwhile gives it back, and what `leave` does."""
    borrowed = _Borrowed(_terminal_of_stdin(), _nothing, leave)
    borrowed.lend()
    with _handled(_ends(borrowed)):
        yield


def is_in_foreground(terminal: int) -> bool:
    """Whether this terminal listens to us, and not to another job of its shell."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # it is not the one that controls us, so nobody else's jobs have it either; or it has gone
        return True


class _Borrowed:
    """What is changed of the terminal, and how it was."""

    def __init__(self, terminal: int | None, enter: Callable[[], None], leave: Callable[[], None]) -> None:
        self._terminal = terminal
        self._enter = enter
        self._leave = leave
        self._before: list[Any] | None = None
        self._is_taken = False

    def take(self) -> None:
        """Nothing is taken of a terminal that another job has, or that has gone."""
        if self._terminal is not None:
            if not is_in_foreground(self._terminal):
                return
            try:
                if not self._is_taken:
                    self._before = termios.tcgetattr(self._terminal)
                tty.setcbreak(self._terminal, termios.TCSANOW)
            except termios.error:
                return
        self._is_taken = True
        self._enter()

    def lend(self) -> None:
        """It is taken from now on, by somebody else."""
        if self._terminal is not None:
            with contextlib.suppress(termios.error):
                self._before = termios.tcgetattr(self._terminal)
                self._is_taken = True

    def give_back(self) -> None:
        """As often as one likes. A terminal that has gone needs nothing; to set that of another job would stop us."""
        if not self._is_taken or (self._terminal is not None and not is_in_foreground(self._terminal)):
            return
        with contextlib.suppress(OSError):
            self._leave()
        if self._terminal is not None and self._before is not None:
            with contextlib.suppress(OSError, termios.error):
                # What is left of a key that sends several bytes is not for who reads next. And not TCSAFLUSH, which
                # waits for as long as somebody holds up the output.
                termios.tcflush(self._terminal, termios.TCIFLUSH)
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._before)
        self._is_taken = False


def _ends(borrowed: _Borrowed) -> dict[int, _Way]:
    def ends(number: int, _: FrameType | None) -> None:
        borrowed.give_back()
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), number)  # so that who waits for us sees what ended us

    return dict.fromkeys(_ENDS, ends)


@contextlib.contextmanager
def _handled(ways: Mapping[int, _Way]) -> Iterator[set[int]]:
    """Has these signals do that, and says which.

    Those that are ignored stay so. Only the main thread may say what a signal does; elsewhere that stays as it is.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in ways if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, ways[number])
        yield set(before)
    finally:
        for number, way in before.items():
            signal.signal(number, way)


@contextlib.contextmanager
def _signals(borrowed: _Borrowed, keys: Keys) -> Iterator[None]:
    """Gives the terminal back before a signal ends or stops us, and takes it again when we go on."""

    def stops(number: int, _: FrameType | None) -> None:
        borrowed.give_back()
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), number)  # to this thread, so it returns when we go on
        signal.signal(number, stops)

    def goes_on(_number: int, _frame: FrameType | None) -> None:
        borrowed.take()
        keys.wake()

    def looks(_number: int, _frame: FrameType | None) -> None:
        keys.wake()

    strikes = signal.getsignal(signal.SIGINT)
    ways: dict[int, _Way] = {
        signal.SIGINT: strikes if callable(strikes) else signal.default_int_handler,  # a shell's notes that it was hit
        signal.SIGTSTP: stops,
        signal.SIGCONT: goes_on,
        signal.SIGWINCH: looks,
        **_ends(borrowed),
    }
    with _handled(ways) as handled:
        try:
            yield
        finally:
            if signal.SIGINT in handled:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave the terminal as it is
            borrowed.give_back()


def _terminal_of_stdin() -> int | None:
    try:
        number = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):  # there is none, it is no file, or it is closed
        return None
    return number if os.isatty(number) and is_in_foreground(number) else None


def _readable(descriptors: list[int], timeout_s: float | None) -> set[int]:
    """Those with something to read, or with an end."""
    waiting = select.poll()
    for each in descriptors:
        waiting.register(each, select.POLLIN)
    return {each for each, _ in waiting.poll(None if timeout_s is None else timeout_s * 1000)}


def _consume(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # a terminal that has gone
        os.read(descriptor, 4096)
