from pathlib import Path

import pytest


@pytest.fixture
def sockets(tmp_path: Path) -> tuple[str, str]:
    return str(tmp_path / "api.sock"), str(tmp_path / "stats.sock")
