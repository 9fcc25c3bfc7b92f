"""YAML text -> a tree of plain nodes that know their lines; must not know which keys mean what.

It takes the subset of YAML that leaves no doubt: one document; keys are strings and unique; no tags and no merge
keys. Anchors and aliases may be used, bounded by the size of the tree they stand for. The tree is built from the
parser's events with a stack of our own, so that neither deep nesting nor an alias bomb can cost more than the bounds.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import yaml
from yaml.resolver import Resolver

from maglev.config.faults import ConfigFaults, Fault, Faults, Place, Segment, quoted, shown

MAX_CHARACTERS = 16 * 1024 * 1024
MAX_NODES = 2_000_000  # aliases count as what they stand for
MAX_DEPTH = 32  # the deepest key that means anything is at 8

_SLICE = 1 << 18

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_implied_tag: Callable[[type[yaml.Node], str, tuple[bool, bool]], str] = Resolver().resolve
_TAGS = "tag:yaml.org,2002:"
# By what libyaml and the parser written in Python both say; the mistakes that people make most.
_REMEDIES = (
    ("cannot start any token", "indent with spaces, not tabs, and quote a text that begins with @, % or `"),
    ("mapping values are not allowed", "quote a text that holds a colon, or look at the indentation"),
    ("scanning an alias", "quote a text that begins with *"),
    ("unexpected end of stream", "close the quote"),
)
# What YAML calls printable, and the byte order mark; the C parser cannot even be handed a lone surrogate.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as written; `is_plain` means without quotes, so that its text alone says what type it is."""

    text: str
    is_plain: bool
    line: int
    column: int

    @property
    def is_null(self) -> bool:
        """Whether nothing was written, or YAML's words for it."""
        return self.is_plain and self.text in ("", "~", "null", "Null", "NULL")

    @property
    def is_string(self) -> bool:
        """Whether every YAML parser reads it as text: quoted, or unlike a number, a boolean, a date."""
        return not self.is_plain or _implied_tag(yaml.ScalarNode, self.text, (True, False)) == _TAGS + "str"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple["Node", ...]
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The value of a key, and where the key stands."""

    value: "Node"
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and their values in the order of the file."""

    entries: dict[str, Entry]
    line: int
    column: int


Node = Scalar | Sequence | Mapping


def read(text: str, faults: Faults) -> Node:
    """The tree of `text`; notes in `faults` what the subset excludes. Raises ConfigFaults where YAML is broken."""
    if len(text) > MAX_CHARACTERS:
        raise _broken(f"the text has {len(text)} characters, the limit is {MAX_CHARACTERS}: is it the right file?")
    for start in range(0, len(text), _SLICE):  # a search of all would hold up every other thread
        if found := _FORBIDDEN.search(text, start, start + _SLICE):
            raise _forbidden(text, found)
    builder = _Builder(faults)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The parser written in Python lets absurd escapes and version numbers through to int() and chr().
        raise _broken(f"this is not YAML: {' '.join(str(error).split())}") from error
    return builder.root or Scalar("", is_plain=True, line=1, column=1)


def dissolve(node: Node) -> None:
    """Let go of a tree that nobody needs any more, bit by bit: to free a large one at once holds up every thread."""
    match node:
        case Mapping(entries):
            for entry in entries.values():
                dissolve(entry.value)
            entries.clear()
        case Sequence(items):
            for item in items:
                dissolve(item)
        case Scalar():
            pass


def _broken(message: str, line: int = 1, column: int | None = None) -> ConfigFaults:
    return ConfigFaults((Fault("", line, column, message),), is_syntax=True)


def _forbidden(text: str, found: re.Match[str]) -> ConfigFaults:
    before = text[: found.start()]
    line = before.count("\n") + 1
    column = found.start() - (before.rfind("\n") + 1) + 1
    return _broken(f"the character U+{ord(found[0]):04X} is not allowed in YAML: remove it", line, column)


def _unreadable(error: yaml.MarkedYAMLError) -> ConfigFaults:
    said = " ".join(part for part in (error.problem, error.context) if part)
    line, column = _where(error.problem_mark or error.context_mark)
    began, _ = _where(error.context_mark)
    since = f" that begins on line {began}" if error.context_mark and began < line else ""
    remedy = next((remedy for words, remedy in _REMEDIES if words in said), "look at this line and the one before")
    return _broken(f"this is not YAML: {said}{since}; {remedy}", line, column)


