"""Who sees to it that a block of code in a document is true: its language, its own shape, or a test that names it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.docs.judges import JUDGES
from tests.docs.pages import Block

COMMANDS, CONFIG, WRONG, PROMETHEUS, UNIT, PROMQL, LOG, JSON, FLAGS = (
    *("commands", "a configuration", "a wrong configuration", "Prometheus's", "a unit"),
    *("PromQL", "lines of the log", "an entry of the journal", "flags of maglevd"),
)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A block that another test plays, makes or reads: on which page, how it begins, or what stands before it."""

    page: str
    begins: str
    test: str
    before: str = ""
    language: str = ".*"

    def is_for(self, block: Block) -> bool:
        return (
            fnmatchcase(block.page, self.page)
            and re.match(self.begins, block.text) is not None
            and re.search(self.before, block.before) is not None
            and re.fullmatch(self.language, block.language) is not None
        )


_GUIDE = "tests/config/test_guide.py::test_maglevd_says_what_the_guide_shows"
_WALK = "tests/config/test_healthchecks_doc.py::test_the_walk_is_what_the_rules_make_of_it"
ELSEWHERE = (
    Elsewhere(
        "docs/user-guide.md", "", "tests/cli/test_guide.py::test_the_transcript_is_what_is_seen_today", "<!-- played: "
    ),
    Elsewhere("docs/config-guide.md", r"\$ maglevd --check", _GUIDE),
    Elsewhere("docs/healthchecks.md", "probe ", _WALK),
    Elsewhere(
        "docs/healthchecks-haproxy.md",
        "option httpchk",
        "tests/docs/test_blocks.py::test_haproxy_is_asked_as_the_page_says",
    ),
    Elsewhere(
        "docs/migration.md",
        "VPP 26.10",
        "tests/docs/test_migration.py::test_a_dry_run_says_of_the_originals_table_what_is_told",
    ),
    Elsewhere("docs/access.md", "INFO audit ", "tests/docs/test_blocks.py::test_the_audit_record_has_its_fields"),
    Elsewhere(
        "README.md", "maglevd starts, with an empty VPP", "tests/demo/test_demo.py::test_the_whole_story_comes_true"
    ),
    Elsewhere("ARCHITECTURE.md", r" text -> config", "tests/docs/test_blocks.py::test_the_rooms_of_the_picture_exist"),
    Elsewhere("docs/quickstart.md", "", "tests/docs/test_quickstart.py::test_what_each_block_says", language="sh|text"),
    Elsewhere("contrib/README.md", "name,vip,", "tests/contrib/test_ten_thousand.py", language="csv"),
)

_BY_LANGUAGE = {
    "sh": COMMANDS,
    "yaml wrong": WRONG,
    "ini": UNIT,
    "promql": PROMQL,
    "json": JSON,
}
_LOG_LINE = re.compile(r"(?:\S+Z )?(?:DEBUG|INFO|WARNING|ERROR) [a-z-]+ |\{\"time\":")
_PROGRAM = re.compile(r"(?:sudo +|[A-Za-z_]\w*=\S* +)*(?:\S*/)?([\w.-]+)")


def claimed(block: Block) -> Elsewhere | str | None:
    """The test elsewhere, the kind of what is tested here, or nobody."""
    for each in ELSEWHERE:
        if each.is_for(block):
            return each
    if block.language in _BY_LANGUAGE:
        return _BY_LANGUAGE[block.language]
    if block.language == "yaml":
        return CONFIG if re.match("(?:#.*\n)*maglev:", block.text) else PROMETHEUS
    if block.text.startswith("--"):
        return FLAGS
    if all(_LOG_LINE.match(line) for line in block.text.splitlines()):
        return LOG
    if block.language == "" and (program := _PROGRAM.match(block.text)) and program[1] in JUDGES:
        return COMMANDS
    return None


def shell_lines(block: Block) -> Iterator[tuple[int, str]]:
    """The commands of a block, each with its line: those to be typed, or behind `$ ` in what is shown of a session."""
    if claimed(block) == COMMANDS:
        joined, first = "", block.line
        for number, line in enumerate(block.text.splitlines(), block.line):
            joined = f"{joined}\n{line}" if joined else line
            if line.endswith("\\"):
                continue
            if joined.strip() and not joined.startswith("#"):
                yield first, joined
            joined, first = "", number + 1
        return
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            yield number, line.removeprefix("$ ")
