"""What a page is made of; must not know what it says, nor how wide it will be drawn."""

import enum
from collections.abc import Callable
from dataclasses import dataclass

Paint = Callable[[str, str], str]
"""Dresses a text by a word: its own where it is a state, else the title that it stands under."""


class Kind(enum.Enum):
    """What a column holds."""

    KEY = enum.auto()  # says whose row it is; the first columns
    WORD = enum.auto()
    STATE = enum.auto()  # a word that may have a colour
    FIGURE = enum.auto()  # flush right
    FREE = enum.auto()  # wraps


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; an extra one is shown where there is room.

    `is_first_of_group`: where not all columns fit side by side, the table is rather divided before this one.
    """

    title: str
    kind: Kind = Kind.WORD
    is_extra: bool = False
    is_first_of_group: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """One `name:  value` a line, values aligned."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Titles and rows."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Sentences, one a line."""

    lines: tuple[str, ...]


Section = Fields | Table | Text
Page = tuple[Section, ...]