def _where(mark: "_Mark | None") -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


class _Mark(Protocol):
    """What the marks of both parsers have in common; they count from 0."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


@dataclass(slots=True)
class _Frame:
    """A collection whose end has not come yet: a mapping uses `entries` and the key fields, a list `items`."""

    line: int
    column: int
    anchor: str | None
    is_mapping: bool
    nodes_before: int
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    is_key_due: bool = True
    key: Scalar | None = None  # None while due, and for a key whose value is dropped

    def node(self) -> Node:
        if self.is_mapping:
            return Mapping(self.entries, self.line, self.column)
        return Sequence(tuple(self.items), self.line, self.column)

    def segments(self) -> tuple[Segment, ...]:
        if not self.is_mapping:
            return (len(self.items),)
        return (self.key.text,) if self.key else ()


class _Builder:
    """Folds parser events into nodes."""

    def __init__(self, faults: Faults) -> None:
        self.root: Node | None = None
        self._faults = faults
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._nodes = 0

    def take(self, event: yaml.Event) -> None:
        """Fold the next event; raises ConfigFaults when a bound is passed."""
        line, column = _where(event.start_mark)
        match event:
            case yaml.ScalarEvent():
                self._check_tag(event.tag, line, column)
                self._count(1, line, column)
                self._place(Scalar(event.value, event.implicit[0], line, column), 1, event.anchor)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check_tag(event.tag, line, column)
                self._count(1, line, column)
                if len(self._stack) >= MAX_DEPTH:
                    remedy = "nothing here needs a third of that, look for a bracket that is not closed"
                    raise _broken(f"nested deeper than {MAX_DEPTH} levels: {remedy}", line, column)
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._stack.append(_Frame(line, column, event.anchor, is_mapping, self._nodes - 1))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = self._stack.pop()
                self._place(frame.node(), self._nodes - frame.nodes_before, frame.anchor)
            case yaml.AliasEvent():
                anchor = event.anchor or ""
                if anchor not in self._anchors:
                    remedy = "put the anchor before it, or quote the text if no alias is meant"
                    raise _broken(f"the alias *{shown(anchor)} has no finished anchor above: {remedy}", line, column)
                node, size = self._anchors[anchor]
                self._count(size, line, column)
                self._place(node, size, None)
            case yaml.DocumentStartEvent() if self.root is not None:
                raise _broken("a second document begins: put all into one, without `---` between", line, column)
            case _:
                pass  # the other ends and starts say nothing

    def _count(self, nodes: int, line: int, column: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            remedy = "write fewer, or is it the wrong file?"
            raise _broken(f"more than {MAX_NODES} values, counting aliases as written out: {remedy}", line, column)

    def _place(self, node: Node, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        if not frame.is_mapping:
            frame.items.append(node)
        elif frame.is_key_due:
            frame.key = self._key(node, frame.entries)
            frame.is_key_due = False
        else:
            if frame.key is not None:
                frame.entries[frame.key.text] = Entry(node, frame.key.line, frame.key.column)
            frame.key = None
            frame.is_key_due = True

    def _key(self, node: Node, entries: dict[str, Entry]) -> Scalar | None:
        if not isinstance(node, Scalar):
            self._fault("a key must be a string, not a list or a mapping", node.line, node.column)
            return None
        if node.is_plain and node.text == "<<":
            self._fault("merge keys (<<) are not supported: write the keys out", node.line, node.column)
            return None
        if node.is_null:
            self._fault("a key is empty: give it a name", node.line, node.column)
            return None
        if first := entries.get(node.text):
            message = f"the key {quoted(node.text)} is given twice, first on line {first.line}: remove one of them"
            self._fault(message, node.line, node.column, node.text)
            return None
        if not node.is_string:
            message = (
                f"YAML reads the key {shown(node.text)} as a number, boolean or date: write it as {quoted(node.text)}"
            )
            self._fault(message, node.line, node.column, node.text)
        return node

    def _check_tag(self, tag: str | None, line: int, column: int) -> None:
        if tag is None:
            return
        short = "!!" + tag.removeprefix(_TAGS) if tag.startswith(_TAGS) else tag
        self._fault(f"tags are not supported: remove {shown(short)}", line, column)

    def _fault(self, message: str, line: int, column: int, *key: str) -> None:
        segments = (segment for frame in self._stack for segment in frame.segments())
        self._faults.add(Place((*segments, *key), line, column), message)
