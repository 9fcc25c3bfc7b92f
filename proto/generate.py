"""Generate src/maglev/rpc/_pb from maglev.proto; with --check, only say whether it is up to date."""

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
TARGET = HERE.parent / "src" / "maglev" / "rpc" / "_pb"
NAMES = ("maglev_pb2.py", "maglev_pb2.pyi")


def generate(directory: Path) -> None:
    """Run protoc for the messages; server and client name the RPCs themselves, so there are no stubs."""
    if protoc.main(["protoc", f"-I{HERE}", f"--python_out={directory}", f"--pyi_out={directory}", "maglev.proto"]):
        raise SystemExit("protoc failed")


def main() -> None:
    """Generate, or compare."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        if "--check" in sys.argv:
            stale = [n for n in NAMES if (fresh / n).read_text() != (TARGET / n).read_text()]
            if stale:
                raise SystemExit(f"{', '.join(stale)} not up to date with proto/maglev.proto: run `make proto`")
            return
        for name in NAMES:
            (TARGET / name).write_text((fresh / name).read_text())


main()
