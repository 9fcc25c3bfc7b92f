"""What goes on until somebody has seen enough: events line by line, or one picture drawn again and again."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from maglev.cli.client import Client
from maglev.cli.keys import Keys, pressed
from maglev.cli.screen import Canvas, Screen
from maglev.rpc._pb import maglev_pb2 as pb

# A look at a large table costs maglevd, which shares a router with VPP, about as long as its answer takes. With pauses
# of 20 times that it is less than 5 % of a core, however large the table is and whatever pause was asked for.
_PAUSE_PER_LOOK = 20

_UNWRITTEN = 1000  # events, for whoever writes them to a slow terminal

Frame = Callable[[int | None], list[str]]
"""The lines of now, for so many columns; None: for no terminal."""


def events(
    client: Client,
    request: pb.WatchRequest,
    count: int | None,
    write: Callable[[str], None],
    line: Callable[[pb.Event], str],
) -> None:
    """Write each event as a line, until a key, Ctrl-C or `count` of them.

    `write` gets a whole line and has to flush it. Raises Unavailable when maglevd goes, and what `write` raises.
    """
    with contextlib.suppress(KeyboardInterrupt), pressed() as keys, client.watch(request) as watch, _Inbox() as inbox:
        inbox.begin(watch, keys)
        written = 0
        while count is None or written < count:
            arrived = inbox.take()
            for event in arrived[: None if count is None else count - written]:
                write(f"{line(event)}\n")
            written += len(arrived)
            if not arrived and inbox.is_over():
                return
            if keys.wait(None if not arrived else 0.0):
                return


class _Inbox:
    """What has arrived and is not written yet. A thread reads: where Ctrl-C strikes, there is no code of gRPC's."""

    def __init__(self) -> None:
        self._events: list[pb.Event] = []
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._is_over = False
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def begin(self, watch: Iterable[pb.Event], keys: Keys) -> None:
        """Read until one of them ends; who waits for keys is woken."""

        def run() -> None:
            try:
                for event in watch:
                    if not self._put(event):
                        break
                    keys.wake()
            except BaseException as error:  # noqa: BLE001 - raised by is_over(), on the thread that writes
                self._error = error
            self._is_over = True
            keys.wake()

        threading.Thread(target=run, daemon=True).start()

    def take(self) -> list[pb.Event]:
        """All that is there."""
        with self._changed:
            taken, self._events = self._events, []
            self._changed.notify_all()
        return taken

    def is_over(self) -> bool:
        """Whether nothing more will come after what was taken. Raises what ended it."""
        if not self._is_over or self._events:
            return False
        if self._error is not None:
            raise self._error
        return True

    def _put(self, event: pb.Event) -> bool:
        """Wait for room: maglevd counts what we do not take in, and says how much is lost."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or len(self._events) < _UNWRITTEN)
            self._events.append(event)
            return not self._is_closed


def redraw(frame: Frame, every_s: Callable[[], float], screen: Screen) -> None:
    """Draw what `frame` says now, and again every so often, until a key or Ctrl-C; on no terminal one below the other.

    Raises what the first frame raises. Of the later ones a terminal shows it, and goes on; elsewhere it is raised.
    """
    with contextlib.suppress(KeyboardInterrupt):
        if screen.is_terminal:
            _draw(frame, every_s, screen)
        else:
            _write_frames(frame, every_s, screen)


def _write_frames(frame: Frame, every_s: Callable[[], float], screen: Screen) -> None:
    with pressed() as keys:
        between = ""
        while True:
            look = _Look(frame, None)
            look.run()
            screen.write("".join([between, *(f"{line}\n" for line in look.lines())]))
            between = "\n"
            until_s = time.monotonic() + _pause_s(look, every_s)
            while (left_s := until_s - time.monotonic()) > 0:
                if keys.wait(left_s):
                    return


@dataclass(slots=True)
class _Look:
    """One question to maglevd, and what came of it."""

    frame: Frame
    width: int | None
    took_s: float = 0.0
    is_done: bool = False
    _lines: Sequence[str] = ()
    _error: BaseException | None = None

    def run(self) -> None:
        begun_s = time.monotonic()
        try:
            self._lines = self.frame(self.width)
        except BaseException as error:  # noqa: BLE001 - raised by lines(), on the thread that asked
            self._error = error
        self.took_s = time.monotonic() - begun_s
        self.is_done = True

    def begin(self, keys: Keys) -> None:
        """On a thread of its own: a key is heard also while nobody answers."""

        def run() -> None:
            self.run()
            keys.wake()

        threading.Thread(target=run, daemon=True).start()

    def lines(self) -> Sequence[str]:
        if self._error is not None:
            raise self._error
        return self._lines


def _pause_s(look: _Look, every_s: Callable[[], float]) -> float:
    return max(every_s(), look.took_s * _PAUSE_PER_LOOK)


def _draw(frame: Frame, every_s: Callable[[], float], screen: Screen) -> None:
    first = _Look(frame, screen.size().columns)
    first.run()
    canvas = Canvas(screen, first.lines())
    with contextlib.suppress(KeyboardInterrupt), pressed(canvas.enter, canvas.leave) as keys:
        _draw_again(first, every_s, canvas, keys)
    canvas.keep()


def _draw_again(last: _Look, every_s: Callable[[], float], canvas: Canvas, keys: Keys) -> None:
    answered_s = time.monotonic()
    under_way: _Look | None = None
    is_resized = False
    while True:
        is_resized |= canvas.draw()
        due_s = answered_s + (last.took_s * _PAUSE_PER_LOOK if is_resized else _pause_s(last, every_s))
        if under_way is None and time.monotonic() >= due_s:
            under_way, is_resized = _Look(last.frame, canvas.size.columns), False
            under_way.begin(keys)
        if keys.wait(None if under_way else due_s - time.monotonic()):
            return
        if under_way is not None and under_way.is_done:
            canvas.take_in(under_way.lines)
            answered_s, last, under_way = time.monotonic(), under_way, None
