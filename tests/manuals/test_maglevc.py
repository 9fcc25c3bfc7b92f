"""maglevc(1) has every option, command and exit status of maglevc, and its examples are understood."""

import re
import shlex

import pytest

from maglev.cli import options, words
from maglev.cli.output import Exit
from maglev.cli.words import LANGUAGE, RULES
from maglev.manuals import maglevc
from tests.cli.test_docs import told
from tests.manuals.rendered import rendered, section


@pytest.fixture(scope="module")
def page() -> str:
    return rendered("maglevc.1")


def test_every_command_is_there_with_what_it_does(page: str) -> None:
    commands = section(page, "COMMANDS")

    assert [rule.synopsis for rule in RULES if f"       {rule.synopsis} " not in commands.replace("\n", " ")] == []
    assert [rule.help for rule in RULES if rule.help.replace("`", "") not in commands] == []
    assert {name for name in LANGUAGE.arguments if not re.search(rf"^ +{name}\b", page, re.MULTILINE)} == set()


def test_every_option_is_there(page: str) -> None:
    shown = section(page, "OPTIONS")

    for action in options.parser({})._actions:
        for flag in action.option_strings:
            assert re.search(rf"(^| ){flag}\b", shown, re.MULTILINE), flag


def test_every_exit_status_is_there(page: str) -> None:
    listed = re.findall(r"^ +(\d+) {2,}\S", section(page, "EXIT STATUS"), re.MULTILINE)

    assert [int(status) for status in listed] == list(Exit)


@pytest.mark.parametrize("command", [command for command, _ in maglevc._EXAMPLES])
def test_an_example_is_understood(command: str) -> None:
    said = options.parse(told(command)[1:], {}).words

    assert said or "<" in shlex.split(command)
    if said:
        words.parse(said)
