"""Which real VPP the tests take; nothing here needs one."""

import socket
from pathlib import Path

import pytest

from tests.real_vpp import API, BINARY, PLUGINS, STATS, Binary, Nothing, Sockets, find, started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("vpp", "other"):
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "started with $*"; cat "$2"; exit 3\n')
        program.chmod(0o755)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "lb_plugin.so").touch()
    return tmp_path


def test_without_any_the_reason_names_what_to_set() -> None:
    found = find({"PATH": "/nowhere"})

    assert isinstance(found, Nothing)
    assert BINARY in found.reason


def test_one_on_the_path_is_found_and_a_named_one_goes_before_it(folder: Path) -> None:
    assert find({"PATH": str(folder)}) == Binary(str(folder / "vpp"), None)
    assert find({"PATH": str(folder), BINARY: str(folder / "other")}) == Binary(str(folder / "other"), None)
    assert find({"PATH": str(folder), PLUGINS: str(folder / "plugins")}) == Binary(
        str(folder / "vpp"), str(folder / "plugins")
    )


def test_one_that_runs_goes_before_one_to_start(folder: Path) -> None:
    api, stats = str(folder / "api"), str(folder / "stats")
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        one.bind(api)
        other.bind(stats)

        assert find({"PATH": str(folder), API: api, STATS: stats}) == Sockets(api, stats)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({API: "/nowhere/api.sock"}, "give both or none"),
        ({STATS: "/nowhere/stats.sock"}, "give both or none"),
        ({API: "/dev/null", STATS: "/dev/null"}, f"{API}=/dev/null: there is no such socket"),
        ({BINARY: "/nowhere/vpp"}, f"{BINARY}=/nowhere/vpp: there is no such program"),
        ({BINARY: "/bin/sh", PLUGINS: "/nowhere"}, f"{PLUGINS}=/nowhere: there is no lb_plugin.so"),
    ],
)
def test_what_is_named_wrongly_is_an_error_and_no_reason_to_skip(environ: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        find({"PATH": "/nowhere"} | environ)


def test_one_that_does_not_start_fails_with_what_it_said(folder: Path) -> None:
    binary = Binary(str(folder / "vpp"), str(folder / "plugins"))

    with (
        pytest.raises(AssertionError, match="the process ended with 3") as caught,
        started(binary, folder),
    ):
        pytest.fail("it never answered")

    assert f"started with -c {folder}/startup.conf" in str(caught.value)
    assert f"path {folder}/plugins" in str(caught.value)
    assert f"socket-name {folder}/api.sock" in str(caught.value)
