"""How the demo tells of the end of its children."""

import pytest

from maglev.demo.processes import end_of


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with status 0"),
        (3, "ended with status 3"),
        (-9, "was killed by SIGKILL"),
        (-11, "was killed by SIGSEGV"),
        (-40, "was killed by signal 40"),
    ],
)
def test_the_end_of_a_process_in_words(status: int, words: str) -> None:
    assert end_of(status) == words
