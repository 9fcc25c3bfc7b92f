"""docs/access.md: what it says to type works, and its lists are those of the code."""

import re
import shutil
import subprocess
from pathlib import Path

import grpc
import pytest

from maglev.rpc.access import FOR_OPERATORS, Access
from tests.rpc import clients, statuses
from tests.rpc.authorities import Folder
from tests.rpc.desk import Desk
from tests.rpc.served import served

DOC = (Path(__file__).parents[2] / "docs" / "access.md").read_text()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_the_small_ca_of_the_document_lets_its_operator_in(tmp_path: Path) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", DOC, re.DOTALL)
    subprocess.run(["sh", "-e"], input=script.encode(), cwd=tmp_path, check=True, capture_output=True, timeout=60)
    folder, desk = Folder(tmp_path), Desk()
    access = folder.access(ca="ca", operators=["alice@example.org"])
    with served(statuses.FULL, commands=desk, access=access) as address:
        with clients.tls(address, folder, client="alice") as channel:
            assert clients.code(channel, "PauseBackend") is grpc.StatusCode.OK
        assert desk.callers[0].who == "certificate alice@example.org"
        with clients.tls(address, folder, client="server") as channel:  # no client's certificate
            assert clients.code(channel, "ListBackends") is grpc.StatusCode.UNAVAILABLE


def test_the_rpcs_that_a_viewer_may_not_call_are_listed() -> None:
    sentence = DOC.partition("A viewer gets PERMISSION_DENIED for")[2].partition(", and may call")[0]

    assert set(re.findall(r"[A-Z]\w+", sentence)) == FOR_OPERATORS


def test_the_default_of_the_viewers_is_as_told() -> None:
    assert "`--grpc-viewers` (default `*`)" in DOC
    assert Access().viewers == {"*"}
