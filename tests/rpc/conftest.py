from pathlib import Path

import pytest

from tests.rpc import authorities


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> authorities.Folder:
    """Certificates to read; who writes makes a folder of his own."""
    return authorities.make(Path(tmp_path_factory.mktemp("certificates")) / "here")


@pytest.fixture
def own(tmp_path: Path) -> authorities.Folder:
    """Certificates to change."""
    return authorities.make(tmp_path / "certificates")
