"""Garbage collection as maglevd has it, for the length of a benchmark."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from maglev import garbage


@contextmanager
def as_maglevd() -> Iterator[None]:
    """What there is when the block begins is not looked at."""
    before = gc.get_threshold()
    garbage.spare()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
