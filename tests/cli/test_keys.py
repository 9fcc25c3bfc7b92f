"""The terminal that is borrowed for a watch, when it is not there any more."""

import os
import pty
from collections.abc import Iterator

import pytest

from maglev.cli import keys


@pytest.fixture
def gone() -> Iterator[int]:
    """A terminal whose window has been closed."""
    ours, theirs = pty.openpty()
    os.close(ours)
    yield theirs
    os.close(theirs)


def test_nothing_is_taken_of_a_terminal_that_has_gone(gone: int) -> None:
    entered: list[None] = []
    borrowed = keys._Borrowed(gone, lambda: entered.append(None), lambda: None)
    borrowed.take()
    borrowed.give_back()

    assert entered == []


def test_a_terminal_that_goes_at_the_last_moment_counts_as_a_key(gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_terminal_of_stdin", lambda: gone)
    with keys.pressed() as heard:
        assert heard.wait(None)
