"""Generate src/maglev/rpc/_pb from maglev.proto; with --check, only say whether it is up to date."""

import re
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
TARGET = HERE.parent / "src" / "maglev" / "rpc" / "_pb"
NAMES = ("maglev_pb2.py", "maglev_pb2.pyi", "maglev_pb2_grpc.py")


def generate(directory: Path) -> None:
    """Run protoc and make the generated import relative, as the code lives inside a package."""
    arguments = ["protoc", f"-I{HERE}", f"--python_out={directory}", f"--pyi_out={directory}"]
    if protoc.main([*arguments, f"--grpc_python_out={directory}", "maglev.proto"]):
        raise SystemExit("protoc failed")
    stub = directory / "maglev_pb2_grpc.py"
    stub.write_text(re.sub(r"^import maglev_pb2", "from . import maglev_pb2", stub.read_text(), flags=re.MULTILINE))


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
