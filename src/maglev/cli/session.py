"""Runs one line after another against one server: words in, text out, an exit status; knows no terminal.

gRPC is imported only when a server is to be called: wrong words need none of it, nor do those who wait for the answer.
"""

import gc
import re
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maglev.cli import line, words
from maglev.cli.commands import Change, Help, Question, Quit, Watch
from maglev.cli.commands import Line as Ordered
from maglev.cli.options import reference
from maglev.cli.output import Exit, Unwritable, complain, status_of, write
from maglev.cli.times import Times
from maglev.errors import MaglevError, Unavailable

if TYPE_CHECKING:
    from maglev.cli.client import Client
    from maglev.cli.render.layout import Page


@dataclass(frozen=True, slots=True)
class Look:
    """How pages are shown: how wide at this moment (None: without end), in colour, in ASCII alone."""

    width: Callable[[], int | None]
    is_coloured: bool
    is_ascii: bool


class Session:
    """`connect` is called once, for the first line that needs a server; `agree` puts a question to the user."""

    def __init__(
        self, connect: "Callable[[], Client]", look: Look, agree: Callable[[str], bool], times: Times, where: str
    ) -> None:
        self.is_over = False
        self._connect = connect
        self._look = look
        self._agree = agree
        self._times = times
        self._where = where
        self._connected: Client | None = None
        self._is_lost = False

    def close(self) -> None:
        """Let go of the server."""
        if self._connected is not None:
            self._connected.__exit__(None, None, None)

    @property
    def client(self) -> "Client":
        """Raises ConfigError for an address or files that cannot be."""
        if self._connected is None:
            self._connected = self._connect()
        return self._connected

    def run(self, text: str) -> Exit:
        """One line as it was typed."""
        return self._guarded(lambda: words.parse(line.split(text)))

    def run_words(self, said: Sequence[str]) -> Exit:
        """One line that is words already."""
        return self._guarded(lambda: words.parse(said))

    def _guarded(self, read: Callable[[], Ordered]) -> Exit:
        try:
            self._do(read())
        except MaglevError as error:
            self._is_lost |= isinstance(error, Unavailable)
            complain(str(error))
            return status_of(error)
        except Unwritable as error:
            self.is_over = True
            return error.status
        except Exception as error:  # noqa: BLE001 - one line that fails must not end a shell, nor claim a refusal
            where = traceback.extract_tb(error.__traceback__)[-1]
            complain(f"a fault of maglevc itself: {error!r} in {where.name}, line {where.lineno}; report it, please")
            return Exit.FAULT
        return Exit.OK

    def _do(self, ordered: Ordered) -> None:
        command = ordered.command
        if isinstance(command, Help):
            write(reference().splitlines())
        elif isinstance(command, Quit):
            self.is_over = True
        elif isinstance(command, Watch):
            self._watch(command, ordered.pattern)
        elif isinstance(command, Change):
            self._change(command)
        else:
            self._ask(command, ordered)

    def _ask(self, question: Question, ordered: Ordered) -> None:
        from maglev.cli import answers
        from maglev.cli.render import as_json

        found = answers.answer(question, self.client, self._times)
        self._reached()
        if ordered.is_json:
            write([as_json.document(found.document)])
        else:
            write(self._lines(found.page(), self._look.width(), ordered.pattern))

    def _change(self, order: Change) -> None:
        from maglev.cli import changes

        changes.change(order, self.client, self._times.now_ns, self._agree, self._show)
        self._reached()

    def _watch(self, watch: Watch, pattern: re.Pattern[str] | None) -> None:
        from maglev.cli import watches

        gc.enable()

        def lines(page: "Page", width: int | None) -> list[str]:
            return self._lines(page, width, pattern)

        watches.watch(watch, self.client, self._times, lines)
        self._reached()

    def _show(self, page: "Page") -> None:
        write(self._lines(page, self._look.width()))

    def _lines(self, page: "Page", width: int | None, pattern: re.Pattern[str] | None = None) -> list[str]:
        from maglev.cli.render import layout

        found = page if pattern is None else layout.matching(page, pattern)
        paint = layout.coloured if self._look.is_coloured else layout.plain
        return layout.lines(found, width, paint, ascii=self._look.is_ascii)

    def _reached(self) -> None:
        if self._is_lost:
            self._is_lost = False
            complain(f"{self._where} answers again")
