"""The interactive shell: lines typed at a terminal -> whoever runs them; knows the words by what completes them only.

The line is edited by prompt_toolkit, as readline would. What is printed below it, for `?` and for Tab, is printed while
the key is dealt with: keys that follow at once, from a paste or a script, find all as it was.
"""

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import History
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import DummyOutput, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import is_dumb_terminal

from maglev.cli import completion, keys
from maglev.cli.completion import Names
from maglev.cli.history import HistoryFile, place
from maglev.cli.line import read
from maglev.cli.output import Unwritable, complain, write
from maglev.cli.screen import Screen

MOST_PASTED = 1000  # lines at once

_LEAVE = "\x1b[?2004l\x1b[?7h\x1b[?25h\x1b[0m\r\n"  # pastes as ever, wrapping, the cursor, no colour; below the line


class Executor(Protocol):
    """Runs whole lines; `is_over`: the user is done."""

    is_over: bool

    def run(self, line: str) -> int:
        """Do it, say what there is to say, and return the exit status; raises KeyboardInterrupt alone."""


def prompt_of(server: str) -> str:
    """The prompt of a shell for `server`; of a Unix socket only its last part, which tells them apart."""
    path = server.removeprefix("unix:")
    return f"maglevc {server if path == server else path.rpartition('/')[2] or path}> "


def run(executor: Executor, names: Names, prompt: str) -> int:
    """Until Ctrl-D, or until the executor is over. Ctrl-C ends a command, or a line, but never this."""
    editor = _Editor(names, prompt, HistoryFile(place(os.environ)))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while not executor.is_over:
            try:
                line = editor.ask()
            except KeyboardInterrupt:
                continue
            except (EOFError, Unwritable):
                break
            if line.strip() and _is_interrupted(partial(executor.run, line)):
                editor.forget()
    finally:
        signal.signal(signal.SIGINT, before)
    return 0


def agrees(question: str) -> bool:
    """Whether the user, of a shell whose command asks this, types yes. Ctrl-C is a no, and seen by the shell too."""
    write(question.split("\n"))
    ask = "type yes to go on: "
    try:
        if is_dumb_terminal():
            return input(ask).strip() == "yes"
        return _prompted(PromptSession(ask, enable_suspend=True, output=_output())).strip() == "yes"
    except EOFError:
        return False
    except KeyboardInterrupt:  # of a key, which is no signal
        keys.strike()
        return False


def _is_interrupted(act: Callable[[], object]) -> bool:
    """Whether Ctrl-C was pressed, which may have ended it.

    Everywhere else that signal is ignored: nothing may be cut short by it but commands.
    """
    is_struck = False

    def strike(number: int, frame: FrameType | None) -> None:
        nonlocal is_struck
        is_struck = True
        signal.default_int_handler(number, frame)

    try:
        signal.signal(signal.SIGINT, strike)
        try:
            act()
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with suppress(Unwritable):
            write([""])  # below the ^C of the terminal
        return True
    return is_struck


class _Kept(History):
    """Lines of earlier shells, the latest first as prompt_toolkit wants them."""

    def __init__(self, file: HistoryFile) -> None:
        super().__init__()
        self._file = file

    def load_history_strings(self) -> Iterable[str]:
        return reversed(self._file.lines())

    def store_string(self, string: str) -> None:
        self._file.add(string)


