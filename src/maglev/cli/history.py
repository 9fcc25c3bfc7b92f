"""Lines typed in earlier shells, in a file that only its owner can read; knows nothing of terminals."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

MOST_LINES = 1000
LONGEST = 1000  # characters of a line that is worth keeping

_MOST_BYTES = 1 << 20  # that are read, from the end
_ENCODING = ("utf-8", "surrogateescape")


def place(environ: Mapping[str, str]) -> Path:
    """Where it is, as the XDG Base Directory Specification has it: a relative variable counts as none."""
    state = environ.get("XDG_STATE_HOME", "")
    folder = Path(state) if state.startswith("/") else Path(environ.get("HOME", "")) / ".local/state"
    return folder / "maglev/history"


class HistoryFile:
    """One line each, the oldest first; several shells may add to it. `trouble`: why it cannot be used any longer."""

    def __init__(self, path: Path) -> None:
        self.trouble = ""
        self._path = path

    def lines(self) -> list[str]:
        """The latest that it has. A file with twice as many is cut to them."""
        try:
            if not self._path.is_absolute():
                raise FileNotFoundError(0, "no home directory")
            self._path.parent.mkdir(0o700, parents=True, exist_ok=True)
            found, is_cut = self._read()
            latest = found[-MOST_LINES:]
            if is_cut or len(found) > 2 * MOST_LINES:
                self._replace(latest)
        except OSError as error:
            self._give_up(error)
            return []
        return latest

    def add(self, line: str) -> None:
        """Put it at the end, unless there was trouble, or it has more than `LONGEST` characters."""
        if self.trouble or len(line) > LONGEST:
            return
        try:
            file = self._open(os.O_WRONLY | os.O_APPEND)
            try:
                os.write(file, _bytes([line]))
            finally:
                os.close(file)
        except OSError as error:
            self._give_up(error)

    def _read(self) -> tuple[list[str], bool]:
        """The lines, and whether there was more than what was read."""
        with open(self._open(os.O_RDONLY), "rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - _MOST_BYTES)
            file.seek(start)
            text = file.read(_MOST_BYTES).decode(*_ENCODING)
        lines = text.split("\n")[1 if start else 0 :]
        return [line for line in lines if line], bool(start)

    def _replace(self, lines: list[str]) -> None:
        anew = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        file = os.open(anew, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(file, "wb") as writing:
            writing.write(_bytes(lines))
        anew.replace(self._path)

    def _open(self, flags: int) -> int:
        """Made if it is missing, and closed to others if it was not."""
        file = os.open(self._path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)  # a FIFO would wait
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode):
            if stat.S_IMODE(found.st_mode) & 0o077:
                os.fchmod(file, 0o600)
        elif not os.path.samestat(found, Path(os.devnull).stat()):  # a link to that is how to have no history
            os.close(file)
            raise OSError(0, "it is no regular file")
        return file

    def _give_up(self, error: OSError) -> None:
        self.trouble = f"no history is kept in {self._path}: {error.strerror}"


def _bytes(lines: list[str]) -> bytes:
    return "".join(f"{' '.join(line.split())}\n" for line in lines).encode(*_ENCODING)