class _Editor:
    """Asks for one line after the other. Pasted lines wait in it for their turn."""

    def __init__(self, names: Names, prompt: str, history: HistoryFile) -> None:
        self._names = names
        self._prompt = prompt
        self._history = history
        self._is_trouble_said = False
        self._pasted: deque[str] = deque()
        self._begun = ""
        self._session: PromptSession[str] = PromptSession(
            prompt, history=_Kept(history), key_bindings=self._keys(), enable_suspend=True, output=_output()
        )

    def ask(self) -> str:
        """The next line. Raises KeyboardInterrupt for a line that was given up, and EOFError at the end."""
        self._say_trouble()
        if self._pasted:
            line = self._pasted.popleft()
            write([f"{self._prompt}{line}"])
            if line.strip():
                self._session.history.append_string(line)
            return line
        begun, self._begun = self._begun, ""
        return self._plain() if is_dumb_terminal() else _prompted(self._session, begun)

    def _plain(self) -> str:
        """From a terminal that can but print, which edits the line itself: a `?` at its end asks."""
        lines: list[str] = []
        if _is_interrupted(lambda: lines.append(input(self._prompt))):
            raise KeyboardInterrupt
        (line,) = lines
        if not line.endswith("?") or read(line[:-1]).is_quoted:
            return line
        write(completion.explain(line[:-1], self._names))
        return ""

    def forget(self) -> None:
        """What was typed or pasted ahead is not to be run any more."""
        self._pasted.clear()
        self._begun = ""
        clear_typeahead(self._session.input)

    def _say_trouble(self) -> None:
        if self._history.trouble and not self._is_trouble_said:
            self._is_trouble_said = True
            complain(self._history.trouble)

    def _keys(self) -> KeyBindings:
        bindings = KeyBindings()
        on_the_line = has_focus(DEFAULT_BUFFER)  # and not in a search of the history
        bindings.add("tab", filter=on_the_line)(self._complete)
        bindings.add("?", filter=on_the_line)(self._help)
        bindings.add("c-c", filter=on_the_line)(self._give_up)
        bindings.add(Keys.BracketedPaste, filter=on_the_line)(self._paste)
        return bindings

    @staticmethod
    def _give_up(event: KeyPressEvent) -> None:
        """As a terminal shows it: a line that was not run must not look like one that was."""
        event.current_buffer.cursor_position = len(event.current_buffer.text)
        event.current_buffer.insert_text("^C")
        event.app.exit(exception=KeyboardInterrupt)

    def _complete(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        before = buffer.document.text_before_cursor
        found = completion.candidates(before, self._names)
        longer = completion.extended(before, found)
        if longer != before:
            _put(buffer, longer)
        elif found:
            size = event.app.output.get_size()
            _say(event.app, completion.listed([each.word for each in found], size.columns, size.rows - 2))
        else:
            event.app.output.bell()

    def _help(self, event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        typed = buffer.document
        buffer.insert_text("?")
        if not read(typed.text_before_cursor).is_quoted:
            columns = event.app.output.get_size().columns
            _say(event.app, completion.explain(typed.text_before_cursor, self._names, columns))
            buffer.document = typed

    def _paste(self, event: KeyPressEvent) -> None:
        """Every pasted line is run as if it had been typed; what comes after the last of them can still be edited."""
        buffer = event.current_buffer
        first, *more = event.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(more) > MOST_PASTED:
            _say(event.app, [f"more than {MOST_PASTED} lines: put them into a file, and run maglevc < FILE"])
            return
        buffer.insert_text(first)
        if more:
            self._pasted.extend(more[:-1])
            self._begun = more[-1]
            buffer.validate_and_handle()


def _prompted(session: PromptSession[str], begun: str = "") -> str:
    """What is typed. A signal that ends us leaves the terminal as it was: prompt_toolkit would not."""
    with keys.as_it_was(lambda: Screen("", sys.stdout).write(_LEAVE)):
        return session.prompt(default=begun)


def _put(buffer: Buffer, before: str) -> None:
    """In place of what is left of the cursor; a blank that is there already is not doubled."""
    after = buffer.document.text_after_cursor
    if before.endswith(" ") and after.startswith(" "):
        after = after[1:]
    buffer.save_to_undo_stack()
    buffer.document = Document(before + after, len(before))


def _say(app: Application[str], lines: Iterable[str]) -> None:
    """Below the line, which stands there again afterwards, with the cursor where it was."""
    app.key_processor.key_buffer.clear()  # the key under way would be shown, over what is at the cursor
    app.renderer.render(app, app.layout, is_done=True)
    app.output.write("".join(f"{line}\n" for line in lines))
    app.output.flush()
    app.renderer.reset()
    app.invalidate()


def _output() -> Output:
    """Never asks the terminal where its cursor is: some do not answer, and a late answer is a key to a watch."""
    output = DummyOutput() if is_dumb_terminal() else create_output()
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False
    return output
